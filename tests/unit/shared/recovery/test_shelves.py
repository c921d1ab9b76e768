"""Resources by what tells them apart."""

from __future__ import annotations

from typing import Any

import pytest

from shared.recovery import shelves
from shared.recovery.rules import BY_CALL
from shared.recovery.shelves import Shelves
from shared.recovery.views import Resource

BUCKET = BY_CALL["s3", "CreateBucket"][0]
ASSOCIATION = BY_CALL["ec2", "AssociateRouteTable"][0]


def resource(address: str, **values: Any) -> Resource:
    return Resource(address=address, type=address.partition(".")[0], values=values)


def test_a_resource_is_found_by_what_a_call_names() -> None:
    a, b = resource("aws_s3_bucket.a", bucket="a"), resource("aws_s3_bucket.b", bucket="b")
    kept = Shelves([a, b])
    assert kept.like(BUCKET, {"bucket": "b"}) is b
    assert kept.like(BUCKET, {"bucket": "c"}) is None
    assert kept.like(BUCKET, {}) is None


def test_all_names_that_both_sides_know_have_to_be_equal() -> None:
    one = resource("aws_route_table_association.one", subnet_id="subnet-1", route_table_id="rtb-1")
    kept = Shelves([one])
    assert kept.like(ASSOCIATION, {"subnetid": "subnet-1"}) is one
    assert kept.like(ASSOCIATION, {"subnetid": "subnet-1", "routetableid": "rtb-2"}) is None


def test_a_name_with_a_dot_behind_it_is_the_same() -> None:
    zone = resource("aws_route53_zone.z", name="example.com")
    assert Shelves([zone]).like(BY_CALL["route53", "CreateHostedZone"][0], {"name": "example.com."}) is zone


def test_an_id_or_an_arn_is_known() -> None:
    kept = Shelves([resource("aws_sqs_queue.q", id="https://q", arn="arn:q")])
    assert kept.with_id("aws_sqs_queue", "https://q")
    assert kept.with_id("aws_sqs_queue", "arn:q")
    assert not kept.with_id("aws_sqs_queue", None)
    assert not kept.with_id("aws_sns_topic", "arn:q")


def test_what_was_taken_is_not_there_any_more() -> None:
    a, b = resource("aws_s3_bucket.a", bucket="a", id="a"), resource("aws_s3_bucket.b", bucket="b")
    kept = Shelves([a, b])
    kept.take(a)
    assert kept.of("aws_s3_bucket") == [b]
    assert kept.like(BUCKET, {"bucket": "a"}) is None
    assert not kept.with_id("aws_s3_bucket", "a")


def test_two_objects_at_one_address_are_both_there() -> None:
    deposed = [resource("aws_s3_bucket.a", bucket=name) for name in ("old", "new")]
    assert Shelves(deposed).of("aws_s3_bucket") == deposed


def test_a_call_does_not_look_at_everything_that_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []
    original = shelves.same
    monkeypatch.setattr(shelves, "same", lambda *words: looks.append(words) or original(*words))
    kept = Shelves([resource(f"aws_s3_bucket.b[{number}]", bucket=str(number)) for number in range(100)])
    assert all(kept.like(BUCKET, {"bucket": str(number)}) for number in range(100))
    assert len(looks) == 100


ATTACHMENT = BY_CALL["iam", "AttachRolePolicy"][0]


def test_of_several_the_one_is_meant_of_which_most_is_known_to_be_equal() -> None:
    new = resource("aws_iam_role_policy_attachment.new", role="r", policy_arn=None)
    x = resource("aws_iam_role_policy_attachment.x", role="r", policy_arn="arn:x")
    for order in ([new, x], [x, new]):
        kept = Shelves(order)
        assert kept.like(ATTACHMENT, {"rolename": "r", "policyarn": "arn:x"}) is x
        assert kept.like(ATTACHMENT, {"rolename": "r", "policyarn": "arn:y"}) is new


@pytest.mark.parametrize(
    ("arn", "found"),
    [
        ("arn:aws:logs:us-east-1:1:log-group:/app", True),
        ("arn:aws:logs:eu-west-1:1:log-group:/app", False),
        ("arn:aws:logs::1:log-group:/app", True),
        (None, True),
    ],
)
def test_what_is_known_to_be_in_another_region_is_another_one(arn: str | None, found: bool) -> None:
    group = resource("aws_cloudwatch_log_group.app", name="/app", arn=arn)
    rule = BY_CALL["logs", "CreateLogGroup"][0]
    assert (Shelves([group]).like(rule, {"loggroupname": "/app"}, "us-east-1") is group) is found
    assert Shelves([group]).like(rule, {"loggroupname": "/app"}) is group


def test_the_arn_that_an_event_target_has_is_not_its_own() -> None:
    bus = "arn:aws:events:us-east-1:1:event-bus/central"
    target = resource("aws_cloudwatch_event_target.t", rule="r", target_id="t", arn=bus)
    rule = BY_CALL["events", "PutTargets"][0]
    assert Shelves([target]).like(rule, {"rule": "r", "id": "t"}, "eu-central-1") is target


@pytest.mark.parametrize(
    ("call", "held", "names"),
    [
        (("wafv2", "CreateIPSet"), {"name": "x", "scope": "REGIONAL"}, {"name": "x", "scope": "CLOUDFRONT"}),
        (
            ("ec2", "AssociateAddress"),
            {"allocation_id": "a", "instance_id": "i-1"},
            {"allocationid": "a", "instanceid": "i-2"},
        ),
    ],
    ids=["scope", "instance"],
)
def test_one_of_the_same_name_for_something_else_is_another_one(
    call: tuple[str, str], held: dict[str, str], names: dict[str, str]
) -> None:
    rule = BY_CALL[call][0]
    assert Shelves([resource(f"{rule.type}.x", **held)]).like(rule, names) is None


@pytest.mark.parametrize(
    ("call", "attributes", "names"),
    [
        (
            ("route53", "ChangeResourceRecordSets"),
            {"zone_id": "Z", "type": "A", "name": "n{0}"},
            {"id": "Z", "type": "A", "name": "n{0}.example.com."},
        ),
        (("iam", "AttachRolePolicy"), {"role": "r", "policy_arn": "{0}"}, {"rolename": "r", "policyarn": "{0}"}),
        (
            ("elasticloadbalancing", "RegisterTargets"),
            {"target_group_arn": "g", "target_id": "{0}"},
            {"targetgrouparn": "g", "id": "{0}"},
        ),
    ],
    ids=["records of a zone", "policies of a role", "targets of a group"],
)
def test_nor_at_all_the_parts_of_one_thing(
    call: tuple[str, str], attributes: dict[str, str], names: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []
    original = shelves.same
    monkeypatch.setattr(shelves, "same", lambda *words: looks.append(words) or original(*words))
    rule = BY_CALL[call][0]

    def filled(values: dict[str, str], number: int) -> dict[str, str]:
        return {name: value.format(number) for name, value in values.items()}

    parts = [resource(f"{rule.type}.p[{number}]", **filled(attributes, number)) for number in range(100)]
    kept = Shelves(parts)
    assert [kept.like(rule, filled(names, number)) for number in range(100)] == parts
    assert len(looks) == 100
