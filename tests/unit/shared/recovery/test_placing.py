"""Where a plan makes something."""

from __future__ import annotations

from typing import Any

import pytest

from shared.recovery.placing import Placing

PLAN: dict[str, Any] = {
    "configuration": {
        "provider_config": {
            "aws": {"name": "aws", "expressions": {"region": {"references": ["var.provider_region"]}}},
            "aws.north": {
                "name": "aws",
                "alias": "north",
                "expressions": {"region": {"constant_value": "eu-north-1"}},
            },
            "aws.other": {"name": "aws", "alias": "other", "expressions": {"region": {"references": ["var.other"]}}},
        },
        "root_module": {
            "resources": [
                {"address": "aws_sns_topic.here", "provider_config_key": "aws"},
                {"address": "aws_sns_topic.north", "provider_config_key": "aws.north"},
                {"address": "aws_sns_topic.other", "provider_config_key": "aws.other"},
                {"address": "aws_sns_topic.bare", "provider_config_key": "module.a:aws"},
            ],
            "module_calls": {
                "a": {"module": {"resources": [{"address": "aws_sns_topic.t", "provider_config_key": "aws.north"}]}}
            },
        },
    }
}


@pytest.mark.parametrize(
    ("address", "region"),
    [
        ("aws_sns_topic.here", "eu-west-1"),
        ('aws_sns_topic.north["a"]', "eu-north-1"),
        ("aws_sns_topic.other", None),
        ("aws_sns_topic.bare", "eu-west-1"),
        ("module.a[0].aws_sns_topic.t", "eu-north-1"),
        ("aws_sns_topic.gone", "eu-west-1"),
    ],
)
def test_the_provider_of_a_resource_says_where_it_is(address: str, region: str | None) -> None:
    assert Placing(PLAN, "eu-west-1").region_of(address, {}) == region


def test_a_resource_that_says_where_it_is_is_there() -> None:
    assert Placing(PLAN, "eu-west-1").region_of("aws_sns_topic.other", {"region": "us-east-1"}) == "us-east-1"


def test_a_plan_without_a_configuration_is_the_targets() -> None:
    assert Placing({}, "eu-west-1").region_of("aws_sns_topic.here", {}) == "eu-west-1"
