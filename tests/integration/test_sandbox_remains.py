"""What a hostile provisioner does to last, and what it leaves for a worker that may be root and looks at it later."""

from __future__ import annotations

import os
import pty
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.errors import PeerError
from tests.integration.sandbox_support import begin, eventually, processes_with, run
from worker import run_directory
from worker.run_directory import ERRORED_STATE, RunDirectory
from worker.sandbox import Sandbox, find_bwrap, launch, launch_unconfined, plain_layout

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def directory(tmp_path: Path) -> RunDirectory:
    made = RunDirectory(tmp_path, "run-00000000000000aa")
    made.create()
    return made


@pytest.fixture
def box(directory: RunDirectory) -> Iterator[Sandbox]:
    with confined(directory) as sandbox:
        yield sandbox


def confined(directory: RunDirectory) -> Sandbox:
    return launch(find_bwrap(None), plain_layout(directory.work, directory.etc))


def python(code: str, *arguments: str) -> list[str]:
    return [getattr(sys, "_base_executable", sys.executable), "-I", "-S", "-c", code, *arguments]


# --- processes that would outlive their run

# Both leave their process group, ignore signals, and add a byte to `beats` as long as they live. They have an end of
# their own as well, should the test fail to end them.
BEATS = """
import os, signal, time
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
def beat():
    with open("beats", "ab") as file:
        file.write(b".")
    time.sleep(0.002)
    return not os.path.exists("end")
if os.fork():
    os._exit(0)
os.setsid()
"""

DAEMON = """
for _ in range(50_000):
    if not beat():
        break
open("ended", "w").close()
"""

# Each process lives for a moment and leaves a child: its id changes faster than anyone can signal it.
MOVING = """
for _ in range(50_000):
    if not beat():
        break
    if os.fork():
        os._exit(0)
open("ended", "w").close()
"""


@pytest.mark.parametrize("program", [DAEMON, MOVING], ids=["a_daemon", "a_process_that_changes_its_id"])
def test_what_outlives_its_run_without_the_sandbox_dies_in_it(
    program: str, directory: RunDirectory, tmp_path: Path
) -> None:
    beats, end, ended = (directory.work / name for name in ("beats", "end", "ended"))
    for confine in (False, True):
        marker = f"escape-{secrets.token_hex(8)}"
        beats.write_bytes(b"")
        with confined(directory) if confine else launch_unconfined(directory.work) as sandbox:
            begin(sandbox, python(BEATS + program, marker), tmp_path / "log")
            eventually(lambda: beats.stat().st_size > 1, "it fled")
        count = beats.stat().st_size
        if confine:
            assert not processes_with(marker), "once the sandbox is killed, nothing is left"
            assert beats.stat().st_size == count
        else:
            eventually(lambda count=count: beats.stat().st_size > count, "without the sandbox it lives on")
            end.touch()
            eventually(ended.exists, "the test ended it")
            end.unlink()


# --- the operator's terminal

TYPE = "import fcntl, os, termios; fcntl.ioctl(os.open('/dev/tty', os.O_RDWR), termios.TIOCSTI, b'x')"

ON_A_TERMINAL = """
import os, sys
from pathlib import Path
from tests.integration.sandbox_support import run, start
from tests.integration.test_sandbox_remains import TYPE, python
from worker.sandbox import launch_unconfined
os.open(sys.argv[1], os.O_RDWR)  # a session's first terminal becomes its own
folder = Path(sys.argv[2])
for sandbox in (launch_unconfined(folder), start(folder)):
    with sandbox:
        print(run(sandbox, python(TYPE), folder / "log"), flush=True)
"""


@pytest.mark.debian
def test_a_provisioner_cannot_type_into_the_terminal_of_the_worker(tmp_path: Path) -> None:
    """Marked debian because TIOCSTI asks for root where dev.tty.legacy_tiocsti is 0."""
    keyboard, terminal = pty.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-c", ON_A_TERMINAL, os.ttyname(terminal), str(tmp_path)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            start_new_session=True,
            capture_output=True,
            text=True,
            timeout=120,
        )
    finally:
        os.close(terminal)
        os.close(keyboard)
    assert done.returncode == 0, done.stderr
    free, boxed = done.stdout.splitlines()
    assert free == "(0, '')", done.stderr
    assert "No such device or address" in boxed


