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
