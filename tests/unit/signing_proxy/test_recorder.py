"""Each call gets one outcome: in the journal, in the metrics, in the log."""

from __future__ import annotations

import pytest

from shared.errors import ApiError, Unavailable
from shared.models import JournalOutcome
from signing_proxy.access import OperationClass
from signing_proxy.calls import Call
from signing_proxy.classify import Operation, Protocol
from signing_proxy.denial import Denial, Reason
from signing_proxy.recorder import MAX_BACKLOG
from tests.unit.signing_proxy.helpers import CLOUD, Bench, make_run

WRITE = Operation(service="sqs", operation="CreateQueue", protocol=Protocol.JSON)
READ = Operation(service="sqs", operation="ListQueues", kind=OperationClass.READ, protocol=Protocol.JSON)


def call_on(bench: Bench, operation: Operation = WRITE) -> Call:
    return Call(run=make_run(bench.clock), upstream=CLOUD, operation=operation, host=CLOUD.host)


async def test_a_writes_intent_is_there_before_it_returns() -> None:
    bench = Bench()
    call = call_on(bench)
    await bench.recorder.intent(call, method="POST", path="/", resource={"QueueName": "q"})
    (intent,) = bench.journal.intents
    assert (intent.call_id, intent.operation, intent.resource) == (call.call_id, "CreateQueue", {"QueueName": "q"})


async def test_a_journal_that_is_down_refuses_the_intent() -> None:
    bench = Bench()
    bench.journal.down = True
    with pytest.raises(Unavailable):
        await bench.recorder.intent(call_on(bench), method="POST", path="/", resource={})


async def test_only_the_first_outcome_counts() -> None:
    bench = Bench()
    call = call_on(bench)
    call.sent = True
    await bench.recorder.intent(call, method="POST", path="/", resource={})
    await bench.recorder.answered(call, status=200, resource={}, error_code=None)
    bench.recorder.abandoned(call, "cut")
    bench.recorder.refused(call, Denial(reason=Reason.WRONG_KEY, message="no"), method="POST", path="/")
    await bench.recorder.drain(10)
    assert bench.journal.outcomes[call.call_id].outcome == "answered"
    assert (bench.counted("answered"), bench.counted("unknown", "severed")) == (1, 0)


@pytest.mark.parametrize(("sent", "outcome"), [(True, "unknown"), (False, "refused")])
async def test_an_abandoned_call_is_unknown_only_if_it_may_have_left(sent: bool, outcome: str) -> None:
    bench = Bench()
    call = call_on(bench)
    await bench.recorder.intent(call, method="POST", path="/", resource={})
    call.sent = sent
    bench.recorder.abandoned(call, "cut")
    await bench.recorder.drain(10)
    assert bench.journal.outcomes[call.call_id].outcome == outcome
    assert call.run.in_flight(bench.clock.boot_ms()) == int(sent)


async def test_an_outcome_that_cannot_be_written_is_an_error_and_in_flight_no_longer() -> None:
    bench = Bench()
    call = call_on(bench)
    await bench.recorder.intent(call, method="POST", path="/", resource={})
    call.run.calls[call.call_id] = call
    call.sent = True
    bench.journal.down = True
    with pytest.raises(Unavailable):
        await bench.recorder.answered(call, status=200, resource={}, error_code=None)
    assert call.run.in_flight(bench.clock.boot_ms()) == 0


async def test_reads_and_refusals_wait_for_nothing() -> None:
    bench = Bench()
    read, refused = call_on(bench, READ), call_on(bench)
    bench.recorder.read(read, method="GET", path="/", resource={})
    await bench.recorder.answered(read, status=200, resource={}, error_code=None)
    bench.recorder.refused(refused, Denial(reason=Reason.WRONG_KEY, message="no"), method="POST", path="/")
    assert bench.journal.intents == []
    await bench.recorder.drain(10)
    assert [intent.call_id for intent in bench.journal.intents] == [read.call_id, refused.call_id]
    assert bench.journal.refusals() == ["wrong_key"]
    assert bench.counted("refused", "wrong_key") == 1


async def test_the_backlog_is_bounded_and_what_is_dropped_is_counted() -> None:
    bench = Bench()
    for _ in range(MAX_BACKLOG + 7):
        bench.recorder.read(call_on(bench, READ), method="GET", path="/", resource={})
    assert bench.recorder.backlog == MAX_BACKLOG
    assert bench.metrics.registry.get_sample_value("interlock_proxy_journal_dropped_total") == 7
    await bench.recorder.drain(60)
    assert len(bench.journal.intents) == MAX_BACKLOG


async def test_a_refusal_finds_room_beside_all_reads_that_wait() -> None:
    bench = Bench()
    for _ in range(MAX_BACKLOG):
        bench.recorder.read(call_on(bench, READ), method="GET", path="/", resource={})
    bench.recorder.refused(call_on(bench, READ), Denial(reason=Reason.WRONG_KEY, message="no"), method="POST", path="/")
    await bench.recorder.drain(60)
    assert bench.journal.refusals() == ["wrong_key"]


async def test_what_the_scheduler_refuses_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    tried: list[str] = []

    async def refuse(outcome: JournalOutcome) -> None:
        tried.append(outcome.call_id)
        raise ApiError("there is no such call", status=404, code="not_found")

    monkeypatch.setattr(bench.journal, "outcome", refuse)
    bench.recorder.refused(call_on(bench, READ), Denial(reason=Reason.WRONG_KEY, message="no"), method="POST", path="/")
    await bench.recorder.drain(10)
    assert len(tried) == 1
    assert bench.metrics.registry.get_sample_value("interlock_proxy_journal_dropped_total") == 1


async def test_an_unknown_operation_is_journaled_without_a_name() -> None:
    bench = Bench()
    unknown = Operation(service="x", operation="Unknown", protocol=Protocol.QUERY)
    await bench.recorder.intent(call_on(bench, unknown), method="POST", path="/" * 5000, resource={})
    (intent,) = bench.journal.intents
    assert (intent.operation, intent.access, len(intent.path)) == ("", "write", 2048)
