"""The supervisor, with real children."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Mapping

import pytest

from cli import up
from cli.up import ChildError, Supervisor, describe_exit, probe
from cli.up_plan import ChildPlan
from shared.clock import SystemClock
from shared.errors import ConfigurationError, InterlockError, Unavailable

READY = "import sys, time; print('ready', flush=True); time.sleep(600)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {READY}"
BOUND_S = 60


def plan(name: str, code: str, *, stdin: bytes = b"", environment: Mapping[str, str] | None = None) -> ChildPlan:
    return ChildPlan(
        name=name, argv=(sys.executable, "-c", code), environment=environment or dict(os.environ), stdin=stdin
    )


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    made = Supervisor(SystemClock(), colour=False)
    yield made
    made.stop()
    made.close()
    for number, handler in handlers.items():
        signal.signal(number, handler)


def start_ready(supervisor: Supervisor, capsys: pytest.CaptureFixture[str], name: str, code: str) -> str:
    """Start a child and wait until it wrote `ready`; return all output so far."""
    seen = ""

    def ready() -> bool:
        nonlocal seen
        seen += capsys.readouterr().err
        return f"{name:<7}| ready" in seen

    supervisor.start(plan(name, code))
    assert supervisor.wait_ready(name, ready, bound_s=BOUND_S)
    return seen


def test_output_of_a_child_is_prefixed_line_by_line(supervisor: Supervisor, capsys: pytest.CaptureFixture[str]) -> None:
    code = "import sys; sys.stdout.write('a\\nb'); sys.stdout.flush(); sys.stdout.write('c\\nready\\n'); "
    seen = start_ready(supervisor, capsys, "beat", f"{code}{READY}")
    assert seen.splitlines()[:2] == ["beat   | a", "beat   | bc"]


def test_a_child_reads_what_it_is_given_on_stdin(supervisor: Supervisor, capsys: pytest.CaptureFixture[str]) -> None:
    supervisor.start(plan("beat", "import sys; print('got', sys.stdin.read())", stdin=b"secret"))
    with pytest.raises(ChildError) as caught:
        supervisor.wait_ready("beat", lambda: False, bound_s=BOUND_S)
    assert "got secret" in caught.value.hint


def test_a_child_that_ends_during_the_start_fails_it_with_its_last_words(supervisor: Supervisor) -> None:
    supervisor.start(plan("server", "print('error: no luck'); raise SystemExit(64)"))
    with pytest.raises(ConfigurationError, match="server ended with exit code 64 during the start") as caught:
        supervisor.wait_ready("server", lambda: False, bound_s=BOUND_S)
    assert "error: no luck" in caught.value.hint


@pytest.mark.parametrize(("code", "kind"), [(1, ChildError), (64, ConfigurationError), (69, Unavailable)])
def test_a_child_that_refuses_to_start_gives_its_exit_code_to_the_start(
    supervisor: Supervisor, code: int, kind: type[InterlockError]
) -> None:
    supervisor.start(plan("server", f"raise SystemExit({code})"))
    with pytest.raises(kind) as caught:
        supervisor.wait_ready("server", lambda: False, bound_s=BOUND_S)
    assert caught.value.exit_code == code


def test_a_child_that_is_never_ready_fails_the_start(
    supervisor: Supervisor, capsys: pytest.CaptureFixture[str]
) -> None:
    start_ready(supervisor, capsys, "server", READY)
    with pytest.raises(ChildError, match="server was not ready after 0 s"):
        supervisor.wait_ready("server", lambda: False, bound_s=0)


def test_a_program_that_is_not_there_is_one_clear_error(supervisor: Supervisor) -> None:
    with pytest.raises(ChildError, match=r"valkey could not be started: /nowhere: No such file"):
        supervisor.start(ChildPlan(name="valkey", argv=("/nowhere",), environment={}))


def test_children_stop_in_order_worker_first(supervisor: Supervisor, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("valkey", "server", "beat", "proxy", "worker"):
        start_ready(supervisor, capsys, name, READY)
    pids = supervisor.pids()
    capsys.readouterr()
    supervisor.stop()
    stops = [line for line in capsys.readouterr().err.splitlines() if "stopping" in line]
    assert [line.split("|")[0].strip() for line in stops] == ["worker", "proxy", "beat", "server", "valkey"]
    for pid in pids.values():
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_child_that_ignores_the_request_to_end_is_killed_after_its_bound(
    supervisor: Supervisor, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    start_ready(supervisor, capsys, "worker", STUBBORN)
    monkeypatch.setattr(up, "STOP_BOUND_S", {"worker": 0})
    supervisor.stop()
    assert "killing" in capsys.readouterr().err


def test_a_second_signal_does_not_wait_for_the_bound(
    supervisor: Supervisor, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor.install_signal_handlers()
    start_ready(supervisor, capsys, "worker", STUBBORN)
    monkeypatch.setattr(up, "STOP_BOUND_S", {"worker": 10_000})
    said: list[str] = []
    tell = supervisor.say

    def say(name: str, text: str) -> None:
        tell(name, text)
        said.append(text)
        if text.startswith("stopping"):
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(supervisor, "say", say)
    supervisor.stop()
    assert [text.split(" ")[0] for text in said] == ["stopping", "killing"]


def test_a_signal_ends_the_wait_for_readiness(supervisor: Supervisor, capsys: pytest.CaptureFixture[str]) -> None:
    supervisor.install_signal_handlers()
    start_ready(supervisor, capsys, "beat", READY)
    os.kill(os.getpid(), signal.SIGINT)
    assert supervisor.wait_ready("beat", lambda: False, bound_s=BOUND_S) is False


def test_a_child_that_dies_is_started_again(supervisor: Supervisor, capsys: pytest.CaptureFixture[str]) -> None:
    supervisor.install_signal_handlers()
    start_ready(supervisor, capsys, "worker", READY)
    first = supervisor.pids()["worker"]
    os.kill(first, signal.SIGKILL)
    seen: list[str] = []
    tell = supervisor.say

    def say(name: str, text: str) -> None:
        tell(name, text)
        seen.append(text)
        if text.startswith("restarted"):
            os.kill(os.getpid(), signal.SIGTERM)

    supervisor.say = say  # type: ignore[method-assign]  # listens in, to end the loop
    supervisor.run()
    assert seen[0] == "worker ended with SIGKILL; starting it again in 500 ms"
    assert supervisor.pids()["worker"] != first


def test_a_child_that_dies_too_often_ends_everything(supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.up_plan.RESTART_FIRST_DELAY_MS", 1)
    supervisor.start(plan("beat", "print('why'); raise SystemExit(7)"))
    with pytest.raises(ChildError, match="beat ended with exit code 7 for the 6th time") as caught:
        supervisor.run()
    assert "why" in caught.value.hint


def test_a_probe_says_what_the_command_said_and_never_raises() -> None:
    done = probe((sys.executable, "-c", "import sys; print('x'); sys.exit(3)"), timeout_s=BOUND_S)
    assert (done.exit_code, done.output) == (3, "x")
    assert probe(("/nowhere",), timeout_s=1).exit_code is None
    slow = probe((sys.executable, "-c", "import time; time.sleep(600)"), timeout_s=0.01)
    assert (slow.exit_code, slow.output) == (None, "did not end within 0 s")


@pytest.mark.parametrize(
    ("code", "words"), [(0, "exit code 0"), (64, "exit code 64"), (-9, "SIGKILL"), (-200, "signal 200")]
)
def test_an_exit_is_described_in_words(code: int, words: str) -> None:
    assert describe_exit(code) == words
