"""Publishing hints."""

from __future__ import annotations

from datetime import timedelta

import pytest

from scheduler import runs
from scheduler.dispatch import MAX_BATCH, MAX_PAUSE_S, hint_again, publish, republish
from scheduler.rows import new_run_id
from scheduler.tables import RunRow
from shared.errors import Unavailable
from shared.models import RunKind, RunStatus
from tests.unit.scheduler.support import World, metric


@pytest.fixture(autouse=True)
def a_worker(world: World) -> None:
    world.store.beat("node-1", {"runs": [], "regions": ["north", "south"]}, 600_000)


def test_a_lost_hint_is_published_again_with_growing_pauses(world: World) -> None:
    world.submit()
    published = []
    for second in range(100):
        if republish(world.context):
            published.append(second)
        world.clock.advance(1000)
    assert published == [5, 15, 35, 75]


def test_the_pause_has_a_bound(world: World) -> None:
    run = world.submit()
    for _ in range(40):
        publish(world.context, run.id, "north")
    world.clock.advance(MAX_PAUSE_S * 1000 - 1)
    assert republish(world.context) == 0
    world.clock.advance(1)
    assert republish(world.context) == 1


def test_a_hint_that_could_not_be_published_is_tried_at_the_next_tick(world: World) -> None:
    world.publisher.failure = Unavailable("away")
    run = world.submit()
    assert republish(world.context) == 0
    world.publisher.failure = None
    assert republish(world.context) == 1
    assert world.publisher.hints == [("north", run.id)]
    assert metric(world, "publication_failures_total") == 2


def test_only_the_oldest_run_of_a_free_target_is_published(world: World) -> None:
    world.register("web.south")
    busy = world.submit()
    world.claim(busy)
    world.submit()
    oldest = world.submit("web.south")
    world.submit("web.south")
    world.clock.advance(60_000)
    world.publisher.hints.clear()
    assert republish(world.context) == 1
    assert world.publisher.hints == [("south", oldest.id)]


def test_what_is_canceled_is_not_published(world: World) -> None:
    runs.cancel(world.context, world.submit().id)
    world.clock.advance(60_000)
    assert republish(world.context) == 0


def test_a_region_without_a_worker_gets_one_hint_and_the_next_when_a_worker_comes(world: World) -> None:
    world.register("web.west")
    run = world.submit("web.west")
    for _ in range(100):
        world.clock.advance(MAX_PAUSE_S * 1000)
        republish(world.context)
    assert world.publisher.hints == [("west", run.id)]
    world.store.beat("node-2", {"runs": [], "regions": ["west"]}, 600_000)
    assert republish(world.context) == 1


def test_a_hint_that_a_region_without_a_worker_never_got_is_published(world: World) -> None:
    world.register("web.west")
    world.publisher.failure = Unavailable("away")
    world.submit("web.west")
    world.publisher.failure = None
    assert [republish(world.context) for _ in range(3)] == [1, 0, 0]


def test_a_clock_that_was_set_back_keeps_no_run_waiting(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.submit()
    earlier = world.clock.wall() - timedelta(days=365)
    monkeypatch.setattr(world.clock, "wall", lambda: earlier)
    assert republish(world.context) == 1


def test_a_region_without_workers_does_not_take_the_places_of_the_others(world: World) -> None:
    many = [f"many.nowhere.t{number}" for number in range(MAX_BATCH + 20)]
    world.register(*many)
    with world.context.database.write() as session:
        session.add_all(
            RunRow(
                id=new_run_id(),
                target=name,
                region="nowhere",
                kind=RunKind.EXEC,
                status=RunStatus.PENDING,
                actor="anna",
                argv=["true"],
                created_at=world.clock.wall(),
                published_at=world.clock.wall(),
                publications=1,
            )
            for name in many
        )
    waiting = world.submit()
    world.publisher.hints.clear()
    world.clock.advance(400_000)
    assert republish(world.context) == 1
    assert world.publisher.hints == [("north", waiting.id)]


def test_an_api_that_begins_has_no_run_wait_for_what_came_of_hints_while_it_was_away(world: World) -> None:
    run = world.submit()
    world.clock.advance(1000)
    for _ in range(5):
        publish(world.context, run.id, "north")
    world.publisher.hints.clear()
    assert republish(world.context) == 0
    hint_again(world.context)
    assert republish(world.context) == 1
    assert world.publisher.hints == [("north", run.id)]
