"""Time: one clock that counts suspend, one that obeys the test."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from shared.clock import ManualClock, SystemClock


def test_the_systems_clock_is_boot_time_in_whole_milliseconds() -> None:
    before = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
    now = SystemClock().boot_ms()
    after = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
    assert before <= now <= after


@pytest.mark.parametrize("clock", [SystemClock(), ManualClock()])
def test_wall_time_knows_its_zone(clock: SystemClock | ManualClock) -> None:
    assert clock.wall().utcoffset() == timedelta(0)


def test_the_manual_clock_moves_only_when_told() -> None:
    clock = ManualClock(start_ms=5)
    wall = clock.wall()
    assert (clock.boot_ms(), clock.boot_ms()) == (5, 5)
    clock.advance(1_000)
    assert clock.boot_ms() == 1_005
    assert clock.wall() - wall == timedelta(seconds=1)


def test_no_clock_goes_back() -> None:
    clock = ManualClock(start_ms=5)
    with pytest.raises(ValueError, match="cannot go back"):
        clock.advance(-1)
    assert clock.boot_ms() == 5
