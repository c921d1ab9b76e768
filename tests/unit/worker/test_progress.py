"""Telling the scheduler how far a run is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from shared.clock import ManualClock
from shared.errors import ApiError, PeerError, Unavailable
from shared.models import RunStatus
from shared.rollback.settings import Trigger
from tests.unit.worker.support import HOLDER, RUN, assignment
from worker import progress
from worker.bake import Triggered
from worker.provisioners.outcome import Outcome
from worker.stop import Cause, Stop, StopRequested

ILL = Triggered(trigger=Trigger.HEALTH, reason="smoke failed", at_ms=0)
TRIGGERED = Triggered(trigger=Trigger.ALARM, reason="x" * 5000, at_ms=0)


class Api:
    """Writes down what it is told, or refuses."""

    def __init__(self) -> None:
        self.told: list[tuple[RunStatus, Any]] = []
        self.refusals: list[Exception] = []

    def progress(self, run_id: str, *, holder: str, status: RunStatus, **why: Any) -> None:
        assert (run_id, holder) == (RUN, HOLDER)
        if self.refusals:
            raise self.refusals.pop(0)
        self.told.append((status, why.get("trigger")))
        assert len(why.get("reason", "")) <= 1024


class World:
    def __init__(self) -> None:
        self.api, self.stop, self.clock = Api(), Stop(), ManualClock()
        self.progress = progress.Progress(
            self.api,  # type: ignore[arg-type]  # the part that is used
            assignment(),
            self.stop,
            self.clock,
        )


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(progress, "_PAUSE_MS", 1)
    made = World()
    yield made
    made.stop.close()


@pytest.mark.parametrize(
    ("status", "began"), [(RunStatus.PLANNING, False), (RunStatus.APPLYING, True), (RunStatus.ROLLING_BACK, True)]
)
def test_it_remembers_whether_something_may_have_been_changed(world: World, status: RunStatus, began: bool) -> None:
    world.progress(status)
    assert world.progress.began is began
    world.progress(RunStatus.BAKING)
    assert world.progress.began is began


def test_a_scheduler_that_is_away_ends_nothing(world: World) -> None:
    world.api.refusals = [Unavailable("away"), ApiError("no", status=409, code="illegal_transition")]
    world.progress(RunStatus.PLANNING)
    world.progress(RunStatus.APPLYING)
    assert world.stop.reason is None


def test_a_lease_that_is_lost_stops_the_run(world: World) -> None:
    world.api.refusals = [ApiError("gone", status=409, code="lease_lost")]
    world.progress(RunStatus.APPLYING)
    assert world.stop.reason is not None
    assert world.stop.reason.cause is Cause.LEASE_LOST


def test_a_rollback_is_told_until_it_was_heard_with_its_trigger(world: World) -> None:
    world.api.refusals = [Unavailable("away"), Unavailable("away")]
    world.progress.rolling_back(TRIGGERED)
    assert world.api.refusals == []
    assert world.api.told == [(RunStatus.ROLLING_BACK, Trigger.ALARM)]
    assert world.progress.began


def test_that_it_is_watched_is_told_until_it_was_heard(world: World) -> None:
    world.api.refusals = [Unavailable("away")] * 3
    world.progress.baking()
    assert world.api.refusals == []
    assert world.api.told == [(RunStatus.BAKING, None)]
    assert not world.progress.began, "watching changes nothing"


STEPS = pytest.mark.parametrize(
    "step", [lambda said: said.baking(), lambda said: said.rolling_back(TRIGGERED)], ids=["baking", "rolling back"]
)
Step = Callable[[progress.Progress], None]


@STEPS
def test_but_not_for_ever(world: World, step: Step) -> None:
    class Advancing(ManualClock):
        def boot_ms(self) -> int:
            self.advance(progress.LIMIT_MS // 2)
            return super().boot_ms()

    world.progress._clock = Advancing()
    world.api.refusals = [Unavailable("away")] * 10
    with pytest.raises(Unavailable):
        step(world.progress)
    assert 7 <= len(world.api.refusals) <= 9
    assert world.api.told == []


@pytest.mark.parametrize("heard", [True, False])
def test_a_rollback_that_was_not_heard_of_is_told_in_the_report(world: World, heard: bool) -> None:
    failed = Outcome(status=RunStatus.ERRORED, exit_code=1, reason="it does not answer")
    assert world.progress.last_words(failed) == ("it does not answer", None)
    if heard:
        world.progress.rolling_back(ILL)
        assert world.progress.last_words(failed) == ("it does not answer", None)
        return
    world.api.refusals = [PeerError("no answer of ours", hint="h")]
    with pytest.raises(PeerError):
        world.progress.rolling_back(ILL)
    assert world.progress.last_words(failed) == ("smoke failed; it does not answer", Trigger.HEALTH)
    # What else a run ends as says itself what becomes of it.
    for status in (RunStatus.CANCELED, RunStatus.LOST, RunStatus.HALTED, RunStatus.APPLIED):
        assert world.progress.last_words(Outcome(status=status, exit_code=1, reason="so")) == ("so", None)


@STEPS
@pytest.mark.parametrize("code", ["lease_lost", "illegal_transition"])
def test_a_scheduler_that_says_no_is_believed_at_once(world: World, step: Step, code: str) -> None:
    world.api.refusals = [ApiError("no", status=409, code=code)]
    with pytest.raises(ApiError):
        step(world.progress)
    assert world.api.told == []


@STEPS
@pytest.mark.parametrize("failure", [PeerError("no answer of ours", hint="h"), RuntimeError("a bug")])
def test_what_is_no_answer_is_not_taken_for_having_been_heard(world: World, step: Step, failure: Exception) -> None:
    world.api.refusals = [failure]
    with pytest.raises(type(failure)):
        step(world.progress)
    assert world.api.told == []


@STEPS
def test_a_run_that_has_to_stop_waits_for_nobody(world: World, step: Step) -> None:
    world.api.refusals = [Unavailable("away")] * 10
    world.stop.request(Cause.CANCELED, "canceled")
    with pytest.raises(StopRequested):
        step(world.progress)
    assert len(world.api.refusals) == 9
