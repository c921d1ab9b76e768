"""Looks at every run that ended unclean, and at every rollback: what did it make that no state holds?

A tick looks at new ones within seconds of their end, and again at each open report whose basis has changed: a state
that followed (written, taken over from quarantine), a late answer in the journal, a delete, a success. Only a look
writes a report, under the lock of its target; two beats at once write one. A report that is not open any more stays.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from scheduler import notifications
from scheduler.context import SchedulerContext
from scheduler.database import insert_into
from scheduler.journal import journal_record
from scheduler.quarantine import kept_states
from scheduler.recovery import MAX_RECORDS, UNCLEAN, first_success, taking_over
from scheduler.rows import lock_run, told_of
from scheduler.state_versions import current_identity, stored_version, version_ids
from scheduler.tables import JournalRow, OrphanReportRow, PlannedResourcesRow, QuarantineRow, RunRow, TargetRow
from shared.errors import InterlockError
from shared.log import log_event
from shared.models import JournalRecord, RunKind, RunStatus
from shared.recovery.calls import to_account_for
from shared.recovery.orphans import MAX_ORPHANS, OrphanReport, PlannedResources, find_orphans
from shared.recovery.views import Resource, read_state

log = logging.getLogger(__name__)

#: Runs that one tick looks at; the rest waits for the next.
MAX_LOOKED_AT = 100
#: State versions since a run began that are compared, the newest first.
MAX_VERSIONS = 32
#: A rollback made what it then took away again: it is looked at as well.
LOOKED_AT = (*UNCLEAN, RunStatus.ROLLED_BACK)
#: Kinds that change nothing in the cloud.
_READERS = (RunKind.PLAN, RunKind.DRIFT, RunKind.RECOVER)


def look_at_ended(context: SchedulerContext) -> int:
    """Look at what is new, and at what may be settled. Returns how many reports were written."""
    with context.database.read() as session:
        reported = exists().where(OrphanReportRow.run_id == RunRow.id)
        new = select(RunRow.id).where(
            RunRow.status.in_(LOOKED_AT), RunRow.epoch.is_not(None), RunRow.kind.not_in(_READERS), ~reported
        )
        found = list(session.scalars(new.order_by(RunRow.sequence.desc()).limit(MAX_LOOKED_AT)))
        known = select(OrphanReportRow).where(OrphanReportRow.open.is_(True)).order_by(OrphanReportRow.looked_at)
        for row in session.scalars(known.limit(MAX_LOOKED_AT)):
            run = session.scalars(select(RunRow).where(RunRow.id == row.run_id)).one()
            if row.basis != _basis(session, run):
                found.append(row.run_id)
    looked = 0
    for run_id in found:
        try:
            look(context, run_id)
            looked += 1
        except Exception as error:  # noqa: BLE001 - the others have to be looked at in time
            context.metrics.tick_errors.inc()
            log_event(log, "run_not_looked_at", level=logging.ERROR, run=run_id, error=repr(error))
    return looked


def look(context: SchedulerContext, run_id: str) -> OrphanReport:
    """Compare the journal of a run that is over with the states since, and keep what comes of it. Raises a 404."""
    with context.database.write() as session:
        run, target = lock_run(context.database, session, run_id)
        row = session.get(OrphanReportRow, run_id)
        before = None if row is None else OrphanReport.model_validate(row.document)
        report = examine(context, session, run, target, before)
        values = {
            "open": report.open,
            "basis": _basis(session, run),
            "document": report.model_dump(mode="json"),
            "looked_at": report.looked_at,
        }
        if row is None:
            missing = insert_into(session, OrphanReportRow).values(run_id=run_id, target=run.target, **values)
            session.execute(missing.on_conflict_do_nothing())
        else:
            for name, value in values.items():
                setattr(row, name, value)
        if report.open and report.orphans:
            _tell(session, run, target, report)
    if report.open:
        log_event(log, "orphans", level=logging.WARNING, run=run_id, target=report.target, count=len(report.orphans))
    return report


def examine(
    context: SchedulerContext, session: Session, run: RunRow, target: TargetRow, before: OrphanReport | None
) -> OrphanReport:
    """The report as it is now. Never raises for what is stored: what cannot be read is the report's trouble."""
    now = context.clock.wall()
    current = current_identity(session, run.target)
    kept = kept_states(session, run.target, run.epoch or 0)
    report = OrphanReport(
        run_id=run.id,
        target=run.target,
        flock=target.flock,
        epoch=run.epoch or 1,
        kind=RunKind(run.kind),
        status=run.status,
        ended_at=run.finished_at or now,
        reported_at=before.reported_at if before else now,
        looked_at=now,
        release_digest=run.release_digest,
        state_serial=current.serial if current else None,
        kept_states=kept,
        open=False,
        recovery_run_id=before.recovery_run_id if before else None,
    )
    success = first_success(session, run.target, after_epoch=run.epoch or 0)
    if success is not None:
        return report.model_copy(update={"settled_by": f"{success.id} took over and succeeded ({success.kind})"})
    try:
        found = find_orphans(_creates(session, run), _states(context, session, run), _planned(session, run.id))
    except (InterlockError, ValueError, KeyError, TypeError) as error:
        log_event(log, "run_not_looked_at", level=logging.ERROR, run=run.id, error=repr(error))
        return report.model_copy(update={"open": True, "trouble": str(error)[:1024]})
    settled = "no state lacks anything that it made, and nothing that it made is left" if not found else ""
    return report.model_copy(
        update={
            "orphans": tuple(found[:MAX_ORPHANS]),
            "more": max(0, len(found) - MAX_ORPHANS),
            "open": bool(found) or any(state.continues for state in kept),
            "settled_by": settled,
        }
    )


