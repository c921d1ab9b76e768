"""A resource type's services, told from its name."""

from __future__ import annotations

import pytest

from signing_proxy.resource_types import _PREFIXES, guards_access, services_of
from signing_proxy.service_index import service_index


@pytest.mark.parametrize(
    ("kind", "services"),
    [
        ("aws_sqs_queue", ("sqs",)),
        ("aws_vpc", ("ec2",)),
        ("aws_vpclattice_service", ("vpc-lattice",)),
        ("aws_route", ("ec2",)),
        ("aws_route_table_association", ("ec2",)),
        ("aws_route53_record", ("route53",)),
        ("aws_route53_resolver_rule", ("route53resolver",)),
        ("aws_cloudwatch_log_group", ("logs",)),
        ("aws_cloudwatch_metric_alarm", ("monitoring",)),
        ("aws_lb_listener", ("elasticloadbalancing",)),
        ("aws_s3control_access_grant", ("s3",)),
        ("aws_instance", ("ec2",)),
        ("aws_db_instance", ("rds",)),
        ("aws_kms_key", ("kms",)),
        ("google_pubsub_topic", ()),
        ("aws_nonesuch", ()),
        ("", ()),
    ],
)
def test_a_type_belongs_to_its_services(kind: str, services: tuple[str, ...]) -> None:
    assert services_of(kind) == services


def test_the_table_names_services_that_there_are() -> None:
    assert {name for names in _PREFIXES.values() for name in names} <= set(service_index())


def test_types_about_permissions_are_told_by_their_names() -> None:
    assert guards_access("aws_iam_role_policy_attachment")
    assert guards_access("aws_lambda_permission")
    assert not guards_access("aws_sqs_queue")
    assert not guards_access("aws_accessory_thing".replace("access", "x"))
