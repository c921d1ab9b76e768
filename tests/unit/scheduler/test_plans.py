"""Plan files between a plan and its apply."""

from __future__ import annotations

import hashlib

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import undefer

from scheduler import plans, runs, terraform_state
from scheduler.tables import PlanRow, RunRow
from scheduler.terraform_state import StateCaller
from shared.errors import ApiError, ConfigurationError
from shared.models import Assignment, RunKind, RunStatus
from tests.unit.scheduler.support import TARGET, World, state

PLAN = b"a plan with a secret in it"
DIGEST = f"sha256:{hashlib.sha256(PLAN).hexdigest()}"


def of_rollout(world: World, kind: RunKind, plan_run_id: str | None = None) -> str:
    """A queued run as a roll-out that is running would have queued it."""
    run = world.submit(TARGET, kind)
    with world.context.database.write() as session:
        session.execute(update(RunRow).where(RunRow.id == run.id).values(plan_run_id=plan_run_id))
    return run.id


def planned(world: World) -> Assignment:
    """A plan run that has delivered its plan and is over."""
    assignment, lease = world.begin(TARGET, RunKind.PLAN, holder="planner")
    with world.context.database.write() as session:
        values = {"rollout_id": "rollout-" + "0" * 16}
        session.execute(update(RunRow).where(RunRow.id == assignment.run.id).values(values))
    plans.store_plan(world.context, assignment.run.id, holder="planner", content=PLAN, changes=True)
    finish(world, assignment, lease, RunStatus.PLANNED)
    return assignment


def finish(world: World, assignment: Assignment, lease: str, status: RunStatus) -> None:
    world.store.release(TARGET, lease)
    world.finish(assignment, status)


def write_state(world: World, serial: int) -> None:
    """Somebody applies and writes a state."""
    assignment, lease = world.begin(TARGET, RunKind.APPLY, holder=f"writer-{serial}")
    who = StateCaller(run_id=assignment.run.id, target=TARGET, epoch=assignment.epoch)
    terraform_state.write_state(world.context, who, state(serial), lock_id=None)
    finish(world, assignment, lease, RunStatus.APPLIED)


def test_the_apply_gets_the_plan_byte_for_byte_and_is_told_its_digest(world: World) -> None:
    write_state(world, 3)
    plan = planned(world)
    of_rollout(world, RunKind.APPLY, plan.run.id)
    (queued,) = runs.listed(world.context, target=TARGET, status=RunStatus.PENDING, limit=10)
    apply = world.claim(queued, holder="applier")
    assert apply.plan is not None
    assert (apply.plan.digest, apply.plan.run_id) == (DIGEST, plan.run.id)
    assert plans.plan_to_apply(world.context, queued.id, holder="applier") == PLAN


def test_only_a_plan_of_a_roll_out_is_to_be_delivered(world: World) -> None:
    assignment, _ = world.begin(TARGET, RunKind.PLAN)
    assert not assignment.keep_plan
    with pytest.raises(ApiError, match="keeps no plan"):
        plans.store_plan(world.context, assignment.run.id, holder="holder-1", content=PLAN, changes=True)


def test_a_plan_is_sealed_and_no_other_rows_key_opens_it(world: World) -> None:
    plan = planned(world)
    with world.context.database.read() as session:
        row = session.scalars(select(PlanRow).options(undefer(PlanRow.ciphertext))).one()
    assert row.ciphertext is not None
    assert b"secret" not in row.ciphertext
    with pytest.raises(ConfigurationError):
        world.context.cipher.open(row.ciphertext, context=f"plan {TARGET} run run-other")
    assert row.run_id == plan.run.id


