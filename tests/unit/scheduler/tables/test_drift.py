"""The schema's rules about drift."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import IntegrityError

from scheduler.tables import DriftStandingRow
from tests.unit.scheduler.support import TARGET, World
from tests.unit.scheduler.tables.support import add


def test_a_target_that_is_known_has_one_standing_and_people_take_it_for_in_sync(world: World) -> None:
    with world.context.database.write() as session:
        session.query(DriftStandingRow).delete()
    add(world, DriftStandingRow, target=TARGET, deployed=True)
    for target in (TARGET, "web.nowhere"):
        with pytest.raises(IntegrityError):
            add(world, DriftStandingRow, target=target, deployed=True)
    with world.context.database.read() as session:
        standing = session.get_one(DriftStandingRow, TARGET)
        assert (standing.roll_up, standing.told_roll_up) == (None, "in_sync")
