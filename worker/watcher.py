"""Watches what may end a run from outside while its supervisor waits: a cancel, an operator's revoke, a time limit."""

from __future__ import annotations

import logging
import threading

from shared.api_client import ApiClient
from shared.clock import Clock
from shared.errors import InterlockError, Unavailable
from shared.log import log_event
from worker.stop import Cause, Stop

INTERVAL_S = 1.0

_log = logging.getLogger(__name__)


class Watcher:
    """A thread that asks the API about one run every second."""

    def __init__(self, api: ApiClient, run_id: str, stop: Stop, clock: Clock, *, limit_ms: int) -> None:
        """Prepare; `start` begins, and the time limit counts from here.

        Args:
            api: the scheduler.
            run_id: the run.
            stop: is told.
            clock: boot clock.
            limit_ms: longest life of the run.
        """
        self._api = api
        self._run_id = run_id
        self._stop = stop
        self._clock = clock
        self._limit_ms = limit_ms
        self._ends_at_ms = clock.boot_ms() + limit_ms
        self._rollback_told = False
        self._ending = threading.Event()
        #: Whether the scheduler did not answer at some time while it was asked.
        self.api_was_away = False
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._ending.set()
        self._thread.join(30)

    def extend(self, by_ms: int) -> None:
        """Let the run live longer: what follows a deployment has a time of its own.

        Args:
            by_ms: how much longer.
        """
        self._limit_ms += by_ms
        self._ends_at_ms += by_ms

    def look(self) -> None:
        """Look once. An API that does not answer ends nothing: the lease decides, not the API."""
        if self._clock.boot_ms() >= self._ends_at_ms:
            self._stop.request(Cause.TIME_LIMIT, f"longer than the limit of {self._limit_ms // 1000} s")
        try:
            run = self._api.run(self._run_id)
        except InterlockError as error:
            self.api_was_away = self.api_was_away or isinstance(error, Unavailable)
            log_event(_log, "watch_failed", level=logging.DEBUG, run=self._run_id, error=error)
            return
        if run.revoke_requested:
            self._stop.request(Cause.REVOKED, "an operator revoked the lease")
        elif run.cancel_requested:
            self._stop.request(Cause.CANCELED, "canceled")
        elif run.rollback_requested and not self._rollback_told:
            # Once: it is carried out then, and not to be asked for again.
            self._rollback_told = True
            self._stop.request(Cause.ROLLBACK, "an operator asked for a rollback")

    def _run(self) -> None:
        while not self._ending.is_set():
            self.look()
            self._ending.wait(INTERVAL_S)
