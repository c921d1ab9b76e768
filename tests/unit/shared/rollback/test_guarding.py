"""What a rollback keeps although the deployment made it: what a table or a name says holds data."""

from __future__ import annotations

import pytest

from shared.rollback import guarding
from shared.rollback.guarding import keeps_data
from shared.rollback.rebuilt import is_rebuilt
from shared.rollback.stateful import LOSSES, Holds


def test_data_of_a_resource_is_kept_whoever_made_it() -> None:
    assert keeps_data("aws_dynamodb_table") == LOSSES["aws_dynamodb_table"].why
    assert keeps_data("aws_kms_key")
    assert keeps_data("aws_cognito_user_pool")
    for kind in ("aws_sqs_queue", "aws_eip", "aws_route53_zone", "aws_vpc", "some_other_thing", ""):
        assert keeps_data(kind) is None


@pytest.mark.parametrize(
    ("kind", "keeps"),
    [
        ("google_sql_database_instance", True),
        ("google_storage_bucket", True),
        ("google_compute_disk", True),
        ("azurerm_mssql_database", True),
        ("azurerm_storage_account", True),
        ("azurerm_key_vault", True),
        ("kubernetes_persistent_volume_claim", True),
        ("postgresql_schema", True),
        ("google_compute_network", False),
        ("google_storage_bucket_iam_member", False),
        ("azurerm_key_vault_access_policy", False),
        ("google_pubsub_topic", False),
        ("azurerm_subnet", False),
        ("kubernetes_deployment", False),
        ("random_password", False),
        ("tls_private_key", False),
        ("local_file", False),
        ("terraform_data", False),
        ("aws_new_database", True),
        ("aws_s3vectors_vector_bucket", True),
        ("aws_s3vectors_index", True),
        ("aws_timestreaminfluxdb_db_cluster", True),
        ("aws_finspace_kx_database", True),
        ("aws_finspace_kx_volume", True),
        ("aws_customerprofiles_domain", True),
        ("aws_codecatalyst_source_repository", True),
        ("aws_media_store_container", True),
        ("aws_athena_database", True),
        ("aws_odb_cloud_vm_cluster", True),
        ("aws_odb_cloud_exadata_infrastructure", True),
        ("aws_new_ledger", True),
        ("aws_new_thing", False),
        ("aws_new_table_rule", False),
        ("digitalocean_droplet", True),
        ("kubernetes_namespace", True),
        ("kubernetes_namespace_v1", True),
        ("kubernetes_stateful_set", True),
        ("kubernetes_stateful_set_v1", True),
        ("google_firestore_document", True),
        ("azurerm_resource_group", True),
        ("kafka_topic", True),
        ("confluent_kafka_topic", True),
        ("google_project", True),
        ("google_project_service", False),
        ("google_project_iam_member", False),
        ("kubernetes_config_map", False),
    ],
)
def test_a_type_that_no_table_knows_is_told_by_its_name(kind: str, keeps: bool) -> None:
    assert (keeps_data(kind) is not None) is keeps


def test_what_keeps_data_as_well_is_in_the_table() -> None:
    assert all(LOSSES[kind].holds is Holds.GONE for kind in guarding._DATA_AS_WELL)


@pytest.mark.parametrize(
    "kind",
    [
        "aws_account_alternate_contact",
        "aws_backup_global_settings",
        "aws_backup_report_plan",
        "aws_connect_instance_storage_config",
        "aws_datasync_location_fsx_lustre_file_system",
        "aws_docdb_cluster_instance",
        "aws_ebs_default_kms_key",
        "aws_ec2_instance_connect_endpoint",
        "aws_ec2_instance_state",
        "aws_emrcontainers_virtual_cluster",
        "aws_glue_partition_index",
        "aws_iam_user_ssh_key",
        "aws_kinesis_stream_consumer",
        "aws_lakeformation_data_lake_settings",
        "aws_neptune_cluster_instance",
        "aws_prometheus_rule_group_namespace",
        "aws_ram_resource_share_accepter",
        "aws_rds_cluster_endpoint",
        "aws_s3control_bucket_lifecycle_configuration",
        "aws_service_discovery_instance",
        "aws_ssoadmin_account_assignment",
        "aws_verifiedaccess_instance",
        "aws_vpc_ipam_pool",
        "aws_vpc_route_server",
        "aws_waf_sql_injection_match_set",
        "aws_wafv2_api_key",
        "aws_s3_bucket_versioning",
        "aws_s3_bucket_policy",
        "aws_ssm_document",
        "aws_volume_attachment",
        "aws_db_subnet_group",
    ],
)
def test_what_only_is_called_like_something_that_holds_data_is_let_go(kind: str) -> None:
    assert keeps_data(kind) is None
    assert is_rebuilt(kind) or LOSSES[kind].holds is Holds.GONE


@pytest.mark.parametrize("kind", ["aws_guardduty_detector", "aws_securityhub_account", "aws_paymentcryptography_key"])
def test_findings_and_keys_are_kept(kind: str) -> None:
    assert keeps_data(kind) == LOSSES[kind].why
