"""The only place that reads time for safety.

Deadlines are kept on CLOCK_BOOTTIME: it is monotonic, nobody can set it, and unlike CLOCK_MONOTONIC it goes
on counting while the machine is suspended, so a laptop that wakes up knows that its lease has passed.
The wall clock is for people's eyes only.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

_NS_PER_MS: Final = 1_000_000
_MANUAL_EPOCH: Final = datetime(2026, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """What the rest of the code may know about time."""

    def boot_ms(self) -> int:
        """Return milliseconds since boot, suspend included; comparable only on this host and boot."""
        ...

    def wall(self) -> datetime:
        """Return the wall clock, timezone-aware (UTC). For display and records, never for a decision."""
        ...


class SystemClock:
    """The clock of this machine."""

    def boot_ms(self) -> int:
        """Return CLOCK_BOOTTIME in whole milliseconds, rounded down."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // _NS_PER_MS

    def wall(self) -> datetime:
        """Return the current time in UTC."""
        return datetime.now(UTC)


class ManualClock:
    """A clock for tests: it moves only when told to."""

    def __init__(self, start_ms: int = 0) -> None:
        """Start at `start_ms`; the wall clock starts at the same distance from 2026-01-01."""
        self._now_ms = start_ms

    def boot_ms(self) -> int:
        """Return the time set by the test."""
        return self._now_ms

    def wall(self) -> datetime:
        """Return a wall time that moves along with `boot_ms`."""
        return _MANUAL_EPOCH + timedelta(milliseconds=self._now_ms)

    def advance(self, ms: int) -> None:
        """Move forward by `ms`. Raises ValueError for a step back: a boot clock never does that."""
        if ms < 0:
            raise ValueError(f"a boot clock cannot go back (by {-ms} ms)")
        self._now_ms += ms
