"""Routes: health and metrics."""

from __future__ import annotations

import pytest

from shared.errors import Unavailable
from tests.unit.scheduler.api.conftest import AppClient
from tests.unit.scheduler.support import World


def test_a_dependency_that_is_away_makes_us_alive_but_not_ready(
    world: World, raw: AppClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert raw.get("/readyz").json() == {"database": True, "redis": True}

    def away() -> None:
        raise Unavailable("Redis is away")

    monkeypatch.setattr(world.store, "nodes", away)
    answer = raw.get("/readyz")
    assert (answer.status_code, answer.json()) == (503, {"database": True, "redis": False})
    assert raw.get("/healthz").status_code == 200


def test_metrics_count_runs_and_grants(world: World, raw: AppClient) -> None:
    world.begin()
    text = raw.get("/metrics").text
    assert 'interlock_scheduler_runs{status="claimed"} 1.0' in text
    assert "interlock_scheduler_grants_total 1.0" in text
