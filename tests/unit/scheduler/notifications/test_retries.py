"""When to try again."""

from __future__ import annotations

import pytest

from scheduler.notifications.retries import JITTER, MAX_RETRY_AFTER_S, PAUSES_S, Attempt, judge
from shared.notifications import NotificationKind, NotificationState

HALT = NotificationKind.HALT
FAILED = Attempt(delivered=False, note="HTTP 500")


def test_what_was_taken_is_delivered_whichever_attempt_it_was() -> None:
    for attempts in (1, len(PAUSES_S) + 5):
        taken = judge(Attempt(delivered=True), kind=HALT, attempts=attempts, jitter=0)
        assert taken.state is NotificationState.DELIVERED


def test_each_pause_is_longer_than_the_one_before_and_then_it_is_dead() -> None:
    pauses = [judge(FAILED, kind=HALT, attempts=number, jitter=0).pause_s for number in range(1, len(PAUSES_S) + 1)]
    assert pauses == sorted(set(pauses)) == list(PAUSES_S)
    assert judge(FAILED, kind=HALT, attempts=len(PAUSES_S) + 1, jitter=0).state is NotificationState.DEAD


def test_a_pause_is_stretched_and_never_shortened() -> None:
    assert judge(FAILED, kind=HALT, attempts=1, jitter=1).pause_s == pytest.approx(PAUSES_S[0] * (1 + JITTER))


@pytest.mark.parametrize(("asked_s", "pause_s"), [(None, 5), (1, 5), (60, 60), (10**9, MAX_RETRY_AFTER_S)])
def test_a_destination_that_asks_for_more_time_gets_it_within_reason(asked_s: int | None, pause_s: float) -> None:
    attempt = Attempt(delivered=False, retry_after_s=asked_s)
    assert judge(attempt, kind=HALT, attempts=1, jitter=0).pause_s == pause_s


def test_who_wants_no_more_gets_no_more() -> None:
    gone = judge(Attempt(delivered=False, gone=True), kind=HALT, attempts=1, jitter=0)
    assert gone.state is NotificationState.DEAD


def test_a_test_is_tried_once() -> None:
    assert judge(FAILED, kind=NotificationKind.TEST, attempts=1, jitter=0).state is NotificationState.DEAD
