"""The schema's own rules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError, StatementError

from scheduler.tables import ACTIVE_STATUSES, RunRow, TickRow
from shared.models import RunStatus
from tests.unit.scheduler.support import TARGET, World


def add(world: World, number: int, **values: object) -> None:
    with world.context.database.write() as session:
        row = {
            "id": f"run-{number:016x}",
            "target": TARGET,
            "region": "north",
            "kind": "apply",
            "status": "pending",
            "actor": "",
            "argv": [],
            "reason": "",
            "created_at": world.clock.wall(),
        }
        session.execute(insert(RunRow).values({**row, **values}))


def test_the_active_statuses_are_those_between_the_claim_and_the_end() -> None:
    between = {status.value for status in RunStatus if not status.terminal} - {"pending"}
    assert set(ACTIVE_STATUSES) == between


@pytest.mark.parametrize("status", ACTIVE_STATUSES)
def test_a_target_has_one_active_run(world: World, status: str) -> None:
    add(world, 1, status="claimed")
    with pytest.raises(IntegrityError):
        add(world, 2, status=status)
    for number, harmless in ((3, "pending"), (4, "lost"), (5, "applied")):
        add(world, number, status=harmless)


def test_an_epoch_names_one_run_and_a_run_has_one_follow_up(world: World) -> None:
    add(world, 1, status="lost", epoch=1)
    with pytest.raises(IntegrityError):
        add(world, 2, epoch=1)
    add(world, 3, retry_of=f"run-{1:016x}")
    with pytest.raises(IntegrityError):
        add(world, 4, retry_of=f"run-{1:016x}")


def test_instants_keep_their_zone_and_naive_ones_are_refused(world: World) -> None:
    instant = datetime(2026, 5, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    with world.context.database.write() as session:
        session.add(TickRow(schedule="s", due_at=instant))
    with world.context.database.read() as session:
        (due,) = session.scalars(select(TickRow.due_at))
    assert due == instant
    assert due.tzinfo is UTC
    with pytest.raises(StatementError, match="naive"), world.context.database.write() as session:
        session.add(TickRow(schedule="s", due_at=datetime(2026, 5, 1)))  # noqa: DTZ001 - the naive value is the point
