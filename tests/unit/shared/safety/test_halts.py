"""What a run says that was halted at the wire."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.safety.halts import at_the_wire, call_in, with_address

LOG = """
aws_sqs_queue.jobs: Modifying... [id=https://sqs/1/jobs]
╷
│ Error: creating SNS Topic (t): operation error SNS: CreateTopic, context canceled
│
│   with aws_sns_topic.t,
│   on main.tf line 3, in resource "aws_sns_topic" "t":
╵
╷
│ Error: deleting SQS Queue (https://sqs/1/a): operation error SQS: DeleteQueue, StatusCode: 403
│
│   with module.m["a b"].aws_sqs_queue.failed[0],
│   on m/main.tf line 7, in resource "aws_sqs_queue" "failed":
│    7: resource "aws_sqs_queue" "failed" {
╵
"""
REASON = at_the_wire("sqs", "DeleteQueue", {"QueueUrl": "https://sqs/1/a"}, "it holds no delete")


@pytest.mark.parametrize(
    ("resource", "names"),
    [
        ({}, ""),
        ({"QueueUrl": "https://sqs/1/a (b)"}, "QueueUrl=https://sqs/1/a (b)"),
        ({"a": "1", "b": "2"}, "a=1, b=2"),
    ],
)
def test_the_call_is_read_back_from_the_reason(resource: dict[str, str], names: str) -> None:
    found = call_in(at_the_wire("sqs", "DeleteQueue", resource, "the safety plan holds no delete"))
    assert found is not None
    assert (found.call, found.names, found.address) == ("sqs:DeleteQueue", names, None)


@pytest.mark.parametrize("reason", ["", "canceled", "halted before the apply: delete a.b is not in the approved plan"])
def test_any_other_reason_names_no_call(reason: str) -> None:
    assert call_in(reason) is None
    assert with_address(reason, LOG) == reason


def test_the_resource_is_the_one_of_terraforms_own_message_about_this_call() -> None:
    found = call_in(with_address(REASON, LOG))
    assert found is not None
    assert found.address == 'module.m["a b"].aws_sqs_queue.failed[0]'
    assert (found.call, found.names) == ("sqs:DeleteQueue", "QueueUrl=https://sqs/1/a")


@pytest.mark.parametrize("log", ["", "Error: ", LOG.replace("DeleteQueue", "PurgeQueue"), LOG.replace("with ", "at ")])
def test_where_terraform_does_not_say_it_nothing_is_made_up(log: str) -> None:
    assert with_address(REASON, log) == REASON


@given(st.text())
def test_whatever_stands_in_a_log_the_call_stays_what_it_was(log: str) -> None:
    found = call_in(with_address(REASON, log))
    assert found is not None
    assert found.call == "sqs:DeleteQueue"
