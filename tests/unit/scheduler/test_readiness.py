"""Readiness."""

from __future__ import annotations

import pytest

from scheduler import runs
from scheduler.readiness import checks, refresh_rollback_counts, refresh_rollout_counts, refresh_run_counts
from scheduler.rollout import service
from scheduler.rollout.drive import change
from shared import exit_codes
from shared.errors import Unavailable
from shared.models import RunStatus
from tests.unit.scheduler.rollback.support import begun, lose, release, rollback_run
from tests.unit.scheduler.rollout.support import phase, publish, work
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


def test_roll_outs_are_counted_and_what_waits_for_a_person_shows(world: World) -> None:
    digest = publish(world, phase("one", approval=True), targets={"one": ["web.r1"]})
    value = service.start(world.context, digest, actor="anna")
    work(world, "web.r1")
    change(world.context, value.id)
    world.clock.advance(90_000)
    refresh_rollout_counts(world.context)
    assert metric(world, "rollouts", status="running") == 1
    assert metric(world, "rollout_targets", stage="planned") == 1
    assert metric(world, "rollout_plans_waiting") == 1
    assert metric(world, "oldest_rollout_age_seconds") == 90
    service.cancel(world.context, value.id, actor="anna")
    refresh_rollout_counts(world.context)
    assert metric(world, "rollouts", status="running") == 0
    assert metric(world, "rollouts", status="canceled") == 1
    assert metric(world, "rollout_plans_waiting") == 0
    assert metric(world, "oldest_rollout_age_seconds") == 0
    assert metric(world, "ended_rollouts_total", status="canceled") == 1


@pytest.mark.parametrize(
    ("status", "code", "cause"),
    [(RunStatus.LOST, 1, "lost"), (RunStatus.ERRORED, exit_codes.UNAVAILABLE, "unserved")],
)
def test_what_is_tried_again_is_counted_by_cause(world: World, status: RunStatus, code: int, cause: str) -> None:
    digest = publish(world, phase("one"), targets={"one": ["web.r1"]})
    value = service.start(world.context, digest, actor="anna")
    work(world, "web.r1", status, exit_code=code)
    change(world.context, value.id)
    assert metric(world, "rollout_retries_total", cause=cause) == 1


def test_targets_that_rollbacks_keep_are_counted(world: World) -> None:
    lose(world, begun(world, release(world, "one")))
    refresh_rollback_counts(world.context)
    assert metric(world, "reserved_targets", status="QUEUED") == 1
    assert metric(world, "reserved_targets", status="FAILED") == 0
    runs.cancel(world.context, rollback_run(world).id)
    refresh_rollback_counts(world.context)
    assert metric(world, "reserved_targets", status="QUEUED") == 0
    assert metric(world, "reserved_targets", status="FAILED") == 1
