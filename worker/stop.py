"""Why a run has to stop: asked for by any thread, decided once, first reason wins."""

from __future__ import annotations

import os
import select
import threading
from dataclasses import dataclass
from enum import StrEnum


class Cause(StrEnum):
    """What kind of end it is; decides status and exit code."""

    CANCELED = "canceled"
    """A user asked for it; the lease lives, so the provisioner may finish what it has begun and save its state."""
    LEASE_LOST = "lease_lost"
    """The lease is gone or the holder's deadline passed: nothing more will be signed."""
    REVOKED = "revoked"
    """An operator took the lease away."""
    ROLLBACK = "rollback"
    """An operator wants the deployment taken back; the lease lives, and the run goes on with that: see `answered`."""
    TIME_LIMIT = "time_limit"
    """The run took longer than `run_hard_limit_s`."""
    HALTED = "halted"
    """It tried to do what nobody approved. The lease lives and states are still written, but nothing else is signed."""


@dataclass(frozen=True, kw_only=True)
class StopReason:
    """The decision."""

    cause: Cause
    """Kind of end."""
    detail: str
    """One sentence for the run's report."""


class StopRequested(Exception):  # noqa: N818  # named after what happened, as in shared.errors
    """Raised in the supervising thread once the provisioner has ended, or instead of starting it."""

    def __init__(self, reason: StopReason) -> None:
        """Keep the reason."""
        super().__init__(reason.detail)
        self.reason = reason


class Stop:
    """A latch with a descriptor, so that a poll on processes wakes up at once."""

    def __init__(self) -> None:
        """Open the descriptor; `close` it."""
        self._lock = threading.Lock()
        self._reason: StopReason | None = None
        self._lost = False
        self._fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    def request(self, cause: Cause, detail: str) -> None:
        """Ask the run to stop; only the first reason is kept, except that a lost lease overrides a wish, and a
        halt everything: whatever comes after it, the run is not to begin again.

        Args:
            cause: kind of end.
            detail: one sentence for the report.
        """
        with self._lock:
            self._lost = self._lost or cause in (Cause.LEASE_LOST, Cause.REVOKED)
            if self._reason is None or _RANK[cause] > _RANK[self._reason.cause]:
                self._reason = StopReason(cause=cause, detail=detail)
                if self._fd >= 0:
                    os.eventfd_write(self._fd, 1)

    def answered(self, cause: Cause) -> StopReason | None:
        """Forget a wish that is being carried out, so that the run can go on with it.

        Args:
            cause: kind of wish.

        Returns:
            The wish; None when the run has to stop for another reason, or for none.
        """
        with self._lock:
            reason = self._reason
            if reason is None or reason.cause is not cause:
                return None
            self._reason = None
            if self._fd >= 0:
                os.eventfd_read(self._fd)
            return reason

    @property
    def reason(self) -> StopReason | None:
        """Why to stop; None while nobody asked."""
        return self._reason

    @property
    def lost(self) -> bool:
        """Whether the lease is gone, whatever the reason says: then there is no time to be gentle."""
        return self._lost

    def check(self) -> None:
        """Raise StopRequested when somebody asked."""
        if self._reason is not None:
            raise StopRequested(self._reason)

    def wait(self, timeout_ms: int) -> None:
        """Pause, but not beyond the moment somebody asks.

        Args:
            timeout_ms: length of the pause.

        Raises:
            StopRequested: somebody asked.
        """
        poller = select.poll()
        poller.register(self._fd, select.POLLIN)
        poller.poll(timeout_ms)
        self.check()

    def fileno(self) -> int:
        """Readable from the moment somebody asked."""
        return self._fd

    def close(self) -> None:
        """Give the descriptor back; later requests are still recorded."""
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1


# A halt stays the reason: a run that counted as lost would begin again, without its latch.
_RANK = {
    Cause.ROLLBACK: 0,
    Cause.CANCELED: 1,
    Cause.TIME_LIMIT: 1,
    Cause.LEASE_LOST: 2,
    Cause.REVOKED: 2,
    Cause.HALTED: 3,
}
