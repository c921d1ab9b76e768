"""Ticks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from scheduler import runs
from scheduler.context import SchedulerContext
from scheduler.tables import TickRow
from scheduler.ticks import HARD_LIMIT_MARGIN_S, SCHEDULES, Schedule, Ticker, end_overlong_runs, slot, take
from shared.lease.machine import State
from shared.rollback.settings import RollbackSettings
from tests.unit.scheduler.rollback.support import claimed, release
from tests.unit.scheduler.support import TARGET, World, metric


def counting(log: list[str], *, every_s: int = 2) -> Schedule:
    return Schedule(name="counting", every_s=every_s, work=lambda _context: log.append("done"))


def test_of_two_beats_one_does_the_work(world: World) -> None:
    done: list[str] = []
    beats = [Ticker(world.context, [counting(done)]) for _ in range(2)]
    for _ in range(10):
        for beat in beats:
            beat.tick()
        world.clock.advance(1000)
    assert len(done) == 5


def test_a_schedule_that_fails_stops_neither_the_others_nor_itself(world: World) -> None:
    done: list[str] = []

    def fail(_context: SchedulerContext) -> None:
        raise RuntimeError("broken")

    beat = Ticker(world.context, [Schedule(name="broken", every_s=1, work=fail), counting(done, every_s=1)])
    beat.tick()
    world.clock.advance(1000)
    assert beat.tick() == ["counting"]
    assert len(done) == 2
    assert metric(world, "tick_errors_total") == 2


def test_a_clock_that_was_set_back_does_not_stop_the_ticks(world: World) -> None:
    schedule = counting([], every_s=1)
    now = datetime(2026, 1, 1, 12, tzinfo=UTC)
    for second in range(100):
        assert take(world.context, schedule, now + timedelta(seconds=second))
    back = [take(world.context, schedule, now + timedelta(seconds=second)) for second in range(40, 110)]
    assert back.count(False) <= 6


def test_old_slots_are_forgotten(world: World) -> None:
    schedule = counting([], every_s=1)
    for second in range(100):
        take(world.context, schedule, datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=second))
    with world.context.database.read() as session:
        assert (session.scalar(select(func.count()).select_from(TickRow)) or 0) < 10


def test_slots_begin_at_multiples_of_their_length() -> None:
    at = datetime(2026, 1, 1, 0, 0, 59, 999_999, tzinfo=UTC)
    assert slot(at, 10) == datetime(2026, 1, 1, 0, 0, 50, tzinfo=UTC)
    assert slot(slot(at, 10), 10) == slot(at, 10)


def test_the_age_of_the_last_tick_grows_while_beat_hangs(world: World) -> None:
    beat = Ticker(world.context)
    world.clock.advance(1500)
    assert beat.age_s() == pytest.approx(1.5)
    beat.tick()
    assert beat.age_s() == 0


def test_the_ticks_dispatch_what_was_not_claimed(world: World) -> None:
    world.store.beat("node-1", {"runs": [], "regions": ["north"]}, 600_000)
    run = world.submit()
    world.publisher.hints.clear()
    world.clock.advance(10_000)
    assert Ticker(world.context).tick() == [schedule.name for schedule in SCHEDULES]
    assert world.publisher.hints == [("north", run.id)]


def test_a_run_beyond_the_hard_limit_loses_its_lease(world: World) -> None:
    assignment, _ = world.begin()
    limit_ms = world.context.settings.run_hard_limit_s * 1000 + HARD_LIMIT_MARGIN_S * 1000
    world.clock.advance(limit_ms)
    assert end_overlong_runs(world.context) == 0
    world.clock.advance(1)
    assert end_overlong_runs(world.context) == 1
    assert end_overlong_runs(world.context) == 0
    assert runs.get(world.context, assignment.run.id).revoke_requested
    assert world.store.view(TARGET).state is State.SEVERED


@pytest.mark.parametrize("step", [timedelta(days=365), timedelta(days=-365)])
def test_a_clock_that_is_set_ends_no_run(world: World, monkeypatch: pytest.MonkeyPatch, step: timedelta) -> None:
    assignment, _ = world.begin()
    right = world.clock.wall
    monkeypatch.setattr(world.clock, "wall", lambda: right() + step)
    assert end_overlong_runs(world.context) == 0
    assert not runs.get(world.context, assignment.run.id).revoke_requested


def test_a_deployment_has_more_time_to_be_watched_and_to_be_taken_back(world: World) -> None:
    limit_s = world.context.settings.run_hard_limit_s
    slow = {"type": "command", "name": "slow", "command": ["true"], "timeout_s": 300, "missing_data": "ignore"}
    settings = RollbackSettings.model_validate({"bake_s": 600, "checks": [slow]})
    assert settings.watched_s > 600
    run = claimed(world, release(world, "one", rollback=settings))
    world.clock.advance((2 * limit_s + settings.watched_s + HARD_LIMIT_MARGIN_S) * 1000)
    assert end_overlong_runs(world.context) == 0
    world.clock.advance(1000)
    assert end_overlong_runs(world.context) == 1
    assert runs.get(world.context, run.run.id).revoke_requested
