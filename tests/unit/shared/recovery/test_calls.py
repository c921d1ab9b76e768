"""Which calls may have left something."""

from __future__ import annotations

from typing import Any

import pytest

from shared.recovery import calls
from shared.recovery.calls import may_have_happened, may_make, to_account_for, unsettled, was_answered
from tests.unit.worker.support import record


@pytest.mark.parametrize(
    ("made", "counts"),
    [
        (record("s3", "CreateBucket", {}, {}), True),
        (record("s3", "CreateBucket"), True),
        (record("s3", "CreateBucket", outcome=None), True),
        (record("s3", "CreateBucket", outcome="refused"), False),
        (record("s3", "CreateBucket", {}, {}, http_status=409), False),
        (record("s3", "CreateBucket", {}, {}, http_status=500), True),
        (record("s3", "PutBucketPolicy", {}, {}), True),
        (record("s3", "PutBucketTagging", {}, {}), False),
        (record("ec2", "CreateTags", {}, {}), False),
        (record("x", "Unknown", {}, {}), True),
        (record("x", "", {}, {}), True),
        (record("s3", "CreateBucket", {}, {}, access="read"), False),
    ],
)
def test_only_calls_that_may_have_made_something_count(made: Any, counts: bool) -> None:
    assert bool(to_account_for([made])) is counts


def test_only_a_success_is_an_answer() -> None:
    assert was_answered(record("s3", "CreateBucket", {}, {}))
    assert not was_answered(record("s3", "CreateBucket"))
    assert not was_answered(record("s3", "CreateBucket", {}, {}, http_status=503))


@pytest.mark.parametrize(
    ("outcome", "status", "happened"),
    [
        (None, None, True),
        ("unknown", None, True),
        ("answered", 200, True),
        ("answered", 500, True),
        ("answered", 400, False),
        ("refused", None, False),
    ],
)
def test_a_create_counts_unless_it_was_surely_refused(outcome: str | None, status: int | None, happened: bool) -> None:
    assert may_have_happened(record("sqs", "CreateQueue", outcome=outcome, http_status=status)) is happened


@pytest.mark.parametrize(
    ("operation", "makes"),
    [
        ("CreateQueue", True),
        ("PutThing", True),
        ("RunInstances", True),
        ("", True),
        ("SetupThing", True),
        ("DeleteQueue", False),
        ("SetQueueAttributes", False),
        ("TagResource", False),
    ],
)
def test_a_write_makes_something_unless_its_verb_says_otherwise(operation: str, makes: bool) -> None:
    assert may_make(record("x", operation, {}, {})) is makes


def test_an_unknown_delete_by_method_makes_nothing() -> None:
    assert not may_make(record("x", "", {}, {}).model_copy(update={"method": "DELETE"}))


@pytest.mark.parametrize(
    ("code", "happened"), [("SlowDown", False), ("RequestLimitExceeded", False), ("Internal", True)]
)
def test_what_was_throttled_was_not_begun(code: str, happened: bool) -> None:
    made = record("s3", "CreateBucket", {}, {}, http_status=503, error_code=code)
    assert may_have_happened(made) is happened


def queue(name: str) -> Any:
    return record("sqs", "CreateQueue", {"QueueName": name}, {"QueueUrl": f"https://sqs/{name}"})


def deleted(service: str, operation: str, resource: dict[str, str], **changes: Any) -> Any:
    return record(service, operation, resource, {}, **changes)


def test_a_delete_that_succeeded_settles_its_create_and_no_other() -> None:
    one, two = queue("one"), queue("two")
    assert unsettled([one, two, deleted("sqs", "DeleteQueue", {"QueueUrl": "https://sqs/one"})]) == [two]
    assert unsettled([one, record("sqs", "DeleteQueue", {"QueueUrl": "https://sqs/one"})]) == [one]
    assert unsettled([one, deleted("sqs", "DeleteTopic", {"QueueUrl": "https://sqs/one"})]) == [one]
    assert unsettled([one, deleted("sqs", "DeleteQueue", {})]) == [one]
    assert unsettled([deleted("sqs", "DeleteQueue", {"QueueUrl": "https://sqs/one"}), one]) == [one]


