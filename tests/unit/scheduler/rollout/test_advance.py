"""What follows from where a roll-out stands."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.rollout import events
from scheduler.rollout.advance import Advanced, advance, plan_marks
from scheduler.rollout.events import (
    PlanReady,
    PlanStale,
    RunApplied,
    RunCanceled,
    RunFailed,
    RunLost,
    RunUnserved,
    record,
)
from shared.errors import IllegalTransition
from shared.models import RunKind
from shared.rollouts import PhaseStatus, Rollout, RolloutStatus, RolloutTarget, Stage
from tests.unit.scheduler.rollout.support import NOW, digest_of, end, go, phase, rollout, run_ids, stages, statuses


def fail(value: Rollout, target: str) -> Rollout:
    known = value.target(target)
    assert known is not None
    assert known.run_id is not None
    return record(value, RunFailed(target=target, run_id=known.run_id, reason="broken"))


def test_a_phase_starts_as_many_plans_as_it_has_room_for_in_order() -> None:
    advanced = go(rollout((phase("one", max_concurrent=2), 3)), run_ids())
    assert [(start.target, start.kind) for start in advanced.starts] == [
        ("web.one-0", RunKind.PLAN),
        ("web.one-1", RunKind.PLAN),
    ]
    assert stages(advanced.rollout) == ["planning", "planning", "pending"]


def test_asked_again_without_news_it_starts_nothing() -> None:
    ids = run_ids()
    first = go(rollout((phase("one", max_concurrent=2), 3)), ids)
    assert go(first.rollout, ids) == Advanced(rollout=first.rollout)


def test_a_plan_is_applied_before_another_one_is_made() -> None:
    ids = run_ids()
    value = go(rollout((phase("one"), 2)), ids).rollout
    advanced = go(end(value, "web.one-0"), ids)
    (start,) = advanced.starts
    assert (start.target, start.kind, start.plan_run_id) == ("web.one-0", RunKind.APPLY, "run-" + "0" * 15 + "1")


def test_a_plan_that_waits_for_a_person_takes_no_room() -> None:
    ids = run_ids()
    value = go(rollout((phase("one", approval=True), 2)), ids).rollout
    advanced = go(end(value, "web.one-0"), ids)
    assert [start.target for start in advanced.starts] == ["web.one-1"]
    assert stages(advanced.rollout) == ["planned", "planning"]
    waiting = go(end(advanced.rollout, "web.one-1"), ids)
    assert waiting.starts == ()
    plan = waiting.rollout.targets[1].plan_digest
    approved = go(events.approve(waiting.rollout, {"web.one-1": str(plan)}, actor="anna"), ids)
    assert [(start.target, start.kind) for start in approved.starts] == [("web.one-1", RunKind.APPLY)]


def test_a_phase_begins_when_those_before_it_are_done() -> None:
    ids = run_ids()
    value = go(rollout((phase("one"), 1), (phase("two", after=("one",)), 1)), ids).rollout
    assert statuses(value) == ["running", "waiting"]
    value = go(end(value, "web.one-0"), ids).rollout
    advanced = go(end(value, "web.one-0"), ids)
    assert statuses(advanced.rollout) == ["done", "running"]
    assert [start.target for start in advanced.starts] == ["web.two-0"]


def test_a_phase_bakes_before_it_is_done() -> None:
    ids = run_ids()
    value = go(rollout((phase("one", bake_s=60), 1), (phase("two", after=("one",)), 1)), ids).rollout
    value = go(end(value, "web.one-0", changes=False), ids).rollout
    assert statuses(value) == ["baking", "waiting"]
    assert value.phases[0].bake_until == NOW + timedelta(seconds=60)
    assert go(value, ids, NOW + timedelta(seconds=59)).starts == ()
    assert [start.target for start in go(value, ids, NOW + timedelta(seconds=60)).starts] == ["web.two-0"]


def test_a_clock_that_is_set_forward_ends_no_bake_time() -> None:
    ids = run_ids()
    value = end(go(rollout((phase("one", bake_s=60), 1)), ids).rollout, "web.one-0", changes=False)
    later = NOW + timedelta(hours=1)
    value = advance(value, now=NOW, wall=later, new_run_id=ids).rollout
    assert advance(value, now=NOW + timedelta(seconds=60), wall=later, new_run_id=ids).rollout.status.value == "running"


def test_a_phase_with_more_failures_than_it_tolerates_freezes_the_later_ones() -> None:
    ids = run_ids()
    value = go(rollout((phase("one", max_concurrent=3), 3), (phase("two", after=("one",)), 1)), ids).rollout
    halting = go(fail(value, "web.one-0"), ids)
    assert (halting.rollout.status, statuses(halting.rollout)) == (RolloutStatus.HALTING, ["failed", "frozen"])
    assert {stop.at_work_too for stop in halting.stops} == {False}
    assert len(halting.stops) == 2
    value = go(fail(halting.rollout, "web.one-1"), ids).rollout
    # What was at work goes on to its end, but its plan is not applied any more.
    over = go(end(value, "web.one-2"), ids)
    assert (over.rollout.status, over.starts) == (RolloutStatus.FAILED, ())
    assert stages(over.rollout) == ["errored", "errored", "discarded", "pending"]
    assert "web.one-0 (errored)" in over.rollout.reason
    assert over.rollout.finished_at == NOW


def test_tolerated_failures_let_the_roll_out_go_on() -> None:
    ids = run_ids()
    value = rollout((phase("one", max_concurrent=2, failure_tolerance=1), 2), (phase("two", after=("one",)), 1))
    value = fail(go(value, ids).rollout, "web.one-0")
    value = go(end(value, "web.one-1", changes=False), ids).rollout
    assert statuses(value) == ["done", "running"]


def test_a_target_that_was_halted_freezes_everything_whatever_is_tolerated() -> None:
    ids = run_ids()
    value = rollout((phase("one", max_concurrent=2, failure_tolerance=2), 2), (phase("two", after=("one",)), 1))
    value = go(value, ids).rollout
    (halted, other) = value.targets[:2]
    value = events.record(value, events.RunHalted(target=halted.id, run_id=str(halted.run_id), reason="delete a.b"))
    advanced = go(value, ids)
    assert (advanced.rollout.status, advanced.starts) == (RolloutStatus.HALTING, ())
    assert [stop.run_id for stop in advanced.stops] == [other.run_id]
    assert advanced.rollout.reason == "web.one-0 was halted: delete a.b"
    over = go(end(advanced.rollout, other.id), ids).rollout
    assert (over.status, statuses(over)) == (RolloutStatus.FAILED, ["failed", "frozen"])


def test_a_plan_that_the_safety_rules_hold_is_not_confirmed_by_itself() -> None:
    ids = run_ids()
    value = end(go(rollout((phase("one"), 1)), ids).rollout, "web.one-0")
    held = events.with_targets(value, {"web.one-0": value.targets[0].model_copy(update={"held": True})})
    assert (stages(go(held, ids).rollout), stages(go(value, ids).rollout)) == (["planned"], ["applying"])


def test_a_paused_roll_out_starts_nothing_and_goes_on_where_it_was() -> None:
    ids = run_ids()
    value = events.pause(go(rollout((phase("one"), 1), (phase("two", after=("one",)), 1)), ids).rollout)
    advanced = go(end(value, "web.one-0", changes=False), ids)
    assert (advanced.starts, advanced.stops, statuses(advanced.rollout)) == ((), (), ["done", "waiting"])
    assert [start.target for start in go(events.resume(advanced.rollout), ids).starts] == ["web.two-0"]


def test_a_phase_that_fails_while_it_is_paused_halts_all_the_same() -> None:
    ids = run_ids()
    value = events.pause(go(rollout((phase("one"), 1)), ids).rollout)
    assert go(fail(value, "web.one-0"), ids).rollout.status is RolloutStatus.FAILED


def test_a_canceled_roll_out_asks_what_is_at_work_to_stop_until_it_has() -> None:
    ids = run_ids()
    value = go(rollout((phase("one", max_concurrent=2, approval=True), 3)), ids).rollout
    value = go(end(value, "web.one-0"), ids).rollout
    value = events.cancel(value, actor="anna")
    for _ in range(2):
        advanced = go(value, ids)
        assert [stop.at_work_too for stop in advanced.stops] == [True, True]
        assert stages(advanced.rollout) == ["canceled", "planning", "planning"]
        value = advanced.rollout
    for target in ("web.one-1", "web.one-2"):
        run = value.target(target)
        assert run is not None
        value = record(value, RunCanceled(target=target, run_id=str(run.run_id), reason="stopped"))
    over = go(value, ids).rollout
    assert (over.status, set(stages(over)), over.reason) == (
        RolloutStatus.CANCELED,
        {"canceled"},
        "canceled by anna",
    )


def test_a_roll_out_whose_phases_are_all_done_has_succeeded() -> None:
    ids = run_ids()
    value = go(rollout((phase("one"), 1), (phase("none", after=("one",)), 0)), ids).rollout
    over = go(end(value, "web.one-0", changes=False), ids).rollout
    assert (over.status, statuses(over)) == (RolloutStatus.SUCCEEDED, ["done", "done"])


def test_plans_are_marked_as_confirmed_and_as_void() -> None:
    ids = run_ids()
    before = end(go(rollout((phase("one", approval=True), 1)), ids).rollout, "web.one-0")
    plan = before.targets[0]
    confirmed = events.approve(before, {plan.id: str(plan.plan_digest)}, actor="anna")
    assert plan_marks(before, confirmed) == {plan.plan_run_id: Stage.CONFIRMED}
    discarded = events.discard(before, {plan.id: str(plan.plan_digest)}, actor="anna")
    assert plan_marks(before, discarded) == {plan.plan_run_id: Stage.DISCARDED}
    applying = go(confirmed, ids).rollout
    run_id = str(applying.targets[0].run_id)
    anew = record(applying, PlanStale(target=plan.id, run_id=run_id, reason="moved"))
    assert plan_marks(applying, go(anew, ids).rollout) == {plan.plan_run_id: Stage.DISCARDED}
    assert plan_marks(before, before) == {}


class Walk:
    """A roll-out under everything that can happen to it, with what must hold whatever happens."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.now = NOW
        self.ids = run_ids()
        self.kinds: dict[str, RunKind] = {}
        self.failed = False
        phases = []
        names = [f"p{number}" for number in range(chance.randint(1, 4))]
        for number, name in enumerate(names):
            after = tuple(chance.sample(names[:number], chance.randint(0, number)))
            made = phase(
                name,
                after=after,
                max_concurrent=chance.randint(1, 3),
                failure_tolerance=chance.choice([0, 0, 1]),
                bake_s=chance.choice([0, 30]),
                approval=chance.random() < 0.4,
            )
            phases.append((made, chance.randint(0, 4)))
        self.value = rollout(*phases)
        self.settle()

    def settle(self, *, crash: bool = False) -> None:
        before = self.value
        if crash:
            # Killed before the commit: nothing of it is there, and the next one decides alike but for the ids.
            lost = go(before, self.ids, self.now)
        advanced = go(before, self.ids, self.now)
        if crash:
            assert [(one.target, one.kind) for one in lost.starts] == [
                (one.target, one.kind) for one in advanced.starts
            ]
        # What is stored is what is read back.
        self.value = Rollout.model_validate(advanced.rollout.model_dump(mode="json"))
        assert self.value == advanced.rollout
        for start in advanced.starts:
            self.kinds[start.run_id] = start.kind
        self.check(before, advanced)

    def check(self, before: Rollout, advanced: Advanced) -> None:
        phases = {one.name: one for one in self.value.phases}
        for one in phases.values():
            in_flight = [t for t in self.value.targets if t.phase == one.name and t.stage.in_flight]
            assert len(in_flight) <= one.max_concurrent
        for start in advanced.starts:
            target = self.value.target(start.target)
            assert target is not None
            assert before.status is RolloutStatus.RUNNING
            assert not self.failed
            home = phases[target.phase]
            assert home.status is PhaseStatus.RUNNING
            assert all(phases[name].status is PhaseStatus.DONE for name in home.after)
            if start.kind is RunKind.APPLY:
                assert target.plan_run_id == start.plan_run_id
                assert target.plan_digest is not None
                assert target.confirmed_by != "" or not home.approval
        for old, new in zip(before.phases, self.value.phases, strict=True):
            if old.status in (PhaseStatus.DONE, PhaseStatus.FAILED, PhaseStatus.FROZEN):
                assert new.status is old.status
        self.failed |= any(one.status is PhaseStatus.FAILED for one in phases.values())
        if self.failed:
            assert self.value.status in (RolloutStatus.HALTING, RolloutStatus.FAILED) or "cancel" in str(
                self.value.status
            )
        if self.value.status.over:
            assert not any(t.stage.in_flight or t.stage.has_plan for t in self.value.targets)
        assert go(self.value, self.ids, self.now).starts == ()
        assert go(self.value, self.ids, self.now).rollout == self.value

    def step(self) -> None:
        moves = [self.end_run, self.end_run, self.end_run, self.decide, self.wait, self.command]
        before = self.value
        self.chance.choice(moves)()
        if before.status.over:
            assert self.value == before
        self.settle(crash=self.chance.random() < 0.2)

    def end_run(self, *, well: bool = False) -> None:
        in_flight = [t for t in self.value.targets if t.stage.in_flight]
        if not in_flight:
            return
        target = self.chance.choice(in_flight)
        event = self.outcome(target, well=well)
        self.value = record(self.value, event)
        assert record(self.value, event) == self.value

    def outcome(self, target: RolloutTarget, *, well: bool) -> events.RunEvent:
        run_id = str(target.run_id)
        where = {"target": target.id, "run_id": run_id}
        bad = self.chance.random() < 0.25 and not well
        if bad:
            return self.chance.choice(
                [
                    RunFailed(**where, reason="broken"),
                    RunCanceled(**where, reason="canceled"),
                    RunLost(**where, reason="cut", final=target.losses >= 2),
                    RunUnserved(**where, reason="away", final=target.losses >= 2),
                ]
            )
        if self.kinds[run_id] is RunKind.PLAN:
            changes = self.chance.random() < 0.7
            return PlanReady(**where, digest=digest_of(run_id), changes=changes)
        if self.chance.random() < 0.2 and not well:
            return PlanStale(**where, reason="moved")
        return RunApplied(**where)

    def decide(self, *, well: bool = False) -> None:
        plans = {t.id: str(t.plan_digest) for t in self.value.targets if t.stage is Stage.PLANNED}
        if not plans:
            return
        decision = events.discard if self.chance.random() < 0.1 and not well else events.approve
        try:
            self.value = decision(self.value, plans, actor="anna")
        except IllegalTransition:
            assert self.value.status not in (RolloutStatus.RUNNING, RolloutStatus.PAUSED)

    def wait(self) -> None:
        self.now = self.now + timedelta(seconds=self.chance.choice([1, 31]))

    def command(self) -> None:
        command = self.chance.choice([events.pause, events.resume, events.resume, self.cancel])
        before = self.value
        try:
            self.value = command(self.value)
        except IllegalTransition:
            assert self.value is before

    def cancel(self, value: Rollout) -> Rollout:
        return events.cancel(value, actor="anna") if self.chance.random() < 0.2 else value

    def finish(self) -> None:
        """From wherever it stands it comes to an end once runs end well and people agree."""
        if self.value.status is RolloutStatus.PAUSED:
            self.value = events.resume(self.value)
        for _ in range(400):
            self.settle()
            if self.value.status.over:
                return
            self.end_run(well=True)
            self.decide(well=True)
            self.now += timedelta(seconds=31)
        raise AssertionError(f"it hangs: {self.value}")


@given(seed=st.integers(0, 2**32))
@settings(max_examples=150, deadline=None)
def test_whatever_happens_the_rules_hold_and_it_comes_to_an_end(seed: int) -> None:
    walk = Walk(random.Random(seed))
    for _ in range(60):
        walk.step()
    walk.finish()


def test_time_alone_moves_nothing_but_a_bake() -> None:
    value = go(rollout((phase("one"), 2)), run_ids()).rollout
    much_later: datetime = NOW + timedelta(days=365)
    assert go(value, run_ids(), much_later).rollout == value


def test_a_phase_without_targets_has_nothing_to_watch_and_is_done_at_once() -> None:
    value = rollout((phase("none", bake_s=3600, approval=True), 0), (phase("two", after=("none",)), 1))
    assert statuses(go(value, run_ids()).rollout) == ["done", "running"]
