"""Tells the scheduler how far a run is."""

from __future__ import annotations

import logging

from shared.api_client import ApiClient
from shared.clock import Clock
from shared.errors import ApiError, InterlockError, Unavailable
from shared.log import log_event
from shared.models import Assignment, RunStatus
from shared.rollback.records import MAX_WHY
from shared.rollback.settings import Trigger
from worker.bake import Triggered
from worker.provisioners.outcome import Outcome
from worker.stop import Cause, Stop

LIMIT_MS = 60_000
_PAUSE_MS = 500
#: From these on something may have been changed.
_BEGUN = (RunStatus.APPLYING, RunStatus.ROLLING_BACK)

_log = logging.getLogger(__name__)


class Progress:
    """One run's steps."""

    def __init__(self, api: ApiClient, assignment: Assignment, stop: Stop, clock: Clock) -> None:
        """Bind the parts.

        Args:
            api: the scheduler.
            assignment: the run.
            stop: is told when it turns out that the lease is lost.
            clock: boot clock.
        """
        self._api = api
        self._run_id, self._holder = assignment.run.id, assignment.holder
        self._stop = stop
        self._clock = clock
        self.began = False
        """Whether it began to apply or to roll back, or its command began."""
        self.owed: Triggered | None = None
        """Why what it deployed is to be taken back, should the run end before the scheduler has heard so."""

    def __call__(self, status: RunStatus) -> None:
        """Say it once. A scheduler that is away ends nothing.

        Args:
            status: which step begins.
        """
        self.began = self.began or status in _BEGUN
        try:
            self._api.progress(self._run_id, holder=self._holder, status=status)
        except ApiError as error:
            if error.code == "lease_lost":
                self._stop.request(Cause.LEASE_LOST, str(error))
            log_event(_log, "progress_refused", level=logging.WARNING, run=self._run_id, why=error)
        except InterlockError as error:
            log_event(_log, "progress_not_delivered", level=logging.WARNING, run=self._run_id, error=error)

    def baking(self) -> None:
        """Say that it is watched from now on, until it was heard: before, the proxy signs what was to be applied.

        Raises:
            Unavailable: the scheduler stayed away.
            ApiError: it says no; the lease may be lost.
            StopRequested: the run has to stop.
        """
        self._until_heard(RunStatus.BAKING, None)

    def rolling_back(self, triggered: Triggered) -> None:
        """Say that a rollback begins, until it was heard: nothing of it is allowed before.

        Args:
            triggered: why.

        Raises:
            Unavailable: the scheduler stayed away.
            ApiError: it says no; the lease may be lost.
            StopRequested: the run has to stop.
        """
        self.began, self.owed = True, triggered
        self._until_heard(RunStatus.ROLLING_BACK, triggered)
        self.owed = None

    def last_words(self, outcome: Outcome) -> tuple[str, Trigger | None]:
        """What the report says beside how it ended: why, and the trigger of a rollback that could not be told before.

        Args:
            outcome: how it ended.
        """
        if self.owed is None or outcome.status is not RunStatus.ERRORED:
            return outcome.reason, None
        return f"{self.owed.reason}; {outcome.reason}", self.owed.trigger

    def _until_heard(self, status: RunStatus, triggered: Triggered | None) -> None:
        give_up_at_ms = self._clock.boot_ms() + LIMIT_MS
        while True:
            try:
                self._api.progress(
                    self._run_id,
                    holder=self._holder,
                    status=status,
                    trigger=triggered.trigger if triggered else None,
                    reason=triggered.reason[:MAX_WHY] if triggered else "",
                )
                return
            except Unavailable as error:
                if self._clock.boot_ms() >= give_up_at_ms:
                    raise
                log_event(_log, "step_not_reported_yet", level=logging.WARNING, run=self._run_id, error=error)
            self._stop.wait(_PAUSE_MS)
