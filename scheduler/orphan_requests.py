"""What is asked about orphans, and what is done about them: by a person, or by the flock's own rule."""

from __future__ import annotations

import logging

from sqlalchemy import Select, exists, select, update
from sqlalchemy.orm import Session, aliased

from scheduler.context import SchedulerContext
from scheduler.database import insert_into
from scheduler.dispatch import publish
from scheduler.drift import giving_way
from scheduler.orphans import LOOKED_AT, examine, look
from scheduler.pending import pending_run
from scheduler.problems import conflict, not_found
from scheduler.recovery import TAKING_OVER, taking_over
from scheduler.releases import get_manifest
from scheduler.rollback.reservation import reserving
from scheduler.rows import find_run, lock_run, require_holder, run_record
from scheduler.tables import (
    UNFINISHED_STATUSES,
    OrphanReportRow,
    PlannedResourcesRow,
    RollbackRow,
    RunRow,
    TargetRow,
)
from shared.errors import ApiError, PeerError, Unavailable
from shared.log import log_event
from shared.models import Run, RunKind, RunStatus
from shared.recovery.orphans import OrphanReport, PlannedResources

log = logging.getLogger(__name__)

MAX_LISTED = 1000
#: Reports whose flock's rule one tick applies.
_MAX_APPLIED = 50


def deliver_planned(context: SchedulerContext, run_id: str, *, holder: str, planned: PlannedResources) -> None:
    """Keep what the plan of a run would make; the last one counts. Raises 409 `lease_lost` for anybody else."""
    with context.database.write() as session:
        run, _ = lock_run(context.database, session, run_id)
        require_holder(run, holder)
        row = session.get(PlannedResourcesRow, run_id)
        document = planned.model_dump(mode="json")
        if row is not None:
            row.document = document
            return
        missing = insert_into(session, PlannedResourcesRow).values(
            run_id=run_id, document=document, created_at=context.clock.wall()
        )
        session.execute(missing.on_conflict_do_nothing())


def listed(context: SchedulerContext, *, target: str | None, only_open: bool, limit: int) -> list[OrphanReport]:
    """Reports that name something, those of the youngest runs first."""
    query = (
        select(OrphanReportRow.document)
        .join(RunRow, RunRow.id == OrphanReportRow.run_id)
        .order_by(RunRow.sequence.desc())
        .limit(min(limit, MAX_LISTED))
    )
    if target is not None:
        query = query.where(OrphanReportRow.target == target)
    if only_open:
        query = query.where(OrphanReportRow.open.is_(True))
    with context.database.read() as session:
        return [OrphanReport.model_validate(document) for document in session.scalars(query)]


def get(context: SchedulerContext, run_id: str) -> OrphanReport:
    """The report about one run; of one that ended well, or that no beat has looked at yet, as it is now.

    Raises a 404, and 409 `not_over` for a run that is not over: what it made may yet be written to its state.
    """
    with context.database.read() as session:
        run = find_run(session, run_id)
        if not RunStatus(run.status).terminal or run.epoch is None:
            raise conflict("not_over", f"run {run_id} is {run.status}", "wait for its end")
        row = session.get(OrphanReportRow, run_id)
        if row is not None:
            return OrphanReport.model_validate(row.document)
        return examine(context, session, run, session.get_one(TargetRow, run.target))


def recover(context: SchedulerContext, run_id: str, *, actor: str) -> Run:
    """Queue a run that takes over what this one left; where one waits or is at work already, that one.

    Raises `ApiError` 404, 409 `not_over`, 409 `nothing_to_recover`.
    """
    with context.database.read() as session:
        run = find_run(session, run_id)
        reported = session.get(OrphanReportRow, run_id) is not None
        if (run.status not in LOOKED_AT and not reported) or run.epoch is None:
            code = "nothing_to_recover" if RunStatus(run.status).terminal else "not_over"
            raise conflict(
                code, f"run {run_id} is {run.status}", "`interlock recover RUN` is for one that left something"
            )
    report = look(context, run_id)
    if not report.open:
        raise conflict("nothing_to_recover", f"run {run_id} left nothing: {report.settled_by}")
    with context.database.write() as session:
        run, _ = lock_run(context.database, session, run_id)
        found = taking_over(session, run.target, kinds=(RunKind.RECOVER,))
        if found is not None:
            return run_record(found)
        row = _queue(context, session, run, actor=actor)
        record = run_record(row)
    publish(context, record.id, record.region)
    return record


