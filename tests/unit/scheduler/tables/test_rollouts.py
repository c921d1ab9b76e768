"""The schema's rules about roll-outs."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import IntegrityError

from scheduler.tables import RolloutRow
from shared.rollouts import RolloutStatus
from tests.unit.scheduler.support import World
from tests.unit.scheduler.tables.support import add


def add_rollout(world: World, number: int, status: RolloutStatus, flock: str = "web") -> None:
    add(
        world,
        RolloutRow,
        id=f"rollout-{number:016x}",
        flock=flock,
        release_digest="sha256:" + "c" * 64,
        status=status,
        document={},
        created_at=world.clock.wall(),
    )


@pytest.mark.parametrize("status", [status for status in RolloutStatus if not status.over])
def test_a_flock_has_one_unfinished_rollout(world: World, status: RolloutStatus) -> None:
    add_rollout(world, 1, RolloutStatus.RUNNING)
    add_rollout(world, 2, status, flock="other")
    with pytest.raises(IntegrityError):
        add_rollout(world, 3, status)


@pytest.mark.parametrize("status", [status for status in RolloutStatus if status.over])
def test_those_that_are_over_are_in_nobodys_way(world: World, status: RolloutStatus) -> None:
    for number in (1, 2):
        add_rollout(world, number, status)
    add_rollout(world, 3, RolloutStatus.RUNNING)
