"""Rollbacks as rows and as records."""

from __future__ import annotations

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from scheduler import runs
from scheduler.pending import pending_run
from scheduler.rollback import requests, rows
from scheduler.rows import find_run
from scheduler.tables import NotificationRow, RollbackRow, TargetRow
from shared.errors import ApiError
from shared.models import RunKind, RunStatus
from shared.rollback.settings import Trigger
from shared.rollback.standing import RollbackStatus
from tests.unit.scheduler.rollback.support import (
    NOT_FOR_A_LOSS,
    QUEUE,
    begun,
    claimed,
    deployed,
    finish,
    lose,
    of,
    release,
    taking_back,
    waiting,
)
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


def test_what_was_queued_to_try_the_deployment_again_is_taken_back_with_it(world: World) -> None:
    deployed(world, "one", QUEUE, serial=1)
    bad = release(world, "two", rollback=NOT_FOR_A_LOSS)
    run = begun(world, bad)
    lose(world, run)
    (again,) = waiting(world)
    # Asked for by a person, and not by itself: that is the person's matter.
    wish = world.submit(release_digest=bad)
    back = requests.start(world.context, target=TARGET, run_id=None, actor="anna", reason="")
    assert {one.id for one in waiting(world)} == {wish.id, back.current_run_id}
    taken = runs.get(world.context, again.id)
    assert (taken.status, taken.reason) == (
        RunStatus.CANCELED,
        f"{run.run.id}, which it would try again, is taken back",
    )
    assert metric(world, "settled_runs_total", status="canceled") == 1


def test_so_is_the_retry_of_a_retry_that_never_began_and_of_a_try_before(world: World) -> None:
    deployed(world, "one", QUEUE, serial=1)
    lose(world, begun(world, release(world, "two", rollback=NOT_FOR_A_LOSS)))
    never = world.claim(waiting(world)[0], holder="h2")
    world.acquire(never)
    lose(world, never)
    (again,) = waiting(world)
    assert again.retry_of == never.run.id
    with world.context.database.write() as session:
        find_run(session, again.id).priority = 9
    # Another release is at work when somebody asks: it goes back to where the first try began.
    begun(world, release(world, "three"))
    back = requests.start(world.context, target=TARGET, run_id=None, actor="anna", reason="")
    assert back.trigger is Trigger.OPERATOR
    assert waiting(world) == []


def test_it_is_taken_back_for_a_rollback_that_was_left_and_is_tried_again_as_well(world: World) -> None:
    deployed(world, "one", QUEUE, serial=1)
    run = begun(world, release(world, "two", rollback=NOT_FOR_A_LOSS))
    taking_back(world, run)
    runs.cancel(world.context, run.run.id)
    finish(world, run, RunStatus.CANCELED)
    back = requests.skip(world.context, of(world, run).id, actor="anna", reason="")
    with world.context.database.write() as session:
        session.add(
            pending_run(
                world.context,
                RunKind.APPLY,
                target=TARGET,
                region="north",
                actor="",
                release_digest=run.run.release_digest,
                retry_of=run.run.id,
            )
        )
    again = requests.retry(world.context, back.id, actor="anna")
    assert [one.id for one in waiting(world)] == [again.current_run_id]


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