def test_a_delete_looks_only_at_what_it_may_be_about(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []
    original = calls._names_same
    monkeypatch.setattr(calls, "_names_same", lambda *words: looks.append(words) or original(*words))
    made = [queue(str(number)) for number in range(100)]
    gone = [deleted("sqs", "DeleteQueue", {"QueueUrl": f"https://sqs/{number}"}) for number in range(99)]
    assert unsettled([*made, *gone]) == made[99:]
    assert len(looks) == 99
    # What shares one name with all of them is found by its other one.
    made = [record("logs", "CreateLogStream", {"logGroupName": "g", "logStreamName": str(n)}, {}) for n in range(100)]
    gone = [deleted("logs", "DeleteLogStream", {"logGroupName": "g", "logStreamName": str(n)}) for n in range(99)]
    assert unsettled([*made, *gone]) == made[99:]
    assert len(looks) == 2 * 99


def test_what_is_made_deleted_and_made_again_is_there() -> None:
    one = queue("one")
    again = one.model_copy(update={"call_id": "b" * 32})
    gone = deleted("sqs", "DeleteQueue", {"QueueUrl": "https://sqs/one"})
    assert unsettled([one, gone, again]) == [again]
    assert unsettled([one, again, gone, gone]) == []


@pytest.mark.parametrize(
    ("create", "delete"),
    [
        (record("ec2", "CreateVpc", {}, {"vpcId": "vpc-1"}), ("ec2", "DeleteVpc", {"VpcId": "vpc-1"})),
        (
            record("ec2", "RunInstances", {}, {"instanceId": "i-1"}),
            ("ec2", "TerminateInstances", {"InstanceId.1": "i-1"}),
        ),
        (
            record("ec2", "AllocateAddress", {}, {"allocationId": "eipalloc-1"}),
            ("ec2", "ReleaseAddress", {"AllocationId": "eipalloc-1"}),
        ),
        (record("kms", "CreateKey", {}, {"KeyId": "k"}), ("kms", "ScheduleKeyDeletion", {"KeyId": "k"})),
        (
            record("iam", "AttachRolePolicy", {"RoleName": "r", "PolicyArn": "arn:p"}, {}),
            ("iam", "DetachRolePolicy", {"RoleName": "r", "PolicyArn": "arn:p"}),
        ),
        (
            record("cloudtrail", "CreateTrail", {"Name": "t"}, {"TrailARN": "arn:t"}),
            ("cloudtrail", "DeleteTrail", {"Name": "t"}),
        ),
    ],
)
def test_a_delete_names_what_was_made_in_its_own_way(create: Any, delete: tuple[str, str, dict[str, str]]) -> None:
    assert unsettled([create, deleted(*delete)]) == []
    other = (delete[0], delete[1], dict.fromkeys(delete[2], "another"))
    assert unsettled([create, deleted(*other)]) == [create]


def test_a_delete_in_another_region_takes_nothing_away() -> None:
    made = [
        record("logs", "CreateLogGroup", {"logGroupName": "g"}, {}, region=one) for one in ("eu-west-1", "us-east-1")
    ]
    gone = record("logs", "DeleteLogGroup", {"logGroupName": "g"}, {}, region="us-east-1")
    assert unsettled([*made, gone]) == made[:1]
    bucket = record("s3", "CreateBucket", {"Bucket": "b"}, {}, region="us-east-1")
    assert unsettled([bucket, record("s3", "DeleteBucket", {"Bucket": "b"}, {}, region="eu-west-1")]) == []


@pytest.mark.parametrize(
    ("put", "delete"),
    [("PutBucketPolicy", "DeleteBucketPolicy"), ("PutBucketLifecycleConfiguration", "DeleteBucketLifecycle")],
)
def test_what_is_set_on_a_bucket_is_gone_with_the_delete_that_is_named_after_it(put: str, delete: str) -> None:
    made = record("s3", put, {"Bucket": "b"}, {})
    assert unsettled([made, record("s3", delete, {"Bucket": "c"}, {})]) == [made]
    assert unsettled([made, record("s3", delete, {"Bucket": "b"}, {})]) == []


@pytest.mark.parametrize(
    ("part", "delete"),
    [
        (record("s3", "PutBucketPolicy", {"Bucket": "b"}), ("s3", "DeleteBucket", {"Bucket": "b"})),
        (
            record("iam", "AttachRolePolicy", {"RoleName": "b", "PolicyArn": "arn:p"}),
            ("iam", "DeleteRole", {"RoleName": "b"}),
        ),
        (
            record("logs", "PutSubscriptionFilter", {"logGroupName": "b", "filterName": "f"}),
            ("logs", "DeleteLogGroup", {"logGroupName": "b"}),
        ),
        (
            record("ec2", "CreateRoute", {"RouteTableId": "b", "DestinationCidrBlock": "0.0.0.0/0"}),
            ("ec2", "DeleteRouteTable", {"RouteTableId": "b"}),
        ),
        (
            record("sqs", "SetQueueAttributes", {"QueueUrl": "b", "AttributeName": "Policy"}),
            ("sqs", "DeleteQueue", {"QueueUrl": "b"}),
        ),
    ],
)
def test_what_was_set_on_something_is_gone_with_it(part: Any, delete: tuple[str, str, dict[str, str]]) -> None:
    service, operation, names = delete
    assert unsettled([part, deleted(service, operation, names)]) == []
    assert unsettled([part, deleted(service, operation, names, region="us-west-2")]) == (
        [] if service == "s3" else [part]
    )
    assert unsettled([part, deleted(service, operation, dict.fromkeys(names, "other"))]) == [part]
    assert unsettled([part, deleted(service, f"{operation}Tags", names)]) == [part]
    assert unsettled([part, deleted(service, operation, names), part]) == [part], "made again, and set again"
