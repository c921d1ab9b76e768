"""Health and metrics over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter

from shared.errors import ConfigurationError
from shared.health import HealthServer, serve_health

Serve = Callable[[Callable[[], Mapping[str, bool]]], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    servers: list[HealthServer] = []

    def start(ready: Callable[[], Mapping[str, bool]]) -> str:
        registry = CollectorRegistry()
        Counter("interlock_test_runs", "runs", registry=registry).inc(3)
        servers.append(serve_health("127.0.0.1", 0, ready, registry))
        return f"http://127.0.0.1:{servers[-1].port}"

    yield start
    for server in servers:
        server.close()


def get(url: str) -> httpx.Response:
    return httpx.get(url, trust_env=False, timeout=30)


def test_a_process_that_answers_is_healthy_even_when_not_ready(serve: Serve) -> None:
    assert get(serve(lambda: {"redis": False}) + "/healthz").status_code == 200


def test_ready_when_every_check_says_so(serve: Serve) -> None:
    answer = get(serve(lambda: {"redis": True, "api": True}) + "/readyz")
    assert (answer.status_code, answer.json()) == (200, {"api": True, "redis": True})


def test_not_ready_when_one_check_fails(serve: Serve) -> None:
    answer = get(serve(lambda: {"redis": False, "api": True}) + "/readyz?verbose=1")
    assert (answer.status_code, answer.json()) == (503, {"api": True, "redis": False})


def test_a_check_that_raises_has_failed(serve: Serve) -> None:
    def ready() -> Mapping[str, bool]:
        raise RuntimeError("boom")

    assert get(serve(ready) + "/readyz").status_code == 503


def test_metrics_are_those_of_the_registry(serve: Serve) -> None:
    assert "interlock_test_runs_total 3.0" in get(serve(dict) + "/metrics").text


def test_there_is_nothing_else(serve: Serve) -> None:
    assert get(serve(dict) + "/").status_code == 404


def test_a_port_in_use_is_said_clearly(serve: Serve) -> None:
    port = int(serve(dict).rpartition(":")[2])
    with pytest.raises(ConfigurationError, match=f"cannot listen on 127.0.0.1:{port}"):
        serve_health("127.0.0.1", port, dict, CollectorRegistry())
