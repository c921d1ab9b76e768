"""Orphan reports on SQLite and on PostgreSQL, with beats side by side."""

from __future__ import annotations

from sqlalchemy import func, select

from scheduler import orphan_requests, orphans, runs
from scheduler.tables import NotificationRow, OrphanReportRow, RunRow
from shared.models import RunKind
from shared.rollback.settings import RollbackSettings
from tests.integration.test_scheduler_database import at_once, failures
from tests.unit.scheduler.support import TARGET, World
from tests.unit.scheduler.test_orphans import begin, cut, make_queue, succeed

BEATS = 6


def count(world: World, kind: RunKind) -> int:
    with world.context.database.read() as session:
        return session.scalar(select(func.count()).select_from(RunRow).where(RunRow.kind == kind)) or 0


def test_beats_at_once_write_one_report_tell_once_and_recover_once(world: World) -> None:
    from scheduler import releases

    rule = world.publish(TARGET, generic={"main.tf": b"# by rule\n"}, rollback=RollbackSettings(on=(), recover="auto"))
    releases.register(world.context, "web", release_digest=rule)
    first = begin(world)
    make_queue(world, first)
    cut(world, first)
    assert failures(at_once(*[lambda: orphans.look_at_ended(world.context)] * BEATS)) == []
    with world.context.database.read() as session:
        assert len(list(session.scalars(select(OrphanReportRow)))) == 1
        told = select(func.count()).select_from(NotificationRow).where(NotificationRow.kind == "orphans")
        assert session.scalar(told) == 1
    assert failures(at_once(*[lambda: orphan_requests.apply_rules(world.context)] * BEATS)) == []
    assert count(world, RunKind.RECOVER) == 1


def test_persons_at_once_get_the_same_run_and_its_success_settles_the_report(world: World) -> None:
    first = begin(world)
    make_queue(world, first)
    cut(world, first)

    def recover() -> object:
        return orphan_requests.recover(world.context, first.run.id, actor="anna").id

    started = at_once(*[recover] * BEATS)
    assert failures(started) == []
    (run_id,) = set(started)
    assignment = world.claim(runs.get(world.context, str(run_id)), holder="h2")
    world.acquire(assignment)
    succeed(world, assignment, "h2")
    orphans.look_at_ended(world.context)
    assert not orphan_requests.get(world.context, first.run.id).open
