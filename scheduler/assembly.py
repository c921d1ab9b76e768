"""Puts a process's context together: database migrated, state key and tokens in place, Redis found fit to hold
leases.
"""

from scheduler.celery_app import CeleryPublisher, create_app
from scheduler.cipher import load_cipher
from scheduler.context import SchedulerContext
from scheduler.database import Database
from scheduler.tokens import ensure_tokens
from shared.clock import SystemClock
from shared.lease.store import LeaseStore
from shared.settings import Settings


def build_context(settings: Settings) -> SchedulerContext:
    """The context that these settings describe. API and beat may do this at the same time.

    Raises `ConfigurationError` for a key, token file, address or Redis that cannot be used and for a worker host with
    other lease durations, and `Unavailable` for a
    database or Redis that does not answer.
    """
    settings.prepare()
    clock = SystemClock()
    database = Database(settings.database_url)
    store = LeaseStore.from_settings(settings)
    try:
        store.check_server()
        store.check_timing(settings.timing, settings.node)
        database.migrate()
        cipher = load_cipher(settings.home, database)
        ensure_tokens(settings.home, settings.node, database, clock)
    except BaseException:
        store.close()
        database.close()
        raise
    return SchedulerContext(
        settings=settings,
        database=database,
        store=store,
        publisher=CeleryPublisher(create_app(settings)),
        clock=clock,
        cipher=cipher,
    )


def close_context(context: SchedulerContext) -> None:
    """Give back every connection."""
    context.store.close()
    context.database.close()
