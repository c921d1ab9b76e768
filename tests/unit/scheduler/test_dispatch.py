"""Publishing hints."""

from __future__ import annotations

from scheduler import runs
from scheduler.dispatch import MAX_PAUSE_S, publish, republish
from shared.errors import Unavailable
from tests.unit.scheduler.support import World, metric


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
