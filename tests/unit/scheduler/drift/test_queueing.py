"""Checks that are due, and checks on demand."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from scheduler import runs
from scheduler.drift import queueing
from scheduler.drift.queueing import check_now, queue_due, schedule
from scheduler.tables import DriftStandingRow
from shared.errors import ApiError
from shared.models import RunKind, RunStatus
from tests.unit.scheduler.drift.support import (
    IN_SYNC,
    begin_check,
    check,
    deploy,
    end,
    later,
    queued,
    standing,
    statuses,
)
from tests.unit.scheduler.support import TARGET, World, make_world

FLEET = [f"web.r{number:02}" for number in range(30)]


def beat(world: World) -> int:
    """Both ticks; how many checks were queued."""
    schedule(world.context)
    return queue_due(world.context)


def test_without_a_schedule_nothing_is_ever_due(world: World) -> None:
    deploy(world)
    assert (schedule(world.context), queue_due(world.context)) == (0, 0)
    later(world, 40 * 86_400)
    assert beat(world) == 0


def test_with_one_each_target_is_checked_within_the_period_and_only_once(world: World) -> None:
    deploy(world, *FLEET, every_s=3600)
    queued_in = []
    for _ in range(60):
        queued_in.append(beat(world))
        for name in FLEET:
            if queued(world, name):
                check(world, IN_SYNC, name)
        later(world, 60)
    assert sum(queued_in) == len(FLEET)
    assert max(queued_in) <= 5
    assert {len(statuses(world, name)) for name in FLEET} == {1}


def test_no_more_are_queued_or_at_work_than_the_setting_says(world: World) -> None:
    world = make_world(world.context.settings.home, world.context.database, drift_checks=3)
    deploy(world, *FLEET[:8], every_s=60)
    beat(world)
    later(world, 60)
    assert beat(world) == 3
    assert beat(world) == 0
    waiting = [name for name in FLEET if queued(world, name)]
    begin_check(world, waiting[0])
    assert beat(world) == 0
    check(world, IN_SYNC, waiting[1])
    assert beat(world) == 1
    world.store.close()


def test_those_first_that_wait_longest(world: World) -> None:
    world = make_world(world.context.settings.home, world.context.database, drift_checks=1)
    deploy(world, *FLEET[:3], every_s=60)
    schedule(world.context)
    with world.context.database.write() as session:
        for number, name in enumerate((FLEET[1], FLEET[2], FLEET[0])):
            due = world.clock.wall() - timedelta(seconds=30 - number)
            session.execute(update(DriftStandingRow).where(DriftStandingRow.target == name).values(due_at=due))
    order = []
    for _ in range(3):
        queue_due(world.context)
        (name,) = [name for name in FLEET if queued(world, name)]
        check(world, IN_SYNC, name)
        order.append(name)
    assert order == [FLEET[1], FLEET[2], FLEET[0]]
    world.store.close()


def test_a_check_looks_at_what_the_target_has_and_comes_last(world: World) -> None:
    digest = deploy(world, every_s=60)
    beat(world)
    later(world, 60)
    beat(world)
    (run,) = queued(world)
    assert (run.release_digest, run.actor, run.kind) == (digest, "interlock drift", RunKind.DRIFT)
    other = world.submit(kind=RunKind.PLAN)
    assert world.claim(run).run.id == other.id


@pytest.mark.parametrize("kind", [RunKind.APPLY, RunKind.PLAN])
def test_a_target_that_anything_waits_for_or_has_is_not_checked(world: World, kind: RunKind) -> None:
    deploy(world, every_s=60)
    beat(world)
    later(world, 60)
    run = world.submit(kind=kind)
    assert beat(world) == 0
    world.claim(run)
    assert beat(world) == 0


def test_what_was_never_applied_is_not_checked_by_itself(world: World) -> None:
    deploy(world, every_s=60, deployed=False)
    for _ in range(3):
        assert beat(world) == 0
        later(world, 60)


def test_a_period_that_becomes_shorter_counts_at_once(world: World) -> None:
    deploy(world, every_s=30 * 86_400)
    check(world, IN_SYNC)
    deploy(world, every_s=60)
    assert schedule(world.context) == 1
    later(world, 60)
    assert queue_due(world.context) == 1


def test_a_clock_that_was_set_back_does_not_put_checks_off(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    deploy(world, every_s=3600)
    schedule(world.context)
    right = world.clock.wall
    monkeypatch.setattr(world.clock, "wall", lambda: right() - timedelta(days=365))
    later(world, 3600)
    schedule(world.context)
    due = standing(world).due_at
    assert due is not None
    assert due <= world.clock.wall() + timedelta(hours=1)


def test_ticks_without_news_change_nothing(world: World) -> None:
    deploy(world, every_s=3600)
    schedule(world.context)
    assert [schedule(world.context) for _ in range(3)] == [0, 0, 0]


def test_on_demand_each_target_gets_one_and_asking_again_gets_the_same(world: World) -> None:
    deploy(world, *FLEET[:3])
    first = check_now(world.context, [FLEET[2], FLEET[0], FLEET[0]], actor="anna")
    assert [(run.target, run.actor) for run in first] == [(FLEET[2], "anna"), (FLEET[0], "anna")]
    assert [hint for hint in world.publisher.hints if hint[1] in {run.id for run in first}]
    begin_check(world, FLEET[2])
    again = check_now(world.context, FLEET[:3], actor="bert")
    assert [run.id for run in again[::2]] == [first[1].id, first[0].id]
    assert [len(statuses(world, name)) for name in FLEET[:3]] == [1, 1, 1]


def test_one_that_is_about_to_end_is_not_the_answer(world: World) -> None:
    deploy(world)
    assignment, _ = begin_check(world)
    runs.cancel(world.context, assignment.run.id)
    (run,) = check_now(world.context, [TARGET], actor="anna")
    assert run.id != assignment.run.id
    assert run.status is RunStatus.PENDING


def test_one_of_an_older_release_is_not_the_answer_and_the_new_one_waits_behind_it(world: World) -> None:
    deploy(world)
    older, lease = begin_check(world)
    newer = deploy(world, deployed=False, every_s=86_400)
    (run,) = check_now(world.context, [TARGET], actor="anna")
    assert (run.release_digest, run.status) == (newer, RunStatus.PENDING)
    assert [again.id for again in check_now(world.context, [TARGET], actor="bert")] == [run.id]
    end(world, older, lease, status=RunStatus.CANCELED, exit_code=None)
    assert [waiting.id for waiting in queued(world)] == [run.id]


def test_on_demand_is_not_held_back_and_counts(world: World) -> None:
    world = make_world(world.context.settings.home, world.context.database, drift_checks=2)
    deploy(world, *FLEET[:6], every_s=60)
    schedule(world.context)
    later(world, 60)
    assert len(check_now(world.context, FLEET[:4], actor="anna")) == 4
    assert queue_due(world.context) == 0
    world.store.close()


def test_what_cannot_be_checked_is_refused_and_nothing_is_queued(world: World) -> None:
    world.publish("shop.south")
    for names, code in (([TARGET, "web.nowhere"], "unknown_target"), ([TARGET, "shop.south"], "no_release")):
        with pytest.raises(ApiError) as refused:
            check_now(world.context, names, actor="anna")
        assert refused.value.code == code
    with pytest.raises(ApiError, match="1001 targets cannot be checked at once"):
        check_now(world.context, [f"web.r{number}" for number in range(1001)], actor="anna")
    with pytest.raises(ApiError):
        check_now(world.context, [], actor="anna")
    assert statuses(world) == []


@pytest.mark.parametrize("meanwhile", [RunKind.APPLY, RunKind.DRIFT])
def test_a_beat_that_saw_a_target_due_looks_again_before_it_queues(
    world: World, monkeypatch: pytest.MonkeyPatch, meanwhile: RunKind
) -> None:
    deploy(world, every_s=60)
    schedule(world.context)
    later(world, 60)
    monkeypatch.setattr(queueing, "_due", lambda *_: [TARGET])
    world.submit(kind=meanwhile)
    assert queue_due(world.context) == 0
    assert len(statuses(world)) == (meanwhile is RunKind.DRIFT)
