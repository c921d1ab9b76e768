"""Beat."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery
from celery.beat import Service

from scheduler import runs
from scheduler.beat import MAX_INTERVAL_S, STALE_S, TickingScheduler, scheduler_class
from scheduler.database import Database
from shared.errors import ConfigurationError
from shared.models import RunStatus
from tests.receivers import HttpReceiver
from tests.servers import wait_for
from tests.unit.scheduler.support import TARGET, World, make_world


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


def test_closing_stops_observer_and_notifier(beat: TickingScheduler) -> None:
    beat.close()
    for thread in (beat._thread, beat._notifying):
        assert thread is not None
        assert not thread.is_alive()


def test_a_notifier_that_died_is_started_again(beat: TickingScheduler) -> None:
    died = beat._notifying
    assert died is not None
    beat._stop.set()
    died.join(30)
    beat._stop.clear()
    beat.tick()
    assert beat._notifying is not died
    assert beat._notifying is not None
    assert beat._notifying.is_alive()


@pytest.fixture
def configured(tmp_path: Path, database: Database) -> Iterator[World]:
    """A world whose beat has a file of destinations."""
    world = make_world(tmp_path, database, notifications=tmp_path / "notifications.yaml")
    yield world
    world.store.close()


def test_beat_tells_what_happened_and_says_whether_it_can(configured: World, monkeypatch: pytest.MonkeyPatch) -> None:
    configured.register()
    with HttpReceiver(200) as receiver:
        monkeypatch.setenv("CHAT", receiver.url)
        file = "destinations: {chat: {slack: {url: {env: CHAT}}}}\nroutes: [{to: [chat]}]\n"
        (configured.context.settings.home / "notifications.yaml").write_text(file)
        beat = Service(Celery("test"), scheduler_cls=scheduler_class(configured.context)).scheduler
        try:
            _, lease = configured.begin()
            configured.sever(TARGET, lease)
            wait_for("the news", lambda: receiver.requests)
            assert b"Lease lost: web.north" in receiver.requests[0].body
            assert beat.ready()["notifications"]
        finally:
            beat.close()
        configured.clock.advance(int(STALE_S * 1000))
        assert not beat.ready()["notifications"]


def test_beat_does_not_start_with_destinations_that_are_no_good(configured: World) -> None:
    (configured.context.settings.home / "notifications.yaml").write_text("destinations: {}\n")
    with pytest.raises(ConfigurationError, match=r"notifications\.yaml: line 1"):
        _ = Service(Celery("test"), scheduler_cls=scheduler_class(configured.context)).scheduler


def test_a_lazy_scheduler_starts_nothing(world: World) -> None:
    lazy = scheduler_class(world.context)(app=Celery("test"), lazy=True)
    assert lazy._thread is None
    lazy.close()
