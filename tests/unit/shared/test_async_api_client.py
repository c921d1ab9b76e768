"""The proxy's client of the API: what is sent where, and that only a proper answer counts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import httpx
import pytest

from shared.async_api_client import AsyncApiClient
from shared.errors import ApiError, PeerError, Unavailable
from shared.models import JournalIntent, JournalOutcome

RUN = "run-0123456789abcdef"
INTENT = JournalIntent(
    run_id=RUN, target="web.eu", epoch=1, call_id="a" * 32, service="s3", operation="X", access="write", host="h",
    method="PUT", path="/", region="r", at_wall=datetime(2026, 1, 1, tzinfo=UTC),
)  # fmt: skip
OUTCOME = JournalOutcome(call_id="a" * 32, outcome="answered", http_status=200)


@asynccontextmanager
async def client(handler: Callable[[httpx.Request], httpx.Response]) -> AsyncIterator[AsyncApiClient]:
    api = AsyncApiClient("http://api", "token", transport=httpx.MockTransport(handler))
    try:
        yield api
    finally:
        await api.close()


async def test_each_method_calls_its_endpoint() -> None:
    seen: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        assert request.headers["Authorization"] == "Bearer token"
        seen.append(f"{request.method} {request.url.raw_path.decode()}")
        return httpx.Response(201, json={"call_id": INTENT.call_id})

    async with client(handler) as api:
        await api.journal_intent(INTENT)
        await api.journal_outcome(OUTCOME)
        await api.quarantine_state("web.eu", epoch=1, run=RUN, state=b"{}")
        with pytest.raises(PeerError):  # that answer is no allowance
            await api.allowance(RUN)
    assert seen == [
        "POST /v1/journal",
        f"POST /v1/journal/{'a' * 32}/outcome",
        f"POST /v1/targets/web.eu/quarantine?epoch=1&run={RUN}",
        f"GET /v1/runs/{RUN}/allowance",
    ]


async def test_no_answer_is_unavailable() -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    async with client(fail) as api:
        with pytest.raises(Unavailable, match="http://api did not answer: refused"):
            await api.journal_intent(INTENT)


async def test_an_intent_is_recorded_only_where_the_answer_says_so() -> None:
    async with client(lambda request: httpx.Response(200, text="<html>It works!</html>")) as api:
        with pytest.raises(PeerError):
            await api.journal_intent(INTENT)


async def test_a_refusal_is_an_error() -> None:
    async with client(lambda request: httpx.Response(409)) as api:
        with pytest.raises(ApiError):
            await api.journal_outcome(OUTCOME)
