"""Rollbacks of a roll-out's targets, between the rows and the pure part."""

from __future__ import annotations

import secrets

import pytest
from sqlalchemy import select, update

from scheduler import claims, plans, runs
from scheduler.rollback import requests
from scheduler.rollout import rollbacks, service
from scheduler.rollout.drive import change, drive_all
from scheduler.tables import ReleaseRow, RollbackRow, RolloutRow
from shared.errors import ApiError
from shared.models import Assignment, ReleasePhase, RunKind, RunStatus
from shared.rollback.records import RollbackState
from shared.rollback.settings import RollbackSettings
from shared.rollback.standing import RollbackStatus
from shared.rollouts import PhaseStatus, Rollout, RolloutStatus, Stage
from tests.unit.scheduler.rollback.support import (
    claim_rollback,
    deliver_safety_plan,
    finish,
    lose,
    objects,
    rollback_run,
    says,
    taking_back,
    write,
)
from tests.unit.scheduler.rollout.support import queued
from tests.unit.scheduler.support import World

A, B = "web.a", "web.b"
QUEUE = "aws_sqs_queue.a"


def begin(world: World, settings: RollbackSettings | None = None) -> Rollout:
    """Two phases of one target each."""
    options = {"max_concurrent": 1, "failure_tolerance": 0, "bake_s": 0, "approval": False}
    phases = [
        ReleasePhase.model_validate({"name": "one", "targets": [A], **options}),
        ReleasePhase.model_validate({"name": "two", "after": ["one"], "targets": [B], **options}),
    ]
    digest = world.publish(A, B, phases=phases, rollback=settings or RollbackSettings(phases_done=True))
    return service.start(world.context, digest, actor="anna")


def next_of(world: World, target: str) -> Assignment:
    """Claim the target's queued run and take its lease."""
    assignment = claims.claim(world.context, queued(world, target).id, node="n", holder=secrets.token_hex(8))
    world.acquire(assignment)
    return assignment


def planned(world: World, target: str, *, changes: bool = True) -> None:
    run = next_of(world, target)
    assert run.run.kind is RunKind.PLAN
    plans.store_plan(world.context, run.run.id, holder=run.holder, content=b"a plan", changes=changes)
    finish(world, run, RunStatus.PLANNED)
    drive_all(world.context)


def applying(world: World, target: str) -> Assignment:
    """Its apply has begun and has written a state."""
    planned(world, target)
    run = next_of(world, target)
    assert run.run.kind is RunKind.APPLY
    deliver_safety_plan(world, run)
    write(world, run, objects(1, QUEUE))
    return run


def deployed(world: World, target: str) -> Assignment:
    run = applying(world, target)
    finish(world, run)
    drive_all(world.context)
    return run


def of(world: World, value: Rollout, target: str) -> tuple[Stage, RollbackStatus | None]:
    known = service.get(world.context, value.id).target(target)
    assert known is not None
    return known.stage, known.rollback.status if known.rollback else None


def back(world: World, target: str, state: RollbackState = RollbackState.ROLLED_BACK) -> None:
    """Its ROLLBACK run does it."""
    run = claim_rollback(world, target)
    says(world, run, state)
    well = state in (RollbackState.ROLLED_BACK, RollbackState.NOT_NEEDED)
    finish(world, run, RunStatus.ROLLED_BACK if well else RunStatus.ERRORED, exit_code=0 if well else 1)
    drive_all(world.context)


def test_a_target_that_its_own_run_took_back_fails_its_phase_and_those_before_follow(world: World) -> None:
    value = begin(world)
    deployed(world, A)
    run = applying(world, B)
    taking_back(world, run)
    drive_all(world.context)
    assert of(world, value, B) == (Stage.APPLYING, RollbackStatus.RUNNING)
    says(world, run)
    finish(world, run, RunStatus.ROLLED_BACK)
    drive_all(world.context)
    assert of(world, value, B) == (Stage.ERRORED, RollbackStatus.ROLLED_BACK)
    # In the same step the first phase is taken back.
    assert of(world, value, A) == (Stage.ERRORED, RollbackStatus.QUEUED)
    assert world.publisher.hints[-1] == ("a", rollback_run(world, A).id)
    assert service.get(world.context, value.id).status is RolloutStatus.HALTING
    back(world, A)
    ended = service.get(world.context, value.id)
    assert (ended.status, of(world, value, A)) == (
        RolloutStatus.FAILED,
        (Stage.ERRORED, RollbackStatus.ROLLED_BACK),
    )
    assert [phase.status for phase in ended.phases] == [PhaseStatus.DONE, PhaseStatus.FAILED]


def test_a_deployment_whose_worker_died_is_taken_back_and_not_planned_anew(world: World) -> None:
    value = begin(world, RollbackSettings())
    run = applying(world, A)
    lose(world, run)
    drive_all(world.context)
    assert of(world, value, A) == (Stage.ERRORED, RollbackStatus.QUEUED)
    assert [one.kind for one in runs.listed(world.context, target=A, status=RunStatus.PENDING, limit=9)] == [
        RunKind.ROLLBACK
    ]
    # It waits for its rollbacks, and for no person.
    assert service.get(world.context, value.id).status is RolloutStatus.HALTING
    back(world, A, RollbackState.PARTIAL)
    assert service.get(world.context, value.id).status is RolloutStatus.FAILED
    assert of(world, value, A) == (Stage.ERRORED, RollbackStatus.PARTIAL)


