"""People hear of what was halted, with resource and operation where they can be told."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from scheduler import halts, journal, runs, safety_plans
from scheduler.notifications import Event, Kind
from scheduler.rows import find_run
from scheduler.settlement import end_run
from scheduler.tables import NotificationRow, RunRow
from shared.models import Assignment, JournalOutcome, RunStatus
from shared.safety.halts import at_the_wire
from tests.unit.scheduler.support import World
from tests.unit.shared.safety.support import entry, plan


def told(world: World) -> list[Event]:
    with world.context.database.read() as session:
        return [Event.stored(row.document) for row in session.scalars(select(NotificationRow))]


def halted(world: World, reason: str) -> Assignment:
    """A run at work that reports that it was halted, and whose lease then ends."""
    assignment, _ = world.begin()
    if "before the apply" in reason:
        safety_plans.deliver(
            world.context, assignment.run.id, holder=assignment.holder, plan=plan(entry("unknown", "aws_sqs_queue.a"))
        )
    with world.context.database.write() as session:
        run = find_run(session, assignment.run.id)
        run.reported_status, run.reason = RunStatus.HALTED, reason
    end_run(world.context, assignment.run.id, epoch=assignment.epoch, reason="released")
    return assignment


def test_a_run_that_was_halted_at_the_wire_names_the_call_and_what_it_named(world: World) -> None:
    run = halted(world, at_the_wire("sqs", "DeleteQueue", {"QueueUrl": "https://sqs/1/a"}, "it holds no delete"))
    (event,) = told(world)
    assert event.kind is Kind.HALT
    assert (event.operation, event.resource, event.items) == ("sqs:DeleteQueue", "QueueUrl=https://sqs/1/a", ())
    assert (event.run_id, event.target, event.flock) == (run.run.id, "web.north", "web")


def test_where_terraform_said_which_resource_it_was_about_that_is_named(world: World) -> None:
    halted(world, "halted: sqs:DeleteQueue (QueueUrl=q) for aws_sqs_queue.a was refused: it holds no delete")
    (event,) = told(world)
    assert (event.operation, event.resource, event.items) == ("sqs:DeleteQueue", "aws_sqs_queue.a", ("QueueUrl=q",))


def test_one_that_was_halted_before_its_apply_names_the_entry(world: World) -> None:
    halted(world, "halted before the apply: unknown aws_sqs_queue.a")
    (event,) = told(world)
    assert (event.operation, event.resource) == ("unknown", "aws_sqs_queue.a")
    assert event.items == ("unknown aws_sqs_queue.a",)


def test_a_halted_run_is_not_tried_again(world: World) -> None:
    run = halted(world, "halted: it is so")
    with world.context.database.read() as session:
        assert list(session.scalars(select(RunRow.id))) == [run.run.id]
        assert find_run(session, run.run.id).status == RunStatus.HALTED


def test_told_twice_is_told_once(world: World) -> None:
    run = halted(world, "halted: it is so")
    with world.context.database.write() as session:
        halts.tell(session, find_run(session, run.run.id), at=world.clock.wall(), reason="again")
    assert [event.reason for event in told(world)] == ["halted: it is so"]


def refused(world: World, run: Assignment, code: str = "not_allowed", operation: str = "DeleteQueue") -> None:
    """The proxy refuses a call of the run, and its journal has it."""
    intent = world.journal(run, operation, QueueUrl="q")
    journal.record_outcome(world.context, JournalOutcome(call_id=intent.call_id, outcome="refused", error_code=code))


@pytest.mark.parametrize("reported", [None, *(RunStatus(name) for name in ("lost", "errored", "applied", "canceled"))])
def test_a_run_that_the_proxy_latched_is_halted_whatever_its_worker_lived_to_report(
    world: World, reported: RunStatus | None
) -> None:
    assignment, _ = world.begin()
    refused(world, assignment)
    refused(world, assignment, "latched", "CreateQueue")
    with world.context.database.write() as session:
        find_run(session, assignment.run.id).reported_status = reported
    hints = end_run(world.context, assignment.run.id, epoch=assignment.epoch, reason="severed: the proxy ends")
    assert hints == [], "nothing follows"
    ended = runs.get(world.context, assignment.run.id)
    assert (ended.status, ended.exit_code) == (RunStatus.HALTED, 77)
    assert ended.reason.startswith("halted: sqs:DeleteQueue (QueueUrl=q) was refused: ")
    (event,) = told(world)
    assert (event.kind, event.operation, event.resource) == (Kind.HALT, "sqs:DeleteQueue", "QueueUrl=q")
    with world.context.database.read() as session:
        assert list(session.scalars(select(RunRow.id))) == [assignment.run.id]


def test_another_refusal_halts_nothing(world: World) -> None:
    assignment, _ = world.begin()
    refused(world, assignment, "allowance_unknown")
    end_run(world.context, assignment.run.id, epoch=assignment.epoch, reason="severed")
    assert runs.get(world.context, assignment.run.id).status == RunStatus.LOST


def test_a_cut_run_whose_worker_still_reports_its_halt_is_halted(world: World) -> None:
    assignment, lease = world.begin()
    world.sever("web.north", lease)
    world.finish(assignment, RunStatus.HALTED, exit_code=77, reason="halted: it is so")
    assert runs.get(world.context, assignment.run.id).status == RunStatus.HALTED