def test_only_the_holder_delivers_and_fetches(world: World) -> None:
    plan = planned(world)
    with pytest.raises(ApiError) as refused:
        plans.store_plan(world.context, plan.run.id, holder="planner", content=PLAN, changes=True)
    assert refused.value.code == "lease_lost"
    of_rollout(world, RunKind.APPLY, plan.run.id)
    (queued,) = runs.listed(world.context, target=TARGET, status=RunStatus.PENDING, limit=10)
    world.claim(queued, holder="applier")
    with pytest.raises(ApiError) as stolen:
        plans.plan_to_apply(world.context, queued.id, holder="somebody")
    assert stolen.value.code == "lease_lost"


def test_delivered_twice_is_once_and_another_plan_is_refused(world: World) -> None:
    assignment, _ = world.begin(TARGET, RunKind.PLAN)
    with world.context.database.write() as session:
        session.execute(update(RunRow).values(rollout_id="rollout-" + "0" * 16))
    for _ in range(2):
        saved = plans.store_plan(world.context, assignment.run.id, holder="holder-1", content=PLAN, changes=True)
        assert saved.digest == DIGEST
    with pytest.raises(ApiError) as refused:
        plans.store_plan(world.context, assignment.run.id, holder="holder-1", content=b"other", changes=True)
    assert refused.value.code == "other_plan"


@pytest.mark.parametrize("content", [b"", b"x" * 11])
def test_an_empty_and_a_huge_plan_are_refused(world: World, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(plans, "MAX_PLAN_BYTES", 10)
    with pytest.raises(ApiError, match=f"a plan file of {len(content)} bytes"):
        plans.store_plan(world.context, "run-" + "0" * 16, holder="h", content=content, changes=True)


def stale(world: World, plan: Assignment) -> str:
    """The reason with which the apply of the plan is discarded instead of being claimed."""
    run_id = of_rollout(world, RunKind.APPLY, plan.run.id)
    (queued,) = runs.listed(world.context, target=TARGET, status=RunStatus.PENDING, limit=10)
    with pytest.raises(ApiError, match="it is discarded"):
        world.claim(queued, holder="applier")
    run = runs.get(world.context, run_id)
    assert (run.status, run.epoch) == (RunStatus.DISCARDED, None)
    return run.reason


def test_a_plan_is_void_when_the_state_moved(world: World) -> None:
    write_state(world, 3)
    plan = planned(world)
    write_state(world, 5)
    assert "the state moved from serial 3 to 5" in stale(world, plan)


def test_a_plan_against_no_state_is_void_when_there_is_one(world: World) -> None:
    plan = planned(world)
    write_state(world, 1)
    assert "the state moved from serial None to 1" in stale(world, plan)


def test_a_plan_is_void_when_a_run_that_wrote_no_state_was_at_work_since(world: World) -> None:
    plan = planned(world)
    other, lease = world.begin(TARGET, RunKind.EXEC, holder="other")
    finish(world, other, lease, RunStatus.SUCCEEDED)
    assert f"{other.run.id} was at work" in stale(world, plan)


def test_another_plan_voids_nothing(world: World) -> None:
    plan = planned(world)
    other, lease = world.begin(TARGET, RunKind.PLAN, holder="other")
    finish(world, other, lease, RunStatus.PLANNED)
    of_rollout(world, RunKind.APPLY, plan.run.id)
    (queued,) = runs.listed(world.context, target=TARGET, status=RunStatus.PENDING, limit=10)
    assert world.claim(queued, holder="applier").plan is not None


def test_a_discarded_plan_is_let_go_and_cannot_be_applied(world: World) -> None:
    plan = planned(world)
    with world.context.database.write() as session:
        plans.mark(session, plan.run.id, RunStatus.DISCARDED)
    assert runs.get(world.context, plan.run.id).status is RunStatus.DISCARDED
    assert "was let go" in stale(world, plan)


def test_only_a_plan_run_that_is_over_is_marked(world: World) -> None:
    assignment, _ = world.begin(TARGET, RunKind.PLAN)
    with world.context.database.write() as session:
        plans.mark(session, assignment.run.id, RunStatus.CONFIRMED)
    assert runs.get(world.context, assignment.run.id).status is RunStatus.CLAIMED
