"""The time in which a deployment is watched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from shared.clock import ManualClock
from shared.errors import PeerError
from shared.rollback.settings import IN_SANDBOX, CheckSettings, MissingData, RollbackSettings, Trigger
from tests.unit.worker.checks.support import cloudwatch, command, http, prometheus
from worker.bake import Bake, Triggered
from worker.checks.evaluation import Evaluation, Grade
from worker.checks.looks import MARGIN_MS, Look
from worker.commands import KILL_LIMIT_MS
from worker.stop import Cause, StopReason, StopRequested

GOOD, BAD, NO_DATA, ERROR = (Evaluation(grade=grade) for grade in Grade)


class Looks:
    """Says what a script says, each after a while; the last for ever. What is in the sandbox is waited for."""

    def __init__(
        self, clock: ManualClock, after_ms: int = 0, hangs_ms: int = 0, **scripts: list[Evaluation | None]
    ) -> None:
        self.clock = clock
        self.after_ms = after_ms
        self.hangs_ms = hangs_ms
        self.scripts = scripts
        self.begun: dict[str, list[int]] = {}
        self.given_up: list[str] = []

    def begin(self, check: CheckSettings, enough: Callable[[], bool]) -> Look | None:
        self.begun.setdefault(check.name, []).append(self.clock.boot_ms())
        script = self.scripts[check.name]
        found = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(check, IN_SANDBOX):
            return (lambda: found) if self.hangs(check, enough) else None
        at_ms = self.clock.boot_ms() + self.after_ms
        return lambda: found if self.clock.boot_ms() >= at_ms else None

    def hangs(self, check: CheckSettings, enough: Callable[[], bool]) -> bool:
        """Whether it came to its end."""
        for _ in range(self.hangs_ms // 100):
            self.clock.advance(100)
            if enough():
                self.given_up.append(check.name)
                return False
        return True


class World:
    def __init__(
        self, *checks: CheckSettings, bake_s: int = 60, after_ms: int = 0, hangs_ms: int = 0, **scripts: Any
    ) -> None:
        self.clock = ManualClock()
        self.notes: list[str] = []
        self.looks = Looks(self.clock, after_ms, hangs_ms, **scripts)
        self.began_ms = self.clock.boot_ms()
        self.settings = RollbackSettings(checks=checks, bake_s=bake_s)
        self.bake = Bake(
            self.settings,
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
    world = World(http(), command("smoke"), after_ms=500, hangs_ms=10_000, up=[BAD], smoke=[GOOD])
    found = world.watch()
    assert found is not None
    assert found.trigger is Trigger.HEALTH
    assert world.looks.given_up == ["smoke"]
    assert found.at_ms == world.began_ms + 500


@pytest.mark.parametrize("slow", [command("slow", name="slow", timeout_s=300), cloudwatch(name="slow", timeout_s=300)])
def test_what_hangs_in_the_sandbox_hides_no_alarm_that_fires_and_clears_meanwhile(slow: CheckSettings) -> None:
    script = [GOOD, BAD, GOOD]
    world = World(prometheus(every_s=10), slow, bake_s=310, hangs_ms=300_000, errors=script, slow=[GOOD])
    found = world.watch()
    assert found is not None
    assert (found.trigger, found.at_ms) == (Trigger.ALARM, world.began_ms + 10_000)


def test_bad_ones_in_a_row_are_counted_while_something_hangs_in_the_sandbox() -> None:
    smoke = command("smoke", timeout_s=300)
    world = World(http(every_s=1, failures=2), smoke, bake_s=3600, hangs_ms=300_000, up=[BAD], smoke=[GOOD])
    found = world.watch()
    assert found is not None
    assert found.reason == "check up failed, 2 times in a row: bad"
    assert found.at_ms == world.began_ms + 1_000


def test_the_others_are_looked_at_as_often_as_they_say_while_the_sandbox_is_never_free() -> None:
    smoke = command("smoke", every_s=1, timeout_s=30)
    world = World(http(every_s=5), smoke, bake_s=60, after_ms=200, hangs_ms=20_000, up=[GOOD], smoke=[GOOD])
    assert world.watch() is None
    assert world.begun_at_s("up") == list(range(0, 61, 5))


def test_none_that_waits_for_the_sandbox_is_passed_over() -> None:
    checks = [command(name, name=name, every_s=every_s) for name, every_s in (("a", 1), ("b", 1), ("c", 14))]
    world = World(*checks, bake_s=60, hangs_ms=10_000, a=[GOOD], b=[GOOD], c=[GOOD])
    assert world.watch() is None
    assert world.begun_at_s("c") == [20, 50, 80], "due at 34 and at 60, it waits for each of the others once"


def test_what_has_not_passed_by_its_last_look_is_known_before_those_that_are_still_at_work() -> None:
    slow = [command("slow", name=f"slow{number}", timeout_s=300) for number in range(31)]
    scripts = {check.name: [GOOD] for check in slow}
    world = World(http(failures=2), *slow, bake_s=0, after_ms=200, hangs_ms=300_000, up=[BAD], **scripts)
    found = world.watch()
    assert found is not None
    assert found.reason == "check up was never good; last bad"
    assert world.lasted_ms == 200


@pytest.mark.parametrize("bake_s", [0, 30])
def test_however_slow_the_checks_are_it_takes_no_longer_than_the_settings_say(bake_s: int) -> None:
    checks = [command("smoke", name=f"smoke{number}", timeout_s=29, missing_data="ignore") for number in range(5)]
    scripts = {check.name: [GOOD, ERROR] for check in checks}
    up = http(timeout_s=29, missing_data="ignore")
    slow = {"after_ms": 29_000 + MARGIN_MS, "hangs_ms": 29_000 + KILL_LIMIT_MS}
    world = World(up, *checks, bake_s=bake_s, **slow, up=[GOOD, ERROR], **scripts)
    assert world.watch() is None
    assert bake_s * 1000 < world.lasted_ms <= world.settings.watched_s * 1000


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
