"""A refusal is answered and recorded; a large upload is killed."""

from __future__ import annotations

import pytest

from signing_proxy.addons.refusing import MAX_DRAINED_BYTES, MAX_DRAINED_UNBOUNDED_BYTES, Refuser
from signing_proxy.calls import Check
from signing_proxy.classify import Operation, Protocol
from signing_proxy.denial import Denial, Reason
from tests.unit.signing_proxy.helpers import Bench, make_call, make_flow, make_run

DENIAL = Denial(reason=Reason.WRONG_KEY, message="wrong key")


async def test_a_refusal_is_answered_in_the_services_shape_and_recorded() -> None:
    bench = Bench()
    flow = make_flow()
    call = make_call(flow, make_run(bench.clock))
    call.operation = Operation(service="sqs", operation="CreateQueue", protocol=Protocol.JSON)
    Refuser(bench.recorder).refuse(flow, call, DENIAL)
    assert flow.response is not None
    assert (flow.response.status_code, flow.response.headers["x-amzn-errortype"]) == (403, "AccessDeniedException")
    assert not call.complete
    assert bench.counted("refused", "wrong_key") == 1
    await bench.recorder.drain(10)
    assert bench.journal.refusals() == ["wrong_key"]


async def test_head_gets_no_body() -> None:
    bench = Bench()
    flow = make_flow("HEAD")
    Refuser(bench.recorder).refuse(flow, make_call(flow, make_run(bench.clock)), DENIAL)
    assert flow.response is not None
    assert flow.response.raw_content == b""
    await bench.tasks.close()


@pytest.mark.parametrize(
    ("memory", "length", "killed"),
    [
        (True, str(MAX_DRAINED_BYTES), False),
        (True, str(MAX_DRAINED_BYTES + 1), True),
        (False, str(MAX_DRAINED_UNBOUNDED_BYTES), False),
        (False, str(MAX_DRAINED_UNBOUNDED_BYTES + 1), True),
        (True, "-1", True),
    ],
)
async def test_an_upload_that_is_still_to_come_is_killed_if_it_is_large(
    memory: bool, length: str, killed: bool
) -> None:
    bench = Bench()
    flow = make_flow("PUT", body=None, content_length=length)
    call = make_call(flow, make_run(bench.clock))
    if memory:
        call.passed.add(Check.BOUNDED)
    Refuser(bench.recorder).refuse(flow, call, DENIAL)
    assert (flow.error is not None, flow.response is None) == (killed, killed)
    await bench.tasks.close()


@pytest.mark.parametrize(("memory", "killed"), [(True, False), (False, True)])
async def test_an_upload_of_unknown_length_is_read_only_where_its_memory_is_counted(memory: bool, killed: bool) -> None:
    bench = Bench()
    flow = make_flow("PUT", body=None, transfer_encoding="chunked")
    call = make_call(flow, make_run(bench.clock))
    if memory:
        call.passed.add(Check.BOUNDED)
    Refuser(bench.recorder).refuse(flow, call, DENIAL)
    assert (flow.error is not None, flow.response is None) == (killed, killed)
    await bench.tasks.close()


async def test_a_tunnel_is_refused_in_plain_text() -> None:
    bench = Bench()
    flow = make_flow("CONNECT")
    call = make_call(flow, make_run(bench.clock))
    Refuser(bench.recorder).refuse_tunnel(flow, call, DENIAL, status=407)
    assert flow.response is not None
    assert (flow.response.status_code, "proxy-authenticate" in flow.response.headers) == (407, True)
    await bench.tasks.close()
