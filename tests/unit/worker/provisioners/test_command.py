"""The exec kind."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from shared.errors import ConfigurationError
from shared.models import RunStatus
from worker.provisioners.command import run_command
from worker.provisioners.outcome import Outcome


class Commands:
    """Ends with the code that the test wants."""

    def __init__(self, code: int) -> None:
        self.code = code
        self.started: list[list[str]] = []

    def run(self, argv: Sequence[str], *, capture: Path | None = None) -> int:
        self.started.append(list(argv))
        return self.code


def test_success_is_success() -> None:
    commands = Commands(0)
    assert run_command(commands, ["make", "deploy"]) == Outcome(status=RunStatus.SUCCEEDED, exit_code=0)
    assert commands.started == [["make", "deploy"]]


@pytest.mark.parametrize("code", [1, 2, 75, 137])
def test_the_exit_code_is_passed_on(code: int) -> None:
    outcome = run_command(Commands(code), ["make"])
    assert (outcome.status, outcome.exit_code) == (RunStatus.ERRORED, code)


def test_no_command_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="without a command"):
        run_command(Commands(0), [])
