"""What every service of the scheduler works with, put together once per process."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from scheduler.cipher import StateCipher
from scheduler.database import Database
from scheduler.metrics import SchedulerMetrics
from scheduler.publisher import Publisher
from shared.clock import Clock
from shared.lease.store import LeaseStore
from shared.settings import Settings


@dataclass(frozen=True, kw_only=True)
class SchedulerContext:
    """The scheduler's dependencies; services are functions that take it first."""

    settings: Settings
    """Options of this installation."""
    database: Database
    """Where truth lives; already migrated."""
    store: LeaseStore
    """The leases."""
    publisher: Publisher
    """The way to the workers."""
    clock: Clock
    """Boot clock for waiting, wall clock for people."""
    cipher: StateCipher
    """Seals states."""
    metrics: SchedulerMetrics = field(default_factory=SchedulerMetrics)
    """What is counted in this process."""
    _started: tuple[datetime, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Remember when this process started, by both clocks."""
        object.__setattr__(self, "_started", (self.clock.wall(), self.clock.boot_ms()))

    def unstepped_wall(self) -> datetime:
        """The wall clock, or what it would show had nobody set it since this process started: whichever is earlier.

        For what must not happen early because a clock was set, such as the end of a run that takes too long.
        """
        wall, boot_ms = self._started
        return min(self.clock.wall(), wall + timedelta(milliseconds=self.clock.boot_ms() - boot_ms))
