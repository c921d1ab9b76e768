"""The journal goes through the API's client, and its errors are ours."""

from __future__ import annotations

import json

import httpx
import pytest

from shared.async_api_client import AsyncApiClient
from shared.errors import ApiError, Unavailable
from shared.models import JournalOutcome
from signing_proxy.journal import ApiJournal
from signing_proxy.recorder import CallRecorder
from tests.unit.signing_proxy.helpers import Bench
from tests.unit.signing_proxy.test_recorder import call_on

CALL = "a" * 32


def journal(answer: httpx.Response | Exception, seen: list[httpx.Request]) -> ApiJournal:
    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return ApiJournal(AsyncApiClient("http://api.test", "token", transport=httpx.MockTransport(handle)))


async def test_intent_outcome_and_quarantine_reach_their_endpoints() -> None:
    seen: list[httpx.Request] = []
    bench = Bench()
    call = call_on(bench)
    target = journal(httpx.Response(201, json={"call_id": call.call_id}), seen)
    recorder = CallRecorder(journal=target, metrics=bench.metrics, clock=bench.clock, tasks=bench.tasks)
    await recorder.intent(call, method="POST", path="/", resource={})
    await target.outcome(JournalOutcome(call_id=CALL, outcome="unknown"))
    await target.quarantine(target="web.eu", epoch=3, run_id="run-0123456789abcdef", state=b"{}")
    assert [request.url.path for request in seen] == [
        "/v1/journal",
        f"/v1/journal/{CALL}/outcome",
        "/v1/targets/web.eu/quarantine",
    ]
    assert json.loads(seen[0].content)["operation"] == "CreateQueue"
    assert dict(seen[2].url.params) == {"epoch": "3", "run": "run-0123456789abcdef"}


@pytest.mark.parametrize(
    ("answer", "error"),
    [(httpx.ConnectError("refused"), Unavailable), (httpx.Response(409, json={"error": {}}), ApiError)],
)
async def test_what_is_not_durable_raises(answer: httpx.Response | Exception, error: type[Exception]) -> None:
    with pytest.raises(error):
        await journal(answer, []).outcome(JournalOutcome(call_id=CALL, outcome="unknown"))
