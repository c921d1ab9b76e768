"""The judge of the fault suite sees what it is there to see: builds of the parts without one rule are found out."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from shared.lease.timing import LeaseTiming
from tests.chaos import directed
from tests.chaos.fleet import TIMING
from tests.chaos.schedule import Plan
from tests.chaos.suite import run_plans

pytestmark = [pytest.mark.debian, pytest.mark.timeout(600)]

#: A call has to be under way when a fault strikes; where it is not, the next moment is tried.
SHIFTS_MS = (0, 40, 80, 120, 20, 60, 100, 140)


def first_broken(
    promise: str,
    plan: Callable[[int], Plan],
    *,
    timing: LeaseTiming = TIMING,
    **builds: str,
) -> dict[str, Any] | None:
    """The first of a bounded number of runs on these builds that breaks the promise."""
    for run in run_plans(map(plan, SHIFTS_MS), jobs=1, timing=timing, builds=builds):
        if run[promise]:
            return run
    return None


def test_without_the_gate_the_suite_finds_overlaps() -> None:
    assert first_broken("overlaps", directed.gate, proxy="gate")


def test_without_the_window_the_suite_finds_overlaps() -> None:
    assert first_broken("overlaps", directed.window, timing=directed.LONG_LEASE, beat="window")


def test_without_the_embargo_the_suite_finds_overlaps() -> None:
    assert first_broken("overlaps", directed.embargo, timing=directed.LONG_LEASE, beat="embargo")


def test_without_the_fence_of_state_writes_the_suite_finds_lost_states() -> None:
    assert first_broken("lost_states", directed.state_fence, server="state_fence")


@pytest.mark.parametrize(
    ("plans", "timing"),
    [
        ((directed.gate, directed.state_fence), TIMING),
        ((directed.window, directed.embargo), directed.LONG_LEASE),
    ],
    ids=["short lease", "long lease"],
)
def test_with_every_rule_in_place_the_same_plans_break_nothing(
    plans: tuple[Callable[[int], Plan], ...], timing: LeaseTiming
) -> None:
    directed_plans = [plan(shift) for plan, shift in itertools.product(plans, SHIFTS_MS[:2])]
    assert all(run["passed"] for run in run_plans(directed_plans, jobs=1, timing=timing))
