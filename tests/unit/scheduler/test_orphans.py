"""What cut runs left, as the scheduler sees it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import select

from scheduler import journal, orphan_requests, orphans, quarantine, runs
from scheduler.recovery import recovery
from scheduler.settlement import end_run
from scheduler.tables import NotificationRow, OrphanReportRow, PlannedResourcesRow
from shared.models import Assignment, JournalIntent, JournalOutcome, RunKind, RunStatus
from shared.recovery.orphans import OrphanReport, Planned, PlannedResources
from tests.unit.scheduler.support import TARGET, World

URL = "https://sqs.eu-1.amazonaws.com/1/orders"
PLANNED = PlannedResources(
    resources=(Planned(address="aws_sqs_queue.orders", type="aws_sqs_queue", names={"name": "orders"}),)
)


def state(serial: int, *queues: str, lineage: str = "lineage-a") -> bytes:
    instances = [{"attributes": {"id": f"https://sqs.eu-1.amazonaws.com/1/{name}", "name": name}} for name in queues]
    resources = [{"mode": "managed", "type": "aws_sqs_queue", "name": "orders", "instances": instances}]
    document = {"version": 4, "serial": serial, "lineage": lineage, "outputs": {}, "resources": resources}
    return json.dumps(document).encode()


def answered(world: World, intent: JournalIntent, **resource: str) -> None:
    journal.record_outcome(
        world.context,
        JournalOutcome(call_id=intent.call_id, outcome="answered", http_status=200, resource=resource),
    )


def make_queue(world: World, assignment: Assignment, name: str = "orders", *, answer: bool = True) -> JournalIntent:
    intent = world.journal(assignment, "CreateQueue", QueueName=name)
    if answer:
        answered(world, intent, QueueUrl=f"https://sqs.eu-1.amazonaws.com/1/{name}")
    return intent


def begin(world: World, kind: RunKind = RunKind.APPLY) -> Assignment:
    assignment, _ = world.begin(kind=kind)
    if kind is RunKind.APPLY:
        orphan_requests.deliver_planned(world.context, assignment.run.id, holder="holder-1", planned=PLANNED)
    return assignment


def cut(world: World, assignment: Assignment, *, follow: bool = False) -> list[str]:
    """End the run as lost; its follow-up is canceled unless it is wanted."""
    world.sever(TARGET, world.store.view(TARGET).lease_id)
    found = [one for one, _ in end_run(world.context, assignment.run.id, epoch=assignment.epoch, reason="severed")]
    if not follow:
        for one in found:
            runs.cancel(world.context, one)
    return found


def look(world: World, assignment: Assignment) -> OrphanReport:
    orphans.look_at_ended(world.context)
    with world.context.database.read() as session:
        row = session.get_one(OrphanReportRow, assignment.run.id)
        assert row.open is OrphanReport.model_validate(row.document).open
    return orphan_requests.get(world.context, assignment.run.id)


def told(world: World) -> list[dict[str, Any]]:
    with world.context.database.read() as session:
        return list(session.scalars(select(NotificationRow.document).where(NotificationRow.kind == "orphans")))


def write_state(world: World, assignment: Assignment, body: bytes, holder: str = "holder-1") -> None:
    from scheduler.terraform_state import StateCaller
    from scheduler.terraform_state import write_state as write

    caller = StateCaller(run_id=assignment.run.id, target=TARGET, epoch=assignment.epoch)
    write(world.context, caller, body, lock_id=None)


def succeed(world: World, assignment: Assignment, holder: str) -> None:
    world.store.release(TARGET, world.store.view(TARGET).lease_id)
    runs.finish(
        world.context,
        assignment.run.id,
        holder=holder,
        epoch=assignment.epoch,
        exit_code=0,
        status=RunStatus.APPLIED,
        reason="",
    )


def end_well(world: World, assignment: Assignment, holder: str = "holder-1") -> None:
    """It succeeds, and its last answers have had the time to arrive."""
    succeed(world, assignment, holder)
    world.clock.advance(20_000)


def repeated(world: World, assignment: Assignment) -> JournalIntent:
    """A topic that its client made twice, since the first answer did not come; returns the first."""
    lost = world.journal(assignment, "CreateThing", Name="orders")
    answered(world, world.journal(assignment, "CreateThing", Name="orders"), ThingId="thing-2")
    return lost


def reported(world: World) -> list[str]:
    with world.context.database.read() as session:
        return list(session.scalars(select(OrphanReportRow.run_id)))


def planned(world: World) -> list[str]:
    with world.context.database.read() as session:
        return list(session.scalars(select(PlannedResourcesRow.run_id)))


def test_what_a_cut_run_made_is_reported_with_everything_that_finds_it_again(world: World) -> None:
    first = begin(world)
    made = make_queue(world, first)
    cut(world, first)
    report = look(world, first)
    assert (report.run_id, report.target, report.epoch, report.status) == (first.run.id, TARGET, 1, "lost")
    (orphan,) = report.orphans
    assert (orphan.call_id, orphan.service, orphan.operation) == (made.call_id, "sqs", "CreateQueue")
    assert (orphan.outcome, orphan.type, orphan.id, orphan.at) == ("made", "aws_sqs_queue", URL, made.at_wall)
    assert orphan.address == "aws_sqs_queue.orders"
    assert orphan.import_block == f'import {{\n  to = aws_sqs_queue.orders\n  id = "{URL}"\n}}\n'
    assert report.open
    (event,) = told(world)
    assert event["run_id"] == first.run.id
    assert event["items"] == [f"aws_sqs_queue {URL}"]


def test_what_the_state_holds_is_no_orphan(world: World) -> None:
    first = begin(world)
    make_queue(world, first)
    write_state(world, first, state(1, "orders"))
    cut(world, first)
    report = look(world, first)
    assert (report.orphans, report.open, report.state_serial) == ((), False, 1)
    assert told(world) == []


def test_what_terraform_itself_took_away_again_is_none(world: World) -> None:
    first = begin(world)
    make_queue(world, first)
    write_state(world, first, state(1, "orders"))
    write_state(world, first, state(2))
    cut(world, first)
    assert look(world, first).orphans == ()


def test_what_a_state_of_an_earlier_run_held_does_not_count(world: World) -> None:
    zero = begin(world)
    write_state(world, zero, state(1, "orders"))
    succeed(world, zero, "holder-1")
    one = world.claim(world.submit(kind=RunKind.DESTROY), holder="h2")
    world.acquire(one)
    write_state(world, one, state(2))
    succeed(world, one, "h2")
    assignment = world.claim(world.submit(), holder="h3")
    world.acquire(assignment)
    make_queue(world, assignment)
    cut(world, assignment)
    assert len(look(world, assignment).orphans) == 1


def test_a_call_without_an_answer_is_unknown_until_its_answer_comes(world: World) -> None:
    first = begin(world)
    made = make_queue(world, first, answer=False)
    cut(world, first)
    (orphan,) = look(world, first).orphans
    assert (orphan.outcome, orphan.id, orphan.import_block) == ("unknown", None, None)
    assert "its answer was lost" in orphan.why
    answered(world, made, QueueUrl=URL)
    (orphan,) = look(world, first).orphans
    assert (orphan.outcome, orphan.id) == ("made", URL)


def test_a_call_that_the_cloud_refused_made_nothing(world: World) -> None:
    first = begin(world)
    intent = world.journal(first, "CreateQueue", QueueName="orders")
    journal.record_outcome(world.context, JournalOutcome(call_id=intent.call_id, outcome="answered", http_status=403))
    cut(world, first)
    assert not look(world, first).open


def test_looking_again_changes_nothing_and_tells_nobody_twice(world: World) -> None:
    first = begin(world)
    make_queue(world, first)
    cut(world, first)
    before = look(world, first)
    assert orphans.look_at_ended(world.context) == 0
    orphans.look(world.context, first.run.id)
    assert look(world, first).orphans == before.orphans
    assert len(told(world)) == 1


def test_a_state_that_follows_settles_it(world: World) -> None:
    first = begin(world)
    make_queue(world, first)
    (follower,) = cut(world, first, follow=True)
    assert look(world, first).open
    second = world.claim(runs.get(world.context, follower), holder="h2")
    world.acquire(second)
    write_state(world, second, state(1, "orders"), holder="h2")
    report = look(world, first)
    assert (report.open, report.orphans) == (False, ())
    assert report.reported_at <= report.looked_at


def test_a_delete_by_a_later_run_settles_it(world: World) -> None:
    first = begin(world)
    make_queue(world, first)
    cut(world, first)
    second = world.claim(world.submit(kind=RunKind.EXEC, argv=["aws"]), holder="h2")
    world.acquire(second)
    assert look(world, first).open
    answered(world, world.journal(second, "DeleteQueue", QueueUrl=URL))
    assert not look(world, first).open


def test_a_success_settles_whatever_was_left_and_is_named(world: World) -> None:
    first = begin(world)
    make_queue(world, first)
    (follower,) = cut(world, first, follow=True)
    second = world.claim(runs.get(world.context, follower), holder="h2")
    world.acquire(second)
    succeed(world, second, "h2")
    report = look(world, first)
    assert (report.open, report.orphans) == (False, ())
    assert second.run.id in report.settled_by


def test_a_kept_state_that_continues_is_something_to_do_and_one_that_does_not_is_named(world: World) -> None:
    first = begin(world)
    write_state(world, first, state(3))
    quarantine.deliver(world.context, TARGET, epoch=1, run_id=first.run.id, body=state(4, "orders"))
    quarantine.deliver(world.context, TARGET, epoch=1, run_id=first.run.id, body=state(9, lineage="another"))
    cut(world, first)
    report = look(world, first)
    assert report.open
    assert [(kept.serial, kept.continues) for kept in report.kept_states] == [(9, False), (4, True)]
    assert "lineage" in report.kept_states[0].why


def test_a_plan_that_was_lost_is_not_looked_at(world: World) -> None:
    first = begin(world, RunKind.PLAN)
    cut(world, first)
    assert orphans.look_at_ended(world.context) == 0


def test_what_was_named_stays_named_when_it_cannot_be_looked_at_any_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = begin(world)
    make_queue(world, first)
    cut(world, first)
    named = look(world, first).orphans
    assert named
    monkeypatch.setattr(orphans, "MAX_RECORDS", 1)
    second = begin(world)
    make_queue(world, second, "another")
    report = look(world, first)
    assert "more than 1 calls" in report.trouble
    assert (report.open, report.orphans) == (True, named)


def test_a_run_that_is_at_work_has_no_report(world: World) -> None:
    first = begin(world)
    make_queue(world, first)
    assert orphans.look_at_ended(world.context) == 0
    with pytest.raises(Exception, match="is claimed"):
        orphan_requests.get(world.context, first.run.id)


def test_one_run_that_cannot_be_looked_at_keeps_no_other_waiting(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    first = begin(world)
    make_queue(world, first)
    cut(world, first)
    second = begin(world)
    make_queue(world, second, "another")
    cut(world, second)
    original = orphans.examine

    def examine(*words: Any) -> OrphanReport:
        if words[2].id == second.run.id:
            raise RuntimeError("broken")
        return original(*words)

    monkeypatch.setattr(orphans, "examine", examine)
    assert orphans.look_at_ended(world.context) == 1
    assert len(orphan_requests.get(world.context, first.run.id).orphans) == 1


@pytest.mark.parametrize("status", [None, 500])
def test_a_call_that_a_run_that_ended_well_repeated_is_reported(world: World, status: int | None) -> None:
    first = begin(world)
    lost = repeated(world, first)
    if status is not None:
        failed = JournalOutcome(call_id=lost.call_id, outcome="answered", http_status=status)
        journal.record_outcome(world.context, failed)
    end_well(world, first)
    world.submit()
    report = look(world, first)
    assert (report.status, report.open) == ("applied", True)
    assert [(one.call_id, one.outcome) for one in report.orphans] == [(lost.call_id, "unknown")]
    (event,) = told(world)
    assert event["next_run_id"] is None, "an apply takes nothing of it over"


def test_a_run_that_ended_well_and_whose_calls_were_answered_has_no_report(world: World) -> None:
    first = begin(world)
    answered(world, world.journal(first, "CreateThing", Name="orders"), ThingId="thing-1")
    end_well(world, first)
    assert orphans.look_at_ended(world.context) == 0
    assert reported(world) == []


def test_an_answer_that_is_still_on_its_way_is_waited_for(world: World) -> None:
    first = begin(world)
    late = world.journal(first, "CreateThing", Name="orders")
    succeed(world, first, "holder-1")
    world.clock.advance(5_000)
    assert orphans.look_at_ended(world.context) == 0
    answered(world, late, ThingId="thing-1")
    world.clock.advance(20_000)
    assert orphans.look_at_ended(world.context) == 0
    assert reported(world) == []


def test_only_a_run_that_is_told_of_them_settles_the_calls_of_one_that_ended_well(world: World) -> None:
    first = begin(world)
    repeated(world, first)
    end_well(world, first)
    assert look(world, first).open, "its own success settles nothing"
    second = world.claim(world.submit(), holder="h2")
    world.acquire(second)
    assert recovery(world.context, TARGET, run_id=second.run.id, holder="h2").creates == ()
    succeed(world, second, "h2")
    assert look(world, first).open, "that apply was told of nothing"
    asked = orphan_requests.recover(world.context, first.run.id, actor="anna")
    third = world.claim(runs.get(world.context, asked.id), holder="h3")
    world.acquire(third)
    (handed,) = recovery(world.context, TARGET, run_id=third.run.id, holder="h3").creates
    assert (handed.run_id, handed.outcome) == (first.run.id, None)
    succeed(world, third, "h3")
    report = look(world, first)
    assert not report.open
    assert third.run.id in report.settled_by


def test_what_a_command_made_is_settled_by_no_success(world: World) -> None:
    first = world.claim(world.submit(kind=RunKind.EXEC, argv=["aws"]), holder="holder-1")
    world.acquire(first)
    make_queue(world, first)
    cut(world, first)
    waiting = world.submit()
    assert look(world, first).open
    assert told(world)[0]["next_run_id"] is None
    second = world.claim(waiting, holder="h2")
    world.acquire(second)
    succeed(world, second, "h2")
    report = look(world, first)
    assert (report.open, report.settled_by) == (True, "")
    third = world.claim(world.submit(), holder="h3")
    world.acquire(third)
    write_state(world, third, state(1, "orders"), holder="h3")
    assert not look(world, first).open


def test_people_are_told_of_a_kept_state_that_waits(world: World) -> None:
    first = begin(world)
    write_state(world, first, state(3))
    quarantine.deliver(world.context, TARGET, epoch=1, run_id=first.run.id, body=state(4, "orders"))
    cut(world, first)
    assert look(world, first).open
    (event,) = told(world)
    assert event["items"] == ["a state with serial 4 that waits to be taken over"]


def test_the_target_is_not_locked_while_the_journal_is_compared(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    first = begin(world)
    late = make_queue(world, first, answer=False)
    cut(world, first)
    original = orphans.find_orphans

    def find_orphans(*words: Any) -> Any:
        if late is not None and not seen:
            seen.append(late)
            answered(world, late, QueueUrl=URL)
        return original(*words)

    seen: list[JournalIntent] = []
    monkeypatch.setattr(orphans, "find_orphans", find_orphans)
    assert orphans.look_at_ended(world.context) == 1
    assert look(world, first).orphans[0].outcome == "made", "what came in between is looked at again"


def test_what_is_settled_only_by_what_came_before_something_else_stays_open(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = begin(world)
    lost = make_queue(world, first, answer=False)
    cut(world, first)
    monkeypatch.setattr(orphans, "find_orphans", lambda *_: answered(world, lost, QueueUrl=URL) or [])
    assert not orphans.look(world.context, first.run.id).open
    assert reported(world) == []
    monkeypatch.undo()
    assert look(world, first).open


def test_open_reports_take_turns(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    both = []
    for name in ("one", "two"):
        both.append(begin(world))
        make_queue(world, both[-1], name)
        cut(world, both[-1])
    orphans.look_at_ended(world.context)
    monkeypatch.setattr(orphans, "MAX_LOOKED_AT", 1)
    world.clock.advance(1_000)
    assert orphans._moved(world.context) == [], "nothing has changed for the first one"
    second = world.claim(world.submit(kind=RunKind.EXEC, argv=["aws"]), holder="h2")
    world.acquire(second)
    world.clock.advance(1_000)
    make_queue(world, second, "three")
    turns = {run_id for _ in range(2) for run_id in orphans._moved(world.context) if world.clock.advance(1_000) is None}
    assert turns == {one.run.id for one in both}


def test_what_a_run_would_have_made_is_let_go_when_nobody_needs_it_any_more(world: World) -> None:
    first = begin(world)
    make_queue(world, first)
    cut(world, first)
    assert look(world, first).open
    assert planned(world) == [first.run.id]
    second = begin(world)
    write_state(world, second, state(1, "orders"))
    assert not look(world, first).open
    assert planned(world) == [second.run.id], "that one is at work"
    succeed(world, second, "holder-1")
    orphans.look_at_ended(world.context)
    assert planned(world) == [second.run.id], "it was not looked at yet"
    world.clock.advance(20_000)
    orphans.look_at_ended(world.context)
    assert planned(world) == []


def test_what_a_plan_would_have_made_is_let_go_at_its_end(world: World) -> None:
    first, _ = world.begin(kind=RunKind.PLAN)
    orphan_requests.deliver_planned(world.context, first.run.id, holder="holder-1", planned=PLANNED)
    cut(world, first)
    orphans.look_at_ended(world.context)
    assert planned(world) == []
