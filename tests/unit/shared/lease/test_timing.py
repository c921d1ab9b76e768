"""The durations: what follows from them, and which sets are refused."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from shared.lease.timing import LeaseTiming


def test_the_defaults_give_the_documented_window() -> None:
    timing = LeaseTiming()
    assert timing.window_ms == 12_000
    assert timing.embargo_ms == 27_000
    assert timing.holder_budget_ms == 8_900


def test_rounding_never_shortens_a_wait_and_never_lengthens_a_budget() -> None:
    timing = LeaseTiming(ttl_ms=10_001, rho=0.013)
    assert timing.window_ms - timing.grace_ms >= 10_001 * 1.026
    assert timing.holder_budget_ms + timing.delta_ms <= 10_001 * 0.987


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"renew_ms": 3_334}, "three times renew_ms"),
        ({"delta_ms": 10_000}, "delta_ms .* smaller than ttl_ms"),
        ({"poll_ms": 2_000}, "poll_ms .* smaller than renew_ms"),
        ({"delta_ms": 7_000}, "leaves only 2900 ms"),
        ({"ttl_ms": 0}, "greater than 0"),
        ({"rho": 0.1}, "less than 0.1"),
        ({"unknown_ms": -1}, "greater than or equal to 0"),
        ({"surprise": 1}, "not permitted"),
    ],
)
def test_inconsistent_durations_are_refused(change: dict[str, float], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        LeaseTiming.model_validate(change)


def test_three_renewals_just_fit() -> None:
    assert LeaseTiming(ttl_ms=6_000, renew_ms=2_000).ttl_ms == 6_000


def test_the_recorded_ttl_replaces_the_configured_one_even_where_it_would_not_be_accepted() -> None:
    recorded = LeaseTiming().recorded(1_000)
    assert (recorded.ttl_ms, recorded.window_ms) == (1_000, 2_820)


def test_it_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        LeaseTiming().ttl_ms = 1  # type: ignore[misc]
