"""The verdict: each promise that is broken must show, and nothing that was not shown may pass."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from deploy.demo.arrivals import Arrived, Call, Done
from deploy.demo.verdict import (
    Evidence,
    Handover,
    grant_bound_s,
    in_flight_at,
    judge,
    signed_calls,
)
from shared.judge import SignedCall, after_end, overlaps, still_running


class Log:
    """Builds the cloud's log, one call after the other, one second apart unless said otherwise."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def call(
        self,
        target: str | None,
        epoch: int | None,
        at_ms: float,
        *,
        mutating: bool = True,
        signature: str = "ok",
        took_ms: float | None = 5,
    ) -> Log:
        seq = len(self.calls) + 1
        arrived = Arrived(
            seq=seq,
            arrived_ns=int(at_ms * 1e6),
            arrived_boot_ms=at_ms,
            host="sqs.eu-west-1.amazonaws.com",
            method="POST",
            path="/",
            service="sqs",
            region="eu-west-1",
            operation="CreateQueue" if mutating else "ListQueues",
            mutating=mutating,
            access_key="AKIA",
            signature=signature,
            target=target,
            epoch=epoch,
            run=None,
        )
        done = None if took_ms is None else Done(seq=seq, status=200, done_ns=int((at_ms + took_ms) * 1e6))
        self.calls.append(Call(arrived=arrived, done=done))
        return self


def good_log() -> Log:
    log = Log()
    log.call("orders.eu", 1, 1000).call("orders.eu", 1, 2000, mutating=False)
    log.call("orders.eu", 2, 20_000).call("orders.us", 1, 21_000).call("orders.us", 2, 30_000)
    return log


def evidence(**changes: Any) -> Evidence:
    good = Evidence(
        calls=good_log().calls,
        ended_ms={("orders.eu", 1): 12_000, ("orders.us", 1): 22_100},
        handovers=(
            Handover(target="orders.eu", how="freeze", epoch=1, struck_ms=3000, granted_ms=13_000, in_flight_at_cut=0),
            Handover(target="orders.us", how="kill", epoch=1, struck_ms=22_000, granted_ms=22_400, in_flight_at_cut=0),
        ),
        plans={"orders.eu": True, "orders.us": True},
        cloud={"arn:1": "queue orders", "vpc-1": "VPC vpc-1"},
        held={"arn:1", "vpc-1", "something-else"},
        ttl_ms=10_000,
        unknown_ms=15_000,
        provider="hashicorp/aws 5.100.0",
    )
    return replace(good, **changes)


def only_reason(case: Evidence) -> str:
    verdict = judge(case)
    assert not verdict.passed
    assert len(verdict.reasons) == 1, verdict.reasons
    return verdict.reasons[0]


def test_a_demo_that_kept_every_promise_passes() -> None:
    verdict = judge(evidence())
    assert verdict.reasons == ()
    assert verdict.passed
    assert verdict.overlaps == 0
    assert verdict.after_cut == 0
    assert verdict.converged
    assert verdict.orphans == ()
    assert verdict.grant_after_kill_s == 0.4
    assert verdict.grant_after_freeze_s == 10.0
    assert verdict.arrivals == 5
    assert verdict.mutating == {"orders.eu": {"1": 1, "2": 1}, "orders.us": {"1": 1, "2": 1}}


def test_the_verdict_is_one_json_object() -> None:
    loaded = json.loads(json.dumps(judge(evidence()).as_json()))
    assert loaded["passed"] is True
    assert loaded["provider"] == "hashicorp/aws 5.100.0"
    assert loaded["orphans"] == []


def test_an_older_epoch_that_mutates_after_a_newer_one_is_an_overlap() -> None:
    log = good_log().call("orders.us", 1, 31_000).call("orders.us", 1, 32_000)
    verdict = judge(evidence(calls=log.calls, ended_ms={("orders.us", 1): 99_000, ("orders.eu", 1): 99_000}))
    assert verdict.overlaps == 2
    assert not verdict.passed


