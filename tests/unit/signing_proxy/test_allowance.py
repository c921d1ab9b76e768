"""A call within the bounds is signed; one outside is not, whatever else speaks for it."""

from __future__ import annotations

import pytest

from shared.safety.allowance import Allowance, AllowedEntry
from signing_proxy.access import class_of
from signing_proxy.allowance import bounds_of, objection
from signing_proxy.classify import UNKNOWN_OPERATION, Operation, Protocol


def asked(service: str, operation: str) -> Operation:
    return Operation(service=service, operation=operation, protocol=Protocol.JSON, kind=class_of(service, operation))


def entries(*pairs: tuple[str, str]) -> Allowance:
    return Allowance(mode="entries", entries=tuple(AllowedEntry(type=kind, operation=op) for kind, op in pairs))


QUEUE = entries(("aws_sqs_queue", "create"))
READS = [("sqs", "ListQueues"), ("s3", "GetObject"), ("secretsmanager", "GetSecretValue"), ("kms", "Decrypt")]


@pytest.mark.parametrize("allowance", [Allowance.reads(), QUEUE, entries(), Allowance.unbounded()])
@pytest.mark.parametrize(("service", "operation"), READS)
def test_what_changes_nothing_is_within_every_bound(allowance: Allowance, service: str, operation: str) -> None:
    assert objection(asked(service, operation), bounds_of(allowance)) is None


@pytest.mark.parametrize(
    ("service", "operation"),
    [
        ("sqs", "CreateQueue"),
        ("s3", "PutObject"),
        ("iam", "AttachRolePolicy"),
        ("x", "GetThing"),
        ("sqs", "SendMessage"),
    ],
)
def test_a_run_that_may_only_read_changes_nothing(service: str, operation: str) -> None:
    why = objection(asked(service, operation), bounds_of(Allowance.reads("a plan changes nothing")))
    assert why is not None
    assert f"{service}:{operation}" in why
    assert "reads only (a plan changes nothing)" in why


def test_an_apply_does_what_its_entries_need_and_no_more() -> None:
    bounds = bounds_of(QUEUE)
    assert objection(asked("sqs", "CreateQueue"), bounds) is None
    for operation in ("DeleteQueue", "SendMessage", "AddPermission"):
        assert objection(asked("sqs", operation), bounds) is not None
    assert objection(asked("sns", "CreateTopic"), bounds) is not None


def test_a_type_without_a_map_is_bounded_by_class_and_service() -> None:
    bounds = bounds_of(entries(("aws_mq_broker", "create")))
    assert objection(asked("mq", "CreateBroker"), bounds) is None
    assert objection(asked("mq", "UpdateBroker"), bounds) is None
    assert objection(asked("mq", "DeleteBroker"), bounds) is not None
    assert objection(asked("sqs", "CreateQueue"), bounds) is not None


@pytest.mark.parametrize("operation", [UNKNOWN_OPERATION, "SomethingNew"])
def test_what_is_unknown_is_within_no_bound_but_the_unbounded(operation: str) -> None:
    bounds = bounds_of(entries(("aws_mq_broker", "create"), ("aws_mq_broker", "delete")))
    why = objection(asked("mq", operation), bounds)
    assert why is not None
    assert "not known" in why
    assert objection(asked("mq", operation), bounds_of(Allowance.unbounded())) is None
