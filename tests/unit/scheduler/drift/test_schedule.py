"""When a target is checked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from scheduler.drift.schedule import JITTER, MAX_RETRY_S, RETRY_S, corrected, first_due, next_due, retry_due

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
HOUR = 3600
periods = st.integers(60, 31 * 24 * HOUR)
moments = st.timedeltas(timedelta(days=-9999), timedelta(days=9999)).map(lambda away: NOW + away)


def seconds(due: datetime | None) -> float:
    assert due is not None
    return (due - NOW).total_seconds()


def test_a_fleet_that_is_registered_at_once_is_checked_over_the_whole_period() -> None:
    tenths = [int(seconds(first_due(f"web.r{number}", every_s=HOUR, now=NOW)) // (HOUR / 10)) for number in range(1000)]
    assert all(50 < tenths.count(tenth) < 200 for tenth in range(10))


def test_a_fleet_that_was_checked_at_once_drifts_apart() -> None:
    dues = {next_due(f"web.r{number}", every_s=HOUR, now=NOW) for number in range(1000)}
    assert len(dues) > 990


@given(every_s=periods, now=moments)
def test_the_next_check_is_a_period_away_give_or_take_a_tenth(every_s: int, now: datetime) -> None:
    away = (next_due("web.north", every_s=every_s, now=now) - now).total_seconds()
    assert every_s * (1 - JITTER) - 1 <= away <= every_s * (1 + JITTER) + 1


@given(every_s=st.none() | periods, failures=st.integers(0, 1_000_000))
def test_a_check_that_did_not_end_is_made_again_within_a_period_and_within_an_hour(
    every_s: int | None, failures: int
) -> None:
    away = seconds(retry_due(every_s=every_s, failures=failures, now=NOW))
    assert min(RETRY_S, every_s or RETRY_S) <= away <= min(every_s or MAX_RETRY_S, MAX_RETRY_S)


def test_each_failure_in_a_row_waits_twice_as_long() -> None:
    assert [seconds(retry_due(every_s=None, failures=n, now=NOW)) for n in (1, 2, 3, 4)] == [60, 120, 240, 480]


def test_without_a_schedule_nothing_is_corrected() -> None:
    later = NOW + timedelta(days=9999)
    assert corrected(None, "web.north", every_s=None, now=NOW) is None
    assert corrected(later, "web.north", every_s=None, now=NOW) == later


@given(every_s=periods, now=moments, due=st.none() | moments)
def test_with_one_a_target_is_due_within_its_longest_period_whatever_clocks_have_done(
    every_s: int, now: datetime, due: datetime | None
) -> None:
    right = corrected(due, "web.north", every_s=every_s, now=now)
    assert right is not None
    assert right <= now + timedelta(seconds=every_s * (1 + JITTER))
    assert corrected(right, "web.north", every_s=every_s, now=now) == right
    if due is not None and due <= now:
        assert right == due