def _creates(session: Session, run: RunRow) -> list[JournalRecord]:
    """What the run made that no later call of the journal took away again."""
    query = (
        select(JournalRow)
        .where(JournalRow.target == run.target, JournalRow.epoch >= run.epoch, JournalRow.access == "write")
        .order_by(JournalRow.id)
        .limit(MAX_RECORDS + 1)
    )
    writes = [journal_record(row) for row in session.scalars(query)]
    if len(writes) > MAX_RECORDS:
        raise ValueError(f"more than {MAX_RECORDS} calls on {run.target} since it began")
    return [record for record in to_account_for(writes) if record.run_id == run.id]


def _states(context: SchedulerContext, session: Session, run: RunRow) -> Iterator[tuple[Resource, ...]]:
    """What the versions since the run began hold, the current one first, whoever wrote it. Read one by one."""
    for number, version in enumerate(version_ids(session, run.target, limit=MAX_VERSIONS)):
        stored = stored_version(context, session, version)
        if number > 0 and (stored is None or stored.epoch < (run.epoch or 0)):
            return
        yield () if stored is None else read_state(json.loads(stored.body))


def _planned(session: Session, run_id: str) -> PlannedResources | None:
    row = session.get(PlannedResourcesRow, run_id)
    return None if row is None else PlannedResources.model_validate(row.document)


def _basis(session: Session, run: RunRow) -> str:
    """What a report depends on, in short."""
    epoch = run.epoch or 0
    success = first_success(session, run.target, after_epoch=epoch)
    answered = select(func.count()).where(
        JournalRow.target == run.target,
        JournalRow.epoch >= epoch,
        JournalRow.access == "write",
        JournalRow.outcome.in_(("answered", "refused")),
    )
    kept = select(func.count()).where(
        QuarantineRow.target == run.target, QuarantineRow.epoch == epoch, QuarantineRow.accepted_by.is_(None)
    )
    newest = version_ids(session, run.target, limit=1)
    parts = (newest[0] if newest else 0, success.id if success else "-", session.scalar(answered), session.scalar(kept))
    return ":".join(str(part) for part in parts)


def _tell(session: Session, run: RunRow, target: TargetRow, report: OrphanReport) -> None:
    """Once for each run."""
    follower = taking_over(session, run.target)
    notifications.record(
        session,
        notifications.Event(
            kind=notifications.Kind.ORPHANS,
            at=report.looked_at,
            next_run_id=follower.id if follower else None,
            reason=run.reason,
            items=tuple(
                f"{orphan.type or orphan.service + ':' + orphan.operation} {orphan.id or _named(orphan.names)}"
                + (" (no answer)" if orphan.outcome == "unknown" else "")
                for orphan in report.orphans
            ),
            more=report.more,
            **told_of(run, target),
        ),
    )


def _named(names: dict[str, str]) -> str:
    return next(iter(names.values()), "")
