"""Rollbacks of a roll-out's targets: what they mean for it, and which come next."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from scheduler.rollout import events
from scheduler.rollout.advance import Advanced
from scheduler.rollout.events import with_targets
from scheduler.rollout.taking_back import stands
from shared.errors import IllegalTransition
from shared.rollback.standing import RollbackStatus, TargetRollback
from shared.rollouts import PhaseStatus, Rollout, RolloutStatus, Stage
from tests.unit.scheduler.rollout.support import end, go, phase, rollout, run_ids, statuses


def applied(value: Rollout, ids: Callable[[], str]) -> Rollout:
    """Go on until nothing is in flight any more; every run ends well."""
    value = go(value, ids).rollout
    while flying := [target.id for target in value.targets if target.stage.in_flight]:
        for name in flying:
            value = end(value, name)
        value = go(value, ids).rollout
    return value


def taken_back(
    value: Rollout, name: str, status: RollbackStatus = RollbackStatus.RUNNING, *, reserved: bool = True
) -> Rollout:
    """The rollback of what the target's run deployed stands like this."""
    target = value.target(name)
    assert target is not None
    known = target.rollback.id if target.rollback else f"rollback-{'0' * 16}"
    rollback = TargetRollback(id=known, status=status, reserved=reserved, reason="its health check failed")
    return stands(value, name, str(target.run_id), rollback)


def three(*, phases_done: bool = True, tolerance: int = 0, targets: int = 1) -> tuple[Rollout, Callable[[], str]]:
    """The first two of three phases are done, the third waits for a person to approve its plan."""
    ids = run_ids()
    options = {"failure_tolerance": tolerance, "max_concurrent": 1}
    value = rollout(
        (phase("one", **options), targets),
        (phase("two", after=("one",), **options), 1),
        (phase("three", after=("two",), approval=True, **options), 1),
    ).model_copy(update={"phases_done": phases_done})
    return applied(value, ids), ids


def back_of(advanced: Advanced) -> list[str]:
    return [one.target for one in advanced.back]


def test_what_is_taken_back_has_failed_its_phase_fails_though_it_was_done_and_later_ones_freeze() -> None:
    value, ids = three(phases_done=False)
    assert statuses(value) == ["done", "done", "running"]
    value = go(taken_back(value, "web.two-0"), ids).rollout
    target = value.target("web.two-0")
    assert target is not None
    assert (target.stage, target.reason) == (Stage.ERRORED, "taken back: its health check failed")
    assert statuses(value) == ["done", "failed", "frozen"]
    assert value.status is RolloutStatus.HALTING
    value = go(taken_back(value, "web.two-0", RollbackStatus.ROLLED_BACK, reserved=False), ids).rollout
    assert value.status is RolloutStatus.FAILED
    assert value.target("web.one-0").stage is Stage.APPLIED  # type: ignore[union-attr]  # it is there


def test_a_phase_that_tolerates_it_stays_done() -> None:
    value, ids = three(tolerance=1)
    value = go(taken_back(value, "web.two-0"), ids).rollout
    assert statuses(value) == ["done", "done", "running"]
    assert value.status is RolloutStatus.RUNNING


def test_a_phase_in_its_bake_time_fails_by_it_too() -> None:
    ids = run_ids()
    value = applied(rollout((phase("one", bake_s=600), 1), (phase("two", after=("one",)), 1)), ids)
    assert statuses(value) == ["baking", "waiting"]
    value = go(taken_back(value, "web.one-0"), ids).rollout
    assert statuses(value) == ["failed", "frozen"]


def test_one_that_is_at_work_has_failed_once_its_run_is_over() -> None:
    ids = run_ids()
    value = go(rollout((phase("one"), 1)), ids).rollout
    value = go(end(value, "web.one-0"), ids).rollout
    value = taken_back(value, "web.one-0")
    target = value.target("web.one-0")
    assert target is not None
    assert target.stage is Stage.APPLYING
    assert target.rollback is not None


def test_a_rollback_of_an_earlier_try_changes_nothing() -> None:
    value, _ = three()
    rollback = TargetRollback(id=f"rollback-{'0' * 16}", status=RollbackStatus.RUNNING)
    assert stands(value, "web.one-0", "run-" + "f" * 16, rollback) is value
    assert stands(value, "web.nowhere", "run-" + "f" * 16, rollback) is value


