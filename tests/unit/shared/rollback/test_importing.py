"""By which name an object is taken in again."""

from __future__ import annotations

from typing import Any

import pytest

from shared.rollback import importing
from shared.rollback.importing import import_name


@pytest.mark.parametrize(
    ("kind", "attributes", "name"),
    [
        ("aws_vpc", {"id": "vpc-1"}, "vpc-1"),
        ("aws_vpc", {}, None),
        ("aws_route_table_association", {"id": "a", "subnet_id": "s", "gateway_id": "", "route_table_id": "r"}, "s/r"),
        ("aws_route_table_association", {"id": "a", "subnet_id": "", "gateway_id": "g", "route_table_id": "r"}, "g/r"),
        ("aws_route_table_association", {"id": "a", "subnet_id": "s"}, None),
        ("aws_iam_role_policy_attachment", {"role": "web", "policy_arn": "arn:aws:iam::1:policy/p"},
         "web/arn:aws:iam::1:policy/p"),
        ("aws_ecs_service", {"cluster": "arn:aws:ecs:eu-west-1:1:cluster/shop", "name": "web"}, "shop/web"),
        ("aws_ecs_service", {"cluster": "shop", "name": "web"}, "shop/web"),
        ("aws_lambda_permission", {"function_name": "f", "qualifier": "", "statement_id": "s"}, "f/s"),
        ("aws_lambda_permission", {"function_name": "f", "qualifier": "v1", "statement_id": "s"}, "f:v1/s"),
        ("aws_network_acl_rule",
         {"network_acl_id": "acl-1", "rule_number": 100, "protocol": "tcp", "egress": False}, "acl-1:100:tcp:false"),
        ("aws_route", {"route_table_id": "r", "destination_cidr_block": "", "destination_ipv6_cidr_block": "::/0"},
         "r_::/0"),
        ("aws_cloudwatch_event_target", {"rule": "r", "target_id": "t", "event_bus_name": "b"}, "b/r/t"),
        ("aws_s3_object", {"bucket": ["b"], "key": "k"}, None),
        ("null_resource", {"id": "1"}, None),
        ("random_password", {"id": "none"}, None),
        ("terraform_data", {"id": "1"}, "1"),
    ],
)  # fmt: skip
def test_each_type_has_its_own(kind: str, attributes: dict[str, Any], name: str | None) -> None:
    assert import_name(kind, attributes.get("id"), attributes) == name


def test_a_value_with_braces_is_not_looked_through_again() -> None:
    assert import_name("aws_s3_object", "k", {"bucket": "b", "key": "{bucket}"}) == "b/{bucket}"


def test_no_type_is_both_imported_and_not() -> None:
    assert not importing._FORMS.keys() & importing._NEVER