# --- files that the worker reads


PRECIOUS = "precious-to-the-worker"

LEFT = {
    "a symbolic link to the worker's token": f"ln -s {{token}} {ERRORED_STATE}",
    "a symbolic link to a device": f"ln -s /dev/zero {ERRORED_STATE}",
    "a pipe that nobody writes": f"mkfifo {ERRORED_STATE}",
    "a directory": f"mkdir {ERRORED_STATE}",
    "more than any state": f"truncate -s 2M {ERRORED_STATE}",
    "a socket": "python-socket",
}
SOCKET = f"import socket; socket.socket(socket.AF_UNIX).bind({ERRORED_STATE!r})"


@pytest.mark.parametrize("what", LEFT)
def test_the_worker_does_not_take_for_a_state(
    what: str, box: Sandbox, directory: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_directory, "MAX_STATE_BYTES", 2**20)
    token = tmp_path / "worker.token"
    token.write_text(PRECIOUS)
    command = python(SOCKET) if what == "a socket" else ["sh", "-c", LEFT[what].format(token=token)]
    assert run(box, command, tmp_path / "log") == (0, "")
    box.kill()
    with pytest.raises(PeerError, match=ERRORED_STATE):
        directory.errored_state()


def test_a_state_that_is_one_is_read(box: Sandbox, directory: RunDirectory, tmp_path: Path) -> None:
    assert run(box, ["sh", "-c", f"printf '{{}}' > {ERRORED_STATE}"], tmp_path / "log") == (0, "")
    assert directory.errored_state() == b"{}"


def test_the_worker_does_not_write_through_a_link(box: Sandbox, directory: RunDirectory, tmp_path: Path) -> None:
    token = tmp_path / "worker.token"
    token.write_text(PRECIOUS)
    name = "interlock.auto.tfvars.json"
    assert run(box, ["ln", "-s", str(token), name], tmp_path / "log") == (0, "")
    directory.write(name, "ours")
    assert token.read_text() == PRECIOUS
    assert (directory.work / name).read_text() == "ours"
    assert not (directory.work / name).is_symlink()


DEEP = """
import os
for _ in range(3000):
    os.mkdir("d")
    os.chdir("d")
os.chmod(".", 0)
os.chmod("/workspace", 0)
"""


def test_the_worker_removes_a_tree_that_is_deeper_than_any_path(
    box: Sandbox, directory: RunDirectory, tmp_path: Path
) -> None:
    assert run(box, python(DEEP), tmp_path / "log") == (0, "")
    box.kill()
    directory.remove()
    assert not directory.root.exists()


# --- what it can do to its own log


def test_the_log_is_a_file_and_no_door(box: Sandbox, directory: RunDirectory) -> None:
    """A run may spoil its own log; the descriptor leads to no directory, and none is inherited beside it."""
    look = "import os, stat; print([stat.S_ISREG(os.fstat(n).st_mode) for n in (1, 2)], os.listdir('/proc/self/fd'))"
    code, said = run(box, python(look), directory.log)
    assert code == 0
    assert said.strip() == "[True, True] ['0', '1', '2', '3']"
    attempt = "import os; os.open('..', os.O_RDONLY, dir_fd=1)"
    code, said = run(box, python(attempt), directory.log)
    assert code == 1
    assert "NotADirectoryError" in said


def test_a_provisioner_that_stops_the_shim_cannot_hang_the_worker(
    box: Sandbox, directory: RunDirectory, tmp_path: Path
) -> None:
    # Once its start is reported; a shim stopped before that is one that did not start the command in time.
    begin(
        box,
        ["sh", "-c", "until [ -e go ]; do :; done; kill -STOP $PPID; echo stopped; exec sleep 3600"],
        tmp_path / "log",
    )
    directory.write("go", "")
    eventually(lambda: "stopped" in (tmp_path / "log").read_text(), "the shim is stopped")
    assert box.wait(100) is None
    assert box.interrupt(), "the order waits in the socket; nothing waits for the shim"
    assert box.wait(100) is None
    box.kill()
    directory.remove()
