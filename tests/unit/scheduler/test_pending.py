"""What every run that waits has in common."""

from __future__ import annotations

import pytest

from scheduler.pending import pending_run
from shared.models import Priority, RunKind, RunStatus
from tests.unit.scheduler.support import TARGET, World

WHERE = {"target": TARGET, "region": "north", "actor": "me", "release_digest": None}


@pytest.mark.parametrize(
    ("kind", "priority"),
    [
        (RunKind.ROLLBACK, Priority.ROLLBACK),
        (RunKind.APPLY, Priority.APPLY),
        (RunKind.PLAN, Priority.PLAN),
        (RunKind.DRIFT, Priority.DRIFT),
    ],
)
def test_it_waits_as_a_first_attempt_with_the_priority_of_its_kind(
    world: World, kind: RunKind, priority: Priority
) -> None:
    run = pending_run(world.context, kind, **WHERE)
    assert (run.status, run.kind, run.attempt, run.argv, run.reason) == (RunStatus.PENDING, kind, 1, [], "")
    assert (run.priority, run.created_at) == (priority.rank, world.clock.wall())


def test_two_of_them_are_two(world: World) -> None:
    one, other = (pending_run(world.context, RunKind.APPLY, **WHERE) for _ in range(2))
    assert one.id != other.id


def test_what_is_said_of_it_counts_more_than_what_they_have_in_common(world: World) -> None:
    run = pending_run(world.context, RunKind.APPLY, **WHERE, id="run-1", attempt=2, argv=["x"], priority=7)
    assert (run.id, run.attempt, run.argv, run.priority) == ("run-1", 2, ["x"], 7)
