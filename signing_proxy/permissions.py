"""What each run may have signed: asked of the scheduler, never of the worker; and the latch that ends it.

Without the scheduler's answer nothing is known, and then nothing that changes is signed. A question that failed is
asked again at the next such call, but not more often than every ``RETRY_MS``.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Protocol

from shared.async_api_client import AsyncApiClient
from shared.clock import Clock
from shared.errors import InterlockError
from shared.log import log_event
from shared.safety.allowance import Allowance
from signing_proxy.allowance import Bounds, bounds_of
from signing_proxy.classify import Operation
from signing_proxy.metrics import ProxyMetrics
from signing_proxy.runs import AttachedRun, Latch
from signing_proxy.service_index import service_index

logger = logging.getLogger(__name__)

RETRY_MS = 1000
# Below the time that a hook may take: a question without an answer must refuse the call, not cut the run.
ASK_LIMIT_S = 8.0


class AllowanceSource(Protocol):
    """Who decides."""

    async def allowance(self, run_id: str) -> Allowance:
        """What may be signed for a run. Raises InterlockError."""


class ApiAllowances:
    """The scheduler, through its API."""

    def __init__(self, api: AsyncApiClient) -> None:
        self._api = api

    async def allowance(self, run_id: str) -> Allowance:
        """See AllowanceSource."""
        return await self._api.allowance(run_id)


class Permissions:
    """Fetches and holds the bounds of the attached runs, and latches them."""

    def __init__(self, source: AllowanceSource, clock: Clock, metrics: ProxyMetrics) -> None:
        self._source = source
        self._clock = clock
        self._metrics = metrics

    async def ensure(self, run: AttachedRun) -> Bounds | None:
        """The bounds of a run; asked for if they are not known. None where the scheduler does not say."""
        if run.bounds is not None:
            return run.bounds
        try:
            async with asyncio.timeout(ASK_LIMIT_S), run.asking:
                now_ms = self._clock.boot_ms()
                if run.bounds is None and (run.asked_ms is None or now_ms - run.asked_ms >= RETRY_MS):
                    await self._ask(run)
        except TimeoutError:
            run.bounds_missing = "it did not answer in time"
        return run.bounds

    async def refresh(self, run: AttachedRun) -> Bounds | None:
        """Ask again, whatever is known. Without an answer what was known counts no more."""
        try:
            async with asyncio.timeout(ASK_LIMIT_S), run.asking:
                await self._ask(run)
        except BaseException as error:
            # Whatever went wrong: what was known before the question is no answer to it.
            run.bounds, run.bounds_missing = None, "it did not answer in time"
            if not isinstance(error, TimeoutError):
                run.bounds_missing = f"the question failed: {type(error).__name__}"
                raise
        return run.bounds

    def latch(self, run: AttachedRun, operation: Operation, *, resource: Mapping[str, str], why: str) -> None:
        """From now on nothing that changes is signed for this run. Only the first call that was refused counts."""
        if run.latch is not None:
            return
        run.latch = Latch(service=operation.service, operation=operation.operation, resource=dict(resource), why=why)
        known = operation.service if operation.service in service_index() else "other"
        self._metrics.latches.labels(service=known).inc()
        attach = run.attach
        log_event(
            logger,
            "run_latched",
            level=logging.WARNING,
            run=attach.run_id,
            target=attach.target,
            epoch=attach.epoch,
            service=operation.service,
            operation=operation.operation,
            resource=dict(resource),
            why=why,
        )
        if run.on_latched is not None:
            run.on_latched(run.latch)

    async def _ask(self, run: AttachedRun) -> None:
        bounds: Bounds | None = None
        missing = ""
        try:
            bounds = bounds_of(await self._source.allowance(run.attach.run_id))
        except InterlockError as error:
            missing = str(error)[:512]
            log_event(logger, "allowance_unknown", level=logging.WARNING, run=run.attach.run_id, error=error)
        run.bounds, run.bounds_missing = bounds, missing
        run.asked_ms = self._clock.boot_ms()
        if bounds is not None:
            log_event(logger, "allowance", run=run.attach.run_id, holds=bounds.allowance.summary)
