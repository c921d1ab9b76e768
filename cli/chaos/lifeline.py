"""Carries out a blow such that its remedy follows, whatever becomes of this command.

Before the blow a second process is started that waits for the end of a pipe which only we hold open. Should we be
killed, the pipe ends and it runs the remedy. When we have healed ourselves it is ended.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from cli.chaos.strikes import Strike, shown
from shared.errors import InterlockError

COMMAND_BOUND_S = 60
MAX_SAID = 300
# Without a terminal's signals (a session of its own) and with nothing to say to anybody.
_WAIT_THEN_HEAL = ("sh", "-c", 'read -r _; exec "$@" >/dev/null 2>&1', "interlock-chaos-lifeline")


class StrikeFailed(InterlockError):  # noqa: N818 - named after what happened, as in shared.errors
    """The blow did not fall, or its remedy did not work."""


class Lifeline:
    """One blow, from `strike` to `heal`. Leaving the `with` block heals what was not healed."""

    def __init__(self, strike: Strike, *, fallback: Callable[[], None] | None = None) -> None:
        """
        Args:
            strike: what to do.
            fallback: does the blow where no command does.
        """
        self._strike = strike
        self._do = fallback
        self._guard: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.heal()
        except StrikeFailed as problem:
            if error is None:
                raise
            raise StrikeFailed(f"{problem.message}; before that: {error}", hint=problem.hint) from error

    @property
    def lasts(self) -> bool:
        """Whether there is something left to heal."""
        return self._guard is not None

    def strike(self) -> None:
        """Let the blow fall. Raises StrikeFailed; half a blow is healed by whoever leaves the `with` block."""
        if self._strike.remedy is not None:
            self._guard = subprocess.Popen(
                [*_WAIT_THEN_HEAL, *self._strike.remedy],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        if self._do is not None:
            self._do()
            return
        if (problem := _run(self._strike.blow)) is not None:
            raise StrikeFailed(f"`{shown(self._strike.blow)}` failed: {problem}")

    def heal(self) -> None:
        """Undo the blow; nothing to do a second time. Raises StrikeFailed that names the command to run by hand."""
        if self._guard is None or self._strike.remedy is None:
            return
        guard, self._guard = self._guard, None
        problem = _run(self._strike.remedy)
        if problem is None:
            guard.kill()
        # Otherwise the end of its pipe lets the lifeline try once more.
        assert guard.stdin is not None
        guard.stdin.close()
        try:
            guard.wait(COMMAND_BOUND_S)
        except subprocess.TimeoutExpired:
            guard.kill()
            guard.wait()
        if problem is not None and guard.returncode != 0:
            raise StrikeFailed(
                f"`{shown(self._strike.remedy)}` failed: {problem}",
                hint=f"heal it by hand: {shown(self._strike.remedy)}",
            )


def _run(argv: Sequence[str]) -> str | None:
    """Run a command to its end; None when it succeeded, else what it said.

    Its output goes to a file: what it leaves running in the background may keep that open for as long as it likes.
    """
    with tempfile.TemporaryFile() as output:
        try:
            done = subprocess.run(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=COMMAND_BOUND_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"did not end within {COMMAND_BOUND_S} s"
        except OSError as error:
            return f"{argv[0]}: {error.strerror}"
        output.seek(0)
        said = output.read(MAX_SAID).decode("utf-8", "replace").strip()
    return None if done.returncode == 0 else said or f"exit code {done.returncode}"