def test_epochs_of_different_targets_do_not_overlap() -> None:
    log = Log().call("orders.eu", 2, 1000).call("orders.us", 1, 2000)
    assert len(overlaps(signed_calls(log.calls))) == 0


def test_a_call_of_the_newer_epoch_does_not_hide_a_later_one_of_the_older() -> None:
    log = Log().call("t", 1, 1).call("t", 3, 2).call("t", 2, 3).call("t", 3, 4).call("t", 1, 5)
    assert len(overlaps(signed_calls(log.calls))) == 2


def test_reads_of_an_older_epoch_are_no_overlap() -> None:
    log = good_log().call("orders.us", 1, 31_000, mutating=False)
    assert judge(evidence(calls=log.calls, ended_ms=dict.fromkeys(evidence().ended_ms, 99_000))).overlaps == 0


def test_a_call_the_cloud_refused_is_no_overlap_but_is_told() -> None:
    log = good_log().call("orders.us", 1, 31_000, signature="signature does not match")
    verdict = judge(evidence(calls=log.calls))
    assert verdict.overlaps == 0
    assert verdict.rejected == 1
    assert "not signed" in only_reason(evidence(calls=log.calls))


@pytest.mark.parametrize("mutating", [True, False])
def test_any_call_after_the_cut_counts(mutating: bool) -> None:
    calls = Log().call("t", 1, 999).call("t", 1, 1001, mutating=mutating).call("t", 2, 1002).calls
    assert len(after_end(signed_calls(calls), {("t", 1): 1000})) == 1


def test_a_call_at_the_instant_of_the_cut_or_of_a_lease_that_never_ended_is_not_after_it() -> None:
    calls = Log().call("t", 1, 1000).call("t", 2, 5000).calls
    assert len(after_end(signed_calls(calls), {("t", 1): 1000})) == 0


def test_calls_after_the_cut_fail_the_demo() -> None:
    log = Log().call("orders.eu", 1, 1000).call("orders.eu", 1, 12_001)
    log.call("orders.eu", 2, 20_000).call("orders.us", 1, 21_000).call("orders.us", 2, 30_000)
    assert "after its lease had ended" in only_reason(evidence(calls=log.calls))


def test_an_older_call_unanswered_when_the_newer_epoch_begins_is_still_running() -> None:
    answered = Log().call("t", 1, 1000, took_ms=10).call("t", 2, 2000).calls
    late = Log().call("t", 1, 1000, took_ms=1001).call("t", 2, 2000).calls
    never = Log().call("t", 1, 1000, took_ms=None).call("t", 2, 2000).calls
    other = Log().call("t", 1, 1000, took_ms=None).call("u", 2, 2000).calls
    assert [len(still_running(signed_calls(log))) for log in (answered, late, never, other)] == [0, 1, 1, 0]


def test_a_mutating_call_without_target_and_epoch_fails_the_demo() -> None:
    log = good_log().call(None, None, 40_000)
    assert "name no target" in only_reason(evidence(calls=log.calls))


def test_a_resource_in_no_state_is_an_orphan_and_is_named() -> None:
    case = evidence(held={"arn:1"})
    assert only_reason(case) == "1 resources in the cloud are in no state"
    assert judge(case).orphans == ("VPC vpc-1",)


def test_a_plan_that_is_not_empty_fails_the_demo() -> None:
    case = evidence(plans={"orders.eu": True, "orders.us": False})
    assert "orders.us is not empty" in only_reason(case)
    assert not judge(case).converged


def test_without_a_plan_nothing_has_converged() -> None:
    assert not judge(evidence(plans={})).converged
    assert "no fresh plan" in only_reason(evidence(plans={}))


