"""Who hears of what."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from scheduler import notifications
from scheduler.drift.telling import INTERVAL_S, Change, event_of, tell
from scheduler.drift.transitions import IN_SYNC as FINE
from scheduler.drift.transitions import SETTLE_S, Finding
from scheduler.notifications.templates import message_of
from shared.drift.report import DriftReport, RollUp
from shared.models import RunStatus
from tests.unit.scheduler.drift.support import BLIND, IN_SYNC, check, deploy, drifted, later, standing, told
from tests.unit.scheduler.notifications.support import NOW
from tests.unit.scheduler.support import TARGET, World

FLEET = [f"web.r{number:02}" for number in range(25)]


def twice(world: World, report: DriftReport, *targets: str) -> None:
    """Two checks of each target that find the same."""
    for name in targets or (TARGET,):
        check(world, report, name)
        check(world, report, name)


def settle(world: World, seconds: float = SETTLE_S) -> int:
    later(world, seconds)
    return tell(world.context)


def test_unchanged_targets_raise_nothing_however_often_they_are_checked(world: World) -> None:
    deploy(world, *FLEET[:4])
    for _ in range(10):
        for name in FLEET[:4]:
            check(world, IN_SYNC, name)
        assert settle(world, 3600) == 0
    assert told(world) == []


def test_drift_is_told_once_with_what_drifted(world: World) -> None:
    deploy(world)
    twice(world, drifted("delay_seconds", "tags.a"))
    assert tell(world.context) == 0
    assert settle(world) == 1
    assert [tell(world.context) for _ in range(3)] == [0, 0, 0]
    twice(world, drifted("delay_seconds", "tags.a"))
    assert settle(world, 86_400) == 0
    (event,) = told(world)
    assert (event.standing, event.flock, event.target) == ("drifted", "web", TARGET)
    assert event.run_id == standing(world).run_id
    assert event.items == ("aws_sqs_queue.orders modified (delay_seconds, tags.a)",)


def test_that_it_is_over_is_told_too(world: World) -> None:
    deploy(world)
    twice(world, drifted())
    settle(world)
    twice(world, IN_SYNC)
    settle(world, 3600)
    assert [event.standing for event in told(world)] == ["drifted", "in_sync"]
    assert message_of(told(world)[1]).title == f"Drift is over: {TARGET}"


def test_other_drift_of_the_same_target_is_told_again(world: World) -> None:
    deploy(world)
    twice(world, drifted("a"))
    settle(world)
    twice(world, drifted("b"))
    settle(world, 3600)
    assert [event.items[0][-4:] for event in told(world)] == [" (a)", " (b)"]


def test_what_has_changed_back_before_it_was_told_is_not_told(world: World) -> None:
    deploy(world)
    twice(world, drifted())
    twice(world, IN_SYNC)
    assert settle(world, 86_400) == 0


def test_what_happened_to_many_targets_at_once_is_one_message(world: World) -> None:
    deploy(world, *FLEET)
    twice(world, drifted("delay_seconds"), *FLEET)
    assert settle(world) == 1
    (event,) = told(world)
    assert (event.target, event.run_id, event.items, event.more) == (None, None, tuple(FLEET[:20]), 5)
    assert event.reason == "in each of them: aws_sqs_queue.orders modified (delay_seconds)"
    message = message_of(event)
    assert message.title == "Drift: web, 25 targets"
    assert message.commands == ("interlock drift list --flock web",)


def test_what_happened_to_them_is_one_message_also_where_its_values_differ_and_two_where_it_differs(
    world: World,
) -> None:
    deploy(world, *FLEET[:4])
    first = drifted("a").resources[0]
    (change,) = first.attributes
    other_value = first.model_copy(update={"attributes": (change.model_copy(update={"after": "77"}),)})
    twice(world, drifted("a"), FLEET[0])
    twice(world, DriftReport(resources=(other_value,)), FLEET[1])
    twice(world, drifted("b"), FLEET[2], FLEET[3])
    assert settle(world) == 2
    assert sorted(event.items for event in told(world)) == [tuple(FLEET[:2]), tuple(FLEET[2:4])]


def test_flocks_are_told_apart_as_they_may_have_different_people(world: World) -> None:
    deploy(world, "web.north")
    deploy(world, "shop.north")
    twice(world, drifted(), "web.north", "shop.north")
    assert settle(world) == 2
    assert sorted(event.flock for event in told(world)) == ["shop", "web"]


def test_a_fleet_that_is_checked_over_an_hour_makes_a_message_each_quarter(world: World) -> None:
    deploy(world, *FLEET)
    for name in FLEET:
        twice(world, drifted(), name)
        settle(world, 3600 / len(FLEET))
    settle(world, INTERVAL_S)
    events = told(world)
    assert len(events) <= 6
    assert sum(len(event.items) if event.target is None else 1 for event in events) == len(FLEET)


def test_a_check_that_fails_for_good_is_told_with_its_reason(world: World) -> None:
    deploy(world)
    for _ in range(2):
        check(world, None, status=RunStatus.ERRORED, exit_code=1, reason="the provider does not start")
    settle(world)
    (event,) = told(world)
    assert (event.standing, event.reason) == ("not_checked", "the provider does not start")
    assert message_of(event).happened.startswith(f"Whether {TARGET} has drifted is not known any more: the provider")


def test_one_that_could_not_look_at_everything_says_at_what(world: World) -> None:
    deploy(world)
    twice(world, BLIND)
    settle(world)
    assert [event.reason for event in told(world)] == ["the state is gone"]


def test_a_target_that_flaps_says_so(world: World) -> None:
    deploy(world)
    for report in (drifted(), IN_SYNC, drifted()):
        twice(world, report)
    settle(world, 3600)
    (event,) = told(world)
    assert event.reason == "it changed 3 times without a quiet day in between"


def test_a_tick_that_dies_before_its_end_has_told_nobody_and_the_next_one_does(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy(world)
    twice(world, drifted())
    later(world, SETTLE_S)
    record = notifications.record

    def die(*arguments: object) -> None:
        record(*arguments)  # type: ignore[arg-type]  # passed on as they came
        raise RuntimeError("killed")

    monkeypatch.setattr(notifications, "record", die)
    with pytest.raises(RuntimeError):
        tell(world.context)
    assert told(world) == []
    monkeypatch.setattr(notifications, "record", record)
    assert tell(world.context) == 1
    assert len(told(world)) == 1


def change(target: str = "shop.a", **values: object) -> Change:
    known = {
        "target": target,
        "flock": "shop",
        "run_id": f"run-{target}",
        "now": Finding(roll_up=RollUp.DRIFTED, shape="s"),
        "told": FINE,
        "items": ("aws_a.x modified (tags)",),
        "drifted": 1,
        **values,
    }
    return Change(**known)  # type: ignore[arg-type]  # the fields as a test gives them


@pytest.mark.parametrize(
    ("changes", "title"),
    [
        ([change()], "Drift: shop.a, 1 resource"),
        ([change(drifted=30, items=("x",) * 20)], "Drift: shop.a, 30 resources"),
        ([change(), change("shop.b")], "Drift: shop, 2 targets"),
        ([change(now=FINE), change("shop.b", now=FINE)], "Drift is over: shop, 2 targets"),
        ([change(now=Finding(roll_up=RollUp.NOT_CHECKED))] * 3, "Not checked for drift: shop, 3 targets"),
    ],
)
def test_the_message_says_what_happened_to_what(changes: Sequence[Change], title: str) -> None:
    assert message_of(event_of(changes, at=NOW)).title == title


def test_the_same_targets_by_other_checks_are_another_message() -> None:
    ids = {
        event_of(changes, at=NOW + timedelta(seconds=number)).id
        for number, changes in enumerate(
            ([change()], [change()], [change(run_id="run-2")], [change(), change("shop.b")], [change(now=FINE)])
        )
    }
    assert len(ids) == 4


def test_drift_that_is_over_is_grouped_by_what_it_was() -> None:
    one, other = Finding(roll_up=RollUp.DRIFTED, shape="1"), Finding(roll_up=RollUp.DRIFTED, shape="2")
    assert change(now=FINE, told=one).group != change(now=FINE, told=other).group
    assert change(now=one).group != change(now=FINE, told=one).group
