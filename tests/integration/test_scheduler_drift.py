"""Drift on SQLite and on PostgreSQL, under everything that happens at the same time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from scheduler import runs
from scheduler.database import Database
from scheduler.drift import giving_way, intake, queueing, remediation, rules, telling
from scheduler.drift.letting_go import KEPT
from scheduler.rollout import service
from scheduler.tables import DriftCheckRow, DriftHitRow, JournalRow, RunRow
from shared.drift.ignoring import IgnoreRule
from shared.drift.records import DriftCheck
from shared.models import RunKind, RunStatus
from tests.integration.test_scheduler_database import at_once, failures
from tests.unit.scheduler.drift.support import (
    IN_SYNC,
    begin_check,
    check,
    deploy,
    drifted,
    end,
    later,
    queued,
    standing,
    statuses,
    told,
)
from tests.unit.scheduler.drift.test_letting_go import READS, count, look
from tests.unit.scheduler.support import TARGET, World, make_world

THREADS = 6
FLEET = [f"web.r{number}" for number in range(8)]


@pytest.fixture
def world(tmp_path: Path, database: Database) -> Iterator[World]:
    world = make_world(tmp_path / "home", database, drift_checks=5)
    world.register()
    yield world
    world.store.close()


def unfinished(world: World) -> int:
    with world.context.database.read() as session:
        return session.scalar(select(func.count()).where(RunRow.kind == RunKind.DRIFT, RunRow.status == "pending")) or 0


def confirmed(world: World, *targets: str) -> None:
    """Drift that two checks of each target have found, and that has settled."""
    for name in targets:
        check(world, drifted(), name)
        check(world, drifted(), name)
    later(world, 60)


def test_beats_that_queue_at_once_neither_double_nor_go_beyond_the_bound(world: World) -> None:
    deploy(world, *FLEET, every_s=60)
    assert failures(at_once(*[lambda: queueing.schedule(world.context)] * THREADS)) == []
    later(world, 60)
    results = at_once(*[lambda: queueing.queue_due(world.context)] * THREADS)
    assert failures(results) == []
    assert sum(results) == unfinished(world) == 5  # type: ignore[arg-type]  # no failures, so numbers
    assert max(len(statuses(world, name)) for name in FLEET) == 1


def test_persons_and_beats_that_ask_at_once_get_one_check(world: World) -> None:
    deploy(world, *FLEET[:3], every_s=60)
    queueing.schedule(world.context)
    later(world, 60)
    results = at_once(
        *[lambda: queueing.check_now(world.context, FLEET[:3], actor="anna")] * 3,
        *[lambda: queueing.queue_due(world.context)] * 3,
    )
    assert failures(results) == []
    assert [len(queued(world, name)) for name in FLEET[:3]] == [1, 1, 1]


def test_ticks_that_tell_at_once_tell_once(world: World) -> None:
    deploy(world, *FLEET)
    confirmed(world, *FLEET)
    results = at_once(*[lambda: telling.tell(world.context)] * THREADS)
    assert failures(results) == []
    assert sum(results) == 1  # type: ignore[arg-type]  # no failures, so numbers
    assert [event.items for event in told(world)] == [tuple(FLEET)]


def test_ticks_that_remedy_at_once_start_one_roll_out(world: World) -> None:
    deploy(world, *FLEET[:3], remediation={"mode": "plan"})
    confirmed(world, *FLEET[:3])
    telling.tell(world.context)
    assert failures(at_once(*[lambda: remediation.remedy(world.context)] * THREADS)) == []
    (rollout,) = service.listed(world.context, flock=None, limit=10)
    assert [target.id for target in service.get(world.context, rollout.id).targets] == FLEET[:3]
    assert {standing(world, name).rollout_id for name in FLEET[:3]} == {rollout.id}


def test_an_apply_and_a_check_that_are_asked_for_at_once_leave_the_apply(world: World) -> None:
    deploy(world, *FLEET[:4])
    for name in FLEET[:4]:
        results = at_once(
            lambda name=name: world.submit(name),  # type: ignore[misc]  # bound now
            lambda name=name: queueing.check_now(world.context, [name], actor="anna"),  # type: ignore[misc]
            lambda: giving_way.make_room_everywhere(world.context),
        )
        assert failures(results) == []
        giving_way.make_room_everywhere(world.context)
        assert queued(world, name) == []
        (run,) = runs.listed(world.context, target=name, status=RunStatus.PENDING, limit=10)
        assert run.kind is RunKind.APPLY
        runs.cancel(world.context, run.id)


def test_many_who_want_a_target_at_once_all_get_in_line_and_its_check_goes(world: World) -> None:
    digest = deploy(world)
    at_work, _ = begin_check(world)
    results = at_once(
        *[world.submit] * THREADS,
        lambda: service.start(world.context, digest, actor="anna"),
    )
    assert failures(results) == []
    assert runs.get(world.context, at_work.run.id).cancel_requested
    waiting = runs.listed(world.context, target=TARGET, status=RunStatus.PENDING, limit=10)
    assert sorted(run.kind for run in waiting) == [*[RunKind.APPLY] * THREADS, RunKind.PLAN]


def test_a_check_ends_while_it_is_asked_to_give_way_and_people_are_told(world: World) -> None:
    deploy(world, *FLEET[:5])
    confirmed(world, FLEET[0])
    for name in FLEET[1:5]:
        assignment, lease = begin_check(world, name)
        intake.deliver(world.context, assignment.run.id, holder=assignment.holder, report=drifted())
        results = at_once(
            lambda name=name: world.submit(name),  # type: ignore[misc]  # bound now
            lambda run=assignment, held=lease: end(  # type: ignore[misc]  # bound now
                world, run, held, status=RunStatus.CHECKED
            ),
            lambda: giving_way.make_room_everywhere(world.context),
            lambda: telling.tell(world.context),
        )
        assert failures(results) == []
        giving_way.make_room_everywhere(world.context)
        assert runs.get(world.context, assignment.run.id).status is RunStatus.CHECKED
        assert queued(world, name) == []
        assert standing(world, name).pending_roll_up == "drifted"
    assert len(told(world)) == 1


def test_checks_of_a_flock_that_end_at_once_count_every_hit(world: World) -> None:
    some = [
        IgnoreRule.model_validate({"address": f"aws_sqs_queue.{name}", "expires": "2999-01-01", "reason": "known"})
        for name in ("orders", "jobs")
    ]
    deploy(world, *FLEET, ignore=tuple(some))
    both = drifted().model_copy(
        update={"resources": (*drifted().resources, *drifted(address="aws_sqs_queue.jobs").resources)}
    )
    at_work = [begin_check(world, name) for name in FLEET]
    for assignment, _ in at_work:
        intake.deliver(world.context, assignment.run.id, holder=assignment.holder, report=both)
    results = at_once(
        *[lambda run=run, held=held: end(world, run, held, status=RunStatus.CHECKED) for run, held in at_work]
    )
    assert failures(results) == []
    with world.context.database.read() as session:
        assert list(session.scalars(select(DriftHitRow.hits))) == [len(FLEET)] * 2
    assert {standing(world, name).roll_up for name in FLEET} == {"in_sync"}


def test_a_report_that_is_delivered_many_times_at_once_is_kept_once(world: World) -> None:
    deploy(world)
    assignment, _ = begin_check(world)

    def deliver() -> object:
        return intake.deliver(world.context, assignment.run.id, holder=assignment.holder, report=IN_SYNC)

    results = at_once(*[deliver] * THREADS)
    assert failures(results) == []
    assert results == [results[0]] * THREADS
    assert isinstance(results[0], DriftCheck)
    with world.context.database.read() as session:
        assert session.scalars(select(DriftCheckRow.run_id)).all() == [assignment.run.id]


def test_what_is_let_go_of_checks_is_the_same_on_either_database(world: World) -> None:
    gone = IgnoreRule.model_validate({"address": "aws_sqs_queue.*", "expires": "2999-01-01", "reason": "known"})
    deploy(world, ignore=(gone,))
    for number in range(KEPT * 2):
        look(world, drifted(), refused=number == 0)
    # Of that one three calls stay that were no signed reads; of the next, which confirmed how the target stands, all.
    assert count(world, JournalRow) == (KEPT + 1) * READS + 3
    assert count(world, DriftCheckRow) == KEPT + 1
    deploy(world, deployed=False)
    later(world, rules.UNUSED_S + 1)
    assert (count(world, DriftHitRow), rules.drop_unused(world.context), count(world, DriftHitRow)) == (1, 1, 0)


def test_what_a_scheduler_wrote_before_it_was_killed_the_next_one_tells_and_remedies(world: World) -> None:
    """Everything that follows from a check lies in the database: another process with its own memory goes on."""
    deploy(world, *FLEET[:2], remediation={"mode": "plan"})
    for name in FLEET[:2]:
        check(world, drifted(), name)
        check(world, drifted(), name)
    successor = make_world(world.context.settings.home, world.context.database)
    successor.clock.advance(120_000)
    assert (telling.tell(successor.context), telling.tell(successor.context)) == (1, 0)
    assert (remediation.remedy(successor.context), remediation.remedy(successor.context)) == (1, 0)
    successor.store.close()
