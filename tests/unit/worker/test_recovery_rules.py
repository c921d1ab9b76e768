"""The table itself."""

from __future__ import annotations

import re

import pytest

from worker.recovery_rules import RULES, makes_something

PROMISED = [
    "aws_s3_bucket",
    "aws_sqs_queue",
    "aws_sns_topic",
    "aws_sns_topic_subscription",
    "aws_dynamodb_table",
    "aws_iam_role",
    "aws_iam_policy",
    "aws_iam_instance_profile",
    "aws_iam_user",
    "aws_iam_group",
    "aws_ssm_parameter",
    "aws_security_group",
    "aws_vpc_security_group_ingress_rule",
    "aws_vpc_security_group_egress_rule",
    "aws_vpc",
    "aws_subnet",
    "aws_internet_gateway",
    "aws_route_table",
    "aws_route_table_association",
    "aws_cloudwatch_log_group",
    "aws_cloudwatch_event_rule",
    "aws_cloudwatch_metric_alarm",
    "aws_kms_key",
    "aws_kms_alias",
    "aws_secretsmanager_secret",
    "aws_ecr_repository",
    "aws_route53_zone",
]


def test_the_promised_types_have_rules() -> None:
    assert set(PROMISED) <= {rule.type for rule in RULES.values()}


def test_each_rule_identifies_by_name_or_is_anonymous_never_both() -> None:
    for rule in RULES.values():
        assert bool(rule.same) is not rule.anonymous, rule
        assert re.fullmatch(r"\{\w+\}([:/]\{\w+\})?", rule.import_id), rule


@pytest.mark.parametrize("operation", ["PutBucketPolicy", "AttachRolePolicy", "TagResource", "AddPermission"])
def test_setting_a_property_makes_nothing(operation: str) -> None:
    assert not makes_something("any", operation)


@pytest.mark.parametrize("operation", ["RunInstances", "AllocateAddress", "CreateFunction", "Unknown", ""])
def test_what_has_no_rule_counts_all_the_same(operation: str) -> None:
    assert makes_something("any", operation)
