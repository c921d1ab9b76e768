"""The demo's processes: what is started is ended, what is struck is exactly the worker."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.demo import fleet as fleet_module
from deploy.demo.fleet import (
    Fleet,
    boot_ms,
    descendants,
    environment_of,
    first_line,
    is_alive,
    worker_processes,
)
from shared.errors import Unavailable

# A stand-in for a worker: forks a pool child without exec, which starts a sandbox with a command in it.
WORKER = """
import os, signal, subprocess, sys, time
if os.fork() == 0:
    subprocess.Popen(["sleep", "600"])
    while True: time.sleep(0.05)
print("{}", flush=True)
while True: time.sleep(0.05)
"""


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with Fleet(tmp_path) as started:
        yield started


def start_worker(fleet: Fleet) -> tuple[int, int, int]:
    """Pids of main process, pool child and command."""
    part = fleet.start("worker", [sys.executable, "-c", WORKER], os.environ)
    found = fleet.wait_until(
        "all are there", lambda: pids if len(pids := descendants(part.process.pid)) == 2 else None, limit_s=60
    )
    command = fleet.wait_until(
        "the command runs", lambda: next((pid for pid in found if comm(pid) == "sleep"), None), limit_s=60
    )
    (child,) = (pid for pid in found if pid != command)
    return part.process.pid, child, command


def comm(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def gone(pid: int) -> bool:
    """Whether a process ends, within a generous bound."""
    until = boot_ms() + 60_000
    pause = threading.Event()
    while is_alive(pid) and boot_ms() < until:
        pause.wait(0.02)
    return not is_alive(pid)


def test_a_freeze_stops_the_worker_and_its_pool_and_not_what_they_run(fleet: Fleet) -> None:
    main, child, command = start_worker(fleet)
    assert worker_processes(main) == [main, child]
    before = boot_ms()
    struck = fleet.freeze("worker")
    assert before <= struck <= boot_ms()
    fleet.wait_until("both are stopped", lambda: {state(main), state(child)} == {"T"} or None, limit_s=60)
    assert state(command) == "S"
    assert fleet.provisioners("worker") == [command]
    fleet.resume("worker")
    fleet.wait_until("both go on", lambda: "T" not in {state(main), state(child)} or None, limit_s=60)


def test_a_kill_ends_the_worker_and_its_pool_and_is_no_failure_of_the_fleet(fleet: Fleet) -> None:
    main, child, command = start_worker(fleet)
    try:
        fleet.kill("worker")
        assert gone(main)
        assert gone(child)
        fleet.check()
    finally:
        os.kill(command, signal.SIGKILL)


def test_leaving_the_fleet_ends_everything_even_what_is_frozen(tmp_path: Path) -> None:
    pids: list[int] = []

    def fail_in_the_middle() -> None:
        with Fleet(tmp_path) as fleet:
            pids.extend(start_worker(fleet))
            fleet.freeze("worker")
            raise KeyError("the demo fails")

    with pytest.raises(KeyError):
        fail_in_the_middle()
    assert len(pids) == 3
    assert all(gone(pid) for pid in pids)


def test_what_does_not_listen_to_sigterm_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet_module, "STOP_LIMIT_S", 0.2)
    deaf = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('{}', flush=True); time.sleep(600)"
    )
    with Fleet(tmp_path) as fleet:
        part = fleet.start("deaf", [sys.executable, "-c", deaf], os.environ)
        fleet.wait_until("it is deaf", lambda: first_line(part) is not None or None, limit_s=60)
    assert part.process.returncode == -signal.SIGKILL


def test_a_part_that_ends_by_itself_fails_whoever_waits_with_its_last_words(fleet: Fleet) -> None:
    fleet.start("api", [sys.executable, "-c", "print('port is in use'); raise SystemExit(3)"], os.environ)
    with pytest.raises(Unavailable, match="api ended with exit code 3") as caught:
        fleet.wait_until("never", lambda: None, limit_s=60)
    assert "port is in use" in caught.value.hint


def test_waiting_has_a_bound(fleet: Fleet) -> None:
    with pytest.raises(Unavailable, match="in vain: the moon"):
        fleet.wait_until("the moon", lambda: None, limit_s=0.05)


def test_an_answer_of_zero_is_an_answer(fleet: Fleet) -> None:
    assert fleet.wait_until("a number", lambda: 0, limit_s=5) == 0


def test_a_process_reads_what_it_is_given_and_then_the_end(fleet: Fleet) -> None:
    part = fleet.start("cat", ["cat"], os.environ, stdin=b"secret\n")
    part.process.wait(60)
    assert part.tail() == "secret"


def test_the_environment_holds_nothing_that_could_change_who_signs_or_where() -> None:
    made = environment_of(
        {
            "PATH": "/bin",
            "AWS_PROFILE": "production",
            "INTERLOCK_REDIS_URL": "redis://production",
            "INTERLOCK_BWRAP": "/usr/bin/bwrap",
            "TF_VAR_name": "x",
        },
        INTERLOCK_NODE="host-a",
    )
    assert "AWS_PROFILE" not in made
    assert "INTERLOCK_REDIS_URL" not in made
    assert "TF_VAR_name" not in made
    assert made["INTERLOCK_BWRAP"] == "/usr/bin/bwrap"
    assert made["INTERLOCK_NODE"] == "host-a"
    assert made["PATH"] == "/bin"


@pytest.mark.parametrize("text", ["no json\n", "{broken\n"])
def test_a_part_that_says_something_else_first_did_not_start(fleet: Fleet, text: str) -> None:
    part = fleet.start("cloud", ["cat"], os.environ, stdin=text.encode())
    part.process.wait(60)
    with pytest.raises(Unavailable, match="cloud did not start"):
        first_line(part)


def test_a_first_line_that_is_not_complete_is_waited_for(fleet: Fleet) -> None:
    part = fleet.start("cloud", ["cat"], os.environ, stdin=b'{"port": 1')
    part.process.wait(60)
    assert first_line(part) is None
