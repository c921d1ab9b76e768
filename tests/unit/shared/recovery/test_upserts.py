"""The table of what a create takes over: each row is a read, and names what the rules know."""

from __future__ import annotations

import pytest

from shared.recovery.table import TABLE
from shared.recovery.upserts import UPSERTS

#: Of these a second create is answered with what exists, and no read is worth its price.
NOT_ASKED = {
    # Every bucket and every topic has one.
    *("aws_s3_bucket_acl", "aws_s3_bucket_ownership_controls", "aws_s3_bucket_public_access_block"),
    *("aws_s3_bucket_request_payment_configuration", "aws_s3_bucket_server_side_encryption_configuration"),
    *("aws_kms_key_policy", "aws_sns_topic_policy"),
    # Sets of things, or part of what has no name of its own.
    *("aws_backup_vault_policy", "aws_dynamodb_table_item", "aws_efs_backup_policy", "aws_efs_file_system_policy"),
    *("aws_eip_association", "aws_iam_group_membership", "aws_iam_user_group_membership"),
    *("aws_internet_gateway_attachment", "aws_lambda_permission", "aws_lb_listener_certificate"),
    *("aws_lb_target_group_attachment", "aws_main_route_table_association", "aws_route53_zone_association"),
    *("aws_secretsmanager_secret_version", "aws_volume_attachment", "aws_vpc_dhcp_options_association"),
    *("aws_vpc_ipv4_cidr_block_association", "aws_wafv2_web_acl_association"),
}
SUPERSEDING = ("aws_ecs_cluster", "aws_route53_record", "aws_ssm_parameter")


def test_every_type_that_a_second_create_adopts_is_asked_for_or_named_as_one_that_is_not() -> None:
    adopting = {rule.type for rule in TABLE if rule.adopts}
    assert adopting - UPSERTS.keys() == NOT_ASKED
    assert UPSERTS.keys() - adopting == set(SUPERSEDING)


@pytest.mark.parametrize("kind", sorted(UPSERTS))
def test_a_question_is_put_to_the_service_that_makes_the_thing(kind: str) -> None:
    services = {rule.service for rule in TABLE if rule.type == kind}
    assert UPSERTS[kind].service in services


@pytest.mark.parametrize("kind", sorted(UPSERTS))
def test_nobody_asks_for_what_a_plan_has_no_name_for_but_one_of_a_kind(kind: str) -> None:
    question = UPSERTS[kind]
    asks = " ".join((question.operation, *(f"{name}={value}" for name, value in question.parameters + question.match)))
    assert "{" in asks or kind == "aws_iam_account_password_policy"
