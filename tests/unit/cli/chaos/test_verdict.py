"""The verdict on a chaos day: each broken promise shows, and nothing that was not shown passes."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from cli.chaos.verdict import Evidence, Verdict, judge
from shared.judge import SignedCall


def call(epoch: int, seen_ms: float, *, mutating: bool = True) -> SignedCall:
    return SignedCall(
        target="t", epoch=epoch, mutating=mutating, arrived_ms=seen_ms, answered_ms=None, what="sns Publish"
    )


def evidence(**changes: Any) -> Evidence:
    good = Evidence(
        scenario="freeze-worker",
        target="t",
        epoch=4,
        node="n1",
        calls=(call(4, 500), call(4, 900), call(5, 13_000)),
        complete=True,
        struck_ms=1000,
        ended_ms=10_000,
        granted_ms=12_500,
        first_call_ms=13_000,
        healed_ms=14_000,
        unknown=1,
        limit_s=300,
    )
    return replace(good, **changes)


def only_reason(case: Evidence) -> str:
    verdict = judge(case)
    assert not verdict.passed
    assert len(verdict.reasons) == 1, verdict.reasons
    return verdict.reasons[0]


def test_a_deployment_that_kept_its_promise_passes_with_its_numbers() -> None:
    assert judge(evidence()) == Verdict(
        scenario="freeze-worker",
        passed=True,
        shown=True,
        reasons=(),
        target="t",
        node="n1",
        epoch=4,
        overlaps=0,
        after_end=0,
        stuck=0,
        survived=False,
        unknown=1,
        calls=3,
        ended_after_s=9.0,
        granted_after_s=11.5,
        first_call_after_s=12.0,
        healed_after_s=13.0,
    )


def test_the_verdict_is_one_json_object() -> None:
    assert json.loads(json.dumps(judge(evidence()).as_json()))["granted_after_s"] == 11.5


def test_an_intent_of_the_older_epoch_after_one_of_the_newer_is_an_overlap() -> None:
    case = evidence(calls=(call(4, 500), call(5, 9_000), call(4, 9_000)))
    assert only_reason(case) == "sns Publish of epoch 4 came after epoch 5"
    assert judge(case).overlaps == 1


def test_several_overlaps_are_counted() -> None:
    verdict = judge(evidence(calls=(call(4, 500), call(5, 9_000), call(4, 9_000), call(4, 9_000))))
    assert verdict.overlaps == 2
    assert verdict.reasons[1] == "2 such overlaps"


def test_an_intent_first_seen_after_the_lease_had_ended_fails() -> None:
    case = evidence(calls=(call(4, 500), call(4, 10_001), call(5, 13_000)))
    assert "1 calls were journaled after the lease had ended" in only_reason(case)
    assert judge(case).after_end == 1


def test_a_read_proves_nothing_because_nobody_waits_for_its_intent() -> None:
    reads = (call(4, 10_001, mutating=False), call(4, 14_000, mutating=False))
    assert judge(evidence(calls=(*evidence().calls, *reads))).passed


@pytest.mark.parametrize(("calls", "epoch"), [((call(5, 13_000),), "of epoch 4"), ((call(4, 500),), "after epoch 4")])
def test_without_calls_of_both_epochs_nothing_was_shown(calls: tuple[SignedCall, ...], epoch: str) -> None:
    case = evidence(calls=calls)
    assert only_reason(case).startswith(f"shown nothing: no mutating call {epoch}")
    assert not judge(case).shown


def test_an_empty_journal_never_passes() -> None:
    assert len(judge(evidence(calls=())).reasons) == 2


def test_a_lease_that_never_ended_is_stuck() -> None:
    case = evidence(ended_ms=None, granted_ms=None)
    assert "had not ended 300 s after the blow" in only_reason(case)
    assert judge(case).stuck == 1


def test_a_target_that_nobody_got_is_stuck() -> None:
    assert "granted to nobody within 300 s" in only_reason(evidence(granted_ms=None))


def test_a_run_that_did_not_end_afterwards_is_stuck() -> None:
    case = evidence(left=("run-1 did not end",))
    assert only_reason(case) == "run-1 did not end"
    assert judge(case).stuck == 1


@pytest.mark.parametrize(("failed_over", "passes"), [(None, True), (True, True), (False, False)])
def test_a_failover_that_did_not_happen_shows_nothing(failed_over: bool | None, passes: bool) -> None:
    verdict = judge(evidence(failed_over=failed_over))
    assert verdict.passed is verdict.shown is passes


def test_a_journal_that_could_not_be_read_far_enough_does_not_pass() -> None:
    assert "could not be judged" in only_reason(evidence(complete=False))


def test_what_never_happened_has_no_time() -> None:
    verdict = judge(evidence(ended_ms=None, granted_ms=None, first_call_ms=None, healed_ms=None))
    times = (verdict.ended_after_s, verdict.granted_after_s, verdict.first_call_after_s, verdict.healed_after_s)
    assert times == (None, None, None, None)
