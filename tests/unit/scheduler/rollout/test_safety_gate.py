"""What safety plans do to a roll-out."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from scheduler import claims, runs, safety_plans
from scheduler.notifications import Kind
from scheduler.rollout import service
from scheduler.rollout.drive import change
from scheduler.tables import NotificationRow
from shared.errors import ApiError
from shared.models import ReleasePhase, RunKind, RunStatus
from shared.rollouts import Rollout
from shared.safety.entries import SafetyPlan
from shared.safety.rules import SafetyRules
from tests.unit.scheduler.rollout.support import phase, queued, stages, statuses, work
from tests.unit.scheduler.support import World
from tests.unit.shared.safety.support import entry, plan

ONE, TWO, LAST = "web.r1", "web.r2", "web.r3"
UNBEGUN = {"status", "bake_until"}
CREATE, DELETE = entry("create", "aws_sqs_queue.a"), entry("delete", "aws_sqs_queue.a")
RULES = SafetyRules.model_validate(
    {
        "auto": [{"operations": ["create"]}],
        "two_persons": [{"operations": ["forget"]}],
        "never": [{"operations": ["delete"], "types": ["aws_db_*"]}],
    }
)


def begin(world: World, rules: SafetyRules | None = RULES, **options: Any) -> Rollout:
    """Two targets in a first phase that tolerates both failing, one in a second."""
    options = {"max_concurrent": 2, "failure_tolerance": 2, **options}
    phases = [
        ReleasePhase(targets=targets, **one.model_dump(exclude=UNBEGUN))
        for one, targets in ((phase("first", **options), (ONE, TWO)), (phase("second", after=("first",)), (LAST,)))
    ]
    digest = world.publish(ONE, TWO, LAST, safety=rules, phases=phases)
    return service.start(world.context, digest, actor="anna")


def planned(world: World, target: str, what: SafetyPlan | None) -> None:
    """The target's plan run delivers what its plan does, and then its plan file, and is over."""
    if what is not None:
        run = queued(world, target)
        deliver = claims.claim

        def claim(*arguments: Any, **named: Any) -> Any:
            assignment = deliver(*arguments, **named)
            safety_plans.deliver(world.context, run.id, holder=assignment.holder, plan=what)
            return assignment

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("scheduler.claims.claim", claim)
            work(world, target, plan=f"plan of {target}".encode())
    else:
        work(world, target)


def approve(world: World, value: Rollout, target: str, actor: str) -> Rollout:
    digest = str(value.target(target).plan_digest)  # type: ignore[union-attr]  # it is there
    return service.approve(world.context, value.id, {target: digest}, actor=actor)


def test_what_the_rules_approve_goes_on_by_itself_and_the_rest_waits_and_says_what_is_new(world: World) -> None:
    value = begin(world)
    planned(world, ONE, plan(CREATE))
    planned(world, TWO, plan(CREATE, DELETE))
    value = change(world.context, value.id)
    assert stages(value) == ["applying", "planned", "pending"]
    held = value.targets[1]
    assert held.held
    assert held.reason == "1 person has to approve: delete aws_sqs_queue.a"
    assert change(world.context, value.id) == value


def test_approving_one_plan_approves_the_other_that_does_no_more(world: World) -> None:
    value = begin(world)
    planned(world, ONE, plan(CREATE, DELETE))
    planned(world, TWO, plan(DELETE))
    value = change(world.context, value.id)
    assert stages(value) == ["planned", "planned", "pending"]
    value = approve(world, value, ONE, "bert")
    assert stages(value) == ["applying", "applying", "pending"]
    assert [target.confirmed_by for target in value.targets] == ["bert", "bert", ""]
    assert queued(world, TWO).actor == "bert"


def test_one_that_does_more_still_waits(world: World) -> None:
    value = begin(world)
    planned(world, ONE, plan(DELETE))
    planned(world, TWO, plan(DELETE, entry("delete", "aws_sqs_queue.b")))
    value = approve(world, change(world.context, value.id), ONE, "bert")
    assert stages(value) == ["applying", "planned", "pending"]
    assert value.targets[1].reason == "1 person has to approve: delete aws_sqs_queue.b"


def test_an_approval_that_was_given_before_the_plan_was_made_counts(world: World) -> None:
    value = begin(world)
    planned(world, ONE, plan(DELETE))
    value = approve(world, change(world.context, value.id), ONE, "bert")
    planned(world, TWO, plan(DELETE))
    assert stages(change(world.context, value.id)) == ["applying", "applying", "pending"]


def discard(world: World, value: Rollout, target: str) -> Rollout:
    digest = str(value.target(target).plan_digest)  # type: ignore[union-attr]  # it is there
    return service.discard(world.context, value.id, {target: digest}, actor="bert")


