"""What may happen to a roll-out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from scheduler.rollout import events
from scheduler.rollout.events import (
    PlanReady,
    PlanStale,
    RunApplied,
    RunCanceled,
    RunFailed,
    RunLost,
    pause,
    record,
    retry,
)
from shared.errors import IllegalTransition
from shared.rollouts import Rollout, RolloutStatus, RolloutTarget, Stage
from tests.unit.scheduler.rollout.support import DIGEST, end, go, phase, rollout, run_ids, stages, statuses

RUN, PLAN_RUN, OTHER = "run-" + "1" * 16, "run-" + "2" * 16, "run-" + "3" * 16
TARGET = "web.one-0"
WHERE = {"target": TARGET, "run_id": RUN}


def standing(stage: Stage, **fields: Any) -> Rollout:
    """A roll-out whose one target stands there."""
    value = rollout((phase("one", approval=True), 1))
    target = RolloutTarget(id=TARGET, phase="one", stage=stage, run_id=RUN, **fields)
    return value.model_copy(update={"targets": (target,)})


def with_plan(stage: Stage, **fields: Any) -> Rollout:
    return standing(stage, plan_run_id=PLAN_RUN, plan_digest=DIGEST, **fields)


def only(value: Rollout) -> RolloutTarget:
    (target,) = value.targets
    return target


def test_a_plan_with_changes_is_planned_and_remembers_which_plan_it_is() -> None:
    after = only(record(standing(Stage.PLANNING), PlanReady(**WHERE, digest=DIGEST, changes=True)))
    assert (after.stage, after.plan_run_id, after.plan_digest) == (Stage.PLANNED, RUN, DIGEST)


def test_a_plan_without_changes_needs_no_apply() -> None:
    after = only(record(standing(Stage.PLANNING), PlanReady(**WHERE, digest=DIGEST, changes=False)))
    assert (after.stage, after.reason) == (Stage.APPLIED, "no changes")


def test_an_apply_ends_as_applied() -> None:
    assert only(record(with_plan(Stage.APPLYING), RunApplied(**WHERE))).stage is Stage.APPLIED


@pytest.mark.parametrize("stage", [Stage.PLANNING, Stage.APPLYING])
def test_an_error_and_a_cancel_settle_the_target_with_their_reason(stage: Stage) -> None:
    errored = only(record(with_plan(stage), RunFailed(**WHERE, reason="init failed")))
    assert (errored.stage, errored.reason) == (Stage.ERRORED, "init failed")
    canceled = only(record(with_plan(stage), RunCanceled(**WHERE, reason="by anna")))
    assert (canceled.stage, canceled.reason) == (Stage.CANCELED, "by anna")


def test_a_plan_whose_state_moved_is_made_anew_and_nobody_has_approved_the_new_one() -> None:
    after = only(record(with_plan(Stage.APPLYING, confirmed_by="anna"), PlanStale(**WHERE, reason="serial moved")))
    assert (after.stage, after.plan_digest, after.plan_run_id) == (Stage.PENDING, None, None)
    assert (after.confirmed_by, after.losses, after.reason) == ("", 0, "serial moved")


def test_a_lost_run_voids_its_plan_and_is_tried_again_until_it_was_tried_enough() -> None:
    again = only(record(with_plan(Stage.APPLYING, confirmed_by="a"), RunLost(**WHERE, reason="cut", final=False)))
    assert (again.stage, again.plan_digest, again.confirmed_by, again.losses) == (Stage.PENDING, None, "", 1)
    enough = only(record(with_plan(Stage.APPLYING, losses=2), RunLost(**WHERE, reason="cut", final=True)))
    assert (enough.stage, enough.losses) == (Stage.ERRORED, 3)


@pytest.mark.parametrize(
    "value",
    [
        with_plan(Stage.APPLIED),
        with_plan(Stage.PLANNED),
        standing(Stage.PENDING),
        with_plan(Stage.APPLYING).model_copy(update={"status": RolloutStatus.CANCELED}),
    ],
)
def test_a_report_that_comes_late_or_twice_changes_nothing(value: Rollout) -> None:
    assert record(value, RunFailed(**WHERE, reason="late")) is value


def test_a_report_about_another_run_or_target_changes_nothing() -> None:
    value = with_plan(Stage.APPLYING)
    assert record(value, RunFailed(target=TARGET, run_id=OTHER, reason="x")) is value
    assert record(value, RunFailed(target="web.two", run_id=RUN, reason="x")) is value


def test_a_report_that_no_run_of_that_stage_can_give_is_our_own_mistake() -> None:
    with pytest.raises(IllegalTransition, match="cannot take RunApplied"):
        record(standing(Stage.PLANNING), RunApplied(**WHERE))
    with pytest.raises(IllegalTransition, match="cannot take PlanReady"):
        record(with_plan(Stage.APPLYING), PlanReady(**WHERE, digest=DIGEST, changes=True))


_COMMANDS: dict[str, Callable[[Rollout], Rollout]] = {
    "pause": events.pause,
    "resume": events.resume,
    "cancel": lambda value: events.cancel(value, actor="anna"),
}
_TABLE = {
    ("running", "pause"): "paused",
    ("running", "resume"): "running",
    ("running", "cancel"): "canceling",
    ("paused", "pause"): "paused",
    ("paused", "resume"): "running",
    ("paused", "cancel"): "canceling",
    ("halting", "cancel"): "canceling",
    ("canceling", "cancel"): "canceling",
}


@pytest.mark.parametrize("status", list(RolloutStatus))
@pytest.mark.parametrize("command", list(_COMMANDS))
def test_commands_move_a_roll_out_by_the_table_and_change_nothing_where_it_has_no_entry(
    status: RolloutStatus, command: str
) -> None:
    value = rollout((phase("one"), 1)).model_copy(update={"status": status})
    expected = _TABLE.get((status.value, command))
    if expected is None:
        with pytest.raises(IllegalTransition, match=f"is {status.value} and cannot be"):
            _COMMANDS[command](value)
    else:
        assert _COMMANDS[command](value).status.value == expected


def test_cancel_says_who() -> None:
    assert events.cancel(rollout((phase("one"), 1)), actor="anna").reason == "canceled by anna"


def test_an_approved_plan_is_confirmed_by_name() -> None:
    after = only(events.approve(with_plan(Stage.PLANNED), {TARGET: DIGEST}, actor="anna"))
    assert (after.stage, after.confirmed_by) == (Stage.CONFIRMED, "anna")


def test_approving_twice_changes_nothing() -> None:
    value = with_plan(Stage.CONFIRMED, confirmed_by="anna")
    assert events.approve(value, {TARGET: DIGEST}, actor="bert") == value


@pytest.mark.parametrize("decide", [events.approve, events.discard])
def test_a_decision_about_another_plan_than_the_one_in_hand_is_refused(decide: Callable[..., Rollout]) -> None:
    with pytest.raises(IllegalTransition, match="look at the new one"):
        decide(with_plan(Stage.PLANNED), {TARGET: "sha256:" + "b" * 64}, actor="anna")
    with pytest.raises(IllegalTransition, match="has no target"):
        decide(with_plan(Stage.PLANNED), {"web.two": DIGEST}, actor="anna")
    with pytest.raises(IllegalTransition, match="neither applied nor discarded"):
        decide(
            with_plan(Stage.PLANNED).model_copy(update={"status": RolloutStatus.HALTING}),
            {TARGET: DIGEST},
            actor="anna",
        )


def test_of_several_plans_none_is_approved_when_one_is_not_in_hand() -> None:
    value = rollout((phase("one", approval=True), 2))
    planned = [
        target.model_copy(update={"stage": Stage.PLANNED, "plan_digest": DIGEST, "plan_run_id": PLAN_RUN})
        for target in value.targets
    ]
    value = value.model_copy(update={"targets": tuple(planned)})
    with pytest.raises(IllegalTransition):
        events.approve(value, {"web.one-0": DIGEST, "web.one-1": "sha256:" + "b" * 64}, actor="anna")


@pytest.mark.parametrize("stage", [Stage.PLANNED, Stage.CONFIRMED])
def test_a_discarded_plan_settles_its_target_as_not_done(stage: Stage) -> None:
    after = only(events.discard(with_plan(stage), {TARGET: DIGEST}, actor="anna"))
    assert (after.stage, after.reason, after.stage.failed) == (Stage.DISCARDED, "discarded by anna", True)


def test_a_plan_that_is_being_applied_cannot_be_discarded() -> None:
    with pytest.raises(IllegalTransition, match="no plan to decide about"):
        events.discard(with_plan(Stage.APPLYING), {TARGET: DIGEST}, actor="anna")


def failed_rollout(**options: int) -> Rollout:
    """Of the first phase's three targets two failed and one was applied; the second phase is frozen."""
    value = rollout((phase("one", max_concurrent=3, **options), 3), (phase("two", after=("one",)), 1))
    ids = run_ids()
    value = go(value, ids).rollout
    for name in ("web.one-0", "web.one-1"):
        known = value.target(name)
        assert known is not None
        value = record(value, RunFailed(target=name, run_id=str(known.run_id), reason="no"))
    value = end(value, "web.one-2", changes=False)
    return go(value, ids).rollout


