"""What a worker is told: where to go back to, and when."""

from __future__ import annotations

import pytest

from scheduler import runs
from scheduler.rollback import first_state, order, rows
from scheduler.rows import find_run
from shared.errors import ApiError
from shared.models import RunKind, RunStatus
from shared.rollback.records import Imported, Moved, Rearrangement
from shared.rollback.settings import RollbackSettings, Trigger
from shared.safety.rules import SafetyRules
from tests.unit.scheduler.rollback.support import (
    QUEUE,
    TOPIC,
    begun,
    claim_rollback,
    claimed,
    deliver_safety_plan,
    deployed,
    finish,
    lose,
    objects,
    release,
    write,
)
from tests.unit.scheduler.support import World
from tests.unit.shared.safety.support import entry, plan

MOVED = Rearrangement(moved=(Moved(before=QUEUE, after="aws_sqs_queue.c"),), packages={"module.a": "./a"})
TAKEN = Rearrangement(imported=(Imported(address=TOPIC, type="aws_sns_topic", id="x"),))


def test_a_deployment_is_told_its_own_settings_and_where_it_began(world: World) -> None:
    one = deployed(world, "one", QUEUE, serial=1)
    two = release(world, "two", rollback=RollbackSettings(bake_s=60))
    told = claimed(world, two).rollback
    assert told is not None
    assert (told.settings.bake_s, told.release_digest, told.first.release_digest) == (60, two, one)
    assert (told.rollback_only, told.trigger, told.reason) == (False, None, "")


def test_other_runs_are_told_nothing(world: World) -> None:
    deployed(world, "one", QUEUE, serial=1)
    for kind in (RunKind.PLAN, RunKind.DESTROY):
        run = claimed(world, release(world, "two"), kind=kind)
        assert run.rollback is None
        finish(world, run, RunStatus.ERRORED)


def test_what_the_tries_before_it_did_with_addresses_comes_first(world: World) -> None:
    deployed(world, "one", QUEUE, serial=1)
    cut = begun(world, release(world, "two"), rearranged=MOVED)
    write(world, cut, objects(2, QUEUE))
    runs.cancel(world.context, cut.run.id)
    finish(world, cut, RunStatus.CANCELED)
    again = begun(world, release(world, "two"), rearranged=TAKEN, does=plan(entry("update", QUEUE)))
    # Its own it has at hand.
    assert again.rollback is not None
    assert again.rollback.rearranged == MOVED
    lose(world, again)
    back = claim_rollback(world)
    assert back.rollback is not None
    assert back.rollback.rearranged == Rearrangement(
        moved=MOVED.moved, imported=TAKEN.imported, packages=MOVED.packages
    )
    with world.context.database.read() as session:
        tries = first_state.tries_of(session, again.run.id)
        assert [row.run_id for row in tries] == [cut.run.id, again.run.id]
        # Both are taken back: what the first made is not there by itself.
        assert order.touched(session, tries) == {QUEUE, TOPIC}


def test_what_an_accepted_plan_replaced_is_known_and_what_was_only_planned_is_not(world: World) -> None:
    deployed(world, "one", QUEUE, serial=1)
    does = plan(entry("replace_create_first", TOPIC), entry("delete", "aws_sns_topic.c"), entry("update", QUEUE))
    run = begun(world, release(world, "two", rollback=RollbackSettings()), does=does)
    with world.context.database.read() as session:
        assert order.replaced(session, first_state.tries_of(session, run.run.id)) == {TOPIC}
    held = claimed(world, release(world, "three", "web.south", safety=SafetyRules()), "web.south")
    deliver_safety_plan(world, held, does)
    with world.context.database.read() as session:
        assert order.touched(session, first_state.tries_of(session, held.run.id)) >= {TOPIC}
        assert order.replaced(session, first_state.tries_of(session, held.run.id)) == frozenset()


def test_of_three_tries_none_is_forgotten(world: World) -> None:
    deployed(world, "one", QUEUE, serial=1)
    tries = []
    for does in ("aws_sns_topic.x", "aws_sns_topic.y", "aws_sns_topic.z"):
        tries.append(begun(world, release(world, "two"), does=plan(entry("create", does))))
        runs.cancel(world.context, tries[-1].run.id)
        finish(world, tries[-1], RunStatus.CANCELED)
    with world.context.database.read() as session:
        found = first_state.tries_of(session, tries[-1].run.id)
        assert [row.run_id for row in found] == [one.run.id for one in tries]
        assert order.touched(session, found) == {"aws_sns_topic.x", "aws_sns_topic.y", "aws_sns_topic.z"}


def test_only_what_a_plan_makes_or_ends_counts_as_made_or_ended(world: World) -> None:
    deployed(world, "one", QUEUE, serial=1)
    does = plan(entry("update", QUEUE), entry("create", TOPIC), entry("provisioner", "aws_sns_topic.x"))
    run = begun(world, release(world, "two", rollback=RollbackSettings()), does=does)
    with world.context.database.read() as session:
        assert order.made_or_ended(session, first_state.tries_of(session, run.run.id)) == {TOPIC}


def test_a_deployment_that_another_came_after_is_not_taken_back_though_somebody_asked_earlier(world: World) -> None:
    deployed(world, "one", QUEUE, serial=1)
    two = begun(world, release(world, "two"))
    finish(world, two)
    later = begun(world, release(world, "three", rollback=None))
    finish(world, later)
    with world.context.database.write() as session:
        row = rows.opened(world.context, session, find_run(session, two.run.id), Trigger.PHASES_DONE, "a later phase")
        with pytest.raises(ApiError, match=f"{later.run.id} .apply. came after") as refused:
            order.require_possible(world.context, session, row)
    assert refused.value.code == "superseded"


def test_a_second_try_is_told_whose_work_it_goes_on_with(world: World) -> None:
    deployed(world, "one", QUEUE, serial=1)
    cut = begun(world, release(world, "two"))
    assert cut.rollback is not None
    assert cut.rollback.tries == ()
    runs.cancel(world.context, cut.run.id)
    finish(world, cut, RunStatus.CANCELED)
    again = claimed(world, release(world, "two"))
    assert again.rollback is not None
    assert again.rollback.tries == (cut.run.id,)