def test_the_judge_gets_the_boot_clock_and_no_call_that_names_nobody() -> None:
    log = Log().call("t", 1, 1000, took_ms=20).call(None, None, 1001).call("t", None, 1002)
    assert signed_calls(log.calls) == [
        SignedCall(target="t", epoch=1, mutating=True, arrived_ms=1000, answered_ms=1020, what="sqs CreateQueue")
    ]


def with_handovers(*changes: dict[str, Any]) -> Evidence:
    good = evidence()
    changed = (replace(handover, **change) for handover, change in zip(good.handovers, changes, strict=True))
    return evidence(handovers=tuple(changed))


@pytest.mark.parametrize(("granted_ms", "passes"), [(23_000, True), (23_001, False)])
def test_after_a_kill_the_grant_comes_within_a_second(granted_ms: float, passes: bool) -> None:
    assert judge(with_handovers({}, {"granted_ms": granted_ms})).passed is passes


@pytest.mark.parametrize(
    ("granted_ms", "in_flight", "passes"),
    [(14_000, 0, True), (14_001, 0, False), (14_001, 1, True), (29_000, 1, True), (29_001, 1, False)],
)
def test_after_a_freeze_the_bound_is_the_ttl_and_q_only_where_calls_were_in_flight(
    granted_ms: float, in_flight: int, passes: bool
) -> None:
    case = with_handovers({"granted_ms": granted_ms, "in_flight_at_cut": in_flight}, {})
    assert judge(case).passed is passes


def test_calls_in_flight_give_a_kill_no_more_time() -> None:
    handover = replace(evidence().handovers[1], in_flight_at_cut=3)
    assert grant_bound_s(handover, ttl_ms=10_000, unknown_ms=15_000) == 1


def test_a_target_granted_to_nobody_fails_and_has_no_time() -> None:
    case = with_handovers({}, {"granted_ms": None})
    assert "granted to nobody" in only_reason(case)
    assert judge(case).grant_after_kill_s is None


def test_a_lease_that_was_never_cut_fails_the_demo() -> None:
    assert "never cut" in only_reason(evidence(ended_ms={("orders.us", 1): 22_100}))


@pytest.mark.parametrize(("index", "how"), [(0, "kill"), (1, "freeze")])
def test_a_demo_without_one_of_the_strikes_showed_nothing(index: int, how: str) -> None:
    kept = evidence().handovers[1 - index]
    assert kept.how == how
    missing = "freeze" if how == "kill" else "kill"
    assert only_reason(evidence(handovers=(kept,))) == f"the demo did not {missing} a worker"


def test_both_epochs_must_have_reached_the_cloud() -> None:
    only_new = [call for call in good_log().calls if (call.arrived.target, call.arrived.epoch) != ("orders.eu", 1)]
    assert "orders.eu's epoch 1" in only_reason(evidence(calls=only_new))
    only_old = [call for call in good_log().calls if (call.arrived.target, call.arrived.epoch) != ("orders.us", 2)]
    assert "orders.us after epoch 1" in only_reason(evidence(calls=only_old))


def test_an_empty_demo_does_not_pass() -> None:
    empty = evidence(calls=(), ended_ms={}, handovers=(), plans={}, cloud={}, held=set())
    assert len(judge(empty).reasons) == 3


def test_calls_that_arrived_before_the_cut_and_were_answered_after_it_were_in_flight() -> None:
    log = Log()
    log.call("t", 1, 100, took_ms=5).call("t", 1, 990, took_ms=20).call("t", 1, 995, took_ms=None)
    log.call("t", 1, 998, mutating=False, took_ms=50).call("t", 2, 999, took_ms=50).call("t", 1, 1001)
    assert in_flight_at(log.calls, "t", 1, 1000) == 2
    assert in_flight_at(log.calls, "t", 1, None) == 0


def test_a_demo_is_held_to_the_strikes_that_it_was_meant_to_show() -> None:
    only_freeze = evidence(handovers=evidence().handovers[:1])
    assert not judge(only_freeze).passed
    assert judge(replace(only_freeze, expected=("freeze",))).passed
