"""Watches the leases from outside, on the boot clock: when was one granted, when did it end?

The channel that dashboards listen to carries every change of state. What is noted is when this process
read a message, so a grant is seen a little late and a cut too; neither flatters.
"""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import redis

from deploy.demo.fleet import boot_ms
from shared.lease.keys import EVENTS_CHANNEL, target_keys

_LOOK_S = 0.1


@dataclass(frozen=True, kw_only=True)
class Change:
    """A lease has changed its state."""

    target: str
    """The target."""
    epoch: int
    """The lease's epoch."""
    state: str
    """The new state: held, releasing, revoking, released, severed or expired."""
    at_ms: float
    """When this process read of it; boot-clock ms."""
    node: str = ""
    """The host that holds it, as the keys said a moment later."""


class LeaseWatch:
    """Listens in a thread of its own, from construction until `close`."""

    def __init__(self, url: str, on_change: Callable[[Change], None]) -> None:
        """
        Args:
            url: of the Redis with the leases.
            on_change: called in the watch's thread for every change.
        """
        self._on_change = on_change
        self._lock = threading.Lock()
        self._changes: list[Change] = []
        self._stop = threading.Event()
        self._client = redis.Redis.from_url(url)
        self._events: Any = self._client.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]  # redis
        self._events.subscribe(EVENTS_CHANNEL)
        self._thread = threading.Thread(target=self._listen, name="lease-watch", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._stop.set()
        self._thread.join(timeout=5)
        self._events.close()
        self._client.close()

    def changes(self) -> list[Change]:
        """All changes so far."""
        with self._lock:
            return list(self._changes)

    def granted_ms(self, target: str, *, above: int) -> float | None:
        """When an epoch above `above` was first seen held; None: not yet."""
        return next(
            (
                change.at_ms
                for change in self.changes()
                if change.target == target and change.epoch > above and change.state == "held"
            ),
            None,
        )

    def ended_ms(self) -> dict[tuple[str, int], float]:
        """By target and epoch: when the lease was first seen in another state than held."""
        ended: dict[tuple[str, int], float] = {}
        for change in self.changes():
            if change.state != "held":
                ended.setdefault((change.target, change.epoch), change.at_ms)
        return ended

    def _listen(self) -> None:
        while not self._stop.is_set():
            try:
                message = self._events.get_message(timeout=_LOOK_S)
                if message is None:
                    continue
                at = boot_ms()
                change = parse_change(message["data"], at)
                change = replace(change, node=self._holder(change.target))
            except (redis.RedisError, ValueError, OSError):
                # The server is gone: the demo is ending, or it will notice at its next look.
                return
            with self._lock:
                self._changes.append(change)
            self._on_change(change)

    def _holder(self, target: str) -> str:
        node: Any = self._client.hget(target_keys(target).state, "node")
        return node.decode() if isinstance(node, bytes) else ""


def parse_change(data: bytes | str, at_ms: float) -> Change:
    """A message of the events channel.

    Raises:
        ValueError, KeyError: it is not one.
    """
    event = json.loads(data)
    return Change(target=str(event["target"]), epoch=int(event["epoch"]), state=str(event["state"]), at_ms=at_ms)
