"""Rollbacks under everything that happens at the same time, on SQLite and on PostgreSQL."""

from __future__ import annotations

from sqlalchemy import func, select

from scheduler import claims
from scheduler.rollback import requests
from scheduler.settlement import end_run
from scheduler.tables import ACTIVE_STATUSES, RollbackRow, RunRow
from shared.errors import ApiError
from shared.models import Assignment, RunKind, RunStatus
from shared.rollback.records import RollbackState
from shared.rollback.standing import Rollback, RollbackStatus
from tests.integration.test_scheduler_database import at_once, failures
from tests.unit.scheduler.rollback.support import (
    QUEUE,
    TOPIC,
    begun,
    claim_rollback,
    deployed,
    finish,
    of,
    release,
    says,
)
from tests.unit.scheduler.support import TARGET, World

THREADS = 6


def start(world: World, actor: str) -> Rollback:
    return requests.start(world.context, target=TARGET, run_id=None, actor=actor, reason="")


def test_asked_for_by_many_at_once_it_is_one_rollback_with_one_run(world: World) -> None:
    deployed(world, "one", QUEUE, serial=1)
    deployed(world, "two", QUEUE, TOPIC, serial=2)
    results = at_once(*[lambda: start(world, "anna")] * THREADS)
    assert failures(results) == []
    assert len({result.id for result in results}) == 1
    with world.context.database.read() as session:
        assert session.scalar(select(func.count()).select_from(RollbackRow)) == 1
        assert session.scalar(select(func.count()).where(RunRow.kind == RunKind.ROLLBACK)) == 1


def test_asked_for_while_another_run_is_claimed_either_is_first_and_never_both(world: World) -> None:
    deployed(world, "one", QUEUE, serial=1)
    deployed(world, "two", QUEUE, TOPIC, serial=2)
    other = world.submit(release_digest=release(world, "three", rollback=None))
    asked, claimed = at_once(
        lambda: start(world, "anna"), lambda: claims.claim(world.context, other.id, node="n", holder="h")
    )
    with world.context.database.read() as session:
        active = session.scalars(select(RunRow).where(RunRow.status.in_(ACTIVE_STATUSES))).all()
        reserved = session.scalars(select(RollbackRow).where(RollbackRow.reserved.is_(True))).all()
    if isinstance(asked, ApiError):
        assert asked.code == "target_taken"
        assert isinstance(claimed, Assignment)
        assert ([run.id for run in active], reserved) == ([other.id], [])
    else:
        # Whoever claims now gets the rollback, whatever his hint named.
        assert isinstance(claimed, ApiError) or claimed.run.kind is RunKind.ROLLBACK
        assert all(run.kind == RunKind.ROLLBACK for run in active)
        assert len(reserved) == 1


def test_many_observers_that_see_one_loss_queue_one_rollback(world: World) -> None:
    run = begun(world, release(world, "one"))
    lease = world.store.view(TARGET).lease_id
    assert lease is not None
    world.sever(TARGET, lease)
    results = at_once(*[lambda: end_run(world.context, run.run.id, epoch=run.epoch, reason="worker died")] * THREADS)
    assert failures(results) == []
    assert len([one for result in results for one in result]) == 1
    assert of(world, run).status is RollbackStatus.QUEUED


def test_retried_and_skipped_at_once_it_is_one_of_the_two(world: World) -> None:
    deployed(world, "one", QUEUE, serial=1)
    deployed(world, "two", QUEUE, TOPIC, serial=2)
    back = start(world, "anna")
    run = claim_rollback(world)
    says(world, run, RollbackState.FAILED)
    finish(world, run, RunStatus.ERRORED, exit_code=1)
    results = at_once(
        lambda: requests.retry(world.context, back.id, actor="anna"),
        lambda: requests.skip(world.context, back.id, actor="bert", reason=""),
    )
    assert failures(results) == []
    now = requests.get(world.context, back.id)
    with world.context.database.read() as session:
        pending = session.scalars(select(RunRow).where(RunRow.status == RunStatus.PENDING)).all()
    if now.status is RollbackStatus.SKIPPED:
        assert (now.reserved, list(pending)) == (False, [])
    else:
        assert now.status is RollbackStatus.QUEUED
        assert [one.id for one in pending] == [now.current_run_id]
