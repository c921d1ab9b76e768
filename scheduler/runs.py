"""Runs: submit, look up, cancel, and what their holders say about them."""

import logging

from sqlalchemy import select
from sqlalchemy.orm import Session

from scheduler.context import SchedulerContext
from scheduler.dispatch import publish
from scheduler.drift import giving_way
from scheduler.pending import pending_run
from scheduler.problems import conflict, invalid, lease_lost
from scheduler.releases import get_manifest
from scheduler.rollback import at_work, ending
from scheduler.rows import find_run, find_target, lock_run, require_holder, run_record, take_back
from scheduler.settlement import ActiveRun, Step, Waited, decide, effective_report, end_run
from scheduler.tables import ACTIVE_STATUSES, RunRow
from shared.errors import Unavailable
from shared.lease.machine import State
from shared.lease.view import LeaseView
from shared.log import log_event
from shared.models import MAX_REASON, Priority, Run, RunKind, RunStatus
from shared.rollback.settings import Trigger

log = logging.getLogger(__name__)

MAX_LISTED = 1000
MAX_ARGV = 1024

#: How a run may go on, and how each kind may end by its holder's report.
_PROGRESS = {
    RunStatus.CLAIMED: 0,
    RunStatus.PLANNING: 1,
    RunStatus.APPLYING: 2,
    RunStatus.BAKING: 3,
    RunStatus.ROLLING_BACK: 4,
}
_REPORTS = {
    RunKind.PLAN: {RunStatus.PLANNED},
    # Planned: the plan waits for its approval, nothing was applied.
    RunKind.APPLY: {RunStatus.APPLIED, RunStatus.PLANNED, RunStatus.ROLLED_BACK},
    RunKind.DESTROY: {RunStatus.APPLIED, RunStatus.PLANNED},
    RunKind.EXEC: {RunStatus.SUCCEEDED},
    RunKind.DRIFT: {RunStatus.CHECKED},
    RunKind.ROLLBACK: {RunStatus.ROLLED_BACK},
    RunKind.RECOVER: {RunStatus.APPLIED},
}
_FAILURES = {RunStatus.ERRORED, RunStatus.CANCELED, RunStatus.LOST, RunStatus.HALTED}


def submit(
    context: SchedulerContext,
    *,
    target: str,
    kind: RunKind,
    argv: list[str],
    actor: str,
    priority: Priority | None = None,
    release_digest: str | None = None,
) -> Run:
    """Queue a run and wake a worker. Without a `priority` an apply, destroy or exec comes before a plan.

    Without a `release_digest` it deploys what the target has: the release that was registered or applied last. Which
    one that is, is decided here and does not change any more.

    Raises `ApiError` 404 for an unknown target or release, 409 `no_release` for a target that has none, and 400 for
    arguments that do not fit.
    """
    if kind is RunKind.EXEC and not argv:
        raise invalid("an exec run needs a command", "interlock exec --target T -- COMMAND ARGUMENT …")
    if kind is RunKind.ROLLBACK:
        raise invalid("a rollback belongs to a deployment", "`interlock rollback start TARGET` queues its run")
    if len(argv) > MAX_ARGV:
        raise invalid(f"a command of {len(argv)} arguments is too long (at most {MAX_ARGV})", "put it in a script")
    with context.database.write() as session:
        context.database.hold_releases(session)
        found = find_target(session, target)
        digest = release_digest or found.release_digest
        if digest is None:
            raise conflict(
                "no_release",
                f"{target} has no release that a run could deploy",
                "`interlock flock register FILE` gives it one; or name one with --release",
            )
        if target not in get_manifest(session, digest).targets:
            raise invalid(f"release {digest} has no target {target}", "`interlock release show` lists its targets")
        if kind is not RunKind.DRIFT:
            giving_way.make_room(context, session, target)
        row = pending_run(
            context, kind, target=target, region=found.region, actor=actor, release_digest=digest, argv=argv
        )
        if priority is not None:
            row.priority = priority.rank
        session.add(row)
        session.flush()
        record = run_record(row)
    # After the commit: a worker that is faster than the commit would find no run.
    publish(context, record.id, record.region)
    return record


def get(context: SchedulerContext, run_id: str) -> Run:
    """One run. Raises a 404."""
    with context.database.read() as session:
        return run_record(find_run(session, run_id))


def listed(
    context: SchedulerContext,
    *,
    target: str | None,
    status: RunStatus | None,
    limit: int,
    kind: RunKind | None = None,
) -> list[Run]:
    """Runs, the newest first."""
    query = select(RunRow).order_by(RunRow.sequence.desc()).limit(min(limit, MAX_LISTED))
    if target is not None:
        query = query.where(RunRow.target == target)
    if status is not None:
        query = query.where(RunRow.status == status)
    if kind is not None:
        query = query.where(RunRow.kind == kind)
    with context.database.read() as session:
        return [run_record(row) for row in session.scalars(query)]


