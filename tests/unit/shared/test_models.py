"""Records: ids and bounds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from shared.errors import ConfigurationError
from shared.models import JournalIntent, Run, RunStatus, target_id

RUN: dict[str, Any] = {
    "id": "run-0123456789abcdef",
    "target": "web.eu",
    "region": "eu",
    "kind": "apply",
    "status": "pending",
    "created_at": datetime(2026, 1, 1, tzinfo=UTC),
}

INTENT: dict[str, Any] = {
    "run_id": "run-0123456789abcdef",
    "target": "web.eu",
    "epoch": 1,
    "call_id": "a" * 32,
    "service": "s3",
    "operation": "CreateBucket",
    "access": "write",
    "host": "s3.amazonaws.com",
    "method": "PUT",
    "path": "/",
    "region": "eu-west-1",
    "at_wall": datetime(2026, 1, 1, tzinfo=UTC),
}


@pytest.mark.parametrize("parts", [("web", "EU"), ("", "eu"), ("a" * 64, "eu"), ("web", "eu", "a.b"), ("web", "eu\n")])
def test_what_makes_no_target_id_is_refused(parts: tuple[str, ...]) -> None:
    with pytest.raises(ConfigurationError, match="not a valid target id"):
        target_id(*parts)


def test_the_statuses_that_end_a_run() -> None:
    assert [status for status in RunStatus if not status.terminal] == [
        RunStatus.PENDING, RunStatus.CLAIMED, RunStatus.PLANNING, RunStatus.APPLYING, RunStatus.BAKING,
        RunStatus.ROLLING_BACK, RunStatus.SETTLING,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("sentence", "change"),
    [
        ("a naive time", {"created_at": datetime(2026, 1, 1)}),  # noqa: DTZ001 - that is the point
        ("a run id of another form", {"id": "run-1"}),
        ("a target that is none", {"target": "web"}),
        ("an unknown field", {"surprise": 1}),
        ("an unknown status", {"status": "asleep"}),
    ],
)
def test_a_run_is_refused_with(sentence: str, change: dict[str, object]) -> None:
    assert Run.model_validate(RUN).status is RunStatus.PENDING
    with pytest.raises(ValidationError):
        Run.model_validate(RUN | change)


@pytest.mark.parametrize(
    ("sentence", "change"),
    [
        ("a path without end", {"path": "/" * 2049}),
        ("too many identifiers", {"resource": {str(number): "x" for number in range(21)}}),
        ("an access that is neither", {"access": "maybe"}),
        ("a call id of another form", {"call_id": "1"}),
        ("epoch zero", {"epoch": 0}),
    ],
)
def test_a_journal_entry_is_refused_with(sentence: str, change: dict[str, object]) -> None:
    assert JournalIntent.model_validate(INTENT).service == "s3"
    with pytest.raises(ValidationError):
        JournalIntent.model_validate(INTENT | change)


def test_records_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Run.model_validate(RUN).status = RunStatus.LOST  # type: ignore[misc]
