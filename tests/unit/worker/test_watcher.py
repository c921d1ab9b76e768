"""What ends a run from outside."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from shared.clock import ManualClock
from shared.errors import Unavailable
from shared.models import Run
from tests.unit.worker.support import RUN, run
from worker.stop import Cause, Stop
from worker.watcher import Watcher


class Api:
    """Says how the run stands."""

    def __init__(self) -> None:
        self.now: Run | Exception = run()

    def run(self, run_id: str) -> Run:
        if isinstance(self.now, Exception):
            raise self.now
        return self.now


class World:
    def __init__(self) -> None:
        self.api, self.stop, self.clock = Api(), Stop(), ManualClock()
        self.watcher = Watcher(self.api, RUN, self.stop, self.clock, limit_ms=5000)  # type: ignore[arg-type]  # used part

    def look(self, **now: Any) -> Cause | None:
        self.api.now = run(**now)
        self.watcher.look()
        return self.stop.reason.cause if self.stop.reason else None


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.stop.close()


def test_a_healthy_run_goes_on(world: World) -> None:
    world.clock.advance(4999)
    assert world.look() is None


def test_a_cancel_is_seen(world: World) -> None:
    assert world.look(cancel_requested=True) is Cause.CANCELED


def test_a_revocation_outranks_a_cancel(world: World) -> None:
    assert world.look(cancel_requested=True, revoke_requested=True) is Cause.REVOKED


def test_the_limit_ends_a_run_also_when_the_api_is_away(world: World) -> None:
    world.clock.advance(5000)
    world.api.now = Unavailable("away", hint="")
    world.watcher.look()
    assert world.stop.reason is not None
    assert world.stop.reason.cause is Cause.TIME_LIMIT


def test_an_api_that_is_away_ends_nothing(world: World) -> None:
    world.api.now = Unavailable("away", hint="")
    world.watcher.look()
    assert world.stop.reason is None


def test_the_thread_ends_when_told(world: World) -> None:
    world.watcher.start()
    assert world.watcher._thread.is_alive()
    world.watcher.stop()
    assert not world.watcher._thread.is_alive()


def test_it_remembers_that_the_api_was_away(world: World) -> None:
    world.look()
    assert not world.watcher.api_was_away
    world.api.now = Unavailable("away")
    world.watcher.look()
    world.look()
    assert world.watcher.api_was_away


def test_a_wish_for_a_rollback_is_told_once(world: World) -> None:
    assert world.look(rollback_requested=True) is Cause.ROLLBACK
    assert world.stop.answered(Cause.ROLLBACK) is not None
    assert world.look(rollback_requested=True) is None, "it is being carried out"
    assert world.look(rollback_requested=True, cancel_requested=True) is Cause.CANCELED


def test_what_follows_a_deployment_has_a_time_of_its_own(world: World) -> None:
    world.watcher.extend(3000)
    world.clock.advance(7999)
    assert world.look() is None
    world.clock.advance(1)
    assert world.look() is Cause.TIME_LIMIT
    assert world.stop.reason is not None
    assert world.stop.reason.detail == "longer than the limit of 8 s"
