"""The schema's rules about runs."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import IntegrityError

from scheduler.tables import ACTIVE_STATUSES, UNFINISHED_STATUSES
from shared.models import RunStatus
from tests.unit.scheduler.support import World
from tests.unit.scheduler.tables.support import add_run


def test_the_active_statuses_are_those_between_the_claim_and_the_end() -> None:
    between = {status.value for status in RunStatus if not status.terminal} - {"pending"}
    assert set(ACTIVE_STATUSES) == between
    assert set(UNFINISHED_STATUSES) == between | {"pending"}


@pytest.mark.parametrize("status", ACTIVE_STATUSES)
def test_a_target_has_one_active_run(world: World, status: str) -> None:
    add_run(world, 1, status="claimed")
    with pytest.raises(IntegrityError):
        add_run(world, 2, status=status)
    for number, harmless in ((3, "pending"), (4, "lost"), (5, "applied")):
        add_run(world, number, status=harmless)


def test_an_epoch_names_one_run_and_a_run_has_one_follow_up(world: World) -> None:
    add_run(world, 1, status="lost", epoch=1)
    with pytest.raises(IntegrityError):
        add_run(world, 2, epoch=1)
    add_run(world, 3, retry_of=f"run-{1:016x}")
    with pytest.raises(IntegrityError):
        add_run(world, 4, retry_of=f"run-{1:016x}")
