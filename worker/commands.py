"""Runs the commands of one run in its sandbox and ends them when the run has to stop.

Stopping is one SIGINT, a bounded wait, then the death of the whole sandbox. Terraform needs the wait: it finishes the
operations that it has begun and saves its state.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from shared.clock import Clock
from shared.errors import PeerError
from worker.sandbox import Exited, Sandbox
from worker.stop import Cause, Stop, StopRequested

# While the lease lives, operations in progress may complete: AWS takes minutes to make some resources.
CANCEL_GRACE_MS = 120_000
# A check has nothing to finish and nothing to save, and whoever is to act on the target waits for it.
CHECK_GRACE_MS = 2_000
# Without it every call is refused: a cut Terraform was measured to end after 0.4 s; a stuck one saves nothing anyway.
LOST_GRACE_MS = 20_000
#: A killed command that is not gone by then hangs in the kernel.
KILL_LIMIT_MS = 10_000
_SLICE_MS = 1_000
_SHORT_SLICE_MS = 100
#: After these a command that ended well all the same is done; what would follow it is not begun.
_WISHES = (Cause.CANCELED, Cause.ROLLBACK)


class Commands(Protocol):
    """What a provisioner needs to run its commands."""

    def run(self, argv: Sequence[str], *, capture: Path | None = None) -> int:
        """Run one command to its end.

        Args:
            argv: the command, as seen from inside.
            capture: file on the host that takes its standard output; default: the run's log.

        Returns:
            Its exit code; 128 + n when signal n ended it.

        Raises:
            StopRequested: the run has to stop; nothing of the command is running any more.
        """
        ...


class BoundedCommands(Commands, Protocol):
    """The same for commands that nothing is lost with: they are killed when they take too long."""

    def run_within(
        self, argv: Sequence[str], *, limit_ms: int, enough: Callable[[], bool], capture: Path | None = None
    ) -> int | None:
        """Run one command, but no longer than it may.

        Args:
            argv: the command, as seen from inside.
            limit_ms: its time.
            enough: asked several times a second; once true the command is ended.
            capture: file on the host that takes its standard output; default: the run's log.

        Returns:
            Its exit code; None: it was ended.

        Raises:
            StopRequested: the run has to stop; it was ended.
            ConfigurationError: it cannot be started.
            PeerError: the sandbox is gone, or it could not be ended.
        """
        ...


class SandboxCommands:
    """`BoundedCommands` in a real sandbox."""

    def __init__(
        self,
        sandbox: Sandbox,
        stop: Stop,
        *,
        log: Path,
        env: dict[str, str],
        clock: Clock,
        checks_only: bool = False,
    ) -> None:
        """Bind the parts of one run.

        Args:
            sandbox: where commands run.
            stop: says when the run has to stop.
            log: takes what the commands say.
            env: the whole environment of each command.
            clock: for the bounded waits.
            checks_only: whether nothing is lost with a command that is killed.
        """
        self._checks_only = checks_only
        self._sandbox = sandbox
        self._stop = stop
        self._log = log
        self._env = env
        self._clock = clock

    def note(self, text: str) -> None:
        """Put a line of our own into the run's log."""
        with self._log.open("ab") as file:
            file.write(f"interlock: {text}\n".encode())

    def run(self, argv: Sequence[str], *, capture: Path | None = None) -> int:
        """See `Commands.run`."""
        self._start(argv, capture)
        while True:
            exited = self._sandbox.wait(_SLICE_MS, self._stop.fileno())
            if exited is not None:
                break
            if self._stop.reason is not None:
                exited = self._end()
                break
        reason = self._stop.reason
        if reason is not None and not (exited.code == 0 and reason.cause in _WISHES):
            raise StopRequested(reason)
        return exited.code

    def run_within(
        self, argv: Sequence[str], *, limit_ms: int, enough: Callable[[], bool], capture: Path | None = None
    ) -> int | None:
        """See `BoundedCommands.run_within`."""
        self._start(argv, capture)
        give_up_at_ms = self._clock.boot_ms() + limit_ms
        while (exited := self._sandbox.wait(_SHORT_SLICE_MS, self._stop.fileno())) is None:
            if self._stop.reason is not None or enough() or self._clock.boot_ms() >= give_up_at_ms:
                self._kill_command(argv[0])
                break
        self._stop.check()
        return None if exited is None else exited.code

    def _start(self, argv: Sequence[str], capture: Path | None) -> None:
        self._stop.check()
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
        log = os.open(self._log, flags | os.O_APPEND, 0o600)
        out = log if capture is None else os.open(capture, flags | os.O_TRUNC, 0o600)
        try:
            self._sandbox.start(list(argv), self._env, stdout=out, stderr=log)
        finally:
            os.close(log)
            if capture is not None:
                os.close(out)

    def _kill_command(self, name: str) -> None:
        self._sandbox.kill_command()
        if self._sandbox.wait(KILL_LIMIT_MS) is None:
            self._sandbox.kill()
            raise PeerError(f"{name} did not die within {KILL_LIMIT_MS} ms", hint="look at its host's storage")

    def _end(self) -> Exited:
        """One SIGINT, a bounded wait, then SIGKILL to everything."""
        self._sandbox.interrupt()
        asked_at_ms = self._clock.boot_ms()
        while True:
            exited = self._sandbox.wait(_SLICE_MS)
            if exited is not None:
                return exited
            # Read anew each time: the lease may be lost while a canceled or halted run is still finishing.
            grace_ms = LOST_GRACE_MS if self._stop.lost else CANCEL_GRACE_MS
            if self._checks_only:
                grace_ms = CHECK_GRACE_MS
            if self._clock.boot_ms() - asked_at_ms >= grace_ms:
                self._sandbox.kill()
                return Exited(code=128 + 9)
