"""One transaction moves a roll-out: it reads how its runs ended, takes in what a person said, and writes the next value
together with the runs that it starts. Whoever calls it, how often, and whatever is killed in between: the row's lock
makes it serial, and what was written is where the next call goes on.

Hints and requests to stop go out after the commit. A hint that is lost is the reconciler's; a request is repeated at
each call until the run is over.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from scheduler import notifications, plans, runs
from scheduler.context import SchedulerContext
from scheduler.dispatch import publish
from scheduler.drift import giving_way
from scheduler.notifications.approvals import approvals_wanted
from scheduler.pending import pending_run
from scheduler.problems import conflict, not_found
from scheduler.rollout import rollbacks
from scheduler.rollout.advance import Advanced, Start, advance, plan_marks, plans_done_with
from scheduler.rollout.events import (
    PlanReady,
    PlanStale,
    RunApplied,
    RunCanceled,
    RunEvent,
    RunFailed,
    RunHalted,
    RunLost,
    RunUnserved,
    record,
    with_targets,
)
from scheduler.rollout.safety_gate import gate
from scheduler.rows import new_run_id
from scheduler.tables import PlanRow, RollbackRow, RolloutRow, RunRow, TargetRow
from shared import exit_codes
from shared.errors import IllegalTransition, Unavailable
from shared.log import log_event
from shared.models import RunStatus
from shared.rollouts import Rollout, RolloutStatus, Stage

log = logging.getLogger(__name__)

#: The statuses of a roll-out that is not over.
UNFINISHED = tuple(status for status in RolloutStatus if not status.over)
#: After what a target is tried again, as the metrics call it.
_RETRIED = {RunLost: "lost", RunUnserved: "unserved", PlanStale: "stale"}


def drive_all(context: SchedulerContext) -> int:
    """Move every roll-out that is not over or has news of a rollback; returns how many there are. One that cannot be
    moved holds up no other.

    Raises `Unavailable` when the database is away.
    """
    with context.database.read() as session:
        moves = RolloutRow.status.in_(UNFINISHED) | rollbacks.untold()
        query = select(RolloutRow.id).where(moves).order_by(RolloutRow.sequence)
        waiting = list(session.scalars(query))
    for rollout_id in waiting:
        try:
            change(context, rollout_id)
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001 - whatever is wrong with this one, the others must go on
            log_event(log, "rollout_not_moved", level=logging.ERROR, rollout=rollout_id, error=repr(error))
    return len(waiting)


def drive_of_run(context: SchedulerContext, run_id: str) -> None:
    """A run is over: move its roll-out now instead of at the next tick. Raises nothing: the tick would do it."""
    try:
        with context.database.read() as session:
            rollout_id = session.scalar(select(RunRow.rollout_id).where(RunRow.id == run_id))
        if rollout_id is not None:
            change(context, rollout_id)
    except Exception as error:  # noqa: BLE001 - the run's report was taken; the worker must not be told otherwise
        log_event(log, "rollout_not_moved", level=logging.WARNING, run=run_id, error=repr(error))


def change(
    context: SchedulerContext, rollout_id: str, command: Callable[[Rollout], Rollout] = lambda rollout: rollout
) -> Rollout:
    """Take in how its runs ended, then the command, then go on as far as can be gone. Returns the roll-out as it is.

    Raises `ApiError` 404 for an unknown roll-out and 409 `illegal_transition` for a command that does not fit; then
    nothing is changed.
    """
    with context.database.write() as session:
        row = _locked(session, rollout_id)
        before = Rollout.model_validate(row.document)
        if not before.status.over:
            after = before
            for event in _ended(context, session, before):
                after = record(after, event)
                if (cause := _RETRIED.get(type(event))) is not None and not getattr(event, "final", False):
                    context.metrics.rollout_retries.labels(cause=cause).inc()
        else:
            after = before
        standings = rollbacks.standings(session, before)
        after = rollbacks.taken_in(after, standings)
        recorded = after
        try:
            after = command(after)
        except IllegalTransition as error:
            raise conflict(
                "illegal_transition", str(error), f"`interlock rollout show {rollout_id}` shows it"
            ) from None
        after = gate(context, session, before=before, recorded=recorded, after=after)
        advanced = advance(after, now=context.unstepped_wall(), wall=context.clock.wall(), new_run_id=new_run_id)
        advanced = _standing(session, before, advanced)
        _lock_targets(session, before, advanced, {one.target for one in standings})
        queued = rollbacks.queue(context, session, advanced)
        advanced = queued.advanced
        _write(context, session, row, before, advanced)
        rollbacks.note_told(session, standings)
    _count(context, before, advanced.rollout)
    _carry_out(context, advanced)
    for run_id, region in queued.hints:
        publish(context, run_id, region)
    return advanced.rollout


def _count(context: SchedulerContext, before: Rollout, after: Rollout) -> None:
    if after.status.over and not before.status.over:
        context.metrics.ended_rollouts.labels(status=after.status.value).inc()


def _locked(session: Session, rollout_id: str) -> RolloutRow:
    query = select(RolloutRow).where(RolloutRow.id == rollout_id).with_for_update()
    row = session.scalars(query).one_or_none()
    if row is None:
        raise not_found("rollout", rollout_id, "`interlock rollout list` shows all")
    return row


def _ended(context: SchedulerContext, session: Session, rollout: Rollout) -> Iterator[RunEvent]:
    """The runs of the roll-out that are over, as events."""
    in_flight = {target.run_id: target.losses for target in rollout.targets if target.stage.in_flight}
    if not in_flight:
        return
    query = (
        select(RunRow, PlanRow.digest, PlanRow.changes, RollbackRow.id.is_not(None))
        .outerjoin(PlanRow, PlanRow.run_id == RunRow.id)
        .outerjoin(RollbackRow, RollbackRow.run_id == RunRow.id)
        .where(RunRow.id.in_(in_flight), RunRow.finished_at.is_not(None))
        .order_by(RunRow.sequence)
    )
    for run, digest, changes, taken_back in session.execute(query):
        if taken_back:
            # However it ended: what it deployed does not stay. A halt still is one.
            kind = RunHalted if run.status == RunStatus.HALTED else RunFailed
            yield kind(target=run.target, run_id=run.id, reason=run.reason or f"{run.id} is taken back")
            continue
        last_try = in_flight[run.id] + 1 >= context.settings.max_attempts
        yield event_of(run, digest=digest, changes=bool(changes), last_try=last_try)


def event_of(run: RunRow, *, digest: str | None, changes: bool, last_try: bool) -> RunEvent:
    """What the end of a run means for its roll-out. Pure."""
    where = {"target": run.target, "run_id": run.id}
    reason = run.reason or f"{run.kind} run {run.id} is {run.status}"
    match RunStatus(run.status):
        case RunStatus.PLANNED if digest is not None:
            return PlanReady(**where, digest=digest, changes=changes)
        case RunStatus.APPLIED:
            return RunApplied(**where)
        case RunStatus.DISCARDED:
            return PlanStale(**where, reason=reason)
        case RunStatus.CANCELED:
            return RunCanceled(**where, reason=reason)
        case RunStatus.LOST if run.cancel_requested:
            return RunCanceled(**where, reason=reason)
        case RunStatus.LOST if not run.revoke_requested:
            return RunLost(**where, reason=reason, final=last_try)
        case RunStatus.HALTED:
            return RunHalted(**where, reason=reason)
        case RunStatus.PLANNED:
            return RunFailed(**where, reason=f"{run.id} ended without delivering its plan file")
        case RunStatus.ERRORED if run.exit_code == exit_codes.UNAVAILABLE:
            return RunUnserved(**where, reason=reason, final=last_try)
        case _:
            return RunFailed(**where, reason=reason)


def _write(context: SchedulerContext, session: Session, row: RolloutRow, before: Rollout, advanced: Advanced) -> None:
    after = advanced.rollout
    for start in advanced.starts:
        giving_way.make_room(context, session, start.target, locked=True)
        session.add(_queued(context, session, after, start))
    for plan_run_id, stage in plan_marks(before, after).items():
        plans.mark(session, plan_run_id, RunStatus(stage.value))
    for old, new in zip(before.targets, after.targets, strict=True):
        if new.stage is Stage.APPLIED and old.stage is not Stage.APPLIED:
            # Also where the plan changed nothing: this release is what is there now.
            session.execute(update(TargetRow).where(TargetRow.id == new.id).values(release_digest=after.release_digest))
    for plan_run_id in plans_done_with(before, after):
        plans.let_go(session, plan_run_id)
    if after == before:
        return
    row.document = after.model_dump(mode="json")
    row.status = after.status
    for wanted in approvals_wanted(before, after, at=context.clock.wall()):
        notifications.record(session, wanted)
    if after.status is not before.status:
        log_event(log, "rollout_moved", rollout=after.id, status=after.status, reason=after.reason)


def _standing(session: Session, before: Rollout, advanced: Advanced) -> Advanced:
    """Remember what the targets that have just failed deploy by themselves: another release later forbids a retry."""
    pairs = zip(before.targets, advanced.rollout.targets, strict=True)
    fresh = {
        new.id: new for old, new in pairs if new.stage.failed and (not old.stage.failed or new.rollback != old.rollback)
    }
    if not fresh:
        return advanced
    rows = session.execute(select(TargetRow.id, TargetRow.release_digest).where(TargetRow.id.in_(fresh)))
    changes = {row[0]: fresh[row[0]].model_copy(update={"failed_with": row[1] or ""}) for row in rows}
    return replace(advanced, rollout=with_targets(advanced.rollout, changes))


def _lock_targets(session: Session, before: Rollout, advanced: Advanced, more: set[str]) -> None:
    """Lock what is written below in the order in which everybody locks several targets; two orders would deadlock."""
    moved = more | {new.id for old, new in zip(before.targets, advanced.rollout.targets, strict=True) if old != new}
    if moved:
        session.execute(
            select(TargetRow.id).where(TargetRow.id.in_(moved)).order_by(TargetRow.id).with_for_update(key_share=True)
        )


def _queued(context: SchedulerContext, session: Session, rollout: Rollout, start: Start) -> RunRow:
    target = rollout.target(start.target)
    return pending_run(
        context,
        start.kind,
        id=start.run_id,
        target=start.target,
        region=session.scalars(select(TargetRow.region).where(TargetRow.id == start.target)).one(),
        actor=(target.confirmed_by if target else "") or rollout.actor,
        release_digest=rollout.release_digest,
        rollout_id=rollout.id,
        plan_run_id=start.plan_run_id,
    )


def _carry_out(context: SchedulerContext, advanced: Advanced) -> None:
    for stop in advanced.stops:
        if stop.at_work_too:
            runs.cancel(context, stop.run_id)
        else:
            runs.withdraw(context, stop.run_id)
    regions = _regions(context, [start.run_id for start in advanced.starts])
    for start in advanced.starts:
        publish(context, start.run_id, regions[start.run_id])


def _regions(context: SchedulerContext, run_ids: list[str]) -> dict[str, str]:
    if not run_ids:
        return {}
    with context.database.read() as session:
        return {
            row[0]: row[1] for row in session.execute(select(RunRow.id, RunRow.region).where(RunRow.id.in_(run_ids)))
        }


def wake(context: SchedulerContext, rollout_id: str) -> None:
    """Send the hints of its queued runs again: while it was paused they led to nothing."""
    with context.database.write() as session:
        mine = (RunRow.rollout_id == rollout_id, RunRow.status == RunStatus.PENDING)
        session.execute(update(RunRow).where(*mine).values(published_at=None, publications=0))
        queued = [(row[0], row[1]) for row in session.execute(select(RunRow.id, RunRow.region).where(*mine))]
    for run_id, region in queued:
        publish(context, run_id, region)