def test_what_failed_is_tried_again_and_what_was_frozen_goes_on() -> None:
    value = failed_rollout()
    assert (value.status, statuses(value)) == (RolloutStatus.FAILED, ["failed", "frozen"])
    again = retry(value, [])
    assert (again.status, again.reason, stages(again)) == (
        RolloutStatus.RUNNING,
        "",
        ["pending", "pending", "applied", "pending"],
    )
    ids = run_ids()
    again = go(again, ids).rollout
    assert (statuses(again), again.finished_at) == (["running", "waiting"], None)
    for name in ("web.one-0", "web.one-1"):
        again = end(again, name, changes=False)
    assert statuses(go(again, ids).rollout) == ["done", "running"]


def test_one_of_them_is_not_enough_where_the_phase_would_have_failed_all_the_same() -> None:
    with pytest.raises(IllegalTransition, match=r"would still have web\.one-1: try these again too"):
        retry(failed_rollout(), ["web.one-0"])
    assert stages(retry(failed_rollout(failure_tolerance=1), ["web.one-0"]))[:2] == ["pending", "errored"]


def test_a_tolerated_failure_is_tried_again_before_the_next_phase_begins_or_when_all_is_over() -> None:
    baking = failed_rollout(failure_tolerance=2, bake_s=30)
    assert statuses(baking) == ["baking", "waiting"]
    again = go(retry(baking, []), run_ids()).rollout
    assert (statuses(again), stages(again)[:2]) == (["running", "waiting"], ["planning", "planning"])

    going_on = failed_rollout(failure_tolerance=2)
    assert statuses(going_on) == ["done", "running"]
    with pytest.raises(IllegalTransition, match="can be tried again when the roll-out is over"):
        retry(going_on, [])
    over = go(end(going_on, "web.two-0", changes=False), run_ids()).rollout
    assert over.status is RolloutStatus.SUCCEEDED
    again = go(retry(over, []), run_ids()).rollout
    assert (again.status, statuses(again)) == (RolloutStatus.RUNNING, ["running", "done"])


def test_a_paused_one_stays_paused() -> None:
    assert retry(pause(failed_rollout(failure_tolerance=2, bake_s=30)), []).status is RolloutStatus.PAUSED


@pytest.mark.parametrize("name", ["web.one-2", "web.two-0", "web.nowhere"])
def test_only_what_failed_is_tried_again(name: str) -> None:
    with pytest.raises(IllegalTransition, match="only what failed can be tried again"):
        retry(failed_rollout(), [name])


def test_nothing_is_tried_again_where_nothing_failed() -> None:
    with pytest.raises(IllegalTransition, match=r"no target of .* has failed"):
        retry(rollout((phase("one"), 1)), [])


@pytest.mark.parametrize("status", [RolloutStatus.HALTING, RolloutStatus.CANCELING, RolloutStatus.CANCELED])
def test_what_stops_is_not_tried_again(status: RolloutStatus) -> None:
    with pytest.raises(IllegalTransition, match=f"is {status}"):
        retry(failed_rollout().model_copy(update={"status": status}), [])
