"""No intent, no signature; no outcome, no answer."""

from __future__ import annotations

import pytest
from mitmproxy import http

from shared.errors import Unavailable
from signing_proxy.access import OperationClass
from signing_proxy.addons.journal import JournalCalls
from signing_proxy.addons.refusing import Refuser
from signing_proxy.calls import Call, Check
from signing_proxy.classify import Operation, Protocol
from signing_proxy.denial import Reason
from tests.unit.signing_proxy.helpers import Bench, make_call, make_flow, make_run


def scene(kind: OperationClass = OperationClass.CREATE) -> tuple[Bench, JournalCalls, http.HTTPFlow, Call]:
    bench = Bench()
    flow = make_flow(body=b'{"QueueName":"q"}', content_type="application/x-amz-json-1.0")
    call = make_call(flow, make_run(bench.clock))
    call.operation = Operation(service="sqs", operation="CreateQueue", kind=kind, protocol=Protocol.JSON)
    call.passed.add(Check.PERMITTED)
    return bench, JournalCalls(bench.recorder, Refuser(bench.recorder)), flow, call


def answered(flow: http.HTTPFlow, status: int, body: bytes, **headers: str) -> None:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    flow.response = http.Response.make(status, body, named)


async def test_a_write_is_journaled_with_what_it_names() -> None:
    bench, addon, flow, call = scene()
    await addon.request(flow)
    assert Check.JOURNALED in call.passed
    assert bench.journal.intents[0].resource == {"QueueName": "q"}


async def test_a_write_that_is_not_journaled_is_refused() -> None:
    bench, addon, flow, call = scene()
    bench.journal.down = True
    await addon.request(flow)
    assert Check.JOURNALED not in call.passed
    assert call.denial is not None
    assert call.denial.reason is Reason.JOURNAL_UNAVAILABLE
    await bench.tasks.close()


async def test_a_read_does_not_wait_for_the_journal() -> None:
    bench, addon, flow, call = scene(OperationClass.READ)
    bench.journal.down = True
    await addon.request(flow)
    assert Check.JOURNALED in call.passed
    await bench.tasks.close()


async def test_what_was_not_verified_is_not_journaled() -> None:
    bench, addon, flow, call = scene()
    call.passed.clear()
    await addon.request(flow)
    assert bench.journal.intents == []
    assert call.passed == set()


async def test_an_answer_is_journaled_with_the_identifiers_it_names() -> None:
    bench, addon, flow, call = scene()
    await addon.request(flow)
    call.released = call.sent = True
    answered(flow, 200, b'{"QueueUrl":"https://q"}', content_type="application/x-amz-json-1.0")
    await addon.response(flow)
    outcome = bench.journal.outcomes[call.call_id]
    assert (outcome.outcome, outcome.http_status, outcome.resource) == ("answered", 200, {"QueueUrl": "https://q"})


@pytest.mark.parametrize(
    ("body", "header", "code"),
    [
        (b"<Error><Code>BucketAlreadyExists</Code></Error>", "", "BucketAlreadyExists"),
        (b'{"__type":"com.amazonaws.sqs#QueueNameExists"}', "", "QueueNameExists"),
        (b"{}", "ResourceInUseException:http://x", "ResourceInUseException"),
        (b"nothing", "", None),
    ],
)
async def test_the_services_error_code_is_journaled(body: bytes, header: str, code: str | None) -> None:
    bench, addon, flow, call = scene()
    await addon.request(flow)
    call.released = call.sent = True
    answered(flow, 400, body, **({"x_amzn_errortype": header} if header else {}))
    await addon.response(flow)
    assert bench.journal.outcomes[call.call_id].error_code == code


async def test_an_outcome_that_is_not_journaled_fails_the_hook() -> None:
    bench, addon, flow, call = scene()
    await addon.request(flow)
    call.released = call.sent = True
    bench.journal.down = True
    answered(flow, 200, b"{}")
    with pytest.raises(Unavailable):
        await addon.response(flow)


async def test_a_local_answer_has_no_outcome() -> None:
    bench, addon, flow, _ = scene()
    await addon.request(flow)
    answered(flow, 403, b"")
    await addon.response(flow)
    assert bench.journal.outcomes == {}
