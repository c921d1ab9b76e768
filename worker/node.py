"""The bootstep that says every two seconds: this host is alive, serves these regions, and attempts these runs."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from typing import Any

from celery import bootsteps
from celery.worker import state as celery_state

from shared.clock import SystemClock
from shared.constants import TASK_RUN
from shared.errors import InterlockError
from shared.lease.store import LeaseStore
from shared.log import log_event
from shared.settings import Settings

BEAT_S = 2.0
# Five beats may be lost before the host counts as gone.
TTL_MS = 10_000
_RUN_ID = re.compile(r"run-[0-9a-f]{16}")

_log = logging.getLogger(__name__)


class NodeBeat:
    """The last beat, and how to send one. Separate from the bootstep, which Celery makes and ends."""

    def __init__(self, settings: Settings, store: LeaseStore) -> None:
        """Bind the parts.

        Args:
            settings: node and regions.
            store: where the beat goes.
        """
        self._settings = settings
        self._store = store
        self._clock = SystemClock()
        self._sent_at_ms: int | None = None

    @property
    def fresh(self) -> bool:
        """Whether the last beat was delivered within its TTL."""
        return self._sent_at_ms is not None and self._clock.boot_ms() - self._sent_at_ms < TTL_MS

    def send(self, runs: Iterable[str]) -> None:
        """Send one beat, and say again which durations we have; a Redis that is away is logged and tried with the next.

        Args:
            runs: ids of the runs attempted now.
        """
        payload: dict[str, Any] = {
            "node": self._settings.node,
            "regions": list(self._settings.regions),
            "runs": sorted(set(runs)),
            "sandbox": self._settings.sandbox,
            # All hosts must have the same: whoever starts compares, and is told which host it is.
            "timing": self._settings.timing.model_dump(),
            "at": self._clock.wall().isoformat(),
        }
        try:
            self._store.beat(self._settings.node, payload, TTL_MS)
            self._sent_at_ms = self._clock.boot_ms()
            self._store.agree(self._settings.timing)
        except InterlockError as error:
            log_event(_log, "beat_failed", level=logging.WARNING, node=self._settings.node, error=error)


def attempted_runs() -> list[str]:
    """Ids of the runs whose tasks the pool has or is about to get, from Celery's own books."""
    found: list[str] = []
    for request in list(celery_state.reserved_requests) + list(celery_state.active_requests):
        if request.name == TASK_RUN:
            found += _RUN_ID.findall(str(request.args))
    return found


def beat_step(beat: NodeBeat, on_beat: Any = None) -> type[Any]:
    """Make the bootstep class that Celery wants.

    Args:
        beat: sends.
        on_beat: told the number of attempted runs.
    """

    class BeatStep(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery publishes no types
        """Beats from the worker's own timer: a worker that hangs stops beating."""

        requires = {"celery.worker.components:Timer"}  # noqa: RUF012  # Celery's protocol

        def start(self, parent: Any) -> None:
            self._beat()
            self._entry = parent.timer.call_repeatedly(BEAT_S, self._beat)

        def stop(self, parent: Any) -> None:
            self._entry.cancel()

        def _beat(self) -> None:
            runs = attempted_runs()
            beat.send(runs)
            if on_beat is not None:
                on_beat(len(set(runs)))

    return BeatStep
