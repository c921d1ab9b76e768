"""The shim's side of the control socket, spoken to directly."""

from __future__ import annotations

import array
import errno
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from worker import shim


class Shim:
    """A shim process and its socket."""

    def __init__(self, port: str) -> None:
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(60)
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", shim.__file__, str(theirs.fileno()), port],
            pass_fds=(theirs.fileno(),),
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
        )
        theirs.close()

    def receive(self) -> tuple[dict[str, Any], list[int]]:
        packet, fds, _, _ = socket.recv_fds(self.socket, 65536, 1)
        return json.loads(packet), list(fds)

    def run(self, argv: list[str], log: Path) -> dict[str, Any]:
        fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        packet = json.dumps({"op": "run", "argv": argv, "env": {"PATH": "/usr/bin:/bin"}}).encode()
        self.socket.sendmsg([packet], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd, fd]))])
        os.close(fd)
        return self.receive()[0]

    def close(self) -> None:
        self.socket.close()
        assert self.process.wait(60) == 0, "end of file is a normal end"


@pytest.fixture
def started() -> Iterator[Shim]:
    made = Shim("-")
    yield made
    made.close()


def test_a_listener_is_offered_and_the_shim_keeps_no_copy() -> None:
    made = Shim("0")
    event, (fd,) = made.receive()
    with socket.socket(fileno=fd) as listener:
        port = listener.getsockname()[1]
        assert event == {"event": "listening", "port": port}
        assert listener.getsockname()[0] == "127.0.0.1"
        socket.create_connection(("127.0.0.1", port), 60).close()
    # The shim closes its own copy right after it has sent one.
    for _ in range(3000):
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED:
                break
        threading.Event().wait(0.02)
    else:
        pytest.fail("somebody still listens")
    made.close()


def test_a_command_is_started_and_its_end_reported(started: Shim, tmp_path: Path) -> None:
    assert started.run(["sh", "-c", "echo out; echo err >&2; exit 5"], tmp_path / "log")["event"] == "started"
    assert started.receive()[0] == {"event": "exited", "code": 5}
    assert (tmp_path / "log").read_text() == "out\nerr\n"


@pytest.mark.parametrize(("port", "bounded"), [("0", True), ("-", False)])
def test_only_a_sandbox_has_a_bound_on_its_tasks(tmp_path: Path, port: str, bounded: bool) -> None:
    """Without one the limit would count every process of the user."""
    made = Shim(port)
    if port == "0":
        os.close(made.receive()[1][0])
    print_limit = "import resource; print(resource.getrlimit(resource.RLIMIT_NPROC)[0])"
    made.run([sys.executable, "-c", print_limit], tmp_path / "log")
    assert made.receive()[0]["code"] == 0
    assert ((tmp_path / "log").read_text().strip() == str(shim.MAX_PROCESSES)) is bounded
    made.close()


def test_a_signal_that_was_ignored_outside_is_not_ignored_inside(started: Shim, tmp_path: Path) -> None:
    started.run(["sleep", "3600"], tmp_path / "log")
    started.socket.send(json.dumps({"op": "signal", "signal": 2}).encode())
    assert started.receive()[0] == {"event": "exited", "code": -2}


def test_a_command_that_does_not_exist_is_a_failure_not_an_exit(started: Shim, tmp_path: Path) -> None:
    assert started.run(["/nowhere"], tmp_path / "log") == {
        "event": "failed",
        "message": "/nowhere: No such file or directory",
    }
    assert started.run(["true"], tmp_path / "log")["event"] == "started"
    assert started.receive()[0] == {"event": "exited", "code": 0}


def test_a_second_command_at_the_same_time_is_not_started(started: Shim, tmp_path: Path) -> None:
    pid = started.run(["sleep", "3600"], tmp_path / "log")["pid"]
    fd = os.open(tmp_path / "log", os.O_WRONLY)
    packet = json.dumps({"op": "run", "argv": ["touch", str(tmp_path / "made")], "env": {}}).encode()
    started.socket.sendmsg([packet], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd, fd]))])
    os.close(fd)
    os.kill(pid, signal.SIGTERM)
    assert started.receive()[0] == {"event": "exited", "code": -15}
    assert not (tmp_path / "made").exists()


def test_a_command_and_its_process_group_can_be_killed_and_the_next_one_runs(started: Shim, tmp_path: Path) -> None:
    started.run(["sh", "-c", "trap '' INT TERM; sleep 3600 & wait"], tmp_path / "log")
    started.socket.send(json.dumps({"op": "kill"}).encode())
    assert started.receive()[0] == {"event": "exited", "code": -signal.SIGKILL}
    started.socket.send(json.dumps({"op": "kill"}).encode())
    assert started.run(["true"], tmp_path / "log")["event"] == "started"
    assert started.receive()[0] == {"event": "exited", "code": 0}


def test_a_signal_without_a_command_is_harmless(started: Shim, tmp_path: Path) -> None:
    started.socket.send(json.dumps({"op": "signal", "signal": 2}).encode())
    assert started.run(["true"], tmp_path / "log")["event"] == "started"
    assert started.receive()[0]["code"] == 0


def test_the_end_of_the_supervisor_is_the_end_of_the_command(tmp_path: Path) -> None:
    made = Shim("-")
    read, write = os.pipe()
    packet = json.dumps({"op": "run", "argv": ["sleep", "3600"], "env": {"PATH": "/bin"}}).encode()
    made.socket.sendmsg([packet], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [write, write]))])
    os.close(write)
    assert made.receive()[0]["event"] == "started"
    made.close()
    assert os.read(read, 1) == b"", "the last process that held the pipe is gone"
    os.close(read)


def test_a_supervisor_that_leaves_with_an_event_unread_is_gone_all_the_same(started: Shim, tmp_path: Path) -> None:
    """The kernel then answers the shim's read with ECONNRESET instead of end of file."""
    started.run(["true"], tmp_path / "log")
    assert select.select([started.socket], [], [], 60)[0], "the event is there"
