"""The state host: the run's own state and nothing else, and a quarantine after the cut."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.constants import STATE_HOST
from signing_proxy.connection import Limits
from tests.integration.proxy_cloud import Cloud
from tests.integration.proxy_support import ProxyThread, Worker
from tests.integration.proxy_tunnel import Tunnel
from tests.servers import wait_for


@pytest.fixture
def api() -> Iterator[Cloud]:
    with Cloud() as api:
        yield api


@pytest.fixture
def proxy(tmp_path: Path, valkey_url: str, api: Cloud) -> Iterator[ProxyThread]:
    limits = Limits(max_body_bytes=1 << 20, state_timeout_s=2.0)
    with ProxyThread(tmp_path, valkey_url, "http://127.0.0.1:9", api_url=api.url, limits=limits) as proxy:
        yield proxy


def login(user: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:state-password".encode()).decode()}


def test_every_state_operation_reaches_the_api(api: Cloud, proxy: ProxyThread, worker: Worker) -> None:
    path = f"/v1/state/{worker.target}"
    with Tunnel(worker.port, STATE_HOST, proxy.ca) as tunnel:
        for method, query in (("LOCK", ""), ("GET", ""), ("POST", "?ID=1234"), ("UNLOCK", ""), ("DELETE", "")):
            body = b"{}" if method in ("LOCK", "POST", "UNLOCK") else b""
            assert tunnel.call(method, path + query, login(worker.run_id), body)[0] == 200
    assert [(arrival.method, arrival.path) for arrival in api.arrivals] == [
        ("LOCK", path),
        ("GET", path),
        ("POST", path + "?ID=1234"),
        ("UNLOCK", path),
        ("DELETE", path),
    ]
    assert {arrival.host for arrival in api.arrivals} == {f"127.0.0.1:{api.port}"}
    assert api.arrivals[0].headers["authorization"] == login(worker.run_id)["Authorization"]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/state/other.target",
        "/v1/runs",
        "/",
        "{own}/../other.target",
        "{own}%2f..",
        "{own}/",
        "{own}?ID=1&x=2",
        "{own}?force=1",
    ],
)
def test_nothing_else_of_the_api_is_reachable(api: Cloud, proxy: ProxyThread, worker: Worker, path: str) -> None:
    with Tunnel(worker.port, STATE_HOST, proxy.ca) as tunnel:
        asked = path.format(own=f"/v1/state/{worker.target}")
        assert tunnel.call("GET", asked, login(worker.run_id))[0] == 403
    assert api.arrivals == []
    assert proxy.refused("state_path") == 1


def test_another_runs_user_is_refused(api: Cloud, proxy: ProxyThread, worker: Worker) -> None:
    with Tunnel(worker.port, STATE_HOST, proxy.ca) as tunnel:
        assert tunnel.call("GET", f"/v1/state/{worker.target}", login("run-0000000000000000"))[0] == 403
        assert tunnel.call("GET", f"/v1/state/{worker.target}", {})[0] == 403
    assert api.arrivals == []
    assert proxy.refused("wrong_caller") == 2


def test_after_the_cut_a_state_goes_to_quarantine_and_terraform_is_told_no(
    api: Cloud, proxy: ProxyThread, worker: Worker
) -> None:
    worker.store.revoke(worker.target, worker.lease_id, "operator said so")
    worker.wait_cut()
    path, state = f"/v1/state/{worker.target}", b'{"version":4,"serial":7}'
    with Tunnel(worker.port, STATE_HOST, proxy.ca) as tunnel:
        assert tunnel.call("POST", path + "?ID=1", login(worker.run_id), state)[0] == 403
        assert tunnel.call("GET", path, login(worker.run_id))[0] == 403
        assert tunnel.call("UNLOCK", path, login(worker.run_id), b"{}")[0] == 403
    assert proxy.journal.quarantined == [(worker.target, 1, worker.run_id, state)]
    assert api.arrivals == []


def test_after_the_cut_a_run_without_a_state_is_told_so_again_and_its_first_state_goes_to_quarantine(
    api: Cloud, proxy: ProxyThread, worker: Worker
) -> None:
    path, state = f"/v1/state/{worker.target}", b'{"version":4,"serial":1}'
    api.answer = lambda _: (404, "application/json", b"")
    with Tunnel(worker.port, STATE_HOST, proxy.ca) as tunnel:
        assert tunnel.call("GET", path, login(worker.run_id))[0] == 404
    worker.store.revoke(worker.target, worker.lease_id, "operator said so")
    worker.wait_cut()
    with Tunnel(worker.port, STATE_HOST, proxy.ca) as tunnel:
        assert tunnel.call("GET", path, login("run-0000000000000000"))[0] == 403
        assert tunnel.call("GET", path, login(worker.run_id))[0] == 404
        assert tunnel.call("POST", path, login(worker.run_id), state)[0] == 403
    assert proxy.journal.quarantined == [(worker.target, 1, worker.run_id, state)]
    assert len(api.arrivals) == 1, "after the cut nothing goes out, not even to the API"


def test_after_the_cut_a_state_for_another_target_is_not_even_quarantined(proxy: ProxyThread, worker: Worker) -> None:
    worker.store.revoke(worker.target, worker.lease_id, "operator said so")
    worker.wait_cut()
    with Tunnel(worker.port, STATE_HOST, proxy.ca) as tunnel:
        assert tunnel.call("POST", "/v1/state/other.target", login(worker.run_id), b"{}")[0] == 403
    assert proxy.journal.quarantined == []


def test_terraform_is_told_no_even_where_the_quarantine_is_out_of_reach(proxy: ProxyThread, worker: Worker) -> None:
    worker.store.revoke(worker.target, worker.lease_id, "operator said so")
    worker.wait_cut()
    proxy.journal.down = True
    with Tunnel(worker.port, STATE_HOST, proxy.ca) as tunnel:
        assert tunnel.call("POST", f"/v1/state/{worker.target}", login(worker.run_id), b"{}")[0] == 403


def test_a_state_call_that_is_never_answered_is_ended(api: Cloud, proxy: ProxyThread, worker: Worker) -> None:
    api.answer_gate.clear()
    with Tunnel(worker.port, STATE_HOST, proxy.ca) as tunnel:
        tunnel.send("POST", f"/v1/state/{worker.target}", login(worker.run_id), b"{}")
        wait_for("the arrival", lambda: len(api.arrivals) == 1)
        assert tunnel.receive()[0] == 502


def test_state_calls_are_not_journaled(proxy: ProxyThread, worker: Worker) -> None:
    with Tunnel(worker.port, STATE_HOST, proxy.ca) as tunnel:
        assert tunnel.call("GET", f"/v1/state/{worker.target}", login(worker.run_id))[0] == 200
    assert worker.done().in_flight == 0
    assert proxy.journal.intents == []
