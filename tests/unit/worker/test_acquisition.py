"""Claim and ACQUIRE; the whole way is in test_supervisor.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from shared.clock import ManualClock
from shared.errors import ApiError, LeaseRefused, Unavailable
from shared.lease.commands import Refusal, Refused
from shared.models import Assignment
from shared.testing import fake_lease_store
from tests.unit.worker.support import RUN, TARGET, assignment
from worker.acquisition import CLAIM_TRIES, acquire, claim
from worker.environment import make_placeholders
from worker.stop import Cause, Stop, StopRequested


class Api:
    """Answers a claim by a list of steps."""

    def __init__(self, *steps: Assignment | Exception) -> None:
        self.steps = list(steps)
        self.holders: set[str] = set()

    def claim(self, run_id: str, *, node: str, holder: str, regions: tuple[str, ...]) -> Assignment:
        self.holders.add(holder)
        assert regions == ("here",)
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if isinstance(step, Exception):
            raise step
        return step


def attempt(api: Api) -> tuple[Assignment | None, list[int]]:
    pauses: list[int] = []
    return claim(api, RUN, node="n", holder="h", regions=("here",), pause=pauses.append), pauses  # type: ignore[arg-type]  # the used part


def test_a_lost_reply_is_asked_again_with_the_same_nonce() -> None:
    api = Api(Unavailable("lost", hint=""), ApiError("x", status=503, code="x"), assignment())
    assert attempt(api)[0] == assignment()
    assert api.holders == {"h"}


def test_a_no_is_final() -> None:
    assert attempt(Api(ApiError("taken", status=409, code="not_claimable"))) == (None, [])


@pytest.mark.parametrize("away", [Unavailable("away", hint=""), ApiError("broken", status=500, code="x")])
def test_the_tries_are_bounded(away: Exception) -> None:
    pauses: list[int] = []
    with pytest.raises(Unavailable):
        claim(Api(away), RUN, node="n", holder="h", regions=("here",), pause=pauses.append)  # type: ignore[arg-type]  # the used part
    assert len(pauses) == CLAIM_TRIES - 1


def take(store: Any, stop: Stop, note: Callable[[str], None] = lambda _: None, limit_ms: int = 0) -> Any:
    return acquire(
        store,
        None,  # type: ignore[arg-type]  # asked only after a restore of the database
        assignment(),
        make_placeholders(RUN),
        node="n",
        limit_ms=limit_ms,
        stop=stop,
        clock=ManualClock(),
        note=note,
    )


@pytest.fixture
def stop() -> Any:
    latch = Stop()
    yield latch
    latch.close()


def test_a_grant_counts_once_it_is_confirmed(stop: Stop) -> None:
    store = fake_lease_store()
    store.clear(TARGET, store.server.incarnation, 0)
    hold = take(store, stop)
    view = store.view(TARGET)
    assert (view.lease_id, view.confirmed_seq) == (hold.lease_id, 1)


def test_a_cancel_ends_the_wait(stop: Stop) -> None:
    stop.request(Cause.CANCELED, "enough")
    with pytest.raises(StopRequested):
        take(fake_lease_store(), stop, limit_ms=10**9)


def test_a_redis_that_is_away_is_waited_for_and_named(stop: Stop) -> None:
    class Away:
        def acquire(self, *_: object, **__: object) -> object:
            raise Unavailable("Redis did not answer", hint="")

    notes: list[str] = []
    with pytest.raises(LeaseRefused, match="Redis did not answer"):
        take(Away(), stop, notes.append)
    assert "Redis did not answer" in notes[0]


def test_a_lease_that_has_ended_already_is_not_taken_up(stop: Stop) -> None:
    class Ended:
        def acquire(self, *_: object, **__: object) -> Refused:
            return Refused(reason=Refusal.ENDED, last_epoch=1)

    with pytest.raises(LeaseRefused, match="ended already"):
        take(Ended(), stop)