def test_a_roll_out_that_is_over_still_hears_what_became_of_its_rollbacks(world: World) -> None:
    value = begin(world, RollbackSettings())
    run = applying(world, A)
    lose(world, run)
    drive_all(world.context)
    back(world, A, RollbackState.FAILED)
    (row,) = requests.listed(world.context, target=A, flock=None, unfinished=True, limit=9)
    requests.retry(world.context, row.id, actor="anna")
    assert drive_all(world.context) == 1
    assert of(world, value, A)[1] is RollbackStatus.QUEUED
    assert drive_all(world.context) == 0
    back(world, A)
    assert of(world, value, A)[1] is RollbackStatus.ROLLED_BACK
    assert service.get(world.context, value.id).status is RolloutStatus.FAILED


def test_an_operators_rollback_of_what_was_done_halts_the_roll_out(world: World) -> None:
    value = begin(world)
    deployed(world, A)
    requests.start(world.context, target=A, run_id=None, actor="anna", reason="slow")
    drive_all(world.context)
    halting = service.get(world.context, value.id)
    assert (halting.status, halting.phases[0].status) == (RolloutStatus.HALTING, PhaseStatus.FAILED)
    assert "slow" in halting.targets[0].reason
    assert not any(run.kind is RunKind.APPLY for run in runs.listed(world.context, target=B, status=None, limit=9))


@pytest.mark.parametrize("why", ["came later", "cannot be read any more"])
def test_what_cannot_be_taken_back_says_why_and_keeps_nothing(world: World, why: str) -> None:
    value = begin(world)
    deployed(world, A)
    run = applying(world, B)
    taking_back(world, run)
    if why == "came later":
        other = world.publish(A, B, generic={"main.tf": b"# another"})
        assignment = world.claim(world.submit(A, release_digest=other), holder="somebody")
        world.acquire(assignment)
        deliver_safety_plan(world, assignment)
        finish(world, assignment)
    else:
        with world.context.database.write() as session:
            session.execute(update(ReleaseRow).where(ReleaseRow.digest == value.release_digest).values(manifest=b"{}"))
    says(world, run)
    finish(world, run, RunStatus.ROLLED_BACK)
    drive_all(world.context)
    known = service.get(world.context, value.id).target(A)
    assert known is not None
    assert known.rollback is not None
    assert (known.rollback.status, known.rollback.reserved) == (RollbackStatus.FAILED, False)
    assert why in known.rollback.reason
    assert service.get(world.context, value.id).status is RolloutStatus.HALTING
    assert drive_all(world.context) == 1
    assert service.get(world.context, value.id).status is RolloutStatus.FAILED


def test_a_target_that_a_rollback_keeps_is_not_tried_again(world: World) -> None:
    value = begin(world, RollbackSettings())
    lose(world, applying(world, A))
    drive_all(world.context)
    back(world, A, RollbackState.PARTIAL)
    with pytest.raises(ApiError) as refused:
        service.retry(world.context, value.id, [], actor="anna")
    assert refused.value.code == "target_reserved"
    (row,) = requests.listed(world.context, target=A, flock=None, unfinished=True, limit=9)
    requests.skip(world.context, row.id, actor="anna", reason="")
    again = service.retry(world.context, value.id, [], actor="anna")
    assert again.status is RolloutStatus.RUNNING
    assert of(world, value, A) == (Stage.PLANNING, None)
    # The old rollback is of another run: it does not fail the new try.
    drive_all(world.context)
    assert of(world, value, A) == (Stage.PLANNING, None)


def test_after_a_rollback_a_target_may_be_tried_again_though_its_release_is_another_now(world: World) -> None:
    value = begin(world, RollbackSettings())
    run = applying(world, A)
    lose(world, run)
    drive_all(world.context)
    back(world, A)
    assert service.retry(world.context, value.id, [], actor="anna").status is RolloutStatus.RUNNING


def test_what_is_told_is_told_once_and_counts_only_as_it_was_seen(world: World) -> None:
    value = begin(world, RollbackSettings())
    lose(world, applying(world, A))
    with world.context.database.write() as session:
        seen = rollbacks.standings(session, value)
        session.execute(update(RollbackRow).values(status="RUNNING"))
        rollbacks.note_told(session, seen)
        assert session.scalars(select(RollbackRow.told)).one() is None
        assert session.scalars(select(RolloutRow.id).where(rollbacks.untold())).all() == [value.id]
    change(world.context, value.id)
    with world.context.database.read() as session:
        assert session.scalars(select(RollbackRow.told)).one() == "RUNNING"
        assert session.scalars(select(RolloutRow.id).where(rollbacks.untold())).all() == []
