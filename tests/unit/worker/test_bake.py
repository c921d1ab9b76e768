"""The time in which a deployment is watched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from shared.clock import ManualClock
from shared.errors import PeerError
from shared.rollback.settings import CheckSettings, MissingData, RollbackSettings, Trigger
from tests.unit.worker.checks.support import cloudwatch, command, http, prometheus
from worker.bake import Bake, Triggered
from worker.checks.evaluation import Evaluation, Grade
from worker.checks.looks import Look
from worker.stop import Cause, StopReason, StopRequested

GOOD, BAD, NO_DATA, ERROR = (Evaluation(grade=grade) for grade in Grade)


class Looks:
    """Says what a script says, each after a while; the last for ever."""

    def __init__(self, clock: ManualClock, after_ms: int = 0, **scripts: list[Evaluation | None]) -> None:
        self.clock = clock
        self.after_ms = after_ms
        self.scripts = scripts
        self.begun: dict[str, list[int]] = {}
        self.given_up: list[bool] = []

    def begin(self, check: CheckSettings, enough: Callable[[], bool]) -> Look | None:
        self.begun.setdefault(check.name, []).append(self.clock.boot_ms())
        self.given_up.append(enough())
        script = self.scripts[check.name]
        found = script.pop(0) if len(script) > 1 else script[0]
        at_ms = self.clock.boot_ms() + self.after_ms
        return lambda: found if self.clock.boot_ms() >= at_ms else None


class World:
    def __init__(self, *checks: CheckSettings, bake_s: int = 60, after_ms: int = 0, **scripts: Any) -> None:
        self.clock = ManualClock()
        self.notes: list[str] = []
        self.looks = Looks(self.clock, after_ms, **scripts)
        self.began_ms = self.clock.boot_ms()
        self.bake = Bake(
            RollbackSettings(checks=checks, bake_s=bake_s),
            looks=self.looks,
            wait=self.wait,
            clock=self.clock,
            note=self.notes.append,
        )

    def wait(self, duration_ms: int) -> None:
        assert duration_ms > 0
        self.clock.advance(duration_ms)

    def watch(self, **values: str) -> Triggered | None:
        return self.bake.watch(values)

    @property
    def lasted_ms(self) -> int:
        return self.clock.boot_ms() - self.began_ms

    def begun_at_s(self, name: str) -> list[int]:
        return [(at_ms - self.began_ms) // 1000 for at_ms in self.looks.begun[name]]


def test_a_bake_time_without_checks_is_waited_for() -> None:
    world = World(bake_s=90)
    assert world.watch() is None
    assert world.lasted_ms == 90_000


def test_a_day_is_waited_for_as_well() -> None:
    world = World(http(every_s=3600), bake_s=86_400, up=[GOOD])
    assert world.watch() is None
    assert len(world.looks.begun["up"]) == 25


def test_a_check_is_looked_at_at_once_then_every_so_often_and_once_more_at_the_end() -> None:
    world = World(http(every_s=20), bake_s=60, up=[GOOD])
    assert world.watch() is None
    assert world.begun_at_s("up") == [0, 20, 40, 60]
    assert world.lasted_ms == 60_000


@pytest.mark.parametrize("every_s", [600, 3600])
def test_what_burns_at_the_end_is_seen_however_seldom_it_is_looked_at(every_s: int) -> None:
    found = World(http(every_s=every_s), bake_s=600, up=[GOOD, BAD]).watch()
    assert found is not None
    assert found.trigger is Trigger.HEALTH


def test_without_a_bake_time_every_check_is_looked_at_once() -> None:
    world = World(http(), prometheus(), bake_s=0, up=[GOOD], errors=[GOOD])
    assert world.watch() is None
    assert (world.begun_at_s("up"), world.begun_at_s("errors")) == ([0], [0])


def test_a_check_that_fails_ends_it_and_says_which_and_when() -> None:
    world = World(http(every_s=10, failures=2), bake_s=600, up=[GOOD, BAD])
    found = world.watch()
    assert found is not None
    assert (found.trigger, found.reason) == (Trigger.HEALTH, "check up failed, 2 times in a row: bad")
    assert found.at_ms == world.clock.boot_ms() == world.began_ms + 20_000


@pytest.mark.parametrize(
    ("check", "trigger"),
    [
        (http(), Trigger.HEALTH),
        (command("smoke"), Trigger.HEALTH),
        (prometheus(), Trigger.ALARM),
        (cloudwatch(), Trigger.ALARM),
    ],
    ids=["http", "command", "prometheus", "cloudwatch"],
)
def test_each_kind_of_check_has_its_trigger(check: CheckSettings, trigger: Trigger) -> None:
    found = World(check, **{check.name: [BAD]}).watch()
    assert found is not None
    assert found.trigger is trigger


def test_an_alarm_that_fires_and_clears_takes_nothing_back() -> None:
    world = World(prometheus(every_s=10, failures=3), errors=[GOOD, BAD, BAD, GOOD])
    assert world.watch() is None


def test_an_alarm_without_data_has_not_passed_at_the_end() -> None:
    world = World(prometheus(every_s=10), bake_s=60, errors=[NO_DATA])
    found = world.watch()
    assert found is not None
    assert found.reason == "check errors was never good; last no data"
    assert world.lasted_ms == 60_000


def test_checks_that_can_none_of_them_be_evaluated_never_pass() -> None:
    found = World(http(missing_data="ignore"), prometheus(), bake_s=30, up=[ERROR], errors=[ERROR]).watch()
    assert found is not None


@pytest.mark.parametrize("policy", MissingData)
@pytest.mark.parametrize("bake_s", [0, 30])
@pytest.mark.parametrize("make", [http, command, prometheus, cloudwatch])
def test_a_check_that_only_ever_fails_to_be_evaluated_passes_under_no_policy(
    make: Callable[..., CheckSettings], bake_s: int, policy: MissingData
) -> None:
    check = make(missing_data=policy)
    found = World(check, bake_s=bake_s, **{check.name: [ERROR]}).watch()
    assert found is not None
    assert check.name in found.reason


@pytest.mark.parametrize("where", ["begin", "look"])
@pytest.mark.parametrize("failure", [PeerError("the sandbox is gone", hint="h"), RuntimeError("a bug")])
def test_what_breaks_the_watching_is_never_taken_for_having_held(where: str, failure: Exception) -> None:
    class Broken(Looks):
        def begin(self, check: CheckSettings, enough: Callable[[], bool]) -> Look | None:
            def look() -> Evaluation | None:
                raise failure

            if where == "begin":
                raise failure
            return look

    world = World(http(), bake_s=0)
    world.bake._looks = Broken(world.clock, up=[GOOD])
    with pytest.raises(type(failure)):
        world.watch()
    assert "every check has passed" not in world.notes


def test_an_answer_that_takes_long_holds_up_no_other_check() -> None:
    world = World(http(timeout_s=300), prometheus(every_s=5), bake_s=60, after_ms=20_000, up=[GOOD], errors=[GOOD])
    assert world.watch() is None
    assert world.begun_at_s("errors")[:2] == [0, 20], "one that is at work is not begun again"


def test_an_answer_that_was_asked_for_in_time_counts_after_the_end() -> None:
    world = World(http(), bake_s=10, after_ms=15_000, up=[BAD])
    found = world.watch()
    assert found is not None
    assert world.lasted_ms == 15_000


def test_what_waits_for_the_sandbox_is_given_up_for_an_answer_that_is_the_trigger() -> None:
    world = World(http(), command("smoke"), up=[BAD], smoke=[GOOD])
    assert world.watch() is not None
    assert world.looks.given_up == [False, True]


def test_a_check_that_was_given_up_is_begun_again() -> None:
    class GivesUpOnce(Looks):
        def begin(self, check: CheckSettings, enough: Callable[[], bool]) -> Look | None:
            look = super().begin(check, enough)
            return None if len(self.begun[check.name]) == 1 else look

    world = World(command("smoke"), bake_s=0)
    world.bake._looks = GivesUpOnce(world.clock, smoke=[GOOD])
    assert world.watch() is None


def test_a_check_that_refers_to_nothing_is_the_trigger_at_once() -> None:
    world = World(http("https://${output.host}/"), bake_s=600, up=[GOOD])
    found = world.watch()
    assert found is not None
    assert "output.host" in found.reason
    assert world.lasted_ms == 0


def test_what_a_check_refers_to_is_put_in() -> None:
    seen: list[CheckSettings] = []

    class Sees(Looks):
        def begin(self, check: CheckSettings, enough: Callable[[], bool]) -> Look | None:
            seen.append(check)
            return super().begin(check, enough)

    world = World(http("https://${output.host}/"), bake_s=0)
    world.bake._looks = Sees(world.clock, up=[GOOD])
    assert world.watch(**{"output.host": "a.internal"}) is None
    assert seen[0].url == "https://a.internal/"  # type: ignore[union-attr]  # an http check has one


def test_a_run_that_has_to_stop_is_watched_no_longer() -> None:
    world = World(http(), up=[GOOD])

    def stop(duration_ms: int) -> None:
        raise StopRequested(StopReason(cause=Cause.CANCELED, detail="canceled"))

    world.bake._wait = stop
    with pytest.raises(StopRequested):
        world.watch()


def test_the_log_says_what_changes_and_not_what_stays() -> None:
    world = World(http(every_s=1, failures=100), bake_s=50, up=[GOOD, GOOD, BAD, BAD, GOOD])
    world.watch()
    assert world.notes == [
        "watched for 50 s by 1 checks",
        "check up: good",
        "check up: bad",
        "check up: good",
        "every check has passed",
    ]
