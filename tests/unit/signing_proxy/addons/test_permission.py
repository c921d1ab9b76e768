"""A call outside what its run may do is refused, and latches the run if it would change something."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.safety.allowance import Allowance
from signing_proxy.access import OperationClass
from signing_proxy.addons.permission import Permission, latch_objection
from signing_proxy.addons.refusing import Refuser
from signing_proxy.calls import Call, Check
from signing_proxy.classify import Operation, Protocol
from signing_proxy.denial import Reason
from signing_proxy.runs import AttachedRun
from tests.unit.signing_proxy.helpers import STATE, Bench, make_call, make_flow, make_run

CREATE = Operation(service="sqs", operation="CreateQueue", protocol=Protocol.JSON, kind=OperationClass.CREATE)
READ = Operation(service="sqs", operation="ListQueues", protocol=Protocol.JSON, kind=OperationClass.READ)


async def ask(bench: Bench, run: AttachedRun, operation: Operation, *, verified: bool = True) -> Call:
    flow = make_flow(body=b'{"QueueName":"q"}', content_type="application/x-amz-json-1.0")
    call = make_call(flow, run)
    call.operation = operation
    if verified:
        call.passed.add(Check.VERIFIED)
    await Permission(bench.permissions, Refuser(bench.recorder)).request(flow)
    return call


async def test_what_may_be_done_passes() -> None:
    bench = Bench()
    call = await ask(bench, make_run(bench.clock), CREATE)
    assert Check.PERMITTED in call.passed
    assert call.run.latch is None


async def test_a_write_outside_is_refused_journaled_with_its_reason_and_latches() -> None:
    bench = Bench()
    run = make_run(bench.clock)
    bench.allowances.allowance_now = Allowance.reads("a plan changes nothing")
    call = await ask(bench, run, CREATE)
    assert call.denial is not None
    assert call.denial.reason is Reason.NOT_ALLOWED
    assert "sqs:CreateQueue" in call.denial.message
    assert Check.PERMITTED not in call.passed
    assert run.latch is not None
    assert (run.latch.service, run.latch.operation, run.latch.resource) == ("sqs", "CreateQueue", {"QueueName": "q"})
    await bench.recorder.drain(1)
    assert bench.journal.refusals() == ["not_allowed"]
    assert bench.journal.intents[0].resource == {"QueueName": "q"}


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b'<?xml version="1.0" encoding="shift_jis"?><Delete/>', "application/xml"),
        (b'<?xml version="1.0" encoding="nonesuch"?><Delete/>', "application/xml"),
        (b"&".join(b"a=1" for _ in range(100_000)), "application/x-www-form-urlencoded"),
        (b"{" * 100_000, "application/json"),
    ],
    ids=["an encoding of several bytes", "no encoding", "too many fields", "too deep"],
)
async def test_a_write_outside_latches_however_it_is_written(body: bytes, content_type: str) -> None:
    bench = Bench()
    run = make_run(bench.clock)
    bench.allowances.allowance_now = Allowance.reads("a plan changes nothing")
    flow = make_flow(body=body, content_type=content_type)
    call = make_call(flow, run)
    call.operation = replace(CREATE, labels={"Key": "k" * 100_000})
    call.passed.add(Check.VERIFIED)
    await Permission(bench.permissions, Refuser(bench.recorder)).request(flow)
    assert call.denial is not None
    assert call.denial.reason is Reason.NOT_ALLOWED
    assert run.latch is not None
    assert run.latch.resource == {"Key": "k" * 512}
    await bench.recorder.drain(1)
    assert bench.journal.refusals() == ["not_allowed"]


KEY = Operation(service="iam", operation="CreateAccessKey", protocol=Protocol.QUERY, kind=OperationClass.PERMISSION)
UNKNOWN = Operation(service="iam", operation="Unknown", protocol=Protocol.QUERY, kind=OperationClass.UNKNOWN)
ROLE = Operation(service="sts", operation="AssumeRole", protocol=Protocol.QUERY, kind=OperationClass.SECRET_READ)


@pytest.mark.parametrize("operation", [KEY, UNKNOWN])
async def test_a_call_outside_that_would_also_answer_credentials_latches(operation: Operation) -> None:
    bench = Bench()
    run = make_run(bench.clock)
    bench.allowances.allowance_now = Allowance.reads("a plan changes nothing")
    call = await ask(bench, run, operation)
    assert call.denial is not None
    assert call.denial.reason is Reason.NOT_ALLOWED
    assert run.latch is not None


@pytest.mark.parametrize("operation", [KEY, UNKNOWN, ROLE])
async def test_what_would_answer_credentials_is_refused_whatever_the_run_may_do(operation: Operation) -> None:
    bench = Bench()
    run = make_run(bench.clock)
    bench.allowances.allowance_now = Allowance.unbounded()
    call = await ask(bench, run, operation)
    assert call.denial is not None
    assert call.denial.reason is Reason.SECRET_ANSWER
    assert Check.PERMITTED not in call.passed
    assert run.latch is None


async def test_a_role_that_a_plan_asks_for_is_refused_and_halts_nothing() -> None:
    bench = Bench()
    run = make_run(bench.clock)
    bench.allowances.allowance_now = Allowance.reads()
    call = await ask(bench, run, ROLE)
    assert call.denial is not None
    assert (call.denial.reason, run.latch) == (Reason.SECRET_ANSWER, None)


async def test_after_the_latch_no_write_passes_even_one_that_was_allowed_and_reads_do() -> None:
    bench = Bench()
    run = make_run(bench.clock)
    bench.permissions.latch(run, CREATE, resource={}, why="sqs:CreateQueue is outside")
    call = await ask(bench, run, CREATE)
    assert call.denial is not None
    assert call.denial.reason is Reason.LATCHED
    assert "sqs:CreateQueue is outside" in call.denial.message
    assert Check.PERMITTED in (await ask(bench, run, READ)).passed


async def test_reads_need_no_word_from_the_scheduler() -> None:
    bench = Bench()
    bench.allowances.down = True
    assert Check.PERMITTED in (await ask(bench, make_run(bench.clock), READ)).passed
    assert bench.allowances.asked == []


async def test_a_write_without_the_schedulers_word_is_refused_and_latches_nothing() -> None:
    bench = Bench()
    bench.allowances.down = True
    run = make_run(bench.clock)
    call = await ask(bench, run, CREATE)
    assert call.denial is not None
    assert call.denial.reason is Reason.ALLOWANCE_UNKNOWN
    assert "the scheduler is down" in call.denial.message
    assert run.latch is None


async def test_a_stranger_on_the_loopback_cannot_latch_the_run() -> None:
    bench = Bench()
    bench.allowances.allowance_now = Allowance.reads()
    run = make_run(bench.clock)
    call = await ask(bench, run, CREATE, verified=False)
    assert call.passed == set()
    assert run.latch is None


async def test_a_state_call_is_none_of_its_business() -> None:
    bench = Bench()
    run = make_run(bench.clock)
    bench.permissions.latch(run, CREATE, resource={}, why="outside")
    flow = make_flow()
    call = make_call(flow, run, STATE)
    await Permission(bench.permissions, Refuser(bench.recorder)).request(flow)
    assert call.denial is None
    assert latch_objection(call) is None


@pytest.mark.parametrize(("sent", "held"), [(False, True), (True, False)])
def test_a_latch_holds_back_what_has_not_left_and_lets_the_rest_end(sent: bool, held: bool) -> None:
    bench = Bench()
    run = make_run(bench.clock)
    call = make_call(make_flow(), run)
    call.operation, call.sent = CREATE, sent
    now_ms = bench.clock.boot_ms()
    assert run.objection(call, now_ms) is None
    bench.permissions.latch(run, CREATE, resource={}, why="outside")
    assert (run.objection(call, now_ms) == "the run is latched") is held
    reading = make_call(make_flow(), run)
    reading.operation = READ
    assert run.objection(reading, now_ms) is None
