"""Who asks what a plan would take over, and who does not."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from shared.models import JournalRecord
from shared.rollback.precedents import Precedents
from shared.safety.entries import Existing
from tests.unit.worker.provisioners.test_terraform import Commands as Plain
from tests.unit.worker.provisioners.test_terraform import terraform
from tests.unit.worker.support import RUN, assignment, record
from worker.existing import LIMIT_MS, ExistingThings

RULE = {"name": "nightly", "event_bus_name": "default"}
SHOWN: dict[str, Any] = {
    "resource_changes": [
        {
            "address": "aws_cloudwatch_event_rule.a",
            "mode": "managed",
            "type": "aws_cloudwatch_event_rule",
            "change": {"actions": ["create"], "after": RULE},
        }
    ]
}
THERE = Existing(address="aws_cloudwatch_event_rule.a", type="aws_cloudwatch_event_rule", certain=True)


class Commands(Plain):
    """Answers every question alike, or never comes to an end."""

    def __init__(self, code: int | None = 0) -> None:
        super().__init__()
        self.code = code
        self.limits: list[int] = []

    def run_within(
        self, argv: Sequence[str], *, limit_ms: int, enough: Callable[[], bool], capture: Path | None = None
    ) -> int | None:
        assert capture is not None
        assert not enough()
        self.limits.append(limit_ms)
        capture.write_text(json.dumps([{"status": 200, "body": "{}"}]))
        return self.code


def asked(
    tmp_path: Path, commands: Commands, precedents: Precedents | None, *made: JournalRecord
) -> frozenset[Existing]:
    run = assignment().model_copy(update={"precedents": precedents})
    things = ExistingThings(run, commands, confined=False, made=lambda: made)
    return things(terraform(tmp_path, commands), SHOWN)


def test_what_a_deployment_would_take_over_is_asked_within_bounds(tmp_path: Path) -> None:
    commands = Commands()
    assert asked(tmp_path, commands, Precedents()) == {THERE}
    assert commands.limits == [LIMIT_MS]


def test_questions_that_take_too_long_leave_it_open(tmp_path: Path) -> None:
    assert asked(tmp_path, Commands(None), Precedents()) == {THERE.model_copy(update={"certain": False})}


def test_what_an_earlier_try_made_is_its_own(tmp_path: Path) -> None:
    made = record("events", "PutRule", {"Name": "nightly"}, {})
    assert asked(tmp_path, Commands(), Precedents(tries=(RUN,)), made) == frozenset()
    assert asked(tmp_path, Commands(), Precedents(), made) == {THERE}


def test_of_a_run_that_nobody_takes_back_nothing_is_asked(tmp_path: Path) -> None:
    commands = Commands()
    assert asked(tmp_path, commands, None) == frozenset()
    assert commands.limits == []
