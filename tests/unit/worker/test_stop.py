"""The decision to end a run."""

from __future__ import annotations

import select
from collections.abc import Iterator

import pytest

from worker.stop import Cause, Stop, StopRequested


@pytest.fixture
def stop() -> Iterator[Stop]:
    latch = Stop()
    yield latch
    latch.close()


def readable(stop: Stop) -> bool:
    return bool(select.select([stop.fileno()], [], [], 0)[0])


def test_nobody_asked_nothing_happens(stop: Stop) -> None:
    stop.check()
    stop.wait(1)
    assert stop.reason is None
    assert not readable(stop)


def test_the_first_reason_is_kept_and_wakes_a_poll(stop: Stop) -> None:
    stop.request(Cause.CANCELED, "first")
    stop.request(Cause.TIME_LIMIT, "second")
    assert readable(stop)
    with pytest.raises(StopRequested, match="first") as caught:
        stop.wait(3_600_000)  # longer than any test may take
    assert caught.value.reason.cause is Cause.CANCELED


def test_a_lost_lease_overrides_a_users_wish_and_nothing_overrides_it(stop: Stop) -> None:
    stop.request(Cause.CANCELED, "wish")
    stop.request(Cause.LEASE_LOST, "lost")
    stop.request(Cause.REVOKED, "late")
    stop.request(Cause.CANCELED, "late")
    assert stop.reason is not None
    assert stop.reason.detail == "lost"


def test_a_halt_overrides_a_users_wish_and_outlives_a_lost_lease(stop: Stop) -> None:
    stop.request(Cause.CANCELED, "wish")
    stop.request(Cause.HALTED, "halt")
    stop.request(Cause.CANCELED, "wish")
    assert stop.reason is not None
    assert (stop.reason.detail, stop.lost) == ("halt", False)
    stop.request(Cause.LEASE_LOST, "lost")
    assert (stop.reason.detail, stop.lost) == ("halt", True)


def test_a_halt_is_the_reason_also_when_the_lease_was_lost_before(stop: Stop) -> None:
    stop.request(Cause.REVOKED, "revoked")
    stop.request(Cause.HALTED, "halt")
    assert stop.reason is not None
    assert (stop.reason.detail, stop.lost) == ("halt", True)


def test_asking_a_closed_one_is_recorded() -> None:
    latch = Stop()
    latch.close()
    latch.close()
    latch.request(Cause.CANCELED, "late")
    assert latch.reason is not None


def test_a_wish_that_is_carried_out_is_forgotten_and_the_run_goes_on(stop: Stop) -> None:
    stop.request(Cause.ROLLBACK, "an operator asked")
    answered = stop.answered(Cause.ROLLBACK)
    assert answered is not None
    assert answered.detail == "an operator asked"
    assert not readable(stop)
    stop.check()
    stop.request(Cause.CANCELED, "later")
    assert readable(stop)


@pytest.mark.parametrize("other", [Cause.CANCELED, Cause.TIME_LIMIT, Cause.LEASE_LOST, Cause.REVOKED, Cause.HALTED])
def test_any_other_reason_overrides_a_wish_for_a_rollback(stop: Stop, other: Cause) -> None:
    stop.request(Cause.ROLLBACK, "an operator asked")
    stop.request(other, "and more")
    assert stop.answered(Cause.ROLLBACK) is None
    assert stop.reason is not None
    assert stop.reason.cause is other
    stop.request(Cause.ROLLBACK, "again")
    assert stop.reason.cause is other


def test_there_is_no_answer_to_what_nobody_wished(stop: Stop) -> None:
    assert stop.answered(Cause.ROLLBACK) is None
