"""What the watcher takes for the end of a lease, and in which order it saw things."""

from __future__ import annotations

from typing import Any, cast

import pytest

from cli.chaos import watcher as watching
from cli.chaos.watcher import Watcher
from shared.errors import ApiError, Unavailable
from shared.judge import after_end
from shared.lease.view import LeaseView
from tests.unit.cli.chaos.support import TARGET, TTL_MS, Deployment, record, view


def watch(deployment: Deployment) -> Watcher:
    return Watcher(cast(Any, deployment), deployment.clock, target=TARGET, epoch=4, ttl_ms=TTL_MS)


@pytest.mark.parametrize(
    ("seen", "ended"),
    [
        (view(4), False),
        (view(4, pttl_ms=-2), True),
        (view(4, "revoking", pttl_ms=-2), False),
        (view(4, "releasing", pttl_ms=-2), False),
        (view(4, "released", pttl_ms=-2), True),
        (view(4, "severed", pttl_ms=-2), True),
        (view(4, "expired", pttl_ms=-2), True),
        (view(5), True),
        (view(0, "free", epoch=4, pttl_ms=-2), True),
        (view(4, cleared=False), False),
        (view(4, cleared=False, pttl_ms=-2), False),
        (view(0, None, pttl_ms=-2), False),
    ],
    ids=str,
)
def test_a_lease_has_ended_only_when_no_proxy_may_sign_for_it(seen: LeaseView, ended: bool) -> None:
    deployment = Deployment(shown=seen)
    watcher = watch(deployment)
    assert watcher.look()
    assert (watcher.ended_ms is not None) is ended


def test_in_a_new_incarnation_a_lease_that_is_gone_has_ended_after_a_whole_ttl() -> None:
    deployment = Deployment(shown=view(0, None, pttl_ms=-2))
    watcher = watch(deployment)
    watcher.look()
    deployment.clock.advance(TTL_MS - 200)
    watcher.look()
    assert watcher.ended_ms is None
    watcher.look()
    assert watcher.ended_ms is not None


def test_a_lease_that_lives_on_in_a_new_incarnation_has_not_ended_however_long_it_is_embargoed() -> None:
    deployment = Deployment(shown=view(4, cleared=False))
    watcher = watch(deployment)
    watcher.look()
    deployment.clock.advance(10 * TTL_MS)
    watcher.look()
    assert watcher.ended_ms is None
    assert watcher.alive


def test_a_failover_is_seen_by_another_incarnation() -> None:
    deployment = Deployment(shown=view(4))
    watcher = watch(deployment)
    watcher.look()
    assert not watcher.failed_over
    deployment.shown = view(4, incarnation="i:2")
    watcher.look()
    assert watcher.failed_over


def test_a_call_that_was_in_the_journal_when_the_end_was_seen_is_not_after_it_and_a_later_one_is() -> None:
    before, late = record(4), record(4)
    deployment = Deployment(shown=view(4, "severed", pttl_ms=-2), calls=[before])
    watcher = watch(deployment)
    watcher.look()
    deployment.calls.append(late)
    deployment.clock.advance(1)
    watcher.read_journal()
    assert watcher.ended_ms is not None
    found = after_end(watcher.calls, {(TARGET, 4): watcher.ended_ms})
    assert [call.arrived_ms for call in found] == [watcher.calls[1].arrived_ms]


def test_calls_come_in_the_journals_order_without_older_epochs_and_without_what_was_refused() -> None:
    calls = [record(3), record(4), record(4, outcome="refused"), record(4, access="read"), record(5)]
    deployment = Deployment(shown=view(5), calls=calls)
    watcher = watch(deployment)
    watcher.read_journal()
    assert [(call.epoch, call.mutating) for call in watcher.calls] == [(4, True), (4, False), (5, True)]


def test_calls_of_unknown_outcome_are_counted_and_do_not_count_as_answered() -> None:
    calls = [record(4), record(4, outcome=None), record(4, outcome="unknown"), record(5, outcome=None)]
    deployment = Deployment(calls=calls)
    watcher = watch(deployment)
    watcher.read_journal()
    assert (watcher.unknown, watcher.answered()) == (2, 1)


def test_recovery_is_an_end_a_grant_and_a_call_of_the_next_holder_in_this_order() -> None:
    deployment = Deployment(shown=view(4, "severed", pttl_ms=-2), calls=[record(4)])
    watcher = watch(deployment)
    watcher.look()
    deployment.shown = view(5)
    watcher.look()
    assert not watcher.recovered
    deployment.calls.append(record(5))
    watcher.look()
    assert watcher.recovered
    assert watcher.ended_ms is not None
    assert watcher.granted_ms is not None
    assert watcher.first_call_ms is not None
    assert watcher.ended_ms < watcher.granted_ms < watcher.first_call_ms


def test_an_end_that_is_first_seen_by_the_next_grant_does_not_come_after_it() -> None:
    watcher = watch(Deployment(shown=view(5), calls=[record(4)]))
    watcher.look()
    assert watcher.ended_ms is not None
    assert watcher.granted_ms is not None
    assert watcher.ended_ms <= watcher.granted_ms


@pytest.mark.parametrize("failure", [Unavailable("away"), ApiError("no Redis", status=503, code="unavailable")])
def test_an_api_that_is_away_tells_nothing(failure: Unavailable | ApiError) -> None:
    deployment = Deployment(shown=view(4, "severed"), failure=failure)
    watcher = watch(deployment)
    assert not watcher.look()
    assert watcher.ended_ms is None


def test_an_api_that_refuses_is_an_error() -> None:
    with pytest.raises(ApiError):
        watch(Deployment(failure=ApiError("who are you", status=401, code="unauthorized"))).look()


def test_a_journal_longer_than_a_listing_is_complete_when_it_reaches_back_to_an_older_epoch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watching, "MAX_CALLS", 3)
    deployment = Deployment(calls=[record(3), record(4), record(4)])
    watcher = watch(deployment)
    watcher.read_journal()
    assert watcher.complete
    deployment.calls.append(record(4))
    watcher.read_journal()
    assert not watcher.complete
