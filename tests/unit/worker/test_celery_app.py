"""The Celery app: one task, no surprises."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from celery import signals

from shared.constants import TASK_RUN
from shared.settings import Settings
from worker import celery_app
from worker.celery_app import create_app, keep_our_logging, tie_children_to


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, regions=("here", "there"))


def test_the_task_hands_the_run_id_on(settings: Settings) -> None:
    attempted: list[str] = []
    app = create_app(settings, attempted.append)
    app.tasks[TASK_RUN]("run-1")
    assert attempted == ["run-1"]


def test_there_is_a_queue_for_each_region_and_no_other(settings: Settings) -> None:
    app = create_app(settings, lambda _: None)
    assert {queue.name for queue in app.conf.task_queues} == {"interlock.here", "interlock.there"}
    assert app.conf.task_create_missing_queues is False


def test_a_broker_blip_does_not_end_a_run(settings: Settings) -> None:
    conf = create_app(settings, lambda _: None).conf
    assert conf.worker_cancel_long_running_tasks_on_connection_loss is False
    assert conf.task_reject_on_worker_lost is False
    assert conf.worker_prefetch_multiplier == 1


def test_each_pool_child_is_tied_to_the_worker_and_connects_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    tied: list[int] = []
    connected: list[int] = []
    monkeypatch.setattr(celery_app, "die_with_parent", tied.append)
    receivers: list[Any] = list(signals.worker_process_init.receivers)
    try:
        tie_children_to(os.getpid(), lambda: connected.append(1))
        signals.worker_process_init.send(sender=None)
    finally:
        signals.worker_process_init.receivers = receivers
    assert tied == [os.getpid()]
    assert connected == [1]


def test_celery_leaves_our_logging_alone() -> None:
    receivers: list[Any] = list(signals.setup_logging.receivers)
    try:
        keep_our_logging()
        assert len(signals.setup_logging.receivers) == len(receivers) + 1
    finally:
        signals.setup_logging.receivers = receivers
