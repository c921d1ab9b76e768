"""What people do with rollbacks: ask for one, try one again, leave things as they are, look.

Refused with the reason, and nothing touched: for a target of which no deployment is known, while another run holds it,
where something was deployed since, where the state was replaced by hand, where the way back is gone. Asked for twice it
is one rollback.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from scheduler import turns
from scheduler.claims import active_run
from scheduler.context import SchedulerContext
from scheduler.dispatch import publish
from scheduler.problems import conflict, invalid
from scheduler.rollback import consents as consents_module
from scheduler.rollback import rows
from scheduler.rollback.first_state import has_begun
from scheduler.rollback.order import require_possible, superseded_by
from scheduler.rollback.reservation import reserving
from scheduler.rows import find_run, find_target, lock_target, take_back
from scheduler.tables import FirstStateRow, RollbackRow, RunRow
from shared.errors import ApiError
from shared.models import RunKind, RunStatus
from shared.rollback.records import MAX_WHY, RollbackResult, RollbackVerdict
from shared.rollback.settings import Trigger
from shared.rollback.standing import Rollback, RollbackStatus, RollbackSummary, TargetRollback

MAX_LISTED = 1000
_NAMED = 5
#: Kinds of runs beside which nothing is taken back. What only looks is waited for, or gives way.
_CHANGING = (RunKind.APPLY, RunKind.DESTROY, RunKind.EXEC)


def start(context: SchedulerContext, *, target: str | None, run_id: str | None, actor: str, reason: str) -> Rollback:
    """Take the last deployment of a target back, or the one of that run, which has to be the last.

    One that is at work is taken back by its own run, under its lease; one that is over by a ROLLBACK run.

    Raises `ApiError` 400 and 404 for what is not named or not there, 409 `nothing_to_roll_back`, `target_taken`,
    `superseded`, `rolled_back_already`, `rollback_stuck`, `lineage_differs` and `no_first_state`.
    """
    with context.database.read() as session:
        if run_id is not None:
            name = find_run(session, run_id).target
        elif target is not None:
            name = find_target(session, target).id
        else:
            raise invalid("name a target or a run", "interlock rollback start TARGET")
    if target is not None and target != name:
        raise invalid(f"run {run_id} is one of {name}", "name either the target or the run")
    why = f"asked for by {actor or 'somebody'}" + (f": {reason}" if reason else "")
    with context.database.write() as session:
        # The releases of the way back must not be let go while they are looked at.
        context.database.hold_releases(session)
        lock_target(context.database, session, name)
        deployment = _deployment(session, name, run_id)
        row = rows.of_deployment(session, deployment.id)
        holder = active_run(session, name)
        queued: RunRow | None = None
        if row is not None and RollbackStatus(row.status).at_work:
            return rows.record(session, row)
        if row is not None and row.status != RollbackStatus.SKIPPED:
            raise _known(row)
        if holder is not None and holder.id == deployment.id:
            if holder.status == RunStatus.SETTLING:
                raise conflict("target_taken", f"{holder.id} is just ending", "ask again in a moment")
            holder.rollback_requested = True
            row = rows.opened(context, session, holder, Trigger.OPERATOR, why, actor=actor)
        else:
            _require_idle(session, name, holder, deployment)
            row = row or rows.opened(context, session, deployment, Trigger.OPERATOR, why, actor=actor)
            require_possible(context, session, row)
            rows.asked_again(context, row, actor=actor)
            queued = rows.queued(context, session, row)
        found = rows.record(session, row)
    if queued is not None:
        publish(context, queued.id, queued.region)
    return found


def retry(context: SchedulerContext, rollback_id: str, *, actor: str, consents: Collection[str] = ()) -> Rollback:
    """Try one again that is not whole; with `consents`, the addresses named may be destroyed this time.

    Raises `ApiError` 404, 400 for an address that nothing was refused for, and 409 `illegal_transition` for one that is
    over, `target_taken`, `superseded`, `lineage_differs`, `no_first_state`.
    """
    with context.database.read() as session:
        name = rows.find(session, rollback_id).target
    with context.database.write() as session:
        context.database.hold_releases(session)
        lock_target(context.database, session, name)
        row = rows.find(session, rollback_id)
        status = RollbackStatus(row.status)
        deployment = find_run(session, row.run_id)
        if consents:
            _require_refused(row, consents)
        if not status.at_work:
            if not status.stuck and status is not RollbackStatus.SKIPPED:
                raise _known(row)
            _require_idle(session, name, active_run(session, name), deployment, own=row)
            require_possible(context, session, row)
        if consents:
            consents_module.give(context, session, deployment, consents, actor=actor, rollback=row)
        queued = None
        if not status.at_work:
            rows.asked_again(context, row, actor=actor)
            queued = rows.queued(context, session, row)
        found = rows.record(session, row)
    if queued is not None:
        publish(context, queued.id, queued.region)
    return found


def skip(context: SchedulerContext, rollback_id: str, *, actor: str, reason: str) -> Rollback:
    """Leave the target as it is now: it takes other runs again. A rollback that has not begun is taken back itself.

    Raises `ApiError` 404, and 409 `illegal_transition` for one that is at work or over. Skipping twice changes nothing.
    """
    with context.database.read() as session:
        name = rows.find(session, rollback_id).target
    wake: list[tuple[str, str]] = []
    with context.database.write() as session:
        lock_target(context.database, session, name)
        row = rows.find(session, rollback_id)
        run = find_run(session, row.current_run_id)
        status = RollbackStatus(row.status)
        if status is not RollbackStatus.SKIPPED:
            waiting = status is RollbackStatus.QUEUED and run.status == RunStatus.PENDING
            if not status.stuck and not waiting:
                raise conflict(
                    "illegal_transition",
                    f"{row.id} is {row.status}",
                    f"`interlock run cancel {run.id}` stops it" if status.at_work else "it is over",
                )
            why = f"left as it is by {actor or 'somebody'}" + (f": {reason}" if reason else "")
            if waiting:
                take_back(run, at=context.clock.wall(), reason=why)
            rows.over(context, session, row, RollbackStatus.SKIPPED, why, run=run)
            wake = turns.to_wake(session, context.settings, run)
        found = rows.record(session, row)
    for next_id, region in wake:
        publish(context, next_id, region)
    return found


def take_phase_back(
    context: SchedulerContext, session: Session, *, rollback_id: str, run_id: str, reason: str
) -> tuple[TargetRollback, RunRow | None]:
    """A later phase of its roll-out failed: take a deployment back. Its target is locked.

    Returns where the rollback stands and the run to be published. Where it cannot be done it has failed, with the
    reason, and nothing is reserved.
    """
    why = f"a later phase failed: {reason}"
    deployment = find_run(session, run_id)
    row = rows.of_deployment(session, run_id)
    if row is not None:
        return rows.standing(row), None
    if session.get(FirstStateRow, run_id) is None:
        return _refused(rollback_id, f"{run_id} recorded no first state"), None
    if (other := reserving(session, deployment.target)) is not None:
        return _refused(rollback_id, f"{other.id} has {deployment.target}"), None
    if (later := superseded_by(session, deployment)) is not None:
        return _refused(rollback_id, f"{later.id} ({later.kind}) came later"), None
    busy = active_run(session, deployment.target)
    if busy is not None and busy.kind in _CHANGING:
        return _refused(rollback_id, f"{busy.id} ({busy.kind}) is at work on {deployment.target}"), None
    row = rows.opened(context, session, deployment, Trigger.PHASES_DONE, why, rollback_id=rollback_id)
    try:
        require_possible(context, session, row)
    except ApiError as error:
        rows.over(context, session, row, RollbackStatus.FAILED, error.message, run=deployment)
        row.reserved = False
        session.flush()
        return rows.standing(row), None
    return rows.standing(row), rows.queued(context, session, row)


def _refused(rollback_id: str, why: str) -> TargetRollback:
    return TargetRollback(id=rollback_id, status=RollbackStatus.FAILED, reason=why[:MAX_WHY])


def get(context: SchedulerContext, rollback_id: str) -> Rollback:
    """One rollback, by its id or by that of the deployment. Raises a 404."""
    with context.database.read() as session:
        row = rows.of_deployment(session, rollback_id) or rows.find(session, rollback_id)
        return rows.record(session, row)


def listed(
    context: SchedulerContext, *, target: str | None, flock: str | None, unfinished: bool, limit: int
) -> list[RollbackSummary]:
    """Rollbacks, the newest first."""
    query = select(RollbackRow).order_by(RollbackRow.sequence.desc()).limit(min(limit, MAX_LISTED))
    if target is not None:
        query = query.where(RollbackRow.target == target)
    if flock is not None:
        query = query.where(RollbackRow.flock == flock)
    if unfinished:
        query = query.where(RollbackRow.reserved.is_(True))
    with context.database.read() as session:
        return [rows.summary(row) for row in session.scalars(query)]


def _deployment(session: Session, target: str, run_id: str | None) -> RunRow:
    """What is to be taken back: that run, or the target's last deployment that began or is at work."""
    query = (
        select(RunRow)
        .join(FirstStateRow, FirstStateRow.run_id == RunRow.id)
        .where(RunRow.target == target, has_begun() | RunRow.finished_at.is_(None))
        .order_by(RunRow.epoch.desc())
        .limit(1)
    )
    if run_id is not None:
        query = query.where(RunRow.id == run_id)
    found = session.scalars(query).one_or_none()
    if found is None:
        raise conflict(
            "nothing_to_roll_back",
            f"no deployment of {target} is known that could be taken back" if run_id is None else
            f"{run_id} deployed nothing that could be taken back",
            "a deployment records where to go back to when its flock has a `rollback` section; `interlock run ls "
            f"--target {target}` shows its runs",
        )  # fmt: skip
    return found


