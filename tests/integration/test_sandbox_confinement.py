"""What a provisioner in the real sandbox has, and what it still can do. What it can not: `test_sandbox_escapes.py`."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.sandbox_support import run, start
from worker.sandbox import Sandbox
from worker.sandbox_layout import Bind


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Sandbox]:
    with start(tmp_path) as sandbox:
        yield sandbox


def python(code: str) -> list[str]:
    return [getattr(sys, "_base_executable", sys.executable), "-I", "-S", "-c", code]


def test_there_is_no_interface_but_the_loopback(box: Sandbox, tmp_path: Path) -> None:
    code, said = run(box, python("import socket; print(socket.if_nameindex())"), tmp_path / "log")
    assert code == 0
    assert [name for _, name in eval(said)] == ["lo"]


@pytest.mark.parametrize(
    "address", [("192.0.2.1", socket.AF_INET), ("169.254.169.254", socket.AF_INET), ("2001:db8::1", socket.AF_INET6)]
)
def test_no_route_leads_out(box: Sandbox, tmp_path: Path, address: tuple[str, int]) -> None:
    host, family = address
    for kind in ("SOCK_STREAM", "SOCK_DGRAM"):
        dial = f"import socket; socket.socket({int(family)}, socket.{kind}).connect(('{host}', 53))"
        code, said = run(box, python(dial), tmp_path / "log")
        assert code != 0
        assert "Network is unreachable" in said or "Cannot assign" in said


def test_the_root_holds_what_programs_need_and_nothing_of_the_host(box: Sandbox, tmp_path: Path) -> None:
    code, said = run(box, ["sh", "-c", "ls -A / /etc"], tmp_path / "log")
    assert code == 0
    hidden = {"home", "var", "sys", "srv", "root", "boot", "opt", "shadow", "ssl", "ssh", "resolv.conf"}
    # The interpreter of the shim lies at its own path, alone.
    interpreter = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    assert (hidden - {interpreter.parts[1]}).isdisjoint(said.split())


def test_what_is_bound_cannot_be_written(tmp_path: Path) -> None:
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    with start(tmp_path, Bind(source=plugins, target=str(plugins))) as box:
        for path in (
            f"{plugins}/x",
            "/usr/x",
            "/x",
            "/run/x",
            "/run/interlock/x",
            "/dev/x",
            "/proc/sys/kernel/hostname",
        ):
            assert run(box, ["touch", path], tmp_path / "log")[0] != 0, path
        assert run(box, ["touch", "/workspace/x", "/tmp/x", "/dev/shm/x", "/dev/null"], tmp_path / "log")[0] == 0
    assert (tmp_path / "work" / "x").exists()
    assert not list(plugins.iterdir())


def test_processes_of_the_host_are_invisible(box: Sandbox, tmp_path: Path) -> None:
    code, said = run(box, ["sh", "-c", "echo /proc/[0-9]*"], tmp_path / "log")
    assert code == 0
    # bwrap's reaper, the shim, the command.
    assert len(said.split()) <= 4


def test_no_capability_is_left(box: Sandbox, tmp_path: Path) -> None:
    code, said = run(box, ["grep", "Cap", "/proc/self/status"], tmp_path / "log")
    assert code == 0
    assert {line.split()[1] for line in said.splitlines()} == {"0" * 16}


def test_ordinary_sockets_inside_work(box: Sandbox, tmp_path: Path) -> None:
    code = (
        "import socket as s; a, b = s.socketpair(); c = s.create_server(('127.0.0.1', 0)); s.socket(s.AF_INET6).close()"
    )
    assert run(box, python(code), tmp_path / "log") == (0, "")


def test_the_environment_is_what_was_given_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERLOCK_TOKEN", "secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with start(tmp_path) as box:
        code, said = run(box, ["env"], tmp_path / "log", {"ONLY": "this"})
        everything = run(box, ["sh", "-c", "cat /proc/[0-9]*/environ"], tmp_path / "log")[1]
    assert code == 0
    assert {line.split("=")[0] for line in said.splitlines()} <= {"ONLY", "PATH", "PWD"}
    assert "secret" not in everything


def test_a_command_gets_no_descriptor_of_the_supervisor(box: Sandbox, tmp_path: Path) -> None:
    code, said = run(box, python("import os; print(sorted(map(int, os.listdir('/proc/self/fd'))))"), tmp_path / "log")
    assert code == 0
    # Standard input, output, error, and the directory that is being listed.
    assert eval(said) == [0, 1, 2, 3]


def test_installed_python_packages_are_not_visible(box: Sandbox, tmp_path: Path) -> None:
    code, said = run(box, python("import site; print(site.getsitepackages())"), tmp_path / "log")
    assert code == 0
    for folder in eval(said):
        if not folder.startswith("/usr"):
            listing = run(box, ["sh", "-c", f"ls -A '{folder}' | wc -l"], tmp_path / "log")[1]
            assert listing.split()[-1] == "0"


def test_the_listener_of_the_sandbox_is_served_from_outside(box: Sandbox, tmp_path: Path) -> None:
    assert box.listener is not None
    listener = box.listener

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(b"served outside")

    server = threading.Thread(target=serve)
    server.start()
    read = "import socket; print(socket.create_connection(('127.0.0.1', 3128), 30).recv(100).decode())"
    code, said = run(box, python(read), tmp_path / "log")
    server.join(30)
    assert (code, said.strip()) == (0, "served outside")
    box.close_listener()
    code, said = run(box, python(read), tmp_path / "log")
    assert code != 0
    assert "Connection refused" in said, "with the last copy outside closed there is no way out"
