"""Listens to the cloud's log while it grows: how many calls came, is anything on its way, when is it quiet?"""

import threading
from collections.abc import Callable
from pathlib import Path

from deploy.demo.arrivals import Arrived, LogTail
from deploy.demo.fleet import boot_ms

_LOOK_S = 0.02


class CloudEar:
    """Follows the log in a thread of its own, from construction until `close`."""

    def __init__(self, log: Path, on_mutating: Callable[[Arrived], None]) -> None:
        """
        Args:
            log: the cloud's log; may not exist yet.
            on_mutating: called in the ear's thread for each mutating call that arrives.
        """
        self._tail = LogTail(log)
        self._on_mutating = on_mutating
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, int], int] = {}
        self._open: dict[int, tuple[str, int]] = {}
        self._last_ms: dict[str, float] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="cloud-ear", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop following."""
        self._stop.set()
        self._thread.join(timeout=5)

    def count(self, target: str, epoch: int) -> int:
        """Mutating calls of an epoch that have arrived."""
        with self._lock:
            return self._counts.get((target, epoch), 0)

    def quiet_for_ms(self, target: str) -> float:
        """How long ago the last mutating call of a target came; 0 while one is unanswered or none has come."""
        with self._lock:
            if target not in self._last_ms or any(owner[0] == target for owner in self._open.values()):
                return 0
            return boot_ms() - self._last_ms[target]

    def look(self) -> None:
        """Read what was added to the log. The thread does this all the time; tests do it themselves."""
        for entry in self._tail.read():
            if not isinstance(entry, Arrived):
                with self._lock:
                    self._open.pop(entry.seq, None)
            elif entry.mutating and entry.accepted and entry.target is not None and entry.epoch is not None:
                owner = (entry.target, entry.epoch)
                with self._lock:
                    self._counts[owner] = self._counts.get(owner, 0) + 1
                    self._open[entry.seq] = owner
                    self._last_ms[entry.target] = entry.arrived_boot_ms
                self._on_mutating(entry)

    def _follow(self) -> None:
        while not self._stop.wait(_LOOK_S):
            self.look()
