"""`interlock server | beat | worker | proxy`."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

Interlock = Callable[..., Any]
ENTRIES = {
    "server": ("scheduler.server", "run_api"),
    "beat": ("scheduler.beat", "run_beat"),
    "proxy": ("signing_proxy.main", "run_proxy"),
    "worker": ("worker.main", "run_worker"),
}


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """Replace the processes by notes of their start; proxy and worker end with exit code 3, the others say nothing."""
    seen: list[tuple[str, Any]] = []

    def entry(name: str) -> Callable[[Any], int]:
        def run(settings: Any) -> int | None:
            seen.append((name, settings))
            return 3 if name in ("run_proxy", "run_worker") else None

        return run

    modules = {module: ModuleType(module) for module, _ in ENTRIES.values()}
    for module, name in ENTRIES.values():
        setattr(modules[module], name, entry(name))
    for name, module_object in modules.items():
        monkeypatch.setitem(sys.modules, name, module_object)
    monkeypatch.setenv("INTERLOCK_API_PORT", "0")
    return seen


@pytest.mark.parametrize("command", ENTRIES)
def test_each_command_runs_its_process_in_a_prepared_home_and_exits_as_it_does(
    interlock: Interlock, started: list[tuple[str, Any]], command: str
) -> None:
    assert interlock(command).code == (3 if command in ("proxy", "worker") else 0)
    ((name, settings),) = started
    assert name == ENTRIES[command][1]
    assert settings.home.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("command", ENTRIES)
def test_a_port_in_use_is_refused_before_the_process_starts(
    interlock: Interlock, started: list[tuple[str, Any]], monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        setting = "INTERLOCK_API_PORT" if command == "server" else "INTERLOCK_HTTP_PORT"
        monkeypatch.setenv(setting, str(port))
        said = interlock(command)
    assert said.code == 64
    assert f"port {port}" in said.err
    assert setting in said.err
    assert started == []


def test_the_worker_takes_its_sandbox_from_the_command_line(
    interlock: Interlock, started: list[tuple[str, Any]]
) -> None:
    assert interlock("worker", "--sandbox", "none").code == 3
    assert started[0][1].sandbox == "none"
    assert interlock("worker", "--sandbox", "paper").code == 64
