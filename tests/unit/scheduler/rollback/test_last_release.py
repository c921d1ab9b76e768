"""Which release was applied on a target last."""

from __future__ import annotations

from sqlalchemy import update

from scheduler import plans
from scheduler.rollback.last_release import LastRelease, last_release
from scheduler.tables import RunRow
from shared.models import RunKind, RunStatus
from tests.unit.scheduler.rollback.support import (
    QUEUE,
    TOPIC,
    begun,
    claimed,
    deployed,
    finish,
    objects,
    registered,
    release,
    says,
    taking_back,
    write,
)
from tests.unit.scheduler.support import TARGET, World


def last(world: World) -> LastRelease:
    with world.context.database.read() as session:
        return last_release(session, TARGET, before_epoch=1000)


def test_of_a_target_that_was_never_deployed_there_is_none(world: World) -> None:
    registered(world, release(world, "registered, and never applied"))
    assert last(world) == LastRelease(digest=None, epoch=0)


def test_it_is_what_was_applied_and_not_what_was_registered_or_failed(world: World) -> None:
    one = deployed(world, "one", QUEUE, serial=1, rollback=None)
    registered(world, release(world, "two"))
    finish(world, begun(world, release(world, "three", rollback=None)), RunStatus.ERRORED)
    assert last(world) == LastRelease(digest=one, epoch=1)


def test_after_a_destroy_nothing_is_to_be_there(world: World) -> None:
    one = deployed(world, "one", QUEUE, serial=1)
    finish(world, claimed(world, one, kind=RunKind.DESTROY))
    assert last(world) == LastRelease(digest=None, epoch=2)


def test_a_roll_outs_plan_without_changes_says_that_its_release_is_there(world: World) -> None:
    deployed(world, "one", QUEUE, serial=1)
    two = release(world, "two")

    def planned(*, changes: bool) -> None:
        run = world.submit(kind=RunKind.PLAN, release_digest=two)
        assignment = world.claim(run, holder=f"h{changes}")
        world.acquire(assignment)
        with world.context.database.write() as session:
            session.execute(update(RunRow).where(RunRow.id == run.id).values(rollout_id="rollout-x"))
        plans.store_plan(world.context, run.id, holder=assignment.holder, content=b"a plan", changes=changes)
        finish(world, assignment, RunStatus.PLANNED)

    planned(changes=True)
    assert last(world).epoch == 1
    planned(changes=False)
    assert last(world) == LastRelease(digest=two, epoch=3)


def test_a_rollback_leads_to_the_release_of_its_first_state(world: World) -> None:
    one = deployed(world, "one", QUEUE, serial=1)
    run = begun(world, release(world, "two"))
    write(world, run, objects(2, QUEUE, TOPIC))
    taking_back(world, run)
    says(world, run)
    finish(world, run, RunStatus.ROLLED_BACK)
    assert last(world) == LastRelease(digest=one, epoch=2)


def test_a_run_of_a_version_without_releases_did_not_say_what_it_applied(world: World) -> None:
    deployed(world, "one", QUEUE, serial=1)
    with world.context.database.write() as session:
        session.execute(update(RunRow).values(release_digest=None))
    assert last(world) == LastRelease(digest=None, epoch=1, known=False)
