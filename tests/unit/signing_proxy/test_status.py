"""Health, metrics and status over HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from shared.clock import ManualClock
from shared.errors import ConfigurationError
from signing_proxy.kernel_gate import NoKernelGate
from signing_proxy.metrics import ProxyMetrics
from signing_proxy.status import StatusServer, status_of
from tests.unit.signing_proxy.helpers import make_run

CHECKS = {"redis": True}


@pytest.fixture
def server() -> Iterator[StatusServer]:
    CHECKS["redis"] = True
    server = StatusServer(
        "127.0.0.1",
        0,
        ready=lambda: CHECKS,
        status=lambda: status_of([make_run(ManualClock())], NoKernelGate("no capability")),
        registry=ProxyMetrics().registry,
    )
    yield server
    server.close()


def get(server: StatusServer, path: str) -> httpx.Response:
    return httpx.get(f"http://127.0.0.1:{server.port}{path}", trust_env=False)


def test_the_four_pages(server: StatusServer) -> None:
    assert get(server, "/healthz").json() == {"status": "ok"}
    assert get(server, "/readyz").json() == {"redis": True}
    assert "interlock_proxy_open_leases" in get(server, "/metrics").text
    status = get(server, "/status").json()
    assert status["kernel_gate"] == {"active": False, "why": "no capability"}
    (run,) = status["runs"]
    assert run == {
        "run_id": "run-0123456789abcdef",
        "target": "web.eu",
        "epoch": 1,
        "in_flight_mutating": 0,
        "open": False,
        "cut": None,
        "allowance": None,
        "latched": None,
    }
    assert get(server, "/else").status_code == 404


def test_a_failed_check_is_not_ready(server: StatusServer) -> None:
    CHECKS["redis"] = False
    assert get(server, "/readyz").status_code == 503


def test_a_port_in_use_is_said(server: StatusServer) -> None:
    with pytest.raises(ConfigurationError, match="cannot listen"):
        StatusServer("127.0.0.1", server.port, ready=dict, status=dict, registry=ProxyMetrics().registry)


def test_no_secret_is_shown() -> None:
    assert "placeholder" not in str(status_of([make_run(ManualClock())], NoKernelGate("no capability")))
