"""What earlier cuts left behind."""

from __future__ import annotations

import secrets

import pytest

from scheduler import journal, quarantine, runs
from scheduler.recovery import recovery
from scheduler.rows import find_run
from scheduler.settlement import end_run
from shared.errors import ApiError
from shared.models import Assignment, JournalIntent, JournalOutcome, Recovery, RunKind, RunStatus
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
    world.finish(second)
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
    world.finish(second, RunStatus.PLANNED)
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


def address(world: World, assignment: Assignment, allocation: str | None) -> None:
    """An address that was allocated; None: its answer was lost."""
    intent = JournalIntent(
        run_id=assignment.run.id,
        target=assignment.run.target,
        epoch=assignment.epoch,
        call_id=secrets.token_hex(16),
        service="ec2",
        operation="AllocateAddress",
        access="write",
        host="ec2.eu-1.amazonaws.com",
        method="POST",
        path="/",
        region="eu-1",
        at_wall=world.clock.wall(),
    )
    journal.record_intent(world.context, intent)
    if allocation is not None:
        resource = {"allocationId": allocation}
        answer = JournalOutcome(call_id=intent.call_id, outcome="answered", http_status=200, resource=resource)
        journal.record_outcome(world.context, answer)


def test_what_other_calls_of_the_kind_were_answered_with_comes_with_a_lost_answer(world: World) -> None:
    world.register("shop.north")
    other, _ = world.begin("shop.north")
    address(world, other, "eipalloc-b")
    first, _ = world.begin()
    address(world, first, None)
    _, found = take_over(world, cut(world, first))
    assert found.others == ("eipalloc-b",)


def test_without_a_lost_answer_nobody_asks_for_the_other_calls(world: World) -> None:
    first, _ = world.begin()
    address(world, first, "eipalloc-a")
    world.journal(first, "CreateQueue", QueueName="q")
    _, found = take_over(world, cut(world, first))
    assert operations(found) == ["AllocateAddress", "CreateQueue"]
    assert found.others == ()