def cancel(context: SchedulerContext, run_id: str) -> Run:
    """Cancel a run: a pending one at once, an active one through its holder, which sees the request and stops cleanly.

    Canceling what is over changes nothing.
    """
    with context.database.write() as session:
        run, _ = lock_run(context.database, session, run_id)
        if run.status == RunStatus.PENDING:
            _cancel_pending(context, session, run)
        elif run.status in ACTIVE_STATUSES:
            run.cancel_requested = True
        return run_record(run)


def withdraw(context: SchedulerContext, run_id: str) -> None:
    """Cancel a run that has not begun; one that has begun goes on."""
    with context.database.write() as session:
        run, _ = lock_run(context.database, session, run_id)
        if run.status == RunStatus.PENDING:
            _cancel_pending(context, session, run)


def _cancel_pending(context: SchedulerContext, session: Session, run: RunRow) -> None:
    take_back(run, at=context.clock.wall(), reason="canceled before it began")
    context.metrics.settled.labels(status=run.status).inc()
    ending.canceled(context, session, run)


def progress(
    context: SchedulerContext,
    run_id: str,
    *,
    holder: str,
    status: RunStatus,
    trigger: Trigger | None = None,
    reason: str = "",
) -> Run:
    """The holder says how far it is; that it takes back, with the trigger.

    Raises 409 `lease_lost` for anybody else, and for a step back; 400 for a run that has nothing to take back.
    """
    if status not in _PROGRESS or status is RunStatus.CLAIMED:
        raise invalid(f"a run does not progress to {status}", "send planning, applying, baking or rolling_back")
    with context.database.write() as session:
        run, _ = lock_run(context.database, session, run_id)
        require_holder(run, holder)
        now = _PROGRESS.get(RunStatus(run.status))
        if now is None or _PROGRESS[status] < now:
            raise conflict("illegal_transition", f"run {run_id} is {run.status} and cannot become {status}")
        if status is RunStatus.ROLLING_BACK:
            at_work.begun(context, session, run, trigger, reason)
        if status is RunStatus.BAKING:
            at_work.watched(session, run)
        run.status = status
        run.acquired = True
        return run_record(run)


def finish(
    context: SchedulerContext,
    run_id: str,
    *,
    holder: str,
    epoch: int,
    exit_code: int | None,
    status: RunStatus,
    reason: str,
    trigger: Trigger | None = None,
) -> Run:
    """The holder's report. The run becomes terminal when Redis says that its lease ended; until then it is `settling`.

    With a `trigger` what it deployed is to be taken back, and it could not say so before. A repeated report answers
    with the run as it is. Raises `ApiError` 409 `lease_lost` when the run was lost meanwhile, and 400 for a status that
    this kind of run cannot end with.
    """
    with context.database.read() as session:
        run = find_run(session, run_id)
    if run.holder != holder or run.epoch != epoch:
        raise lease_lost(run_id, f"it is not held by {holder} under epoch {epoch}")
    if status not in _REPORTS[RunKind(run.kind)] | _FAILURES:
        raise invalid(f"a {run.kind} run cannot end as {status}")
    view = _view(context, run.target)
    if view is not None and run.reported_status is None and status is not RunStatus.HALTED and _was_cut(run, view):
        # The observer would say the same in a moment; the report must not be taken for the outcome meanwhile. A halt
        # is: a run that was halted and then cut must not begin again.
        _settle(context, run, view)
    with context.database.write() as session:
        run, _ = lock_run(context.database, session, run_id)
        if run.status not in ACTIVE_STATUSES:
            if run.reported_status is None:
                raise lease_lost(run_id, f"it is {run.status} already: {run.reason}")
            return run_record(run)
        if run.reported_status is None:
            if status is RunStatus.ERRORED and trigger is not None:
                ending.owed(context, session, run, trigger, reason)
            run.status = RunStatus.SETTLING
            run.reported_status = effective_report(status, view, epoch) if view is not None else status
            run.exit_code = exit_code
            run.reason = reason[:MAX_REASON]
    if view is not None:
        _settle(context, run, view)
    return get(context, run_id)


def _was_cut(run: RunRow, view: LeaseView) -> bool:
    return view.lease_epoch == run.epoch and view.state in (State.SEVERED, State.EXPIRED)


def _settle(context: SchedulerContext, run: RunRow, view: LeaseView) -> None:
    """End the run now if Redis already allows it; whatever needs waiting or fencing is left to the observer."""
    if run.epoch is None:
        return
    facts = ActiveRun(
        id=run.id,
        target=run.target,
        epoch=run.epoch,
        node=run.node or "",
        acquired=run.acquired,
        reported=run.reported_status is not None,
        revoked=run.revoke_requested,
    )
    decision = decide(facts, view, Waited(holder_vanished=False, report_overdue=False))
    if decision.step is Step.END:
        for next_id, region in end_run(context, run.id, epoch=run.epoch, reason=decision.reason):
            publish(context, next_id, region)


def _view(context: SchedulerContext, target: str) -> LeaseView | None:
    """The lease, or None when Redis is away: then the observer settles later."""
    try:
        return context.store.view(target)
    except Unavailable as error:
        log_event(log, "lease_not_seen", level=logging.WARNING, target=target, error=error)
        return None
