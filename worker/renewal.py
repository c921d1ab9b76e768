"""Keeps a run's lease alive from a thread of the process that supervises the provisioner.

When this process dies, so does the renewal, and the lease lapses. When it is stopped, no renewal is asked for; once it
goes on, the first thing it does is look at its own deadline, and find that it has passed. Who sends the renewal to
Redis is `renewal_group`'s concern: all runs of one host renew at the same instants, so that one call may do for all.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from shared.clock import Clock
from shared.errors import InterlockError, LeaseLost
from shared.lease.commands import Renewed
from shared.lease.holder import HolderDeadline
from shared.lease.timing import LeaseTiming
from shared.log import log_event
from worker.renewal_group import Renewer

_log = logging.getLogger(__name__)
# A renewal whose reply was lost is tried again well before the deadline.
_RETRY_MS = 250


class Renewal:
    """Renews one lease until told to stop or until it is lost."""

    def __init__(
        self,
        renewer: Renewer,
        *,
        target: str,
        lease_id: str,
        timing: LeaseTiming,
        clock: Clock,
        granted_at_ms: int,
        on_lost: Callable[[str], None],
    ) -> None:
        """Prepare; `start` begins.

        Args:
            renewer: sends the renewals.
            target: whose lease.
            lease_id: exactly this one.
            timing: the durations.
            clock: boot clock.
            granted_at_ms: boot time before the ACQUIRE was sent: counts as the first proof of life.
            on_lost: called once with the reason, from whichever thread notices.
        """
        self._renewer = renewer
        self._target = target
        self._lease_id = lease_id
        self._timing = timing
        self._clock = clock
        self._on_lost = on_lost
        self._deadline = HolderDeadline(timing)
        self._deadline.on_renewed(granted_at_ms, 1)
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._ending = False
        self._lost_because: str | None = None
        self._thread = threading.Thread(target=self._run, name="renewal", daemon=True)

    def start(self) -> None:
        """Begin to renew."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; the lease is not touched."""
        self._ending = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join((self._timing.ttl_ms + 30_000) / 1000)

    @property
    def lost_because(self) -> str | None:
        """Why the lease is lost; None while it is ours as far as we know.

        The deadline is looked at here too: a process that was stopped must not trust what its thread last noted.
        """
        self._expire()
        return self._lost_because

    def renew_now(self) -> None:
        """One RENEW, made durable and confirmed, from the calling thread.

        Raises:
            LeaseLost: the lease is no longer ours.
            Unavailable: Redis did not answer or forgot it; the lease may still be ours until its deadline.
        """
        with self._lock:
            if (reason := self.lost_because) is not None:
                raise LeaseLost(reason, hint="the run is given up; a follow-up takes its place")
            sent_ms = self._clock.boot_ms()
            reply = self._renewer.renew(self._target, self._lease_id)
            if not isinstance(reply, Renewed):
                self._lose(f"the renewal was refused: {reply.reason}")
                raise LeaseLost(f"the renewal was refused: {reply.reason}", hint="the run is given up")
            self._deadline.on_renewed(sent_ms, reply.seq)

    def _run(self) -> None:
        failed = False
        while True:
            pause_ms = _RETRY_MS if failed else _until_beat_ms(self._clock.boot_ms(), self._timing.renew_ms)
            left_ms = (self._deadline.deadline_ms or 0) - self._clock.boot_ms()
            # Awake at the deadline itself, so that the provisioner is asked to stop when it passes.
            self._wake.wait(max(min(pause_ms, left_ms + 1), 0) / 1000)
            if self._ending or self.lost_because is not None:
                return
            try:
                self.renew_now()
                failed = False
            except LeaseLost:
                return
            except InterlockError as error:
                failed = True
                log_event(_log, "renewal_failed", level=logging.WARNING, target=self._target, error=error)

    def _expire(self) -> None:
        if self._lost_because is None and self._deadline.expired(self._clock.boot_ms()):
            self._lose("no renewal was confirmed in time: the holder's own deadline passed")

    def _lose(self, reason: str) -> None:
        if self._lost_because is None:
            self._lost_because = reason
            log_event(_log, "lease_lost", level=logging.WARNING, target=self._target, reason=reason)
            self._on_lost(reason)


def _until_beat_ms(now_ms: int, renew_ms: int) -> int:
    """Time to the next multiple of `renew_ms` on the host's clock: all runs of a host wake at the same instants.

    Hosts do not: they were booted at different times.
    """
    return renew_ms - now_ms % renew_ms
