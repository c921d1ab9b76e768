"""Approvals as they are stored."""

from __future__ import annotations

from scheduler import releases, safety_plans
from scheduler.safety_approvals import approvals, given_of, withdraw
from shared.models import RunKind
from shared.safety.entries import SafetyPlan
from shared.safety.rules import SafetyRules
from tests.unit.scheduler.support import TARGET, World
from tests.unit.shared.safety.support import entry, plan

DELETE, OTHER = entry("delete", "aws_sqs_queue.a"), entry("delete", "aws_sqs_queue.b")


def approved(world: World, target: str, what: SafetyPlan, *names: str) -> tuple[str, str]:
    """A run's plan that these persons approved: the run and its release."""
    assignment, _ = world.begin(target, RunKind.PLAN, holder=f"holder-{target}")
    record = safety_plans.deliver(world.context, assignment.run.id, holder=assignment.holder, plan=what)
    for name in names:
        safety_plans.approve(world.context, record.run_id, digest=record.digest, actor=name)
    return record.run_id, record.release_digest


def ruled(world: World) -> tuple[str, str]:
    other = f"{TARGET.split('.')[0]}.other"
    digest = world.publish(TARGET, other, safety=SafetyRules())
    releases.register(world.context, TARGET.split(".")[0], release_digest=digest)
    return TARGET, other


def test_each_run_has_its_own_and_a_plan_is_approved_by_a_person_once(world: World) -> None:
    one, two = ruled(world)
    approved(world, one, plan(DELETE), "anna", "anna", "bert")
    _, release = approved(world, two, plan(DELETE), "anna")
    with world.context.database.read() as session:
        given = given_of(session, release)
    assert [(each.target, each.approver) for each in given] == [(one, "anna"), (one, "bert"), (two, "anna")]
    (together,) = approvals(given)
    assert (together.plan, together.approvers) == (plan(DELETE), ("anna", "bert"))
    assert given[0].sequence < given[2].sequence


def test_withdrawing_a_plan_takes_back_what_approved_it_and_whatever_does_the_same(world: World) -> None:
    one, two = ruled(world)
    approved(world, one, plan(DELETE), "anna")
    run_id, release = approved(world, two, plan(DELETE), "bert")
    with world.context.database.write() as session:
        withdraw(session, "run-" + "0" * 16)
    with world.context.database.read() as session:
        assert len(given_of(session, release)) == 2
    with world.context.database.write() as session:
        withdraw(session, run_id)
    with world.context.database.read() as session:
        assert given_of(session, release) == []


def test_withdrawing_one_plan_leaves_another(world: World) -> None:
    one, two = ruled(world)
    approved(world, one, plan(DELETE, OTHER), "anna")
    run_id, release = approved(world, two, plan(DELETE), "bert")
    with world.context.database.write() as session:
        withdraw(session, run_id)
    with world.context.database.read() as session:
        assert [each.target for each in given_of(session, release)] == [one]
