"""Decides and records the outcome of every call, once: in the journal, in the metrics, and as one log line."""

import asyncio
import logging
from collections import deque
from typing import Literal

from shared.clock import Clock
from shared.errors import ApiError, InterlockError
from shared.log import log_event
from shared.models import JournalIntent, JournalOutcome
from signing_proxy.background import TaskKeeper
from signing_proxy.calls import Call
from signing_proxy.classify import UNKNOWN_OPERATION
from signing_proxy.denial import Denial, Reason
from signing_proxy.journal import Journal
from signing_proxy.metrics import ProxyMetrics

logger = logging.getLogger(__name__)

#: Records of reads that wait; as many more of refusals and of what became of writes find room beside them.
MAX_BACKLOG = 4096
OUTCOME_TRIES = 3
RETRY_S = 0.2

Outcome = Literal["answered", "refused", "unknown"]


class CallRecorder:
    """One for the proxy. What a caller must not wait for goes through a bounded backlog, oldest first."""

    def __init__(self, *, journal: Journal, metrics: ProxyMetrics, clock: Clock, tasks: TaskKeeper) -> None:
        self._journal = journal
        self._metrics = metrics
        self._clock = clock
        self._tasks = tasks
        self._backlog: deque[tuple[JournalIntent | None, JournalOutcome | None]] = deque()
        self._writer: asyncio.Task[None] | None = None

    @property
    def backlog(self) -> int:
        """Records that wait to be written."""
        return len(self._backlog)

    # --- what a call waits for

    async def intent(self, call: Call, *, method: str, path: str, resource: dict[str, str]) -> None:
        """Make the intent of a mutating call durable. Raises InterlockError when that fails: then it isn't signed."""
        call.intent_attempted = True  # from here on: a lost reply may mean that it was recorded
        await self._journal.intent(self._intent(call, method, path, resource))

    async def answered(self, call: Call, *, status: int, resource: dict[str, str], error_code: str | None) -> None:
        """Record the answer of a call; of a mutating one, before the client sees it.

        Raises InterlockError when a mutating call's outcome can't be made durable within a few tries. The call is
        over in the cloud all the same and counts as in flight no longer.
        """
        if call.settled:
            return
        self._settle(call, "answered", "")
        outcome = JournalOutcome(
            call_id=call.call_id, outcome="answered", http_status=status, resource=resource, error_code=error_code
        )
        if not call.intent_attempted:
            return  # a state call: the scheduler keeps its own record of those
        if not call.mutating:
            self._later(None, outcome, room=MAX_BACKLOG)
            return
        for attempt in range(1, OUTCOME_TRIES + 1):
            try:
                await self._journal.outcome(outcome)
                return
            except InterlockError:
                if attempt == OUTCOME_TRIES:
                    raise
                await asyncio.sleep(RETRY_S)

    # --- what nobody waits for

    def read(self, call: Call, *, method: str, path: str, resource: dict[str, str]) -> None:
        """Note the intent of a call that changes nothing; written in the background."""
        call.intent_attempted = True
        self._later(self._intent(call, method, path, resource), None, room=MAX_BACKLOG)

    def refused(
        self, call: Call, denial: Denial, *, method: str, path: str, resource: dict[str, str] | None = None
    ) -> None:
        """Count, log and journal a refusal. Nothing was sent."""
        if call.settled:
            return
        call.denial = call.denial or denial
        self._settle(call, "refused", denial.reason)
        log_event(
            logger,
            "call_refused",
            level=logging.WARNING,
            run=call.run.attach.run_id,
            target=call.run.attach.target,
            epoch=call.run.attach.epoch,
            reason=denial.reason,
            method=method,
            host=call.host,
            path=path[:256],
            detail=denial.message,
        )
        outcome = JournalOutcome(call_id=call.call_id, outcome="refused", error_code=denial.reason)
        intent = None if call.intent_attempted else self._intent(call, method, path, resource or {})
        self._later(intent, outcome)

    def abandoned(self, call: Call, why: str, reason: Reason = Reason.SEVERED) -> None:
        """Settle a call that ended without an answer: unknown if a byte of it may have left, else refused."""
        if call.settled:
            return
        outcome: Outcome = "unknown" if call.sent else "refused"
        self._settle(call, outcome, reason)
        log_event(
            logger,
            "call_abandoned",
            level=logging.WARNING,
            run=call.run.attach.run_id,
            target=call.run.attach.target,
            epoch=call.run.attach.epoch,
            service=call.operation.service if call.operation else None,
            operation=call.operation.operation if call.operation else None,
            outcome=outcome,
            why=why,
        )
        if call.intent_attempted:
            self._later(None, JournalOutcome(call_id=call.call_id, outcome=outcome, error_code=reason))

    async def drain(self, timeout_s: float) -> None:
        """Wait until the backlog is written, at most that long."""
        writer = self._writer
        if writer is not None and not writer.done():
            await asyncio.wait([writer], timeout=timeout_s)

    def _settle(self, call: Call, outcome: Outcome, reason: str) -> None:
        call.settled = True
        call.run.settle(call, unknown=outcome == "unknown" and call.mutating, now_ms=self._clock.boot_ms())
        self._metrics.calls.labels(outcome=outcome, reason=str(reason)).inc()

    def _intent(self, call: Call, method: str, path: str, resource: dict[str, str]) -> JournalIntent:
        attach, operation = call.run.attach, call.operation
        known = operation is not None and operation.operation != UNKNOWN_OPERATION
        return JournalIntent(
            run_id=attach.run_id,
            target=attach.target,
            epoch=attach.epoch,
            call_id=call.call_id,
            service=operation.service if operation else "",
            operation=operation.operation if operation and known else "",
            access=operation.access if operation else "write",
            host=call.host[:255],
            method=method[:16],
            path=path[:2048],
            region=call.authorization.region if call.authorization else "",
            resource=resource,
            at_wall=self._clock.wall(),
        )

    def _later(
        self, intent: JournalIntent | None, outcome: JournalOutcome | None, *, room: int = 2 * MAX_BACKLOG
    ) -> None:
        if len(self._backlog) >= room:
            self._metrics.journal_dropped.inc()
            return
        self._backlog.append((intent, outcome))
        if self._writer is None or self._writer.done():
            self._writer = self._tasks.start(self._write(), name="journal backlog")

    async def _note(self, intent: JournalIntent) -> None:
        try:
            await self._journal.intent(intent)
        except ApiError as error:
            # It was answered: the intent is there from an earlier try, or is not wanted. The outcome may be.
            log_event(logger, "journal_refused", level=logging.DEBUG, call=intent.call_id, error=error)

    async def _write(self) -> None:
        while self._backlog:
            intent, outcome = self._backlog.popleft()
            for attempt in range(1, OUTCOME_TRIES + 1):
                try:
                    if intent is not None:
                        await self._note(intent)
                        intent = None
                    if outcome is not None:
                        await self._journal.outcome(outcome)
                    break
                except InterlockError as error:
                    # A refusal stays one, and the others wait.
                    final = isinstance(error, ApiError) and error.status < 500
                    if final or attempt == OUTCOME_TRIES:
                        self._metrics.journal_dropped.inc()
                        log_event(logger, "journal_dropped", level=logging.WARNING, error=error)
                        break
                    await asyncio.sleep(RETRY_S)
