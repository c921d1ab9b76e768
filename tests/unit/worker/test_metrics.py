"""Counts from pool children reach the process that is scraped."""

from __future__ import annotations

import os
import threading

import pytest

from worker.metrics import WorkerMetrics


def value(metrics: WorkerMetrics, name: str, **labels: str) -> float:
    return metrics.registry.get_sample_value(name, labels) or 0.0


def eventually(metrics: WorkerMetrics, expected: float, name: str, **labels: str) -> None:
    for _ in range(3000):
        if value(metrics, name, **labels) == expected:
            return
        threading.Event().wait(0.02)
    pytest.fail(f"{name} did not become {expected}")


def test_a_forked_child_is_counted() -> None:
    metrics = WorkerMetrics()
    child = os.fork()
    if child == 0:
        metrics.event("duplicate")
        metrics.ended("applied")
        os._exit(0)
    os.waitpid(child, 0)
    metrics.start()
    eventually(metrics, 1.0, "interlock_worker_events_total", event="duplicate")
    eventually(metrics, 1.0, "interlock_worker_runs_total", status="applied")


def test_a_full_pipe_blocks_no_run() -> None:
    metrics = WorkerMetrics()
    for _ in range(20_000):
        metrics.event("interrupt")


def test_an_unknown_line_is_left_out() -> None:
    metrics = WorkerMetrics()
    metrics.take("nonsense")
    metrics.take("")
    assert value(metrics, "interlock_worker_events_total", event="") == 0.0


def test_every_name_has_our_prefix() -> None:
    metrics = WorkerMetrics()
    assert all(family.name.startswith("interlock_worker_") for family in metrics.registry.collect())
