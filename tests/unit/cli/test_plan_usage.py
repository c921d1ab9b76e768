"""Which entries of a plan left no trace in the journal."""

from __future__ import annotations

from typing import Any

import pytest

from cli.plan_usage import without_a_call
from tests.unit.shared.safety.support import entry
from tests.unit.worker.support import record

CREATE = entry("create", "aws_sqs_queue.a")
DELETE = entry("delete", "aws_sqs_queue.b")
TABLE = entry("create", "aws_dynamodb_table.t")
CREATED = record("sqs", "CreateQueue", {"QueueName": "a"}, {"QueueUrl": "u"})


def test_an_entry_whose_calls_were_never_answered_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert without_a_call([CREATE, DELETE, TABLE], [CREATED]) == [TABLE, DELETE]


@pytest.mark.parametrize(
    "changes", [{"access": "read"}, {"outcome": "refused"}, {"outcome": "unknown"}, {"outcome": None}]
)
def test_a_call_that_was_read_refused_or_never_answered_is_no_trace(changes: dict[str, Any]) -> None:
    assert without_a_call([CREATE], [CREATED.model_copy(update=changes)]) == [CREATE]


def test_what_needs_no_call_that_changes_anything_is_never_listed() -> None:
    quiet = [
        entry("output", "output.a", "output"),
        entry("move", "aws_sqs_queue.a"),
        entry("create", "terraform_data.a"),
    ]
    assert without_a_call(quiet, []) == []
