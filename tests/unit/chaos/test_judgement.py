"""What the judge of the fault suite makes of the evidence."""

from __future__ import annotations

from typing import Any

from shared.judge import SignedCall
from tests.chaos.judgement import Evidence, Intent, Verdict, Version, judge

TARGET = "web.here.t0"


def call(epoch: int, at_ms: float, what: str = "", *, mutating: bool = True) -> SignedCall:
    return SignedCall(
        target=TARGET,
        epoch=epoch,
        mutating=mutating,
        arrived_ms=at_ms,
        answered_ms=at_ms,
        what=what or f"/chaos/{epoch}-{at_ms}",
    )


def judged(*calls: SignedCall, **evidence: Any) -> Verdict:
    """The verdict on calls that are all in the journal, unless `intents` says otherwise."""
    journal = [Intent(target=c.target, epoch=c.epoch, path=c.what, outcome="answered") for c in calls if c.mutating]
    given = {"ended_ms": {}, "intents": journal, "versions": [], **evidence}
    return judge(Evidence(calls=calls, **given))


def version(epoch: int, serial: int, at_ms: float = 0) -> Version:
    return Version(target=TARGET, epoch=epoch, serial=serial, stored_ms=at_ms)


def test_epochs_that_follow_one_another_are_fine() -> None:
    assert judged(call(1, 10), call(1, 20), call(2, 30), ended_ms={(TARGET, 1): 25}).passed


def test_an_older_epoch_after_a_newer_one_is_an_overlap() -> None:
    verdict = judged(call(1, 10), call(2, 20), call(1, 30))
    assert len(verdict.overlaps) == 1
    assert "epoch 1" in verdict.overlaps[0]
    assert not verdict.passed


def test_a_read_after_its_run_was_over_is_late() -> None:
    verdict = judged(call(1, 30, mutating=False), ended_ms={(TARGET, 1): 25})
    assert (len(verdict.after_deadline), verdict.overlaps) == (1, ())


def test_a_write_without_an_intent_is_late_whenever_it_arrives() -> None:
    assert len(judged(call(1, 10), intents=[]).after_deadline) == 1


def test_a_write_that_was_never_sent_and_arrived_all_the_same_is_late() -> None:
    refused = [Intent(target=TARGET, epoch=1, path="/x", outcome="refused")]
    assert len(judged(call(1, 10, "/x"), intents=refused).after_deadline) == 1


def test_a_write_of_unknown_outcome_may_arrive() -> None:
    unknown = [Intent(target=TARGET, epoch=1, path="/x", outcome="unknown")]
    assert judged(call(1, 10, "/x"), intents=unknown).passed


def test_an_acknowledged_state_that_is_in_no_version_is_lost() -> None:
    told = call(1, 10, f"/chaos/acknowledged/{TARGET}/7/run-1")
    assert len(judged(told).lost_states) == 1
    assert judged(told, versions=[version(1, 7)]).passed


def test_a_state_of_an_older_epoch_over_one_of_a_newer_epoch_is_a_lost_state() -> None:
    assert judged(versions=[version(1, 1), version(2, 2), version(2, 3)]).passed
    assert len(judged(versions=[version(1, 1), version(2, 2), version(1, 3)]).lost_states) == 1


def test_a_state_that_was_stored_after_its_run_was_over_is_a_lost_state() -> None:
    assert len(judged(versions=[version(1, 1, at_ms=30)], ended_ms={(TARGET, 1): 25}).lost_states) == 1


def test_what_the_harness_waited_for_in_vain_counts() -> None:
    nothing = Evidence(calls=[], ended_ms={}, intents=[], versions=[])
    assert not judge(nothing, ["a run is still applying"]).passed
