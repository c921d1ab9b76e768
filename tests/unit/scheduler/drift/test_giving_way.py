"""A check never delays anything else."""

from __future__ import annotations

from datetime import timedelta

import pytest

from scheduler import runs
from scheduler.drift.giving_way import PATIENCE_S, make_room_everywhere
from scheduler.drift.queueing import check_now, queue_due
from scheduler.notifications import Kind
from scheduler.rollout import service
from scheduler.tables import RunRow
from shared.models import RunKind, RunStatus
from tests.unit.scheduler.drift.support import begin_check, deploy, end, later, queued, standing, statuses, told
from tests.unit.scheduler.support import TARGET, World, metric

#: What somebody may ask for; a rollback is queued by the scheduler alone.
OTHERS = [kind for kind in RunKind if kind not in (RunKind.DRIFT, RunKind.ROLLBACK)]


def submit(world: World, kind: RunKind) -> None:
    world.submit(kind=kind, argv=["true"] if kind is RunKind.EXEC else None)


@pytest.mark.parametrize("kind", OTHERS)
def test_whatever_is_asked_for_takes_a_queued_check_back(world: World, kind: RunKind) -> None:
    deploy(world)
    check_now(world.context, [TARGET], actor="anna")
    submit(world, kind)
    assert statuses(world) == ["canceled"]
    (run,) = runs.listed(world.context, target=TARGET, status=None, kind=RunKind.DRIFT, limit=10)
    assert (run.reason, run.finished_at) == ("gave way before it began", world.clock.wall())


@pytest.mark.parametrize("kind", OTHERS)
def test_whatever_is_asked_for_has_a_check_at_work_stop_and_runs_next(world: World, kind: RunKind) -> None:
    deploy(world)
    assignment, lease = begin_check(world)
    submit(world, kind)
    assert runs.get(world.context, assignment.run.id).cancel_requested
    end(world, assignment, lease, status=RunStatus.CANCELED, exit_code=None)
    waiting = runs.listed(world.context, target=TARGET, status=RunStatus.PENDING, limit=10)
    assert [run.kind for run in waiting] == [kind]
    assert world.publisher.hints[-1] == ("north", waiting[0].id)


def test_that_is_silent_and_the_check_is_due_again(world: World) -> None:
    deploy(world)
    assignment, lease = begin_check(world)
    world.submit()
    end(world, assignment, lease, status=RunStatus.CANCELED, exit_code=None)
    row = standing(world)
    assert (row.roll_up, row.pending_roll_up, row.last_status) == (None, None, "canceled")
    assert row.due_at == world.clock.wall() + timedelta(seconds=60)
    assert [told(world, kind) for kind in Kind] == [[] for _ in Kind]
    later(world, 60)
    # Not before the apply is over.
    assert queue_due(world.context) == 0


def test_another_check_is_no_reason_and_neither_is_anything_elsewhere(world: World) -> None:
    deploy(world, "web.north", "web.south")
    check_now(world.context, ["web.north"], actor="anna")
    world.submit("web.south")
    world.submit("web.north", RunKind.DRIFT)
    assert statuses(world, "web.north") == ["pending", "pending"]


def test_a_roll_out_has_the_checks_of_its_targets_stop_as_it_queues_its_plans(world: World) -> None:
    digest = deploy(world, "web.north", "web.south")
    assignment, _ = begin_check(world, "web.north")
    check_now(world.context, ["web.south"], actor="anna")
    service.start(world.context, digest, actor="anna")
    assert runs.get(world.context, assignment.run.id).cancel_requested
    assert statuses(world, "web.south") == ["canceled"]


def written(world: World, kind: RunKind = RunKind.APPLY, **values: object) -> str:
    """A run that came about in a way that asked nobody."""
    with world.context.database.write() as session:
        row = RunRow(
            id="run-00000000000000aa",
            target=values.pop("target", TARGET),
            region="north",
            kind=kind,
            status=RunStatus.PENDING,
            actor="x",
            argv=[],
            attempt=1,
            priority=1,
            created_at=world.clock.wall(),
            **values,
        )
        session.add(row)
        return row.id


@pytest.mark.parametrize("kind", [RunKind.APPLY, RunKind.ROLLBACK])
def test_the_tick_stops_a_check_that_something_waits_for_however_it_came_about(world: World, kind: RunKind) -> None:
    deploy(world)
    assignment, _ = begin_check(world)
    assert make_room_everywhere(world.context) == 0
    written(world, kind)
    assert make_room_everywhere(world.context) == 1
    assert runs.get(world.context, assignment.run.id).cancel_requested
    assert make_room_everywhere(world.context) == 0
    assert metric(world, "drift_checks_total", outcome="gave_way") == 1


def test_what_a_paused_roll_out_has_queued_is_no_reason(world: World) -> None:
    digest = deploy(world)
    rollout = service.start(world.context, digest, actor="anna")
    service.pause(world.context, rollout.id)
    assignment, _ = begin_check(world)
    assert make_room_everywhere(world.context) == 0
    service.resume(world.context, rollout.id)
    assert make_room_everywhere(world.context) == 1
    assert runs.get(world.context, assignment.run.id).cancel_requested


def test_a_run_that_waits_for_a_place_gets_that_of_a_check_in_its_region(world: World) -> None:
    deploy(world, "web.north", "web.north.blue", "web.north.red", "web.south")
    begin_check(world, "web.north.blue")
    world.clock.advance(1000)
    younger, _ = begin_check(world, "web.north.red")
    south, _ = begin_check(world, "web.south")
    world.submit("web.north")
    assert make_room_everywhere(world.context) == 0
    later(world, PATIENCE_S + 1)
    assert make_room_everywhere(world.context) == 1
    assert runs.get(world.context, younger.run.id).cancel_requested
    assert not runs.get(world.context, south.run.id).cancel_requested
    # One place is enough for one run.
    assert make_room_everywhere(world.context) == 0


def test_one_whose_target_is_taken_needs_no_place(world: World) -> None:
    deploy(world, "web.north", "web.north.blue")
    world.begin("web.north", holder="h")
    begin_check(world, "web.north.blue")
    world.submit("web.north")
    later(world, PATIENCE_S + 1)
    assert make_room_everywhere(world.context) == 0


def test_a_check_that_reported_already_is_left_to_end(world: World) -> None:
    deploy(world)
    assignment, _ = begin_check(world)
    world.finish(assignment, RunStatus.CANCELED, exit_code=None)
    world.submit()
    run = runs.get(world.context, assignment.run.id)
    assert (run.status, run.cancel_requested) == (RunStatus.SETTLING, False)
    assert queued(world) == []
