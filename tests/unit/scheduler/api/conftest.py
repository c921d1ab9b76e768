"""Fixtures of the API's unit tests: the app in this process, and our own client talking to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from scheduler.api.app import create_app
from scheduler.tables import TokenRow
from scheduler.tokens import token_hash
from shared.api_client import ApiClient
from tests.unit.scheduler.support import World

Clients = Callable[[str], ApiClient]


class AppClient:
    """Requests to the app as they are, without a network and without a token."""

    def __init__(self, app: FastAPI) -> None:
        self._transport = httpx.ASGITransport(app, raise_app_exceptions=False)

    def request(self, method: str, url: str, **options: Any) -> httpx.Response:
        async def send() -> httpx.Response:
            async with httpx.AsyncClient(transport=self._transport, base_url="http://testserver") as client:
                return await client.request(method, url, **options)

        return asyncio.run(send())

    def get(self, url: str, **options: Any) -> httpx.Response:
        return self.request("GET", url, **options)

    def post(self, url: str, **options: Any) -> httpx.Response:
        return self.request("POST", url, **options)

    def delete(self, url: str, **options: Any) -> httpx.Response:
        return self.request("DELETE", url, **options)


@pytest.fixture
def app(world: World) -> FastAPI:
    """The app, with a token `<role>-token` for each role."""
    with world.context.database.write() as session:
        for role in ("admin", "worker", "proxy"):
            digest = token_hash(f"{role}-token")
            session.add(TokenRow(token_hash=digest, role=role, origin="test", created_at=world.clock.wall()))
    return create_app(world.context.settings, context=world.context)


@pytest.fixture
def raw(app: FastAPI) -> AppClient:
    """Requests as they are, without a token."""
    return AppClient(app)


@pytest.fixture
def client(raw: AppClient) -> Iterator[Clients]:
    """Our client with the token of a role."""

    def forward(request: httpx.Request) -> httpx.Response:
        answer = raw.request(
            request.method, str(request.url.raw_path, "ascii"), headers=request.headers, content=request.content
        )
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content, request=request)

    made: list[ApiClient] = []

    def make(role: str) -> ApiClient:
        made.append(ApiClient("http://testserver", f"{role}-token", transport=httpx.MockTransport(forward)))
        return made[-1]

    yield make
    for one in made:
        one.close()
