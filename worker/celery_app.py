"""The worker's Celery app: one task, one queue for each region.

A message carries a run id and nothing else. It may come twice, late or never; `supervisor.attempt` claims through the
API, and a claim that fails makes the message a no-op.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import Any

from celery import Celery, signals

from shared.celery_config import celery_settings, declare_queues
from shared.constants import TASK_RUN
from shared.log import log_event
from shared.settings import Settings
from worker.process import die_with_parent

_log = logging.getLogger(__name__)


def create_app(settings: Settings, attempt: Callable[[str], None]) -> Celery:
    """Build the app.

    Args:
        settings: broker and regions.
        attempt: takes a run id; runs in a pool child's main thread.
    """
    app = Celery("interlock-worker", set_as_current=False)
    app.conf.update(celery_settings(settings))
    declare_queues(app, settings.regions)

    def run(run_id: str) -> None:
        attempt(run_id)

    # Lazy would leave the task unregistered until something else finalizes the app.
    app.task(run, name=TASK_RUN, lazy=False)
    return app


def tie_children_to(main_pid: int, on_child: Callable[[], None]) -> None:
    """Let every pool child die with the worker's main process, and make its own connections.

    Args:
        main_pid: the process that forks the pool.
        on_child: called in each new pool child.
    """

    def in_child(**_: Any) -> None:
        die_with_parent(main_pid)
        on_child()
        log_event(_log, "pool_child_started", pid=os.getpid())

    # Celery keeps weak references; the connection lives as long as the process.
    signals.worker_process_init.connect(in_child, weak=False)


def keep_our_logging() -> None:
    """Keep Celery from configuring logging: it would replace our format and capture standard output."""
    signals.setup_logging.connect(lambda **_: None, weak=False)
