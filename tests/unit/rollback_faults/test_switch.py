"""The switch strikes the call that it was told to strike, once."""

from __future__ import annotations

from threading import Thread

import pytest

from deploy.demo.arrivals import Arrived
from tests.rollback_faults.switch import Act, Strike, Switch, carried_out, strike_from

TARGET = "faults.r1.a0"


def call(*, mutating: bool = True, target: str = TARGET) -> Arrived:
    return Arrived(
        seq=1,
        arrived_ns=1,
        arrived_boot_ms=1,
        host="h",
        method="POST",
        path="/",
        service="sns",
        region="eu-west-1",
        operation="CreateTopic",
        mutating=mutating,
        access_key="k",
        signature="ok",
        target=target,
        epoch=1,
        run="run-1",
    )


def struck(switch: Switch, calls: int, *, mutating: bool = True) -> list[bool]:
    return [switch.strike_of(call(mutating=mutating)) is not None for _ in range(calls)]


def test_the_nth_mutating_call_is_struck_once() -> None:
    switch = Switch()
    switch.set(TARGET, [Strike(nth=2, act=Act.FAIL)])
    assert not any(struck(switch, 3, mutating=False))
    assert struck(switch, 4) == [False, True, False, False]
    assert switch.seen(TARGET)["mutating"] == {"run-1": 4}


def test_calls_that_only_read_are_struck_where_any_call_counts() -> None:
    switch = Switch()
    switch.set(TARGET, [Strike(nth=2, act=Act.FAIL, of="any")])
    assert struck(switch, 3, mutating=False) == [False, True, False]


def test_another_target_is_left_alone() -> None:
    switch = Switch()
    switch.set(TARGET, [Strike(nth=1, act=Act.FAIL)])
    assert switch.strike_of(call(target="faults.r2.a0")) is None


def test_several_strikes_fall_one_after_the_other() -> None:
    switch = Switch()
    switch.set(TARGET, [Strike(nth=1, act=Act.FAIL), Strike(nth=3, act=Act.FAIL)])
    assert struck(switch, 4) == [True, False, True, False]


@pytest.mark.parametrize(
    ("act", "done"), [(Act.HOLD_BEFORE, 0), (Act.HOLD_AFTER, 1), (Act.HOLD_LATE, 1)], ids=lambda value: str(value)
)
def test_a_held_call_waits_for_the_driver_and_is_never_answered(act: Act, done: int) -> None:
    switch, carried, ended = Switch(), [], []
    switch.set(TARGET, [Strike(nth=1, act=act)])
    strike = switch.strike_of(call())
    assert strike is not None

    def serve() -> None:
        try:
            carried_out(switch, strike, TARGET, do=lambda: carried.append(1), fail=lambda: None)
        except ConnectionAbortedError:
            ended.append(len(carried))

    thread = Thread(target=serve)
    thread.start()
    assert switch.seen(TARGET)["held"]
    switch.go(TARGET)
    thread.join(10)
    assert ended == [done]
    assert not switch.seen(TARGET)["held"]


def test_a_struck_call_that_fails_is_not_carried_out() -> None:
    switch = Switch()
    assert (
        carried_out(switch, Strike(nth=1, act=Act.FAIL), TARGET, do=lambda: "done", fail=lambda: "failed") == "failed"
    )


def test_a_strike_travels() -> None:
    assert strike_from({"nth": 3, "act": "hold_late", "of": "any"}) == Strike(nth=3, act=Act.HOLD_LATE, of="any")
