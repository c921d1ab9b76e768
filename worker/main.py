"""Starts a worker: finds out what this platform allows, says what is not enforced, then hands over to Celery."""

from __future__ import annotations

import logging
import os
import signal
import threading
from typing import Any

from celery import signals

from shared.api_client import ApiClient
from shared.celery_config import queue_name
from shared.clock import SystemClock
from shared.health import serve_health
from shared.lease.store import LeaseStore
from shared.log import configure_logging, log_event
from shared.settings import Settings
from worker import supervisor
from worker.celery_app import create_app, keep_our_logging, tie_children_to
from worker.leftovers import Leftovers
from worker.metrics import WorkerMetrics
from worker.node import NodeBeat, beat_step
from worker.release_cache import ReleaseCache
from worker.renewal_group import RenewalGroup
from worker.sandbox_setup import Confinement, decide_confinement

_log = logging.getLogger(__name__)


class _Child:
    """What a pool child has of its own: connections are not shared across a fork."""

    def __init__(
        self, settings: Settings, confinement: Confinement, metrics: WorkerMetrics, group: RenewalGroup
    ) -> None:
        self._settings = settings
        self._group = group
        self._confinement = confinement
        self._metrics = metrics
        self._parts: supervisor.Parts | None = None

    def connect(self) -> None:
        """Make the child's own connections; they are lazy, so nothing has to be there yet."""
        store = LeaseStore.from_settings(self._settings)
        self._parts = supervisor.Parts(
            settings=self._settings,
            api=ApiClient(self._settings.api_url, self._settings.read_token("worker")),
            store=store,
            renewer=self._group.join(store),
            clock=SystemClock(),
            confinement=self._confinement,
            metrics=self._metrics,
            releases=ReleaseCache(self._settings.home),
        )

    def attempt(self, run_id: str) -> None:
        """Attempt a run."""
        if self._parts is None:
            self.connect()
        assert self._parts is not None
        supervisor.attempt(self._parts, run_id)


def run_worker(settings: Settings) -> int:
    """Run a worker until it is told to stop.

    Args:
        settings: all options.

    Returns:
        Exit code for the process.

    Raises:
        ConfigurationError: the platform forbids the sandbox, Redis must not hold leases, another host has other lease
            durations, a part that was named is missing, or the port for health is taken. Nothing is left running.
        Unavailable: Redis does not answer.
    """
    settings.prepare()
    configure_logging(settings.log_level, component="worker")
    settings.read_token("worker")  # refuses now, not with the first run
    confinement = decide_confinement(settings)
    for note in confinement.notes:
        log_event(_log, "note", level=logging.WARNING, text=note)
    store = LeaseStore.from_settings(settings)
    try:
        store.check_server()
        store.check_timing(settings.timing, settings.node)
    except BaseException:
        store.close()
        raise
    metrics = WorkerMetrics()
    metrics.start()
    beat = NodeBeat(settings, store)
    api = ApiClient(settings.api_url, settings.read_token("worker"))

    def ready() -> dict[str, bool]:
        return {"beat": beat.fresh, "api": api.healthy(), "proxy": settings.proxy_socket.exists()}

    health = None
    if settings.http_port is not None:
        health = serve_health(settings.http_host, settings.http_port, ready, metrics.registry)
    group = RenewalGroup(store, SystemClock(), renew_ms=settings.timing.renew_ms)
    group.start()
    child = _Child(settings, confinement, metrics, group)
    keep_our_logging()
    tie_children_to(os.getpid(), child.connect)
    app = create_app(settings, child.attempt)
    app.steps["worker"].add(beat_step(beat, metrics.active.set))
    bound_the_drain(app, settings.worker_drain_s)
    ended = threading.Event()
    leftovers = Leftovers(settings.home, api, SystemClock())
    threading.Thread(target=leftovers.deliver_all, args=(ended,), name="leftovers", daemon=True).start()
    log_event(
        _log,
        "worker_starting",
        node=settings.node,
        regions=",".join(settings.regions),
        concurrency=settings.worker_concurrency,
        sandbox=confinement.bwrap or "none",
        terraform=confinement.terraform.path if confinement.terraform else "none",
    )
    try:
        return _celery(app, settings)
    finally:
        ended.set()
        if health is not None:
            health.close()
        api.close()
        group.close()
        store.close()


def bound_the_drain(app: Any, drain_s: float) -> None:
    """Let SIGTERM end in a cold shutdown once the runs had `drain_s` seconds to end by themselves.

    Celery's warm shutdown, which SIGTERM begins, waits for its tasks without a bound; a service manager would then kill
    everything at once. A cold shutdown ends each pool child in good order: it ends its sandbox, and the proxy cuts.

    Args:
        app: the worker's app.
        drain_s: seconds from the signal on.
    """

    def turn_cold() -> None:
        log_event(_log, "drain_over", level=logging.WARNING, drain_s=drain_s)
        # Its runs have had their time: Celery's own soft shutdown would wait for them once more.
        app.conf.worker_soft_shutdown_timeout = 0
        os.kill(os.getpid(), signal.SIGQUIT)

    def on_shutdown(how: str = "", **_: Any) -> None:
        if how == "Warm":
            timer = threading.Timer(drain_s, turn_cold)
            timer.daemon = True
            timer.start()
            log_event(_log, "draining", drain_s=drain_s)

    signals.worker_shutting_down.connect(on_shutdown, weak=False)


def _celery(app: Any, settings: Settings) -> int:
    worker = app.Worker(
        hostname=f"interlock@{settings.node}",
        pool="prefork",
        concurrency=settings.worker_concurrency,
        queues=[queue_name(region) for region in settings.regions],
        loglevel=settings.log_level,
        optimization="fair",
        without_mingle=True,
        without_gossip=True,
        quiet=True,
    )
    worker.start()
    return int(worker.exitcode or 0)
