"""What the end of a run means for drift."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from scheduler import journal, runs
from scheduler.drift import intake, queueing, telling
from scheduler.notifications import Kind
from scheduler.settlement import end_run
from scheduler.tables import DriftCheckRow, DriftHitRow, DriftStandingRow
from shared.drift.ignoring import IgnoreRule
from shared.drift.report import DriftReport
from shared.models import JournalOutcome, Run, RunKind, RunStatus
from shared.safety.halts import at_the_wire
from tests.unit.scheduler.drift.support import (
    BLIND,
    IN_SYNC,
    begin_check,
    check,
    deploy,
    drifted,
    end,
    later,
    queued,
    standing,
    statuses,
    told,
)
from tests.unit.scheduler.support import TARGET, World, metric


def stands(world: World, target: str = TARGET) -> tuple[str | None, str | None]:
    """What is confirmed, and what one check has found."""
    row = standing(world, target)
    return row.roll_up, row.pending_roll_up


@pytest.mark.parametrize(("report", "code"), [(IN_SYNC, 0), (drifted(), 2), (BLIND, 1)])
def test_the_exit_code_of_a_check_follows_from_its_report_whatever_its_worker_says(
    world: World, report: DriftReport, code: int
) -> None:
    deploy(world)
    assert check(world, report, exit_code=0).exit_code == code


def test_a_check_that_delivered_nothing_has_failed(world: World) -> None:
    deploy(world)
    run = check(world, None)
    assert (run.status, run.exit_code) == (RunStatus.ERRORED, 1)
    assert run.reason == "it ended without delivering what it found"


def test_a_target_that_is_in_sync_has_one_check_and_nothing_follows(world: World) -> None:
    deploy(world)
    check(world, IN_SYNC)
    assert stands(world) == ("in_sync", None)
    assert queued(world) == []


def test_drift_is_confirmed_by_a_second_check_that_the_first_one_queues(world: World) -> None:
    deploy(world)
    check(world, IN_SYNC)
    first = check(world, drifted())
    assert stands(world) == ("in_sync", "drifted")
    (second,) = queued(world)
    assert second.reason == f"a second look at what {first.id} found"
    assert ("north", second.id) in world.publisher.hints
    confirmed = check(world, drifted())
    assert stands(world) == ("drifted", None)
    assert standing(world).run_id == confirmed.id
    assert queued(world) == []


def test_a_steady_drift_beside_a_flapping_one_is_told_once(world: World) -> None:
    deploy(world, remediation={"mode": "plan"})
    check(world, IN_SYNC)
    for number in range(20):
        # The second one is another attribute of the same resource.
        check(world, drifted("delay_seconds", "tags.a") if number % 2 else drifted("delay_seconds"))
        later(world, 3600)
        telling.tell(world.context)
    assert stands(world)[0] == "drifted"
    assert [event.standing for event in told(world)] == ["drifted"]
    assert standing(world).remedy == "plan"
    alone = check(world, drifted("delay_seconds"))
    with world.context.database.read() as session:
        assert session.get_one(DriftCheckRow, alone.id).shape == standing(world).shape


def test_a_flock_may_do_without_the_second_check(world: World) -> None:
    deploy(world, confirm=False)
    check(world, drifted())
    assert stands(world) == ("drifted", None)


def test_what_is_waiting_for_the_target_comes_before_the_second_look(world: World) -> None:
    deploy(world)
    assignment, lease = begin_check(world)
    intake.deliver(world.context, assignment.run.id, holder=assignment.holder, report=drifted())
    world.submit(kind=RunKind.APPLY)
    end(world, assignment, lease, status=RunStatus.CHECKED)
    assert queued(world) == []
    assert standing(world).due_at == world.clock.wall()


def test_two_checks_that_cannot_look_at_everything_are_a_change_as_well(world: World) -> None:
    deploy(world)
    check(world, BLIND)
    assert stands(world) == (None, "not_checked")
    check(world, BLIND)
    assert stands(world) == ("not_checked", None)


def test_a_check_that_fails_is_not_checked_and_one_that_could_not_begin_says_nothing(world: World) -> None:
    deploy(world)
    check(world, None, status=RunStatus.ERRORED, exit_code=69, reason="Redis is away")
    assert stands(world) == (None, None)
    check(world, None, status=RunStatus.ERRORED, exit_code=1, reason="the provider is broken")
    assert stands(world) == (None, "not_checked")
    assert standing(world).last_reason == "the provider is broken"


def test_a_check_that_tried_to_write_is_halted_which_is_told_and_not_checked(world: World) -> None:
    deploy(world)
    check(world, IN_SYNC)
    assignment, lease = begin_check(world)
    intent = world.journal(assignment, "DeleteQueue", QueueUrl="q")
    journal.record_outcome(
        world.context, JournalOutcome(call_id=intent.call_id, outcome="refused", error_code="not_allowed")
    )
    run = end(world, assignment, lease, status=RunStatus.CHECKED)
    assert run.status is RunStatus.HALTED
    assert run.reason.startswith(at_the_wire("sqs", "DeleteQueue", {"QueueUrl": "q"}, "")[:20])
    assert stands(world) == ("in_sync", "not_checked")
    assert [event.operation for event in told(world, Kind.HALT)] == ["sqs:DeleteQueue"]


def test_a_check_that_is_halted_each_time_is_told_once(world: World) -> None:
    deploy(world)
    for _ in range(3):
        check(world, None, status=RunStatus.HALTED, reason="halted: sqs:DeleteQueue () was refused: it reads")
    later(world, 60)
    telling.tell(world.context)
    assert (len(told(world, Kind.HALT)), len(told(world))) == (1, 1)
    check(world, IN_SYNC)
    check(world, None, status=RunStatus.HALTED)
    assert len(told(world, Kind.HALT)) == 2


def test_whatever_is_wrong_with_drift_a_run_ends_and_frees_its_target(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy(world)

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("scheduler.drift.outcome.after_check", fail)
    assert check(world, drifted()).status is RunStatus.CHECKED
    assert stands(world) == (None, None)
    end(world, *world.begin(holder="h"), status=RunStatus.APPLIED)


def test_a_lost_check_is_silent_is_not_followed_up_and_is_due_again(world: World) -> None:
    deploy(world, every_s=86_400)
    assignment, lease = begin_check(world)
    world.sever(TARGET, lease)
    end_run(world.context, assignment.run.id, epoch=assignment.epoch, reason="its worker died")
    assert statuses(world) == ["lost"]
    assert (queued(world), told(world, Kind.LOST_LEASE), stands(world)) == ([], [], (None, None))
    assert standing(world).due_at == world.clock.wall() + timedelta(seconds=60)
    later(world, 60)
    assert queueing.queue_due(world.context) == 1
    assert statuses(world) == ["lost", "pending"]


def test_each_loss_in_a_row_waits_longer_and_a_finding_ends_that(world: World) -> None:
    deploy(world)
    for failures, wait_s in ((1, 60), (2, 120), (3, 240)):
        check(world, None, status=RunStatus.LOST)
        row = standing(world)
        assert (row.failures, row.due_at) == (failures, world.clock.wall() + timedelta(seconds=wait_s))
    check(world, IN_SYNC)
    assert (standing(world).failures, standing(world).due_at) == (0, None)


def test_a_check_that_a_person_canceled_comes_when_it_is_due_and_not_before(world: World) -> None:
    deploy(world, every_s=3600)
    assignment, lease = begin_check(world)
    runs.cancel(world.context, assignment.run.id)
    end(world, assignment, lease, status=RunStatus.CANCELED, exit_code=None)
    due = standing(world).due_at
    assert due is not None
    assert due > world.clock.wall() + timedelta(seconds=3000)
    assert stands(world) == (None, None)


def test_what_a_canceled_check_did_not_say_is_no_error_either(world: World) -> None:
    deploy(world)
    assignment, lease = begin_check(world)
    runs.cancel(world.context, assignment.run.id)
    end(world, assignment, lease, status=RunStatus.ERRORED, exit_code=1, reason="interrupted")
    assert stands(world) == (None, None)


def test_a_finding_about_a_release_that_the_target_has_no_more_counts_for_nothing(world: World) -> None:
    deploy(world)
    assignment, lease = begin_check(world)
    intake.deliver(world.context, assignment.run.id, holder=assignment.holder, report=drifted())
    deploy(world, deployed=False, every_s=60)
    end(world, assignment, lease, status=RunStatus.CHECKED)
    assert stands(world) == (None, None)
    assert standing(world).due_at == world.clock.wall()


def test_the_next_check_is_a_period_later(world: World) -> None:
    deploy(world, every_s=3600)
    check(world, IN_SYNC)
    due = standing(world).due_at
    assert due is not None
    assert 3200 < (due - world.clock.wall()).total_seconds() < 4000


def failed(world: World, kind: RunKind, status: RunStatus) -> Run:
    return end(world, *world.begin(kind=kind, holder="h"), status=status, exit_code=1)


@pytest.mark.parametrize("status", [RunStatus.ERRORED, RunStatus.HALTED])
@pytest.mark.parametrize("kind", [RunKind.APPLY, RunKind.DESTROY])
def test_a_failed_deployment_has_its_target_checked(world: World, kind: RunKind, status: RunStatus) -> None:
    deploy(world)
    failed(world, kind, status)
    assert queueing.queue_due(world.context) == 0
    later(world, 5)
    assert queueing.queue_due(world.context) == 1
    assert [run.kind for run in queued(world)] == [RunKind.DRIFT]


def test_one_that_was_lost_has_it_checked_only_where_nothing_takes_it_up(world: World) -> None:
    deploy(world)
    for attempt in range(1, 4):
        waiting = runs.listed(world.context, target=TARGET, status=RunStatus.PENDING, limit=10)
        assignment = world.claim(waiting[0] if waiting else world.submit(), holder=f"h{attempt}")
        world.sever(TARGET, world.acquire(assignment))
        end_run(world.context, assignment.run.id, epoch=assignment.epoch, reason="its worker died")
        assert (standing(world).due_at is not None) == (attempt == 3)


def test_a_canceled_deployment_and_a_flock_that_says_nothing_about_drift_have_none(world: World) -> None:
    failed(world, RunKind.APPLY, RunStatus.ERRORED)
    with world.context.database.read() as session:
        assert session.get(DriftStandingRow, TARGET) is None
    deploy(world)
    failed(world, RunKind.APPLY, RunStatus.CANCELED)
    assert standing(world).due_at is None


def test_a_deployment_voids_what_one_check_found_and_has_drift_checked_again(world: World) -> None:
    deploy(world)
    check(world, drifted())
    check(world, drifted())
    check(world, IN_SYNC)
    assert stands(world) == ("drifted", "in_sync")
    end(world, *world.begin(holder="h"), status=RunStatus.APPLIED)
    assert stands(world) == ("drifted", None)
    assert standing(world).due_at == world.clock.wall()


def test_what_was_destroyed_stands_nowhere_and_is_not_checked_by_itself(world: World) -> None:
    deploy(world, every_s=60)
    check(world, drifted())
    check(world, drifted())
    later(world, 60)
    telling.tell(world.context)
    end(world, *world.begin(kind=RunKind.DESTROY, holder="h"), status=RunStatus.APPLIED)
    assert stands(world) == (None, None)
    later(world, 1000)
    assert (queueing.schedule(world.context), queueing.queue_due(world.context)) == (0, 0)
    assert telling.tell(world.context) == 0


def test_hits_of_rules_count_once_a_check_is_over_and_not_when_it_was_halted(world: World) -> None:
    rule = IgnoreRule.model_validate({"address": "aws_sqs_queue.*", "expires": "2999-01-01", "reason": "known"})
    deploy(world, ignore=(rule,))

    def hits() -> list[int]:
        with world.context.database.read() as session:
            return list(session.scalars(select(DriftHitRow.hits)))

    check(world, drifted(), status=RunStatus.HALTED)
    assert hits() == []
    check(world, drifted())
    assert hits() == [1]
    check(world, drifted())
    assert hits() == [2]
    assert stands(world)[0] == "in_sync"


def test_checks_are_counted_by_what_became_of_them(world: World) -> None:
    deploy(world)
    check(world, IN_SYNC)
    check(world, drifted())
    check(world, None, status=RunStatus.LOST)
    outcomes = ("in_sync", "drifted", "not_checked", "lost", "canceled")
    assert [metric(world, "drift_checks_total", outcome=outcome) for outcome in outcomes] == [1, 1, 0, 1, 0]
