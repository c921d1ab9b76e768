"""Who calls: the listener says it, or the client proves it."""

from __future__ import annotations

import base64
from typing import Any, cast

import pytest

from signing_proxy.addons.caller import Caller
from signing_proxy.addons.refusing import Refuser
from signing_proxy.calls import Check, call_of
from signing_proxy.denial import Reason
from signing_proxy.registry import Connections
from tests.unit.signing_proxy.helpers import Bench, make_flow, make_run


class Handler:
    def __init__(self, run: Any) -> None:
        self.run = run
        self.authenticated = False
        self.connect_host: str | None = None


class OneConnection:
    def __init__(self, handler: Handler) -> None:
        self.handler = handler

    def of(self, client: object) -> Handler:
        return self.handler


def scene(listen: str) -> tuple[Bench, Handler, Caller]:
    bench = Bench()
    handler = Handler(make_run(bench.clock, listen=listen))
    return bench, handler, Caller(cast(Connections, OneConnection(handler)), Refuser(bench.recorder))


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


async def test_a_listener_of_its_own_says_who_calls() -> None:
    _, handler, caller = scene("fd")
    flow = make_flow("CONNECT")
    caller.http_connect(flow)
    assert flow.response is None
    assert handler.authenticated


async def test_on_a_shared_listener_the_password_may_hold_colons() -> None:
    _, handler, caller = scene("tcp")
    caller.http_connect(make_flow("CONNECT", proxy_authorization=basic("user:pass:word")))
    assert handler.authenticated


@pytest.mark.parametrize(
    ("header", "reason", "status"),
    [
        (None, Reason.NO_CALLER, 407),
        (basic("user:pass"), Reason.WRONG_CALLER, 403),
        (basic("other:pass:word"), Reason.WRONG_CALLER, 403),
        (basic("userpassword"), Reason.WRONG_CALLER, 403),
        ("Basic !!!", Reason.WRONG_CALLER, 403),
        ("Bearer x", Reason.WRONG_CALLER, 403),
        ("", Reason.WRONG_CALLER, 403),
    ],
)
async def test_everyone_else_is_refused(header: str | None, reason: Reason, status: int) -> None:
    bench, handler, caller = scene("tcp")
    flow = make_flow("CONNECT", **({} if header is None else {"proxy_authorization": header}))
    caller.http_connect(flow)
    assert flow.response is not None
    assert flow.response.status_code == status
    assert bench.counted("refused", reason) == 1
    assert not handler.authenticated
    await bench.tasks.close()


async def test_wrong_credentials_are_refused_also_where_none_are_needed() -> None:
    bench, handler, caller = scene("fd")
    caller.http_connect(make_flow("CONNECT", proxy_authorization=basic("x:y")))
    assert not handler.authenticated
    await bench.tasks.close()


async def test_a_request_in_an_authenticated_tunnel_passes_and_its_credentials_go_no_further() -> None:
    _, handler, caller = scene("tcp")
    handler.authenticated, handler.connect_host = True, "h"
    flow = make_flow(proxy_authorization=basic("user:pass:word"))
    caller.requestheaders(flow)
    call = call_of(flow)
    assert call is not None
    assert Check.CALLER in call.passed
    assert "proxy-authorization" not in flow.request.headers


async def test_a_plain_request_shows_its_credentials_each_time() -> None:
    bench, handler, caller = scene("tcp")
    handler.authenticated = True
    flow = make_flow()
    caller.requestheaders(flow)
    assert flow.response is not None
    await bench.tasks.close()
