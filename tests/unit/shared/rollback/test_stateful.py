"""The table of what is lost: each line says something, and says it once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from shared.rollback import rebuilt, stateful
from shared.rollback.rebuilt import is_rebuilt
from shared.rollback.stateful import LOSSES, Holds, keeps_data


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
    ],
)
def test_what_everybody_would_look_for_is_in_it(kind: str, holds: Holds) -> None:
    assert LOSSES[kind].holds is holds


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
        ("aws_new_database", False),
    ],
)
def test_a_type_of_another_provider_is_told_by_its_name(kind: str, keeps: bool) -> None:
    assert (keeps_data(kind) is not None) is keeps


def test_what_keeps_data_as_well_is_in_the_table() -> None:
    assert all(LOSSES[kind].holds is Holds.GONE for kind in stateful._DATA_AS_WELL)


def test_no_type_that_holds_data_is_told_by_its_ending_to_hold_none() -> None:
    assert [kind for kind in LOSSES if is_rebuilt(kind)] == []
