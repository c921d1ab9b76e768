"""The table itself."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from shared.recovery.rules import (
    BY_CALL,
    IMPORTABLE,
    differs,
    import_id,
    is_part,
    leaf,
    makes_something,
    names_of,
    same,
)
from shared.recovery.table import TABLE
from tests.unit.worker.support import record

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
    assert set(PROMISED) <= {rule.type for rule in TABLE}


def test_at_least_forty_types_are_importable_and_the_page_names_them_all() -> None:
    page = (Path(__file__).resolve().parents[4] / "docs" / "recovery.md").read_text()
    named = re.findall(r"^\| `(aws_\w+)` \|", page, re.MULTILINE)
    assert tuple(named) == IMPORTABLE
    assert len(IMPORTABLE) >= 40
    assert f"made for these, {len(IMPORTABLE)} in all" in page


def test_each_rule_identifies_by_name_or_by_its_answer() -> None:
    for rule in TABLE:
        assert rule.same or rule.anonymous or rule.alone, rule
        one = r"\{[\w|]+\}"
        assert rule.alone or re.fullmatch(rf"({one}([:/_|]{one}){{0,3}}(\[_{one}\])?)?", rule.import_id), rule


def test_a_numbered_name_is_the_name_without_its_number() -> None:
    assert [leaf(name) for name in ("InstanceId.1", "Tags.member.1.Key", "QueueUrl", "7")] == [
        "instanceid", "key", "queueurl", "7",
    ]  # fmt: skip


def test_the_answer_wins_over_the_request_in_what_an_import_takes() -> None:
    made = record("route53", "CreateHostedZone", {"Id": "asked"}, {"Id": "/hostedzone/Z1"})
    rule = BY_CALL["route53", "CreateHostedZone"][0]
    assert import_id(rule, names_of(made)) == "Z1"
    assert import_id(rule, {}) is None


def test_names_are_the_same_where_all_that_both_sides_know_is_equal() -> None:
    rule = BY_CALL["logs", "CreateLogStream"][0]
    names = {"loggroupname": "g", "logstreamname": "s"}
    assert same(rule, names, {"log_group_name": "g", "name": "s"})
    assert same(rule, names, {"name": "s"})
    assert not same(rule, names, {"log_group_name": "other", "name": "s"})
    assert not same(rule, names, {})
    assert differs(rule, names, {"log_group_name": "other", "name": "s"})
    assert not differs(rule, names, {})


@pytest.mark.parametrize("operation", ["PutBucketPolicy", "AttachRolePolicy", "TagResource", "AddPermission"])
def test_setting_a_property_makes_nothing(operation: str) -> None:
    assert not makes_something(record("any", operation))


@pytest.mark.parametrize("operation", ["RunThings", "AllocateThing", "CreateFunction", "Unknown", ""])
def test_what_has_no_rule_counts_all_the_same(operation: str) -> None:
    assert makes_something(record("any", operation))


@pytest.mark.parametrize(
    ("service", "operation", "part"),
    [
        ("s3", "PutBucketPolicy", True),
        ("sqs", "SetQueueAttributes", True),
        ("s3", "CreateBucket", False),
        ("ec2", "AuthorizeSecurityGroupIngress", False),
        ("s3", "NobodyKnowsThis", False),
    ],
)
def test_a_part_is_what_is_always_set_on_something_else(service: str, operation: str, part: bool) -> None:
    assert is_part(service, operation) is part
