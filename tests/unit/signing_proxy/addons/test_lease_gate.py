"""The lease is asked at the head and at the end of a request."""

from __future__ import annotations

import pytest

from signing_proxy.addons.lease_gate import LeaseGate, lease_objection
from signing_proxy.addons.refusing import Refuser
from signing_proxy.calls import Check
from signing_proxy.denial import Reason
from tests.unit.signing_proxy.helpers import STATE, TIMING, Bench, make_call, make_flow, make_run


async def test_a_live_lease_passes() -> None:
    bench = Bench()
    flow = make_flow()
    call = make_call(flow, make_run(bench.clock))
    gate = LeaseGate(bench.clock, Refuser(bench.recorder))
    gate.requestheaders(flow)
    assert flow.response is None
    assert Check.LEASE not in call.passed
    gate.request(flow)
    assert Check.LEASE in call.passed


async def test_a_lease_that_ended_while_the_body_came_does_not() -> None:
    bench = Bench()
    flow = make_flow()
    call = make_call(flow, make_run(bench.clock))
    gate = LeaseGate(bench.clock, Refuser(bench.recorder))
    gate.requestheaders(flow)
    bench.clock.advance(TIMING.ttl_ms)
    gate.request(flow)
    assert call.denial is not None
    assert call.denial.reason is Reason.LEASE_NOT_LIVE
    assert Check.LEASE not in call.passed
    await bench.tasks.close()


async def test_a_lease_that_is_not_live_is_refused_at_the_head() -> None:
    bench = Bench()
    flow = make_flow()
    make_call(flow, make_run(bench.clock, live=False))
    LeaseGate(bench.clock, Refuser(bench.recorder)).requestheaders(flow)
    assert flow.response is not None
    await bench.tasks.close()


async def test_a_state_call_without_a_lease_is_left_to_its_addon_and_does_not_pass() -> None:
    bench = Bench()
    flow = make_flow()
    call = make_call(flow, make_run(bench.clock, live=False), STATE)
    gate = LeaseGate(bench.clock, Refuser(bench.recorder))
    gate.requestheaders(flow)
    gate.request(flow)
    assert flow.response is None
    assert Check.LEASE not in call.passed


@pytest.mark.parametrize("denied", ["no call", "denied", "no upstream"])
async def test_what_is_decided_already_is_left_alone(denied: str) -> None:
    bench = Bench()
    flow = make_flow()
    if denied != "no call":
        call = make_call(flow, make_run(bench.clock, live=False), None)
        if denied == "denied":
            call.denial = lease_objection(call, bench.clock.boot_ms())
    gate = LeaseGate(bench.clock, Refuser(bench.recorder))
    gate.requestheaders(flow)
    gate.request(flow)
    assert flow.response is None


def test_the_refusal_names_run_target_epoch_and_cause() -> None:
    bench = Bench()
    run = make_run(bench.clock)
    run.gate.shut("deadline passed")
    run.cut_reason = "deadline passed"
    denial = lease_objection(make_call(make_flow(), run), bench.clock.boot_ms())
    assert denial is not None
    for part in ("run-0123456789abcdef", "web.eu", "epoch 1", "deadline passed"):
        assert part in denial.message