@pytest.mark.parametrize("options", [{"rules": None, "approval": True}, {}], ids=["by the phase", "by the rules"])
def test_what_was_approved_and_then_discarded_is_approved_anew_when_it_is_tried_again(
    world: World, options: dict[str, Any]
) -> None:
    value = begin(world, **options)
    planned(world, ONE, plan(DELETE))
    planned(world, TWO, plan(DELETE, entry("delete", "aws_sqs_queue.b")))
    value = change(world.context, value.id)
    service.pause(world.context, value.id)
    value = approve(world, approve(world, value, ONE, "bert"), TWO, "bert")
    assert stages(value)[:2] == ["confirmed", "confirmed"]
    discarded = str(value.targets[0].plan_run_id)
    discard(world, value, ONE)
    assert safety_plans.get(world.context, discarded).approvals == ()
    service.resume(world.context, value.id)
    service.retry(world.context, value.id, [ONE], actor="anna")
    planned(world, ONE, plan(DELETE))
    value = change(world.context, value.id)
    # That of the other target holds all that this plan does, and was given before.
    assert (stages(value)[0], value.targets[0].held) == ("planned", True)
    shown = safety_plans.get(world.context, str(value.targets[0].plan_run_id))
    assert shown.verdict.decision.value == "held"
    old = safety_plans.get(world.context, discarded)
    safety_plans.approve(world.context, discarded, digest=old.digest, actor="carl")
    assert stages(change(world.context, value.id))[0] == "planned", "an approval of the plan before the retry"
    value = approve(world, value, ONE, "dora")
    assert (stages(value)[0], value.targets[0].confirmed_by) == ("applying", "dora")


def test_what_a_person_turned_down_approves_no_other_target(world: World) -> None:
    value = begin(world)
    planned(world, ONE, plan(DELETE))
    value = change(world.context, value.id)
    service.pause(world.context, value.id)
    discard(world, approve(world, value, ONE, "bert"), ONE)
    service.resume(world.context, value.id)
    planned(world, TWO, plan(DELETE))
    assert stages(change(world.context, value.id)) == ["discarded", "planned", "pending"]


def test_in_a_phase_with_approval_each_target_waits_for_its_own(world: World) -> None:
    value = begin(world, None, approval=True)
    planned(world, ONE, plan(CREATE))
    planned(world, TWO, plan(CREATE))
    value = approve(world, change(world.context, value.id), ONE, "bert")
    assert stages(value) == ["applying", "planned", "pending"]
    assert (value.targets[1].held, value.targets[1].reason) == (True, "1 person has to approve: create aws_sqs_queue.a")
    # The same person, the same plan, another target: it counts by either command.
    run_id = str(value.targets[1].plan_run_id)
    digest = safety_plans.get(world.context, run_id).digest
    safety_plans.approve(world.context, run_id, digest=digest, actor="bert")
    value = change(world.context, value.id)
    assert (stages(value), value.targets[1].confirmed_by) == (["applying", "applying", "pending"], "bert")


def test_what_was_approved_in_one_phase_or_roll_out_passes_the_gate_of_no_other(world: World) -> None:
    digest = world.publish(
        ONE,
        TWO,
        safety=None,
        phases=[
            ReleasePhase(targets=(target,), **phase(name, after=after, approval=True).model_dump(exclude=UNBEGUN))
            for name, after, target in (("first", (), ONE), ("second", ("first",), TWO))
        ],
    )
    value = service.start(world.context, digest, actor="anna")
    planned(world, ONE, plan(CREATE))
    value = approve(world, change(world.context, value.id), ONE, "bert")
    work(world, ONE)
    change(world.context, value.id)
    planned(world, TWO, plan(CREATE))
    value = change(world.context, value.id)
    assert stages(value) == ["applied", "planned"]
    service.cancel(world.context, value.id, actor="anna")
    again = service.start(world.context, digest, actor="anna")
    planned(world, ONE, plan(CREATE))
    assert stages(change(world.context, again.id)) == ["planned", "pending"]


def test_in_a_phase_with_approval_the_same_target_s_same_plan_made_again_needs_no_second_one(world: World) -> None:
    value = begin(world, None, approval=True)
    planned(world, ONE, plan(CREATE))
    value = approve(world, change(world.context, value.id), ONE, "bert")
    work(world, ONE, RunStatus.LOST)
    change(world.context, value.id)
    planned(world, ONE, plan(CREATE))
    value = change(world.context, value.id)
    assert (stages(value)[0], value.targets[0].confirmed_by) == ("applying", "bert")


