"""Drift is put right by a roll-out of what the targets have."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler import safety_plans
from scheduler.drift.outcome import MAX_REMEDIES
from scheduler.drift.remediation import remedy, step_aside
from scheduler.drift.telling import tell
from scheduler.drift.transitions import MAX_SETTLE_S
from scheduler.rollout import service
from scheduler.rollout.drive import change
from shared.drift.report import DriftReport
from shared.models import RunKind, RunStatus
from shared.rollouts import Rollout
from shared.safety.rules import SafetyRules
from tests.unit.scheduler.drift.support import BLIND, IN_SYNC, check, deploy, drifted, later, standing, statuses
from tests.unit.scheduler.rollout.support import stages, work
from tests.unit.scheduler.rollout.test_safety_gate import planned
from tests.unit.scheduler.support import TARGET, World
from tests.unit.shared.safety.support import entry, plan

UPDATE = plan(entry("update", "aws_sqs_queue.orders"))
AUTO = SafetyRules.model_validate({"auto": [{"operations": ["update"]}]})


def twice(world: World, report: DriftReport, *targets: str) -> None:
    """Two checks of each target that find the same, and people are told."""
    for name in targets or (TARGET,):
        check(world, report, name)
        check(world, report, name)
    later(world, MAX_SETTLE_S)
    tell(world.context)


def rollouts(world: World) -> list[Rollout]:
    """All of them, the first first."""
    return [service.get(world.context, one.id) for one in reversed(service.listed(world.context, flock=None, limit=10))]


@pytest.mark.parametrize("settings", [{"remediation": {"mode": "report"}}, {}])
def test_by_default_drift_is_only_reported(world: World, settings: dict[str, Any]) -> None:
    deploy(world, **settings)
    twice(world, drifted())
    assert remedy(world.context) == 0
    assert rollouts(world) == []


@pytest.mark.parametrize("mode", ["plan", "apply"])
@pytest.mark.parametrize("report", [IN_SYNC, BLIND])
def test_what_has_not_drifted_is_not_remedied(world: World, mode: str, report: DriftReport) -> None:
    deploy(world, remediation={"mode": mode})
    twice(world, report)
    check(world, drifted())
    assert remedy(world.context) == 0


def test_plan_makes_a_plan_of_what_the_target_has_that_waits_for_a_person(world: World) -> None:
    digest = deploy(world, "web.north", "web.south", remediation={"mode": "plan"}, safety=AUTO)
    twice(world, drifted(), "web.north")
    assert remedy(world.context) == 1
    assert remedy(world.context) == 0
    (rollout,) = rollouts(world)
    assert (rollout.release_digest, rollout.actor) == (digest, "interlock drift")
    assert [target.id for target in rollout.targets] == ["web.north"]
    planned(world, "web.north", UPDATE)
    # Its rules would let the update pass; here a person looks at it first.
    rollout = change(world.context, rollout.id)
    assert (stages(rollout), rollout.targets[0].held) == (["planned"], True)
    row = standing(world, "web.north")
    assert (row.remedy, row.remediation, row.rollout_id) == (None, f"plan: {rollout.id}", rollout.id)
    record = safety_plans.get(world.context, str(rollout.targets[0].plan_run_id))
    safety_plans.approve(world.context, record.run_id, digest=record.digest, actor="anna")
    assert stages(change(world.context, rollout.id)) == ["applying"]


def test_an_approval_of_the_release_from_before_is_not_one_of_that_plan(world: World) -> None:
    digest = deploy(world, remediation={"mode": "plan"}, safety=SafetyRules())
    rollout = service.start(world.context, digest, actor="anna")
    planned(world, TARGET, UPDATE)
    waiting = change(world.context, rollout.id)
    run_id = str(waiting.targets[0].plan_run_id)
    safety_plans.approve(world.context, run_id, digest=safety_plans.get(world.context, run_id).digest, actor="anna")
    change(world.context, rollout.id)
    work(world, TARGET)
    assert change(world.context, rollout.id).status.over
    twice(world, drifted())
    remedy(world.context)
    planned(world, TARGET, UPDATE)
    assert stages(change(world.context, rollouts(world)[1].id)) == ["planned"]


def test_apply_applies_what_the_rules_let_pass(world: World) -> None:
    deploy(world, remediation={"mode": "apply"}, safety=AUTO)
    twice(world, drifted())
    remedy(world.context)
    (rollout,) = rollouts(world)
    planned(world, TARGET, UPDATE)
    assert stages(change(world.context, rollout.id)) == ["applying"]
    work(world, TARGET)
    assert change(world.context, rollout.id).status == "succeeded"
    twice(world, IN_SYNC)
    assert standing(world).roll_up == "in_sync"
    assert remedy(world.context) == 0


def test_apply_leaves_to_a_person_what_they_do_not(world: World) -> None:
    deploy(world, remediation={"mode": "apply"}, safety=AUTO)
    twice(world, drifted())
    remedy(world.context)
    planned(world, TARGET, plan(entry("delete", "aws_sqs_queue.orders")))
    rollout = change(world.context, rollouts(world)[0].id)
    assert (stages(rollout), rollout.targets[0].held) == (["planned"], True)


def test_apply_without_rules_waits_for_a_person(world: World) -> None:
    deploy(world, remediation={"mode": "apply"})
    twice(world, drifted())
    remedy(world.context)
    planned(world, TARGET, UPDATE)
    assert stages(change(world.context, rollouts(world)[0].id)) == ["planned"]


def test_apply_deploys_no_release_that_nobody_has_deployed_there(world: World) -> None:
    deploy(world, remediation={"mode": "apply"}, safety=AUTO)
    fresh = deploy(world, remediation={"mode": "apply"}, safety=AUTO, every_s=60, deployed=False)
    twice(world, drifted())
    remedy(world.context)
    planned(world, TARGET, UPDATE)
    (rollout,) = rollouts(world)
    assert (rollout.release_digest, stages(change(world.context, rollout.id))) == (fresh, ["planned"])


def test_a_release_that_changed_nothing_there_counts_as_deployed(world: World) -> None:
    deploy(world, remediation={"mode": "apply"}, safety=AUTO)
    fresh = deploy(world, remediation={"mode": "apply"}, safety=AUTO, every_s=60, deployed=False)
    other = service.start(world.context, fresh, actor="anna")
    work(world, TARGET, changes=False)
    assert change(world.context, other.id).status == "succeeded"
    twice(world, drifted())
    remedy(world.context)
    planned(world, TARGET, UPDATE)
    assert stages(change(world.context, rollouts(world)[1].id)) == ["applying"]


def test_one_roll_out_takes_all_targets_that_have_drifted_and_no_other(world: World) -> None:
    names = [f"web.r{number}" for number in range(4)]
    deploy(world, *names, remediation={"mode": "plan"})
    twice(world, drifted(), *names[:3])
    assert remedy(world.context) == 1
    (rollout,) = rollouts(world)
    assert [target.id for target in rollout.targets] == names[:3]


def test_it_waits_while_the_flock_has_another_roll_out(world: World) -> None:
    digest = deploy(world, "web.north", "web.south", remediation={"mode": "plan"})
    twice(world, drifted(), "web.north")
    other = service.start(world.context, digest, actor="anna")
    assert remedy(world.context) == 0
    assert standing(world, "web.north").remediation == "waits for its roll-out"
    service.cancel(world.context, other.id, actor="anna")
    while not change(world.context, other.id).status.over:
        pass
    assert remedy(world.context) == 1


def test_a_roll_out_that_somebody_starts_cancels_it(world: World) -> None:
    digest = deploy(world, remediation={"mode": "plan"})
    twice(world, drifted())
    remedy(world.context)
    (own,) = rollouts(world)
    planned(world, TARGET, UPDATE)
    change(world.context, own.id)
    step_aside(world.context, digest)
    started = service.start(world.context, digest, actor="anna")
    assert [one.status.value for one in rollouts(world)] == ["canceled", "running"]
    # It cancels nobody else's, and nothing where there is none.
    step_aside(world.context, digest)
    step_aside(world.context, "sha256:" + "0" * 64)
    assert service.get(world.context, started.id).status == "running"


def test_one_that_applies_is_left_alone(world: World) -> None:
    digest = deploy(world, remediation={"mode": "apply"}, safety=AUTO)
    twice(world, drifted())
    remedy(world.context)
    planned(world, TARGET, UPDATE)
    assert stages(change(world.context, rollouts(world)[0].id)) == ["applying"]
    step_aside(world.context, digest)
    assert [one.status.value for one in rollouts(world)] == ["running"]


def test_what_is_over_before_its_turn_came_is_not_remedied(world: World) -> None:
    deploy(world, remediation={"mode": "plan"})
    twice(world, drifted())
    twice(world, IN_SYNC)
    assert remedy(world.context) == 0
    assert standing(world).remediation == ""


def test_people_hear_of_drift_before_it_is_put_right(world: World) -> None:
    deploy(world, remediation={"mode": "apply"}, safety=AUTO)
    check(world, drifted())
    check(world, drifted())
    assert remedy(world.context) == 0
    later(world, MAX_SETTLE_S)
    assert (tell(world.context), remedy(world.context)) == (1, 1)


def test_drift_that_comes_back_again_and_again_is_a_persons_matter(world: World) -> None:
    deploy(world, remediation={"mode": "plan"})
    for _ in range(MAX_REMEDIES // 2 + 1):
        twice(world, drifted())
        wanted = standing(world).remedy
        twice(world, IN_SYNC)
        assert wanted == "plan"
    twice(world, drifted())
    row = standing(world)
    assert (row.remedy, row.remediation[:24]) == (None, "none: it changed 5 times")


def test_an_older_release_is_not_put_back_over_one_that_came_in_this_moment(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy(world, remediation={"mode": "plan"})
    twice(world, drifted())
    start = service.start

    def slow(*arguments: Any, **more: Any) -> Rollout:
        deploy(world, every_s=60, deployed=False)
        return start(*arguments, **more)

    monkeypatch.setattr(service, "start", slow)
    assert remedy(world.context) == 0
    assert rollouts(world) == []


def test_a_tick_that_dies_starts_one_roll_out_in_the_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    deploy(world, remediation={"mode": "plan"})
    twice(world, drifted())

    def die(*_: object) -> None:
        raise RuntimeError("killed")

    monkeypatch.setattr(service, "change", die)
    with pytest.raises(RuntimeError):
        remedy(world.context)
    monkeypatch.undo()
    assert remedy(world.context) == 0
    (rollout,) = rollouts(world)
    change(world.context, rollout.id)
    assert statuses(world, kind=RunKind.PLAN) == [RunStatus.PENDING]
