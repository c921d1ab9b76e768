"""How columns are written on either database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import select
from sqlalchemy.exc import StatementError

from scheduler.tables import TickRow
from tests.unit.scheduler.support import World


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
