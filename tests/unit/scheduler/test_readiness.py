"""Readiness."""

from __future__ import annotations

import pytest

from scheduler.readiness import checks, refresh_run_counts
from shared.errors import Unavailable
from tests.unit.scheduler.support import World, metric


def test_each_dependency_is_told_apart(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert checks(world.context) == {"database": True, "redis": True}

    def away() -> None:
        raise Unavailable("Redis is away")

    monkeypatch.setattr(world.store, "nodes", away)
    monkeypatch.setattr(world.context.database, "ping", lambda: False)
    assert checks(world.context) == {"database": False, "redis": False}


def test_runs_are_counted_by_status(world: World) -> None:
    world.submit()
    world.begin()
    refresh_run_counts(world.context)
    assert metric(world, "runs", status="pending") == 1
    assert metric(world, "runs", status="claimed") == 1
    assert world.context.metrics.registry.get_sample_value("interlock_scheduler_runs", {"status": "lost"}) == 0