def apply_rules(context: SchedulerContext) -> int:
    """Queue a run that takes over, wherever the flock's `rollback.recover` is `auto`; once for each report.

    Not while somebody else will: a follow-up, a rollback, or whoever has the target. Returns how many were queued.
    """
    with context.database.read() as session:
        run_ids = list(session.scalars(_waiting()))
    queued = 0
    for run_id in run_ids:
        try:
            started = _apply_rule(context, run_id)
        except Exception as error:  # noqa: BLE001 - the rules of the others have to be applied
            context.metrics.tick_errors.inc()
            log_event(log, "rule_not_applied", level=logging.ERROR, run=run_id, error=repr(error))
            if not isinstance(error, Unavailable):
                _leave_to_a_person(context, run_id)
            continue
        if started is not None:
            publish(context, started.id, started.region)
            queued += 1
    return queued


def _waiting() -> Select[str]:
    """The oldest open reports whose rule was not applied yet and can be now. Each look takes one of them out for good,
    or somebody has the target: none stands in the way of the others.
    """
    other = aliased(RunRow)
    taken = exists().where(
        other.target == OrphanReportRow.target,
        other.kind.in_(TAKING_OVER),
        other.status.in_(UNFINISHED_STATUSES),
    )
    reserved = exists().where(RollbackRow.target == OrphanReportRow.target, RollbackRow.reserved.is_(True))
    return (
        select(OrphanReportRow.run_id)
        .join(RunRow, RunRow.id == OrphanReportRow.run_id)
        .where(
            OrphanReportRow.open.is_(True),
            OrphanReportRow.rule_applied.is_(False),
            RunRow.kind != RunKind.EXEC,  # what a command made was never Terraform's
            RunRow.release_digest.is_not(None),
            ~taken,
            ~reserved,
        )
        .order_by(RunRow.sequence)
        .limit(_MAX_APPLIED)
    )


def _apply_rule(context: SchedulerContext, run_id: str) -> Run | None:
    with context.database.write() as session:
        run, _ = lock_run(context.database, session, run_id)
        row = session.get_one(OrphanReportRow, run_id)
        if not row.open or row.rule_applied:
            return None
        if taking_over(session, run.target) is not None or reserving(session, run.target) is not None:
            return None
        row.rule_applied = True  # a release never says anything else
        report = OrphanReport.model_validate(row.document)
        if report.recovery_run_id is not None or not _wants_it(session, run):
            return None
        started = _queue(context, session, run, actor="interlock")
        row.document = report.model_copy(update={"recovery_run_id": started.id}).model_dump(mode="json")
        return run_record(started)


def _leave_to_a_person(context: SchedulerContext, run_id: str) -> None:
    """What fails would fail each time, and stand before the others for ever."""
    try:
        with context.database.write() as session:
            session.execute(update(OrphanReportRow).where(OrphanReportRow.run_id == run_id).values(rule_applied=True))
    except Unavailable as error:
        log_event(log, "rule_not_left", level=logging.WARNING, run=run_id, error=error)


def _wants_it(session: Session, run: RunRow) -> bool:
    if run.release_digest is None:
        return False
    try:
        rules = get_manifest(session, run.release_digest).rollback
    except (ApiError, PeerError) as error:
        log_event(log, "no_rule_for_orphans", level=logging.WARNING, run=run.id, error=error)
        return False
    return rules is not None and rules.recover == "auto"


def _queue(context: SchedulerContext, session: Session, run: RunRow, *, actor: str) -> RunRow:
    if run.release_digest is None:
        raise not_found("release", f"of {run.id}", "import by hand what the report names")
    get_manifest(session, run.release_digest)
    row = pending_run(
        context,
        RunKind.RECOVER,
        target=run.target,
        region=run.region,
        actor=actor,
        release_digest=run.release_digest,
        reason=f"takes over what {run.id} left",
    )
    giving_way.make_room(context, session, run.target, locked=True)
    session.add(row)
    session.flush()
    return row
