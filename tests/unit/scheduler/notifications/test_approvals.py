"""When a roll-out begins to wait for a person."""

from __future__ import annotations

from scheduler.notifications.approvals import approvals_wanted
from scheduler.notifications.events import Event, Kind
from scheduler.rollout import events
from shared.rollouts import Rollout, RolloutStatus
from tests.unit.scheduler.rollout.support import NOW, end, go, phase, rollout, run_ids


class Story:
    """A roll-out whose every written value is looked at."""

    def __init__(self, count: int, *, approval: bool = True, at_once: int = 10) -> None:
        self.ids = run_ids()
        self.value = rollout((phase("canary", approval=approval, max_concurrent=at_once), count))
        self.go()

    def go(self, changed: Rollout | None = None) -> list[Event]:
        before = self.value
        self.value = go(changed or before, self.ids).rollout
        return approvals_wanted(before, self.value, at=NOW)

    def planned(self, number: int) -> list[Event]:
        return self.go(end(self.value, f"web.canary-{number}"))

    def fails(self, number: int) -> list[Event]:
        name = f"web.canary-{number}"
        target = self.value.target(name)
        assert target is not None
        assert target.run_id is not None
        return self.go(events.record(self.value, events.RunFailed(target=name, run_id=target.run_id, reason="x")))


def test_one_plan_that_waits_is_told_once_with_all_its_ids() -> None:
    story = Story(1)
    (wanted,) = story.planned(0)
    target = story.value.targets[0]
    assert wanted.kind is Kind.APPROVAL_WANTED
    assert (wanted.flock, wanted.target, wanted.phase) == ("web", "web.canary-0", "canary")
    assert (wanted.rollout_id, wanted.run_id) == (story.value.id, target.plan_run_id)
    assert wanted.items == (f"web.canary-0 plan {target.plan_digest} of {target.plan_run_id}",)
    assert story.go() == []


def test_of_many_plans_the_first_is_told_and_then_all() -> None:
    story = Story(4)
    assert [len(one.items) for one in story.planned(0)] == [1]
    assert story.planned(1) == []
    assert story.planned(2) == []
    assert [len(one.items) for one in story.planned(3)] == [4]


def test_the_last_target_may_fail_instead() -> None:
    story = Story(3)
    story.value = story.value.model_copy(
        update={"phases": (story.value.phases[0].model_copy(update={"failure_tolerance": 1}),)}
    )
    story.planned(0)
    story.planned(1)
    assert [len(one.items) for one in story.fails(2)] == [2]


def test_a_phase_that_asks_nobody_tells_nobody() -> None:
    story = Story(2, approval=False)
    assert story.planned(0) == story.planned(1) == []


def test_a_plan_that_stays_though_its_phase_asks_nobody_is_told() -> None:
    """Whatever holds it: it is a person's business."""
    before = Story(1, approval=False).value
    held = end(before, "web.canary-0")
    assert [one.kind for one in approvals_wanted(before, held, at=NOW)] == [Kind.APPROVAL_WANTED]


def test_a_plan_made_anew_is_told_anew() -> None:
    story = Story(1)
    (first,) = story.planned(0)
    digest = story.value.targets[0].plan_digest
    assert digest is not None
    assert story.go(events.approve(story.value, {"web.canary-0": digest}, actor="ann")) == []
    run = story.value.targets[0].run_id
    assert run is not None
    assert story.go(events.record(story.value, events.PlanStale(target="web.canary-0", run_id=run, reason="x"))) == []
    (second,) = story.planned(0)
    assert second.id != first.id


def test_a_paused_rollout_waits_for_approvals_and_one_that_ends_does_not() -> None:
    story = Story(1)
    story.value = events.pause(story.value)
    assert len(story.planned(0)) == 1
    halting = Story(1)
    before = halting.value
    after = end(before, "web.canary-0").model_copy(update={"status": RolloutStatus.HALTING})
    assert approvals_wanted(before, after, at=NOW) == []


def test_what_is_decided_already_is_not_told_again() -> None:
    story = Story(2)
    story.planned(0)
    digest = story.value.targets[0].plan_digest
    assert digest is not None
    story.go(events.approve(story.value, {"web.canary-0": digest}, actor="ann"))
    (second,) = story.planned(1)
    assert [item.split()[0] for item in second.items] == ["web.canary-1"]
