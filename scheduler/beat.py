"""Beat: Celery's periodic service, with our ticks instead of its schedule, and two loops beside them: the observer and
the sender of notifications.

Two beats side by side are harmless: ticks are taken by a unique row, and everything an observer does is checked where
it takes effect. A beat that is gone costs time only: leases then expire later.
"""

import logging
import signal
import threading
from types import FrameType
from typing import Any, ClassVar

from celery.beat import Scheduler, Service

from scheduler.assembly import build_context, close_context
from scheduler.celery_app import create_app
from scheduler.context import SchedulerContext
from scheduler.notifications.destinations import load_directory
from scheduler.notifications.loop import Notifier
from scheduler.observer_loop import ObserverLoop
from scheduler.readiness import checks
from scheduler.ticks import Ticker
from shared.health import serve_health
from shared.log import configure_logging, log_event
from shared.settings import Settings, load_settings

log = logging.getLogger(__name__)

#: Longest pause between two ticks: the length of the shortest slot.
MAX_INTERVAL_S = 0.5
#: A beat whose last tick or observation is older is not ready.
STALE_S = 30.0
_JOIN_S = 10.0


class TickingScheduler(Scheduler):  # type: ignore[misc]  # Celery publishes no types
    """Ticks in this process, and keeps the threads of observer and notifier alive."""

    #: The context to work with; bound by `scheduler_class`. None: made from the environment.
    context: ClassVar[SchedulerContext | None] = None

    def __init__(self, *args: Any, **options: Any) -> None:
        """Called by Celery. With `lazy` nothing is started."""
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._notifying: threading.Thread | None = None
        super().__init__(*args, **options)

    def setup_schedule(self) -> None:
        """Start observer and notifier.

        Raises `ConfigurationError` and `Unavailable` when the context cannot be made or the file of destinations is
        no good.
        """
        context = type(self).context or build_context(load_settings())
        file = context.settings.notifications
        directory = load_directory(file) if file is not None else None
        self.notifier = Notifier(
            database=context.database, clock=context.clock, metrics=context.metrics, directory=directory
        )
        self.ticker = Ticker(context)
        self.observer = ObserverLoop(context)
        self.bound_context = context
        context.metrics.tick_age.set_function(self.ticker.age_s)
        context.metrics.observer_age.set_function(self.observer.age_s)
        self._start_observer()
        self._start_notifier()

    def tick(self, *args: Any, **options: Any) -> float:
        """Do what is due. Returns the seconds until the next call."""
        self.ticker.tick()
        if self._thread is not None and not self._thread.is_alive() and not self._stop.is_set():
            log_event(log, "observer_died", level=logging.ERROR)
            self._start_observer()
        if self._notifying is not None and not self._notifying.is_alive() and not self._stop.is_set():
            log_event(log, "notifier_died", level=logging.ERROR)
            self._start_notifier()
        return min(float(super().tick(*args, **options)), MAX_INTERVAL_S)

    def close(self) -> None:
        """Stop observer and notifier and wait for what they are at; a mail that takes longer is sent again later."""
        self._stop.set()
        for thread in (self._thread, self._notifying):
            if thread is not None:
                thread.join(timeout=_JOIN_S)
        if self._notifying is not None:
            self.notifier.close()
        super().close()

    def ready(self) -> dict[str, bool]:
        """The dependencies, and whether ticks and observations are recent."""
        sending = {"notifications": self.notifier.age_s() < STALE_S} if self.notifier.sends else {}
        return {
            **checks(self.bound_context),
            "ticks": self.ticker.age_s() < STALE_S,
            "observer": self.observer.age_s() < STALE_S,
            **sending,
        }

    def _start_observer(self) -> None:
        self._thread = threading.Thread(target=self.observer.run, args=(self._stop,), name="observer", daemon=True)
        self._thread.start()

    def _start_notifier(self) -> None:
        self._notifying = threading.Thread(target=self.notifier.run, args=(self._stop,), name="notifier", daemon=True)
        self._notifying.start()


def scheduler_class(context: SchedulerContext) -> type[TickingScheduler]:
    """The scheduler bound to a context; Celery wants a class and makes the object itself."""
    return type("BoundTickingScheduler", (TickingScheduler,), {"context": context})


def run_beat(settings: Settings) -> None:
    """Run beat until SIGTERM or SIGINT. Raises `ConfigurationError` and `Unavailable` when it cannot begin."""
    configure_logging(settings.log_level, component="beat")
    context = build_context(settings)
    service = Service(create_app(settings), max_interval=MAX_INTERVAL_S, scheduler_cls=scheduler_class(context))
    scheduler: TickingScheduler = service.scheduler
    health = None
    try:
        if settings.http_port is not None:
            health = serve_health(settings.http_host, settings.http_port, scheduler.ready, context.metrics.registry)

        def stop(_signal: int, _frame: FrameType | None) -> None:
            service.stop()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        service.start()
    finally:
        scheduler.close()
        if health is not None:
            health.close()
        close_context(context)