def test_phases_that_were_done_follow_the_last_one_first_each_when_the_later_ones_are_back() -> None:
    value, ids = three(targets=2)
    step = go(taken_back(value, "web.two-0"), ids)
    # The failed phase's own rollback is at work.
    assert (back_of(step), step.rollout.status) == ([], RolloutStatus.HALTING)
    step = go(taken_back(step.rollout, "web.two-0", RollbackStatus.ROLLED_BACK, reserved=False), ids)
    # One at a time, as the phase says.
    assert back_of(step) == ["web.one-0"]
    known = step.rollout.target("web.one-0")
    assert known is not None
    assert known.rollback is not None
    assert (step.back[0].rollback_id, step.back[0].run_id) == (known.rollback.id, known.run_id)
    assert "a later phase failed" in known.reason
    assert back_of(go(step.rollout, ids)) == []
    step = go(taken_back(step.rollout, "web.one-0", RollbackStatus.NOT_NEEDED, reserved=False), ids)
    assert back_of(step) == ["web.one-1"]
    step = go(taken_back(step.rollout, "web.one-1", RollbackStatus.ROLLED_BACK, reserved=False), ids)
    assert (back_of(step), step.rollout.status) == ([], RolloutStatus.FAILED)


def test_one_that_is_not_whole_holds_up_those_before_it_until_a_person_decides() -> None:
    value, ids = three()
    step = go(taken_back(value, "web.two-0", RollbackStatus.PARTIAL), ids)
    assert (back_of(step), step.rollout.status) == ([], RolloutStatus.HALTING)
    step = go(taken_back(step.rollout, "web.two-0", RollbackStatus.SKIPPED, reserved=False), ids)
    assert back_of(step) == ["web.one-0"]
    # The first phase has none before it: the roll-out is over, whatever became of it.
    step = go(taken_back(step.rollout, "web.one-0", RollbackStatus.FAILED), ids)
    assert step.rollout.status is RolloutStatus.FAILED


def test_without_the_section_or_without_a_rollback_nothing_follows() -> None:
    value, ids = three(phases_done=False)
    step = go(taken_back(value, "web.two-0", RollbackStatus.ROLLED_BACK, reserved=False), ids)
    assert (back_of(step), step.rollout.status) == ([], RolloutStatus.FAILED)
    value, ids = three()
    last = value.target("web.three-0")
    assert last is not None
    errored = last.model_copy(update={"stage": Stage.ERRORED, "reason": "no plan"})
    step = go(with_targets(value, {last.id: errored}), ids)
    assert (back_of(step), step.rollout.status) == ([], RolloutStatus.FAILED)


def test_where_nothing_was_changed_there_is_nothing_to_take_back() -> None:
    ids = run_ids()
    value = rollout((phase("one"), 1), (phase("two", after=("one",)), 1)).model_copy(update={"phases_done": True})
    value = end(go(value, ids).rollout, "web.one-0", changes=False)
    value = applied(value, ids)
    step = go(taken_back(value, "web.two-0", RollbackStatus.ROLLED_BACK, reserved=False), ids)
    # It succeeded before: what comes later changes its targets only.
    assert back_of(step) == []


def test_a_person_who_cancels_stops_what_has_not_begun() -> None:
    value, ids = three()
    value = go(taken_back(value, "web.two-0"), ids).rollout
    step = go(events.cancel(value, actor="anna"), ids)
    assert (back_of(step), step.rollout.status) == ([], RolloutStatus.CANCELED)


def test_nor_does_that_stop_a_deployment_that_takes_itself_back() -> None:
    ids = run_ids()
    value = go(rollout((phase("one", max_concurrent=2), 2)), ids).rollout
    for name in ("web.one-0", "web.one-1"):
        value = end(value, name)
    value = taken_back(go(value, ids).rollout, "web.one-0")
    stops = {stop.run_id: stop.at_work_too for stop in go(events.cancel(value, actor="anna"), ids).stops}
    assert [stops[str(target.run_id)] for target in value.targets] == [False, True]


def test_a_target_that_is_tried_again_has_no_rollback_any_more() -> None:
    value, ids = three(phases_done=False)
    value = go(taken_back(value, "web.two-0", RollbackStatus.ROLLED_BACK, reserved=False), ids).rollout
    value = events.retry(value, [])
    target = value.target("web.two-0")
    assert target is not None
    assert (target.rollback, target.stage) == (None, Stage.PENDING)
    assert PhaseStatus.WAITING in [one.status for one in value.phases]
    with pytest.raises(IllegalTransition):
        events.retry(value, ["web.two-0"])
