"""Beat."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from celery import Celery
from celery.beat import Service

from scheduler import runs
from scheduler.beat import MAX_INTERVAL_S, STALE_S, TickingScheduler, scheduler_class
from shared.models import RunStatus
from tests.servers import wait_for
from tests.unit.scheduler.support import TARGET, World


@pytest.fixture
def beat(world: World) -> Iterator[TickingScheduler]:
    # As Celery makes it.
    service = Service(Celery("test"), max_interval=MAX_INTERVAL_S, scheduler_cls=scheduler_class(world.context))
    scheduler: TickingScheduler = service.scheduler
    yield scheduler
    scheduler.close()


def test_beat_ticks_and_hosts_the_observer(world: World, beat: TickingScheduler) -> None:
    world.store.beat("node-1", {"runs": [], "regions": ["north"]}, 600_000)
    run = world.submit()
    world.publisher.hints.clear()
    world.clock.advance(10_000)
    assert 0 < beat.tick() <= MAX_INTERVAL_S
    assert world.publisher.hints == [("north", run.id)]
    assignment = world.claim(run)
    lease = world.acquire(assignment)
    world.sever(TARGET, lease)
    wait_for("the observer to end the run", lambda: runs.get(world.context, run.id).status is RunStatus.LOST)


def test_an_observer_that_died_is_started_again(world: World, beat: TickingScheduler) -> None:
    died = beat._thread
    assert died is not None
    beat._stop.set()
    died.join(30)
    beat._stop.clear()
    beat.tick()
    assert beat._thread is not died
    assert beat._thread is not None
    assert beat._thread.is_alive()


def test_beat_is_ready_while_ticks_and_observations_are_recent(world: World, beat: TickingScheduler) -> None:
    beat.tick()
    assert beat.ready() == {"database": True, "redis": True, "ticks": True, "observer": True}
    beat.close()
    world.clock.advance(int(STALE_S * 1000))
    assert beat.ready() == {"database": True, "redis": True, "ticks": False, "observer": False}
    name = "interlock_scheduler_last_tick_age_seconds"
    assert world.context.metrics.registry.get_sample_value(name) == pytest.approx(STALE_S)


def test_closing_stops_the_observer(beat: TickingScheduler) -> None:
    beat.close()
    assert beat._thread is not None
    assert not beat._thread.is_alive()


def test_a_lazy_scheduler_starts_nothing(world: World) -> None:
    lazy = scheduler_class(world.context)(app=Celery("test"), lazy=True)
    assert lazy._thread is None
    lazy.close()
