"""The schema's rules about the installation as a whole."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from scheduler.tables import TickRow
from tests.unit.scheduler.support import World
from tests.unit.scheduler.tables.support import add


def test_of_two_beats_one_takes_a_tick_on(world: World) -> None:
    due = world.clock.wall()
    add(world, TickRow, schedule="drift", due_at=due)
    add(world, TickRow, schedule="drift", due_at=due + timedelta(minutes=1))
    with pytest.raises(IntegrityError):
        add(world, TickRow, schedule="drift", due_at=due)
