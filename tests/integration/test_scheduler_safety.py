"""Safety plans on SQLite and on PostgreSQL, under everything that happens at the same time."""

from __future__ import annotations

from sqlalchemy import func, select

from scheduler import safety_plans
from scheduler.rollout import service
from scheduler.rollout.drive import change, drive_all
from scheduler.tables import RunRow, SafetyApprovalRow, SafetyPlanRow
from shared.models import RunKind, RunStatus
from shared.rollouts import Rollout
from shared.safety.records import SafetyRecord
from shared.safety.verdict import Decision
from tests.integration.test_scheduler_database import at_once, failures
from tests.unit.scheduler.rollout.support import stages
from tests.unit.scheduler.rollout.test_safety_gate import DELETE, LAST, ONE, TWO, begin, planned
from tests.unit.scheduler.support import World
from tests.unit.shared.safety.support import entry, plan

THREADS = 6


def count(world: World, row: type) -> int:
    with world.context.database.read() as session:
        return session.scalar(select(func.count()).select_from(row)) or 0


def waiting(world: World, *operations: str) -> tuple[Rollout, SafetyRecord]:
    """A roll-out whose first plan waits for its approval, and that plan's safety plan."""
    value = begin(world)
    planned(world, ONE, plan(*[entry(operation, "aws_sqs_queue.a") for operation in operations]))
    value = change(world.context, value.id)
    assert stages(value)[0] == "planned"
    return value, safety_plans.get(world.context, str(value.targets[0].plan_run_id))


def applies(world: World, target: str) -> int:
    with world.context.database.read() as session:
        query = select(func.count()).where(RunRow.target == target, RunRow.kind == RunKind.APPLY)
        return session.scalar(query) or 0


def test_one_person_who_approves_many_times_at_once_has_approved_once(world: World) -> None:
    value, record = waiting(world, "forget")

    def approve() -> SafetyRecord:
        return safety_plans.approve(world.context, record.run_id, digest=record.digest, actor="anna")

    assert failures(at_once(*[approve] * THREADS)) == []
    assert count(world, SafetyApprovalRow) == 1
    assert stages(change(world.context, value.id))[0] == "planned"


def test_two_persons_at_once_are_enough_and_start_one_apply(world: World) -> None:
    value, record = waiting(world, "forget")
    results = at_once(
        *[
            lambda name=name: safety_plans.approve(  # type: ignore[misc]  # bound now
                world.context, record.run_id, digest=record.digest, actor=name
            )
            for name in ("anna", "bert")
        ],
        *[lambda: drive_all(world.context)] * 2,
    )
    assert failures(results) == []
    value = change(world.context, value.id)
    assert (stages(value)[0], sorted(value.targets[0].confirmed_by.split(", "))) == ("applying", ["anna", "bert"])
    assert applies(world, ONE) == 1


def test_both_ways_to_approve_at_once_start_one_apply(world: World) -> None:
    value, record = waiting(world, "delete")
    digest = str(value.targets[0].plan_digest)
    results = at_once(
        lambda: service.approve(world.context, value.id, {ONE: digest}, actor="anna"),
        lambda: safety_plans.approve(world.context, record.run_id, digest=record.digest, actor="bert"),
        lambda: drive_all(world.context),
    )
    assert failures(results) == []
    drive_all(world.context)
    assert stages(service.get(world.context, value.id))[0] == "applying"
    assert applies(world, ONE) == 1


def test_what_was_approved_is_there_after_everything_else_was_forgotten(world: World) -> None:
    """An approval stands by itself: it is read back from the database, entry for entry."""
    value, record = waiting(world, "delete")
    safety_plans.approve(world.context, record.run_id, digest=record.digest, actor="anna")
    (approval,) = safety_plans.get(world.context, record.run_id).approvals
    assert (approval.approver, approval.digest, approval.approved_at.tzinfo is not None) == (
        "anna",
        record.digest,
        True,
    )
    assert count(world, SafetyPlanRow) == 1
    planned(world, TWO, plan(DELETE))
    value = change(world.context, value.id)
    assert [target.confirmed_by for target in value.targets] == ["anna", "anna", ""]
    verdict = safety_plans.get(world.context, str(value.targets[1].plan_run_id)).verdict
    assert (verdict.decision, verdict.approvers) == (Decision.ACCEPTED, ("anna",))


def test_a_halt_freezes_while_beats_and_approvals_come_at_the_same_time(world: World) -> None:
    value = begin(world)
    planned(world, ONE, plan(entry("delete", "aws_db_instance.main")))
    planned(world, TWO, plan(DELETE))
    results = at_once(*[lambda: drive_all(world.context)] * THREADS)
    assert failures(results) == []
    drive_all(world.context)
    value = service.get(world.context, value.id)
    assert (value.status.value, stages(value)) == ("failed", ["errored", "discarded", "pending"])
    assert [run.status for run in of_target(world, LAST)] == []
    assert {run.kind for run in (*of_target(world, ONE), *of_target(world, TWO))} == {RunKind.PLAN}
    assert {run.status for run in of_target(world, TWO)} == {RunStatus.DISCARDED}


def of_target(world: World, target: str) -> list[RunRow]:
    with world.context.database.read() as session:
        return list(session.scalars(select(RunRow).where(RunRow.target == target)))
