"""Which runs wait because a rollback has their target."""

from __future__ import annotations

import pytest

from scheduler import runs, turns
from scheduler.dispatch import republish
from scheduler.rollback import requests
from scheduler.rollback.reservation import reserving
from shared.errors import ApiError
from shared.models import RunStatus
from tests.unit.scheduler.rollback.support import (
    QUEUE,
    begun,
    claim_rollback,
    deployed,
    finish,
    lose,
    of,
    release,
    rollback_run,
    says,
)
from tests.unit.scheduler.support import TARGET, World


def next_run(world: World) -> str | None:
    with world.context.database.read() as session:
        found = turns.next_run(session, world.context.settings, "north")
    return None if found is None else found[0]


def test_a_rollback_comes_before_what_waited_longer_and_nothing_comes_between_its_tries(world: World) -> None:
    deployed(world, "one", QUEUE, serial=1)
    run = begun(world, release(world, "two"))
    other = world.submit(release_digest=release(world, "three"))
    lose(world, run)
    assert next_run(world) == rollback_run(world).id
    lose(world, claim_rollback(world))
    assert next_run(world) == rollback_run(world).id
    again = claim_rollback(world)
    says(world, again)
    world.publisher.hints.clear()
    finish(world, again, RunStatus.ROLLED_BACK)
    assert world.publisher.hints == [("north", other.id)]
    assert next_run(world) == other.id


def test_while_it_waits_for_a_person_nothing_is_claimed_or_hinted_at(world: World) -> None:
    deployed(world, "one", QUEUE, serial=1)
    run = begun(world, release(world, "two"))
    lose(world, run)
    runs.cancel(world.context, rollback_run(world).id)
    other = world.submit(release_digest=release(world, "three"))
    with world.context.database.read() as session:
        held = reserving(session, TARGET)
    assert held is not None
    assert held.id == of(world, run).id
    assert next_run(world) is None
    with pytest.raises(ApiError, match="is kept for"):
        world.claim(other)
    world.publisher.hints.clear()
    world.clock.advance(3_600_000)
    assert republish(world.context) == 0
    requests.skip(world.context, held.id, actor="anna", reason="")
    assert world.claim(other).run.id == other.id


def test_targets_of_their_own_are_not_kept_from_anything(world: World) -> None:
    world.register("web.south", TARGET)
    run = begun(world, release(world, "two", "web.south", TARGET))
    lose(world, run)
    assert world.claim(world.submit("web.south")).run.target == "web.south"