def _require_idle(
    session: Session, target: str, holder: RunRow | None, deployment: RunRow, *, own: RollbackRow | None = None
) -> None:
    if holder is not None and holder.kind in _CHANGING:
        raise conflict("target_taken", f"{holder.id} ({holder.kind}) holds {target}", "wait for it, or cancel it")
    other = reserving(session, target)
    if other is not None and (own is None or other.id != own.id):
        raise conflict("target_taken", f"{other.id} has {target}: it is {other.status}", "retry or skip that one first")
    if (later := superseded_by(session, deployment)) is not None:
        raise conflict(
            "superseded",
            f"{deployment.id} is not the last deployment of {target}: {later.id} ({later.kind}) came later",
            "take that one back, or deploy an earlier release",
        )


def _known(row: RollbackRow) -> Exception:
    if RollbackStatus(row.status).stuck:
        return conflict("rollback_stuck", f"{row.id} is {row.status}: {row.reason}", "retry it, or skip it")
    return conflict("rolled_back_already", f"{row.run_id} was taken back: {row.id} is {row.status}")


def _require_refused(row: RollbackRow, addresses: Collection[str]) -> None:
    verdict = RollbackVerdict.model_validate(row.verdict) if row.verdict is not None else RollbackVerdict()
    result = RollbackResult.model_validate(row.result) if row.result is not None else None
    refused = {one.item.address for one in (*verdict.refused, *(result.refused if result else ()))}
    if unknown := sorted(set(addresses) - refused):
        shown = ", ".join(sorted(refused)[:_NAMED]) or "nothing"
        raise invalid(f"{row.id} was not refused {', '.join(unknown[:_NAMED])}", f"what it was refused: {shown}")