def test_an_approval_by_the_safety_plan_moves_the_roll_out_too(world: World) -> None:
    value = begin(world)
    planned(world, ONE, plan(DELETE))
    run_id = str(change(world.context, value.id).targets[0].plan_run_id)
    digest = safety_plans.get(world.context, run_id).digest
    safety_plans.approve(world.context, run_id, digest=digest, actor="bert")
    value = change(world.context, value.id)
    assert (stages(value)[0], value.targets[0].confirmed_by, value.targets[0].held) == ("applying", "bert", False)


def test_what_needs_two_persons_waits_for_the_second(world: World) -> None:
    value = begin(world)
    planned(world, ONE, plan(entry("forget", "aws_sqs_queue.a")))
    value = approve(world, change(world.context, value.id), ONE, "anna")
    assert (stages(value)[0], value.targets[0].reason) == ("planned", "approved by anna; 2 persons have to")
    value = approve(world, value, ONE, "anna")
    assert stages(value)[0] == "planned"
    value = approve(world, value, ONE, "bert")
    assert (stages(value)[0], value.targets[0].confirmed_by) == ("applying", "anna, bert")


def test_what_is_never_allowed_freezes_the_roll_out_whatever_it_tolerates(world: World) -> None:
    value = begin(world)
    planned(world, ONE, plan(entry("delete", "aws_db_instance.main")))
    plan_run = queued(world, TWO)
    value = change(world.context, value.id)
    assert stages(value) == ["errored", "planning", "pending"]
    assert (value.targets[0].halted, value.status.value, statuses(value)) == (True, "halting", ["failed", "frozen"])
    assert value.reason.startswith(f"{ONE} was halted: never allowed")
    assert runs.get(world.context, plan_run.id).status is RunStatus.CANCELED
    assert change(world.context, value.id).status.value == "failed"
    with world.context.database.read() as session:
        (event,) = session.scalars(select(NotificationRow).where(NotificationRow.kind == Kind.HALT)).all()
    assert (event.document["resource"], event.document["operation"]) == ("aws_db_instance.main", "delete")


def test_a_run_that_was_halted_freezes_the_roll_out_and_later_phases_never_start(world: World) -> None:
    value = begin(world, None)
    planned(world, ONE, plan(CREATE))
    planned(world, TWO, plan(CREATE))
    change(world.context, value.id)
    work(world, ONE, RunStatus.HALTED)
    value = change(world.context, value.id)
    assert (value.status.value, stages(value)) == ("halting", ["errored", "applying", "pending"])
    value = change(world.context, value.id)
    assert (value.status.value, stages(value)) == ("failed", ["errored", "canceled", "pending"])
    assert (statuses(value), value.reason) == (["failed", "frozen"], f"{ONE} was halted: it is halted")
    assert runs.listed(world.context, target=LAST, status=None, limit=10) == []


def test_nobody_approves_by_hand_what_is_outside(world: World) -> None:
    value = begin(world)
    planned(world, ONE, plan(DELETE))
    value = change(world.context, value.id)
    with pytest.raises(ApiError, match="look at the new one"):
        service.approve(world.context, value.id, {ONE: "sha256:" + "0" * 64}, actor="bert")
    assert safety_plans.get(world.context, str(value.targets[0].plan_run_id)).approvals == ()


def test_a_plan_that_does_the_same_as_the_approved_one_needs_no_second_approval(world: World) -> None:
    value = begin(world)
    planned(world, ONE, plan(DELETE))
    value = approve(world, change(world.context, value.id), ONE, "bert")
    work(world, ONE, RunStatus.LOST)
    value = change(world.context, value.id)
    assert (stages(value)[0], queued(world, ONE).kind) == ("planning", RunKind.PLAN)
    planned(world, ONE, plan(DELETE))
    value = change(world.context, value.id)
    assert (stages(value)[0], value.targets[0].confirmed_by) == ("applying", "bert")


def test_with_rules_a_plan_without_a_safety_plan_is_halted(world: World) -> None:
    value = begin(world)
    planned(world, ONE, None)
    value = change(world.context, value.id)
    assert value.targets[0].halted
    assert "delivered no safety plan" in value.reason


def test_without_rules_a_phase_with_approval_takes_a_plan_without_a_safety_plan_by_its_file(world: World) -> None:
    value = begin(world, None, approval=True)
    planned(world, ONE, None)
    value = change(world.context, value.id)
    assert (stages(value)[0], value.targets[0].held) == ("planned", True)
    value = approve(world, value, ONE, "bert")
    assert (stages(value)[0], value.targets[0].confirmed_by) == ("applying", "bert")
