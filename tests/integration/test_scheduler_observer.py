"""The observer loop on a real Valkey and the real clock.

Upper bounds are generous waits; what is asserted about time is only that nothing happened too early.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from scheduler import leases, runs
from scheduler.database import Database
from scheduler.observer_loop import ObserverLoop
from scheduler.tables import RunRow
from shared.clock import SystemClock
from shared.errors import Unavailable
from shared.lease.commands import Refused, Renewed
from shared.lease.machine import State
from shared.lease.store import LeaseStore, connect
from shared.models import Assignment, Run, RunStatus
from tests.servers import ValkeyServer, wait_for
from tests.unit.scheduler.support import BOOT, FAST, PATIENT, World, make_world

CLOCK = SystemClock()
#: Long enough that a machine that stalls for a second does not expire what a test still wants to hold.
QUICK: dict[str, Any] = {**FAST, "ttl_ms": 3_000, "renew_ms": 300, "poll_ms": 100, "delta_ms": 200}


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """SQLite alone: what PostgreSQL must promise is in test_scheduler_database.py, and time passes alike on both."""
    return f"sqlite:///{tmp_path}/interlock.db"


@pytest.fixture
def target() -> str:
    return f"web.r{secrets.token_hex(6)}"


def real_world(home: Path, database: Database, url: str, *targets: str, **options: Any) -> World:
    world = make_world(home, database, store=LeaseStore(connect(url)), **{**QUICK, **options})
    real = World(context=replace(world.context, clock=CLOCK), clock=world.clock, server=None, publisher=world.publisher)
    real.register(*targets)
    return real


@pytest.fixture
def world(tmp_path: Path, database: Database, valkey_url: str, target: str) -> Iterator[World]:
    world = real_world(tmp_path / "home", database, valkey_url, target)
    yield world
    world.store.close()


@contextmanager
def observing(world: World, number: int = 1) -> Iterator[None]:
    """Observers in threads of their own."""
    stop = threading.Event()
    loops = [ObserverLoop(world.context) for _ in range(number)]
    threads = [threading.Thread(target=loop.run, args=(stop,)) for loop in loops]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)
    assert not any(thread.is_alive() for thread in threads)


def ended(world: World, assignment: Assignment) -> Callable[[], bool]:
    return lambda: runs.get(world.context, assignment.run.id).status.terminal


def follow_ups(world: World, run_id: str) -> list[Run]:
    return [run for run in runs.listed(world.context, target=None, status=None, limit=100) if run.retry_of == run_id]


def renew_some(world: World, target: str, lease: str, times: int) -> int:
    """Renew a few times; when the last renewal that was taken had been sent, on the boot clock."""
    sent_ms = CLOCK.boot_ms()
    pause = threading.Event()
    for _ in range(times):
        before_ms = CLOCK.boot_ms()
        if not isinstance(world.store.renew(target, lease), Renewed):
            break
        sent_ms = before_ms
        pause.wait(QUICK["renew_ms"] / 1000)
    return sent_ms


def test_a_silent_holder_is_expired_after_the_window_and_its_run_is_followed(world: World, target: str) -> None:
    with observing(world):
        assignment, lease = world.begin(target)
        sent_ms = renew_some(world, target, lease, 5)
        wait_for("the end of the run", ended(world, assignment))
        elapsed_ms = CLOCK.boot_ms() - sent_ms
    assert elapsed_ms >= world.context.settings.timing.window_ms
    assert world.store.view(target).state is State.EXPIRED
    assert runs.get(world.context, assignment.run.id).status is RunStatus.LOST
    (follower,) = follow_ups(world, assignment.run.id)
    wait_for("its hint", lambda: (follower.region, follower.id) in world.publisher.hints)


def test_a_proxy_that_died_unacknowledged_costs_the_time_for_unknown_calls_too(world: World, target: str) -> None:
    with observing(world):
        assignment, lease = world.begin(target)
        world.store.attach(target, lease, "node-1", BOOT)
        seen_ms = CLOCK.boot_ms()
        wait_for("the end of the run", ended(world, assignment))
        elapsed_ms = CLOCK.boot_ms() - seen_ms
    timing = world.context.settings.timing
    # The attachment did not renew: the lease may have been seen a moment before it.
    assert elapsed_ms >= timing.window_ms + timing.unknown_ms - 100


def test_a_severed_lease_is_followed_without_waiting_for_any_window(
    tmp_path: Path, database: Database, valkey_url: str, target: str
) -> None:
    """With a TTL of minutes and one look in five minutes, only the published event can explain the take-over."""
    slow: dict[str, Any] = {
        "ttl_ms": 600_000,
        "observe_ms": 300_000,
        "renew_ms": 60_000,
        "poll_ms": 10_000,
        "delta_ms": 10_000,
    }
    world = make_world(tmp_path / "home", database, store=LeaseStore(connect(valkey_url)), **slow)
    world.register(target)
    assignment, lease = world.begin(target)
    with observing(world):
        wait_for("the first pass", lambda: acquired(world, assignment))
        world.sever(target, lease)
        wait_for("the follow-up", lambda: follow_ups(world, assignment.run.id))
    world.store.close()


def acquired(world: World, assignment: Assignment) -> bool:
    with world.context.database.read() as session:
        return bool(session.scalar(select(RunRow.acquired).where(RunRow.id == assignment.run.id)))


def test_two_observers_side_by_side_do_everything_once(world: World, target: str) -> None:
    with observing(world, 2):
        assignment, lease = world.begin(target)
        world.sever(target, lease)
        wait_for("the end of the run", ended(world, assignment))
        (follower,) = follow_ups(world, assignment.run.id)
        second = world.claim(follower, holder="h2")
        assert world.acquire(second).startswith("2-")
        wait_for("the second end", ended(world, second))
    assert len(follow_ups(world, follower.id)) == 1


def test_a_claim_without_a_worker_is_fenced_off_and_followed(world: World, target: str) -> None:
    with observing(world):
        assignment = world.claim(world.submit(target))
        wait_for("the end of the run", ended(world, assignment))
        late = world.store.acquire(
            target, epoch=1, acquire_id="c" * 32, ttl_ms=900, holder="h", run_id=assignment.run.id, node="n"
        )
        assert isinstance(late, Refused)
    assert len(follow_ups(world, assignment.run.id)) == 1


def test_an_empty_restart_grants_nothing_for_the_embargo_and_nothing_to_the_old_epoch(
    tmp_path: Path, database: Database, redis_server_factory: Callable[..., ValkeyServer], target: str
) -> None:
    server = redis_server_factory()
    world = real_world(tmp_path / "home", database, server.url, target)
    with observing(world):
        assignment, _ = world.begin(target)
        wait_for("the lease to be known", lambda: acquired(world, assignment))
        server.stop()
        restarted_ms = CLOCK.boot_ms()
        server.start()
        wait_for("the end of the run", ended(world, assignment))
        elapsed_ms = CLOCK.boot_ms() - restarted_ms
        late = world.store.acquire(
            target, epoch=1, acquire_id="c" * 32, ttl_ms=900, holder="h", run_id=assignment.run.id, node="n"
        )
        assert isinstance(late, Refused)
        (follower,) = follow_ups(world, assignment.run.id)
        assert world.acquire(world.claim(follower, holder="h2")).startswith("2-")
    assert elapsed_ms >= world.context.settings.timing.embargo_ms
    world.store.close()


def test_a_revoke_while_redis_is_away_takes_when_it_is_back(
    tmp_path: Path, database: Database, redis_server_factory: Callable[..., ValkeyServer], target: str
) -> None:
    server = redis_server_factory("--appendonly", "yes", "--appendfsync", "always")
    world = real_world(tmp_path / "home", database, server.url, target, **PATIENT)
    with observing(world):
        assignment, _ = world.begin(target)
        wait_for("the lease to be known", lambda: acquired(world, assignment))
        server.stop()
        with pytest.raises(Unavailable, match="is recorded"):
            leases.revoke(world.context, target, reason="maintenance")
        server.start()
        wait_for("the revocation", lambda: world.store.view(target).state is not State.HELD)
        wait_for("the end of the run", ended(world, assignment))
    assert follow_ups(world, assignment.run.id) == []
    world.store.close()
