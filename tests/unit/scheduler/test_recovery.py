"""What earlier cuts left behind."""

from __future__ import annotations

import pytest

from scheduler import journal, quarantine, runs
from scheduler.recovery import recovery
from scheduler.rows import find_run
from scheduler.settlement import end_run
from shared.errors import ApiError
from shared.models import Assignment, JournalOutcome, Recovery, RunKind, RunStatus
from tests.unit.scheduler.rollback.support import (
    begun,
    claim_rollback,
    claimed,
    finish,
    lose,
    release,
    says,
)
from tests.unit.scheduler.support import TARGET, World, state


def cut(world: World, assignment: Assignment) -> str:
    """End the run as lost and return its follow-up's id."""
    lease = world.store.view(assignment.run.target).lease_id
    world.sever(assignment.run.target, lease)
    return end_run(world.context, assignment.run.id, epoch=assignment.epoch, reason="severed")[0][0]


def take_over(world: World, run_id: str, holder: str = "h2") -> tuple[Assignment, Recovery]:
    assignment = world.claim(runs.get(world.context, run_id), holder=holder)
    world.acquire(assignment)
    return assignment, recovery(world.context, TARGET, run_id=run_id, holder=holder)


def operations(found: Recovery) -> list[str]:
    return [create.operation for create in found.creates]


def test_the_creates_of_a_cut_run_are_handed_to_its_follower(world: World) -> None:
    first, _ = world.begin()
    world.journal(first, "CreateQueue", QueueName="q")
    world.journal(first, "GetQueueUrl", access="read")
    world.journal(first, "TagQueue")
    _, found = take_over(world, cut(world, first))
    assert operations(found) == ["CreateQueue"]
    assert found.quarantine is None


def test_a_recovering_run_that_is_cut_in_its_turn_hides_nothing(world: World) -> None:
    first, _ = world.begin()
    world.journal(first, "CreateQueue")
    second, _ = take_over(world, cut(world, first))
    world.journal(second, "CreateTopic")
    _, found = take_over(world, cut(world, second), holder="h3")
    assert operations(found) == ["CreateQueue", "CreateTopic"]


def test_a_run_accounts_for_its_own_creates_once_it_takes_them_back(world: World) -> None:
    run, _ = world.begin()
    world.journal(run, "CreateQueue")
    assert operations(recovery(world.context, TARGET, run_id=run.run.id, holder=run.holder)) == []
    with world.context.database.write() as session:
        find_run(session, run.run.id).status = RunStatus.ROLLING_BACK
    assert operations(recovery(world.context, TARGET, run_id=run.run.id, holder=run.holder)) == ["CreateQueue"]


def test_a_success_settles_what_came_before_it(world: World) -> None:
    first, _ = world.begin()
    world.journal(first, "CreateQueue")
    second, _ = take_over(world, cut(world, first))
    world.store.release(TARGET, world.store.view(TARGET).lease_id)
    runs.finish(world.context, second.run.id, holder="h2", epoch=2, exit_code=0, status=RunStatus.APPLIED, reason="")
    third = world.submit()
    assignment, found = take_over(world, third.id, holder="h3")
    assert operations(found) == []
    assert assignment.recovers is None


def test_a_plan_in_between_settles_nothing(world: World) -> None:
    first, _ = world.begin(kind=RunKind.APPLY)
    world.journal(first, "CreateQueue")
    runs.cancel(world.context, cut(world, first))
    plan = world.submit(kind=RunKind.PLAN)
    second, _ = take_over(world, plan.id)
    world.store.release(TARGET, world.store.view(TARGET).lease_id)
    runs.finish(world.context, second.run.id, holder="h2", epoch=2, exit_code=0, status=RunStatus.PLANNED, reason="")
    third, found = take_over(world, world.submit().id, holder="h3")
    assert operations(found) == ["CreateQueue"]
    assert third.recovers == first.run.id


def test_a_quarantined_state_that_continues_the_stored_one_is_offered(world: World) -> None:
    first, _ = world.begin()
    quarantine.deliver(world.context, TARGET, epoch=1, run_id=first.run.id, body=state(4))
    _, found = take_over(world, cut(world, first))
    assert found.quarantine is not None
    assert (found.quarantine.epoch, found.quarantine.serial, found.quarantine.run_id) == (1, 4, first.run.id)
    assert found.quarantine.state["lineage"] == "lineage-a"


def test_only_the_live_holder_is_told(world: World) -> None:
    first, _ = world.begin()
    with pytest.raises(ApiError) as refused:
        recovery(world.context, TARGET, run_id=first.run.id, holder="someone")
    assert refused.value.code == "lease_lost"
    world.register("web.south")
    with pytest.raises(ApiError) as elsewhere:
        recovery(world.context, "web.south", run_id=first.run.id, holder="holder-1")
    assert elsewhere.value.code == "lease_lost"


def test_an_outcome_that_comes_late_settles_the_question(world: World) -> None:
    first, _ = world.begin()
    intent = world.journal(first, "CreateQueue")
    follower = cut(world, first)
    journal.record_outcome(
        world.context,
        JournalOutcome(call_id=intent.call_id, outcome="answered", http_status=403, error_code="AccessDenied"),
    )
    _, found = take_over(world, follower)
    assert operations(found) == []


def test_a_rollback_that_came_to_its_end_settles_what_was_left_before_it(world: World) -> None:
    run = begun(world, release(world, "one"))
    world.journal(run, "CreateQueue")
    lose(world, run)
    back = claim_rollback(world)
    assert back.recovers == run.run.id
    says(world, back)
    finish(world, back, RunStatus.ROLLED_BACK)
    again = claimed(world, release(world, "two"))
    assert again.recovers is None
    assert recovery(world.context, again.run.target, run_id=again.run.id, holder=again.holder).creates == ()
