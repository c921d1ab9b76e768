"""Whether a call can have made a thing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shared.recovery.ownership import SKEW, is_older, is_ours, things_made
from shared.recovery.rules import BY_CALL
from shared.recovery.views import Candidate
from tests.unit.worker.support import record

LOST = record("iam", "PutRolePolicy", {"RoleName": "r", "PolicyName": "p"})


def ours(made: Any, *others: Any, item: Candidate | None = None) -> bool:
    return is_ours(BY_CALL[made.service, made.operation][0], made, item, things_made([made, *others]))


def test_what_was_answered_is_the_runs_own() -> None:
    assert ours(record("s3", "CreateBucket", {"Bucket": "b"}, {}))
    assert not ours(record("s3", "CreateBucket", {"Bucket": "b"}))


def test_what_lies_in_something_that_the_runs_made_is_theirs() -> None:
    assert ours(LOST, record("iam", "CreateRole", {"RoleName": "r"}, {}))
    assert not ours(LOST, record("iam", "CreateRole", {"RoleName": "another"}, {}))
    assert not ours(LOST, record("iam", "CreateRole", {"RoleName": "r"})), "that role may have been there before"


def test_what_a_second_create_is_answered_with_may_have_been_there_before() -> None:
    topic = record("sns", "CreateTopic", {"Name": "t"}, {"TopicArn": "arn:t"})
    assert not ours(record("sns", "Subscribe", {"TopicArn": "arn:t", "Endpoint": "e", "Protocol": "sqs"}), topic)


@pytest.mark.parametrize(
    ("lost", "answered"),
    [
        (record("events", "PutRule", {"Name": "x"}), record("events", "CreateEventBus", {"Name": "x"}, {})),
        (record("s3", "CreateBucket", {"Bucket": "b"}), record("s3", "CreateBucket", {"Bucket": "b"}, {})),
    ],
)
def test_an_equal_name_of_its_own_says_nothing(lost: Any, answered: Any) -> None:
    assert not ours(lost, answered)


def test_the_place_of_what_exists_counts_not_the_one_of_the_call() -> None:
    network = record("ec2", "CreateVpc", {}, {"vpcId": "vpc-1"})
    lost = record("ec2", "CreateSubnet", {"VpcId": "vpc-1"})
    for place, own in (("vpc-1", True), ("vpc-2", False)):
        assert ours(lost, network, item=Candidate(id="subnet-1", attributes={"vpc_id": place})) is own


def test_what_was_made_before_a_call_without_an_answer_is_older() -> None:
    at = LOST.at_wall
    assert is_older(Candidate(id="x", created_at=at - SKEW - timedelta(seconds=1)), LOST)
    assert not is_older(Candidate(id="x", created_at=at - SKEW), LOST)
    assert not is_older(Candidate(id="x"), LOST)
    assert ours(LOST, item=Candidate(id="x", created_at=at))
