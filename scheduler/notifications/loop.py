"""The resident loop of beat that sends notifications. Several may run side by side: each delivery is claimed by one.

Attempts run beside one another, a few for each destination, so that one that hangs holds up nothing but itself.
Everything that the database must know is written before and after an attempt, nothing is kept here.
"""

from __future__ import annotations

import asyncio
import logging
import random
import threading
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial

from scheduler.database import Database
from scheduler.metrics import SchedulerMetrics
from scheduler.notifications import outbox
from scheduler.notifications.destinations import Directory, Email
from scheduler.notifications.events import Event
from scheduler.notifications.http_sending import send_http
from scheduler.notifications.outbox import Claimed
from scheduler.notifications.retries import Attempt
from scheduler.notifications.smtp_sending import send_email
from shared.clock import Clock
from shared.errors import Unavailable
from shared.log import log_event
from shared.notifications import NotificationState

log = logging.getLogger(__name__)

#: Between two looks at the outbox.
PAUSE_S = 1.0
#: After a pass that failed.
COMPLAINT_PAUSE_S = 5.0
#: Attempts at one destination at the same time.
AT_ONCE = 4
#: Mails at the same time, to all mail servers together.
MAILERS = 16
#: How often what is old is cleaned up, and the gauge read.
CLEAN_MS = 60_000
COUNT_MS = 10_000


class Notifier:
    """One sender. `step` is one pass and sends in the background; `drain` waits for that; `run` repeats both."""

    def __init__(
        self, *, database: Database, clock: Clock, metrics: SchedulerMetrics, directory: Directory | None
    ) -> None:
        """Without a `directory` nothing is sent, and what nobody routed is forgotten after a day."""
        self._database = database
        self._clock = clock
        self._metrics = metrics
        self._directory = directory
        self._sending: set[asyncio.Task[None]] = set()
        self._busy: Counter[str] = Counter()
        # Of their own: mail servers that hang must not keep the database's calls waiting for a thread.
        self._mailers = ThreadPoolExecutor(MAILERS, thread_name_prefix="mail")
        self._cleaned_ms: int | None = None
        self._counted_ms: int | None = None
        self._passed_ms = clock.boot_ms()

    def run(self, stop: threading.Event) -> None:
        """Pass after pass until `stop` is set; then attempts under way have their time. Raises nothing."""
        with asyncio.Runner() as runner:
            while not stop.is_set():
                pause_s = PAUSE_S
                try:
                    runner.run(self._round(stop))
                except Exception as error:  # noqa: BLE001 - this thread must outlive whatever one pass runs into
                    pause_s = COMPLAINT_PAUSE_S
                    log_event(log, "notifier_failed", level=logging.ERROR, error=repr(error))
                stop.wait(pause_s)

    @property
    def sends(self) -> bool:
        """Whether there is any destination."""
        return self._directory is not None

    def close(self) -> None:
        """Give back the threads; those that still wait for a mail server end by themselves."""
        self._mailers.shutdown(wait=False)

    def age_s(self) -> float:
        """Seconds since the last complete pass."""
        return (self._clock.boot_ms() - self._passed_ms) / 1000

    async def _round(self, stop: threading.Event) -> None:
        """Passes for as long as there is something under way; the attempts live in this loop."""
        try:
            while True:
                await self.step()
                if not self._sending or stop.is_set():
                    break
                await asyncio.wait(self._sending, timeout=PAUSE_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await self.drain()

    async def step(self) -> None:
        """One pass: clean up, route, claim what is due, begin to send it. Raises `Unavailable`."""
        now_ms, now = self._clock.boot_ms(), self._clock.wall()
        if self._cleaned_ms is None or now_ms - self._cleaned_ms >= CLEAN_MS:
            routing = self._directory is not None
            died = await asyncio.to_thread(outbox.clean, self._database, now=now, routing=routing)
            self._metrics.notification_attempts.labels(destination="", outcome="dead").inc(died)
            self._cleaned_ms = now_ms
        if self._counted_ms is None or now_ms - self._counted_ms >= COUNT_MS:
            for state, count in (await asyncio.to_thread(outbox.counts, self._database)).items():
                self._metrics.notifications.labels(state=state.value).set(count)
            self._counted_ms = now_ms
        if self._directory is not None:
            await asyncio.to_thread(outbox.route, self._database, self._names_for, now=now)
            for claimed in await asyncio.to_thread(self._claim, now):
                self._busy[claimed.destination] += 1
                task = asyncio.get_running_loop().create_task(self._deliver(claimed))
                self._sending.add(task)
                task.add_done_callback(self._sending.discard)
        self._passed_ms = self._clock.boot_ms()

    async def drain(self) -> None:
        """Wait for the attempts under way; each is bounded."""
        while self._sending:
            await asyncio.wait(self._sending)

    def _names_for(self, event: Event, only: str | None) -> Iterable[str]:
        """Where an event goes; a test of a destination that is not there goes nowhere."""
        assert self._directory is not None
        return self._directory.names_for(event) if only is None else self._directory.destinations.keys() & {only}

    def _claim(self, now: datetime) -> list[Claimed]:
        assert self._directory is not None
        claimed: list[Claimed] = []
        for name in outbox.due(self._database, now=now):
            # One that our file does not name may be another beat's; when it is nobody's, it dies of age.
            if name in self._directory.destinations and (room := AT_ONCE - self._busy[name]) > 0:
                claimed += outbox.claim(self._database, name, limit=room, now=now)
        return claimed

    async def _deliver(self, claimed: Claimed) -> None:
        """One attempt and its record. Raises nothing: a claim whose attempt is not recorded runs out."""
        try:
            try:
                attempt = await self._attempt(claimed)
            except Exception as error:  # noqa: BLE001 - ours to mend; it counts as an attempt, or it would never end
                attempt = Attempt(delivered=False, note=f"a bug of Interlock: {type(error).__name__}")
            await asyncio.to_thread(self._settle, claimed, attempt)
        except Unavailable as error:
            log_event(log, "notification_not_recorded", level=logging.WARNING, id=claimed.event.id, error=error)
        except Exception as error:  # noqa: BLE001 - it is repeated when its claim runs out; the others go on
            log_event(log, "notification_not_recorded", level=logging.ERROR, id=claimed.event.id, error=repr(error))
        finally:
            self._busy[claimed.destination] -= 1

    async def _attempt(self, claimed: Claimed) -> Attempt:
        assert self._directory is not None
        destination = self._directory.destinations[claimed.destination]
        if isinstance(destination, Email):
            send = partial(send_email, destination, claimed.event, name=claimed.destination)
            return await asyncio.get_running_loop().run_in_executor(self._mailers, send)
        return await send_http(destination, claimed.event, now=self._clock.wall())

    def _settle(self, claimed: Claimed, attempt: Attempt) -> None:
        jitter = random.random()  # noqa: S311 - spreads retries; no secret
        verdict = outbox.settle(self._database, claimed, attempt, now=self._clock.wall(), jitter=jitter)
        outcomes = {NotificationState.DELIVERED: "delivered", NotificationState.DEAD: "dead"}
        outcome = outcomes.get(verdict.state, "failed")
        self._metrics.notification_attempts.labels(destination=claimed.destination, outcome=outcome).inc()
        log_event(
            log,
            f"notification_{outcome}",
            level=logging.INFO if attempt.delivered else logging.WARNING,
            id=claimed.event.id,
            kind=claimed.event.kind.value,
            destination=claimed.destination,
            attempt=claimed.attempts,
            note=attempt.note or None,
        )
