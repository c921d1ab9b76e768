"""A command in the run's sandbox: good when it exits with 0. What it says is in the run's log."""

from __future__ import annotations

from collections.abc import Callable

from shared.errors import ConfigurationError
from shared.rollback.settings import CommandCheck
from worker.checks.evaluation import Evaluation, Grade
from worker.commands import BoundedCommands


def decide(check: CommandCheck, code: int | None) -> Evaluation:
    """What an exit code says. Pure.

    Args:
        check: its time.
        code: None: it did not end in time.
    """
    if code is None:
        return Evaluation(grade=Grade.ERROR, detail=f"it did not end within {check.timeout_s} s")
    grade = Grade.GOOD if code == 0 else Grade.BAD
    return Evaluation(grade=grade, detail=f"{check.command[0]} exited with {code}")


def evaluate(check: CommandCheck, *, commands: BoundedCommands, enough: Callable[[], bool]) -> Evaluation | None:
    """Run it once.

    Args:
        check: with everything it refers to put in.
        commands: runs it.
        enough: asked meanwhile; once true the command is ended.

    Returns:
        What it said; None: it was ended because it was enough.

    Raises:
        StopRequested: the run has to stop.
        PeerError: the sandbox is gone.
    """
    try:
        code = commands.run_within(check.command, limit_ms=check.timeout_s * 1000, enough=enough)
    except ConfigurationError as error:
        return Evaluation(grade=Grade.ERROR, detail=str(error))
    return None if code is None and enough() else decide(check, code)
