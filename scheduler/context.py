"""What every service of the scheduler works with, put together once per process."""

from dataclasses import dataclass, field

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
