"""Rollbacks as rows and as records."""

from __future__ import annotations

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from scheduler.rollback import rows
from scheduler.rows import find_run
from scheduler.tables import NotificationRow, RollbackRow, TargetRow
from shared.errors import ApiError
from shared.models import RunKind
from shared.rollback.settings import Trigger
from shared.rollback.standing import RollbackStatus
from tests.unit.scheduler.rollback.support import QUEUE, begun, claimed, deployed, finish, of, release
from tests.unit.scheduler.support import TARGET, World, metric


def test_one_is_opened_told_of_and_counted_at_once(world: World) -> None:
    run = begun(world, release(world, "one"))
    with world.context.database.write() as session:
        row = rows.opened(world.context, session, find_run(session, run.run.id), Trigger.HEALTH, "x" * 9999)
        assert (row.status, row.reserved, row.flock) == (RollbackStatus.QUEUED, True, "web")
        assert rows.find(session, row.id) is row
        assert rows.of_deployment(session, run.run.id) is row
        assert rows.carried_out_by(session, run.run.id) is row
    assert metric(world, "rollbacks_begun_total", trigger="health") == 1
    assert len(of(world, run).reason) == 4096
    with world.context.database.read() as session:
        told = session.scalars(select(NotificationRow)).one().document
    assert (told["kind"], told["target"], told["release_digest"]) == ("rollback", TARGET, None)


def test_of_two_that_open_one_for_the_same_deployment_one_does(world: World) -> None:
    run = begun(world, release(world, "one"))

    def opened() -> None:
        with world.context.database.write() as session:
            rows.opened(world.context, session, find_run(session, run.run.id), Trigger.HEALTH, "")

    opened()
    with pytest.raises(IntegrityError):
        opened()


def test_a_queued_run_is_of_the_deployments_release_and_comes_first(world: World) -> None:
    run = begun(world, release(world, "one"))
    finish(world, run)
    with world.context.database.write() as session:
        row = rows.opened(world.context, session, find_run(session, run.run.id), Trigger.OPERATOR, "why")
        queued = rows.queued(world.context, session, row)
        assert (queued.kind, queued.priority, queued.release_digest) == (RunKind.ROLLBACK, 0, run.run.release_digest)
        assert queued.reason == f"takes {run.run.id} back: why"
        assert (row.current_run_id, row.attempts) == (queued.id, 1)


def test_it_makes_a_check_for_drift_give_way(world: World) -> None:
    run = begun(world, release(world, "one"))
    finish(world, run)
    check = world.submit(kind=RunKind.DRIFT, release_digest=run.run.release_digest)
    with world.context.database.write() as session:
        row = rows.opened(world.context, session, find_run(session, run.run.id), Trigger.OPERATOR, "why")
        rows.queued(world.context, session, row)
        assert find_run(session, check.id).status == "canceled"


def test_only_one_that_is_not_whole_keeps_its_target(world: World) -> None:
    one = deployed(world, "one", QUEUE, serial=1)
    run = claimed(world, release(world, "two"))
    with world.context.database.write() as session:
        row = rows.opened(world.context, session, find_run(session, run.run.id), Trigger.HEALTH, "")
        for status in RollbackStatus:
            if status.at_work:
                continue
            rows.over(world.context, session, row, status, "so it is", run=find_run(session, run.run.id))
            assert row.reserved is (status in (RollbackStatus.PARTIAL, RollbackStatus.FAILED))
            assert rows.standing(row).status is status
        assert session.get_one(TargetRow, TARGET).release_digest == one
        told = [note.document["standing"] for note in session.scalars(select(NotificationRow))]
        # That somebody left it as it is tells nobody anything new.
        assert told == [None, "ROLLED_BACK", "PARTIAL", "FAILED", "NOT_NEEDED"]
        assert rows.summary(row).status is RollbackStatus.SKIPPED


def test_an_unknown_one_is_a_404(world: World) -> None:
    with world.context.database.read() as session, pytest.raises(ApiError, match="there is no rollback"):
        rows.find(session, rows.new_rollback_id())
    with world.context.database.read() as session:
        assert session.query(RollbackRow).count() == 0
