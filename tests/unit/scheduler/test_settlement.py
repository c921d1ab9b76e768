"""When a run is over."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from scheduler import runs
from scheduler.notifications import Event
from scheduler.settlement import (
    FENCE_HOLDER,
    ActiveRun,
    Step,
    Waited,
    decide,
    effective_report,
    end_run,
    fence,
    mark_acquired,
)
from scheduler.tables import NotificationRow, RunRow
from shared.lease.commands import Refused
from shared.lease.machine import State
from shared.lease.view import LeaseView
from shared.models import RunKind, RunStatus
from tests.unit.scheduler.support import TARGET, World, metric

PATIENT = Waited(holder_vanished=False, report_overdue=False)


def run(*, acquired: bool = True, reported: bool = False, revoked: bool = False) -> ActiveRun:
    return ActiveRun(
        id="run-1", target=TARGET, epoch=3, node="n", acquired=acquired, reported=reported, revoked=revoked
    )


def lease(
    state: State | None, epoch: int = 3, *, last: int | None = None, cleared: bool = True, holder: str = "h"
) -> LeaseView:
    return LeaseView(
        target=TARGET,
        incarnation="i",
        cleared=cleared,
        state=state,
        lease_id=f"{epoch}-{'a' * 32}" if epoch else "",
        epoch=epoch if last is None else last,
        holder=holder,
    )


@pytest.mark.parametrize("state", [State.HELD, State.RELEASING, State.REVOKING])
def test_a_run_goes_on_while_its_lease_could_still_act(state: State) -> None:
    everything = Waited(holder_vanished=True, report_overdue=True)
    assert decide(run(reported=True, revoked=True), lease(state), everything).step is Step.WAIT


@pytest.mark.parametrize("state", [State.SEVERED, State.EXPIRED])
def test_a_cut_lease_ends_the_run_at_once(state: State) -> None:
    assert decide(run(), lease(state), PATIENT).step is Step.END


def test_a_released_lease_ends_the_run_once_it_reported() -> None:
    assert decide(run(), lease(State.RELEASED), PATIENT).step is Step.WAIT
    assert decide(run(reported=True), lease(State.RELEASED), PATIENT).step is Step.END


def test_a_released_lease_without_a_report_ends_the_run_after_a_while() -> None:
    overdue = Waited(holder_vanished=False, report_overdue=True)
    assert decide(run(), lease(State.RELEASED), overdue).step is Step.END


def test_a_lease_seen_for_the_first_time_is_remembered() -> None:
    assert decide(run(acquired=False), lease(State.HELD), PATIENT).step is Step.MARK_ACQUIRED


def test_a_claim_that_nobody_acquired_waits_for_its_holder_and_is_fenced_off_without_it() -> None:
    before = lease(State.RELEASED, 2)
    gone = Waited(holder_vanished=True, report_overdue=False)
    assert decide(run(acquired=False), before, PATIENT).step is Step.WAIT
    assert decide(run(acquired=False), before, gone).step is Step.FENCE
    assert decide(run(acquired=False, reported=True), before, PATIENT).step is Step.FENCE
    assert decide(run(acquired=False, revoked=True), before, PATIENT).step is Step.FENCE


def test_nothing_is_fenced_off_under_an_embargo() -> None:
    gone = Waited(holder_vanished=True, report_overdue=False)
    assert decide(run(acquired=False), lease(State.RELEASED, 2, cleared=False), gone).step is Step.WAIT
    assert decide(run(acquired=True), lease(None, 0, cleared=False), gone).step is Step.WAIT


def test_a_lease_that_redis_lost_is_fenced_off_after_the_embargo() -> None:
    assert decide(run(acquired=True), lease(State.FREE, 0, last=2), PATIENT).step is Step.FENCE


def test_a_younger_epoch_ends_a_run_that_had_begun_and_lets_a_claim_be_raised() -> None:
    younger = lease(State.HELD, 9)
    assert decide(run(acquired=True), younger, PATIENT).step is Step.END
    assert decide(run(acquired=False), younger, PATIENT).step is Step.WAIT
    gone = Waited(holder_vanished=True, report_overdue=False)
    assert decide(run(acquired=False), younger, gone).step is Step.END


def test_an_epoch_fenced_off_by_a_clear_counts_as_passed() -> None:
    assert decide(run(acquired=True), lease(State.FREE, 0, last=3), PATIENT).step is Step.END


def test_the_schedulers_own_fence_ends_the_run() -> None:
    fenced = lease(State.RELEASED, holder=FENCE_HOLDER)
    assert decide(run(acquired=False), fenced, PATIENT).step is Step.END


@pytest.mark.parametrize(
    ("reported", "state", "worth"),
    [
        (RunStatus.ERRORED, State.HELD, RunStatus.ERRORED),
        (RunStatus.ERRORED, State.REVOKING, RunStatus.LOST),
        (RunStatus.ERRORED, State.SEVERED, RunStatus.LOST),
        (RunStatus.CANCELED, State.SEVERED, RunStatus.CANCELED),
        (RunStatus.APPLIED, State.REVOKING, RunStatus.APPLIED),
    ],
)
def test_a_failure_after_the_cut_is_a_loss(reported: RunStatus, state: State, worth: RunStatus) -> None:
    assert effective_report(reported, lease(state), 3) is worth
    assert effective_report(RunStatus.ERRORED, lease(State.SEVERED, 2), 3) is RunStatus.ERRORED


def test_a_lost_apply_gets_one_follow_up(world: World) -> None:
    assignment, _ = world.begin()
    hints = end_run(world.context, assignment.run.id, epoch=1, reason="severed: worker died")
    lost = runs.get(world.context, assignment.run.id)
    assert (lost.status, lost.reason, lost.finished_at) == (RunStatus.LOST, "severed: worker died", world.clock.wall())
    follower = runs.get(world.context, hints[0][0])
    assert hints == [(follower.id, "north")]
    assert (follower.retry_of, follower.attempt, follower.status) == (lost.id, 2, RunStatus.PENDING)
    assert (follower.kind, follower.actor) == (RunKind.APPLY, "anna")
    # Another observer says the same a moment later.
    assert end_run(world.context, assignment.run.id, epoch=1, reason="severed") == []
    assert len(runs.listed(world.context, target=TARGET, status=None, limit=10)) == 2
    assert metric(world, "settled_runs_total", status="lost") == 1


def told_about(world: World) -> list[Event]:
    with world.context.database.read() as session:
        rows = session.scalars(select(NotificationRow).order_by(NotificationRow.sequence))
        return [Event.stored(row.document) for row in rows]


def test_a_lost_lease_is_told_once_with_what_follows(world: World) -> None:
    assignment, _ = world.begin()
    (follower, _), *_ = end_run(world.context, assignment.run.id, epoch=1, reason="severed: worker died")
    end_run(world.context, assignment.run.id, epoch=1, reason="severed: worker died")
    (told,) = told_about(world)
    assert told.kind == "lost_lease"
    assert (told.flock, told.target, told.run_id, told.epoch) == ("web", TARGET, assignment.run.id, 1)
    assert (told.next_run_id, told.reason) == (follower, "severed: worker died")


def test_a_run_that_ends_as_it_should_is_not_told(world: World) -> None:
    assignment, _ = world.begin()
    with world.context.database.write() as session:
        session.execute(update(RunRow).values(reported_status="applied"))
    end_run(world.context, assignment.run.id, epoch=1, reason="released")
    assert told_about(world) == []


def test_a_loss_that_is_not_written_down_is_not_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assignment, _ = world.begin()
    monkeypatch.setattr("scheduler.settlement._follow_up", lambda *_: RunRow())
    with pytest.raises(IntegrityError):
        end_run(world.context, assignment.run.id, epoch=1, reason="severed")
    assert told_about(world) == []


def test_a_run_is_given_up_after_its_last_attempt(world: World) -> None:
    run_id = world.submit().id
    for attempt in range(1, world.context.settings.max_attempts + 1):
        assignment = world.claim(runs.get(world.context, run_id), holder=f"h{attempt}")
        hints = end_run(world.context, run_id, epoch=assignment.epoch, reason="expired")
        run_id = hints[0][0] if hints else run_id
    assert hints == []
    assert "not tried again" in runs.get(world.context, run_id).reason


@pytest.mark.parametrize("kind", [RunKind.PLAN, RunKind.EXEC])
def test_a_lost_plan_or_exec_is_not_repeated_unasked(world: World, kind: RunKind) -> None:
    assignment, _ = world.begin(kind=kind)
    assert end_run(world.context, assignment.run.id, epoch=1, reason="expired") == []


@pytest.mark.parametrize("wish", ["cancel_requested", "revoke_requested"])
def test_what_an_operator_ended_is_not_tried_again(world: World, wish: str) -> None:
    assignment, _ = world.begin()
    with world.context.database.write() as session:
        session.execute(update(RunRow).values({wish: True}))
    assert end_run(world.context, assignment.run.id, epoch=1, reason="severed") == []


def test_the_end_of_a_run_wakes_the_one_that_waited_for_its_target(world: World) -> None:
    assignment, _ = world.begin(kind=RunKind.PLAN)
    waiting = world.submit()
    world.submit()
    assert end_run(world.context, assignment.run.id, epoch=1, reason="x") == [(waiting.id, "north")]


def test_a_run_that_went_on_to_another_epoch_is_not_ended_for_the_old_one(world: World) -> None:
    assignment, _ = world.begin()
    assert end_run(world.context, assignment.run.id, epoch=99, reason="x") == []
    assert runs.get(world.context, assignment.run.id).status is RunStatus.CLAIMED


def active(world: World) -> ActiveRun:
    with world.context.database.read() as session:
        row = session.scalars(select(RunRow)).one()
    return ActiveRun(
        id=row.id, target=row.target, epoch=row.epoch or 0, node="", acquired=False, reported=False, revoked=False
    )


def test_a_fence_keeps_the_late_holder_out(world: World) -> None:
    assignment = world.claim(world.submit())
    assert fence(world.context, active(world))
    late = world.store.acquire(
        TARGET, epoch=1, acquire_id="e" * 32, ttl_ms=900, holder="h", run_id=assignment.run.id, node="n"
    )
    assert isinstance(late, Refused)
    assert world.store.view(TARGET).state is State.RELEASED


def test_a_fence_yields_to_a_holder_that_was_faster(world: World) -> None:
    world.acquire(world.claim(world.submit()))
    assert not fence(world.context, active(world))
    assert world.store.view(TARGET).state is State.HELD


def test_a_fence_that_is_not_durable_does_not_count(world: World) -> None:
    world.claim(world.submit())
    assert world.server is not None
    world.server.durable = False
    assert not fence(world.context, active(world))


def test_an_acquired_epoch_is_remembered(world: World) -> None:
    world.begin()
    mark_acquired(world.context, active(world))
    with world.context.database.read() as session:
        assert session.scalars(select(RunRow)).one().acquired
