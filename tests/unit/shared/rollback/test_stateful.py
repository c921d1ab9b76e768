"""The table of what is lost: each line says something, and says it once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from shared.rollback import rebuilt, stateful
from shared.rollback.rebuilt import is_rebuilt
from shared.rollback.stateful import LOSSES, Holds


def test_a_type_stands_in_the_table_once() -> None:
    listed = re.findall(r'^    "([a-z0-9_]+)": ', Path(stateful.__file__).read_text(), re.MULTILINE)
    assert len(listed) == len(set(listed)) == len(LOSSES)


def test_every_line_says_what_is_lost_in_a_few_words() -> None:
    for kind, loss in LOSSES.items():
        assert re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)+", kind)
        assert 5 < len(loss.why) < 120
        assert not loss.why.endswith(".")


def test_nothing_is_both_lost_and_only_made_again() -> None:
    assert not LOSSES.keys() & rebuilt._REBUILT


@pytest.mark.parametrize(
    ("kind", "holds"),
    [
        ("aws_s3_bucket", Holds.DATA),
        ("aws_dynamodb_table", Holds.DATA),
        ("aws_db_instance", Holds.DATA),
        ("aws_efs_file_system", Holds.DATA),
        ("aws_ebs_volume", Holds.DATA),
        ("aws_ecr_repository", Holds.DATA),
        ("aws_cloudwatch_log_group", Holds.DATA),
        ("aws_sqs_queue", Holds.PASSING),
        ("aws_kms_key", Holds.GONE),
        ("aws_secretsmanager_secret", Holds.GONE),
        ("aws_glacier_vault", Holds.GONE),
        ("aws_s3_bucket_object_lock_configuration", Holds.GONE),
        ("aws_cognito_user_pool", Holds.GONE),
        ("aws_route53_zone", Holds.GONE),
        ("aws_acm_certificate", Holds.GONE),
        ("aws_eip", Holds.GONE),
        ("aws_organizations_account", Holds.GONE),
        ("aws_guardduty_detector", Holds.DATA),
        ("aws_securityhub_account", Holds.DATA),
        ("aws_macie2_account", Holds.DATA),
        ("aws_detective_graph", Holds.DATA),
        ("aws_auditmanager_assessment", Holds.DATA),
        ("aws_ssmincidents_replication_set", Holds.DATA),
        ("aws_cloudformation_stack", Holds.DATA),
        ("aws_cloudcontrolapi_resource", Holds.DATA),
        ("aws_servicecatalog_provisioned_product", Holds.DATA),
        ("aws_serverlessapplicationrepository_cloudformation_stack", Holds.DATA),
        ("aws_codecatalyst_project", Holds.DATA),
        ("aws_codecatalyst_dev_environment", Holds.DATA),
        ("aws_cloud9_environment_ec2", Holds.DATA),
        ("aws_codebuild_report_group", Holds.DATA),
        ("aws_dataexchange_data_set", Holds.DATA),
        ("aws_dataexchange_revision", Holds.DATA),
        ("aws_finspace_kx_environment", Holds.DATA),
        ("aws_mwaa_environment", Holds.DATA),
        ("aws_sagemaker_space", Holds.DATA),
        ("aws_sagemaker_user_profile", Holds.DATA),
        ("aws_sagemaker_model_package_group", Holds.DATA),
        ("aws_bedrock_custom_model", Holds.DATA),
        ("aws_qbusiness_application", Holds.DATA),
        ("aws_customerprofiles_profile", Holds.DATA),
        ("aws_location_geofence_collection", Holds.DATA),
        ("aws_pinpointsmsvoicev2_opt_out_list", Holds.DATA),
        ("aws_imagebuilder_image", Holds.DATA),
        ("aws_cloudfrontkeyvaluestore_key", Holds.PASSING),
        ("aws_grafana_workspace_service_account", Holds.PASSING),
        ("aws_paymentcryptography_key", Holds.GONE),
        ("aws_wafv2_api_key", Holds.GONE),
        ("aws_grafana_workspace_api_key", Holds.GONE),
        ("aws_grafana_workspace_service_account_token", Holds.GONE),
        ("aws_lightsail_bucket_access_key", Holds.GONE),
        ("aws_lightsail_key_pair", Holds.GONE),
        ("aws_appsync_domain_name", Holds.GONE),
        ("aws_vpc_ipam_pool_cidr_allocation", Holds.GONE),
    ],
)
def test_what_everybody_would_look_for_is_in_it(kind: str, holds: Holds) -> None:
    assert LOSSES[kind].holds is holds


def test_no_type_that_holds_data_is_told_by_its_ending_to_hold_none() -> None:
    assert [kind for kind in LOSSES if is_rebuilt(kind)] == []
