"""A command in the sandbox."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from shared.clock import SystemClock
from shared.errors import ConfigurationError
from tests.unit.worker.checks.support import command
from worker.checks.command import decide, evaluate
from worker.checks.evaluation import Grade
from worker.commands import SandboxCommands
from worker.sandbox import launch_unconfined
from worker.stop import Cause, Stop, StopRequested


@pytest.fixture
def commands(tmp_path: Path) -> Iterator[SandboxCommands]:
    stop, log = Stop(), tmp_path / "log"
    log.touch()
    with launch_unconfined(tmp_path) as sandbox:
        yield SandboxCommands(sandbox, stop, log=log, env={"PATH": "/usr/bin:/bin"}, clock=SystemClock())
    stop.close()


def never() -> bool:
    return False


@pytest.mark.parametrize(("code", "grade"), [(0, Grade.GOOD), (1, Grade.BAD), (137, Grade.BAD), (None, Grade.ERROR)])
def test_its_exit_code_says_whether_it_is_good(code: int | None, grade: Grade) -> None:
    assert decide(command("smoke-test"), code).grade is grade


@pytest.mark.parametrize(("script", "grade"), [("exit 0", Grade.GOOD), ("exit 3", Grade.BAD)])
def test_it_is_run(commands: SandboxCommands, script: str, grade: Grade) -> None:
    found = evaluate(command("sh", "-c", script), commands=commands, enough=never)
    assert found is not None
    assert found.grade is grade


def test_one_that_hangs_and_ignores_every_signal_is_an_error_in_time(commands: SandboxCommands) -> None:
    check = command("sh", "-c", "trap '' INT TERM; while :; do sleep 60; done", timeout_s=1)
    found = evaluate(check, commands=commands, enough=never)
    assert found is not None
    assert (found.grade, found.detail) == (Grade.ERROR, "it did not end within 1 s")
    after = evaluate(command("true"), commands=commands, enough=never)
    assert after is not None
    assert after.grade is Grade.GOOD, "the next one runs"


def test_one_that_is_not_needed_any_more_is_given_up(commands: SandboxCommands) -> None:
    assert evaluate(command("sleep", "3600", timeout_s=300), commands=commands, enough=lambda: True) is None


def test_one_that_cannot_be_started_is_an_error() -> None:
    class Nothing:
        def run(self, argv: Sequence[str], *, capture: Path | None = None) -> int:
            raise AssertionError

        def run_within(
            self, argv: Sequence[str], *, limit_ms: int, enough: Callable[[], bool], capture: Path | None = None
        ) -> int | None:
            raise ConfigurationError("cannot start smoke: no such file", hint="")

    found = evaluate(command("smoke"), commands=Nothing(), enough=never)
    assert found is not None
    assert found.grade is Grade.ERROR


def test_a_run_that_has_to_stop_stops(commands: SandboxCommands) -> None:
    commands._stop.request(Cause.LEASE_LOST, "gone")
    with pytest.raises(StopRequested):
        evaluate(command("true"), commands=commands, enough=never)
