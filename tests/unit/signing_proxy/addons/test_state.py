"""The state addon's own rules; what goes over the wire is in the integration tests."""

from __future__ import annotations

import base64

import pytest

from signing_proxy.addons.refusing import Refuser
from signing_proxy.addons.state import StateBackend
from signing_proxy.calls import Check
from tests.unit.signing_proxy.helpers import STATE, Bench, make_call, make_flow, make_run

LOGIN = "Basic " + base64.b64encode(b"run-0123456789abcdef:secret").decode()


async def outcome(method: str, path: str, *, authorization: str = LOGIN, live: bool = True) -> tuple[bool, Bench]:
    """Whether it passed."""
    bench = Bench()
    flow = make_flow(method, path, authorization=authorization)
    run = make_run(bench.clock, live=live)
    call = make_call(flow, run, STATE)
    await StateBackend(bench.clock, bench.journal, Refuser(bench.recorder)).request(flow)
    await bench.tasks.close()
    assert (flow.response is None) == (Check.STATE in call.passed)
    if flow.response is None:
        assert (flow.request.host, flow.request.port, flow.request.scheme) == (STATE.host, STATE.port, STATE.scheme)
        assert flow.request.headers["host"] == "127.0.0.1:8420"
    return flow.response is None, bench


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "LOCK", "UNLOCK"])
async def test_the_own_state_passes(method: str) -> None:
    assert (await outcome(method, "/v1/state/web.eu"))[0]
    assert (await outcome(method, "/v1/state/web.eu?ID=x"))[0]


@pytest.mark.parametrize("path", ["/v1/state/web.us", "/v1/state/web.eu/x", "/v1/state/web.eu?x=1", "/v1/runs"])
async def test_anything_else_does_not(path: str) -> None:
    assert not (await outcome("GET", path))[0]


async def test_other_methods_do_not() -> None:
    assert not (await outcome("PUT", "/v1/state/web.eu"))[0]


@pytest.mark.parametrize("authorization", ["", "Basic", "Basic ???", "Bearer x", "Basic b3RoZXI6c2VjcmV0"])
async def test_other_users_do_not(authorization: str) -> None:
    assert not (await outcome("GET", "/v1/state/web.eu", authorization=authorization))[0]


async def test_before_the_gate_was_ever_open_nothing_is_quarantined() -> None:
    passed, bench = await outcome("POST", "/v1/state/web.eu", live=False)
    assert not passed
    assert bench.journal.quarantined == []
