"""Looks at every run that ended unclean, and at every rollback: what did it make that no state holds?

Of an apply or a destroy that ended well Terraform knows what was answered. But a call that got no answer, or a 5xx, is
repeated by the client, and may have been carried out twice: such a run is looked at for these calls.

A tick looks at new ones within seconds of their end, and again at each open report whose basis has changed: a state
that followed (written, taken over from quarantine), a late answer in the journal, a delete, a success. Only a look
writes a report, under the lock of its target; two beats at once write one. A report that is not open any more stays.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, exists, func, or_, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from scheduler import notifications
from scheduler.context import SchedulerContext
from scheduler.database import insert_into
from scheduler.journal import journal_record
from scheduler.quarantine import kept_states
from scheduler.recovery import MAX_RECORDS, TAKING_OVER, UNCLEAN, accounts_for_parts, first_success, taking_over
from scheduler.rows import find_run, lock_run, told_of
from scheduler.state_versions import current_identity, stored_version, version_ids
from scheduler.tables import JournalRow, OrphanReportRow, PlannedResourcesRow, QuarantineRow, RunRow, TargetRow
from scheduler.tables.runs import UNEXAMINED
from shared.errors import InterlockError
from shared.log import log_event
from shared.models import JournalRecord, RunKind, RunStatus
from shared.recovery.calls import to_account_for, was_answered
from shared.recovery.orphans import MAX_ORPHANS, Orphan, OrphanReport, PlannedResources, find_orphans
from shared.recovery.rules import is_part
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
_OVER = tuple(status for status in RunStatus if status.terminal)
#: A run that ended well is looked at after so long: its last answers may still be on their way into the journal.
_ANSWERS_ARE_IN = timedelta(seconds=15)
#: What a run would have made is let go for so many runs in one tick.
_MAX_FORGOTTEN = 1000
_MAX_TROUBLE = 1024


def look_at_ended(context: SchedulerContext) -> int:
    """Look at what is new, and at what may be settled. Returns how many reports were written."""
    with context.database.read() as session:
        new = select(RunRow.id).where(_unreported()).order_by(RunRow.sequence.desc())
        found = list(session.scalars(new.limit(MAX_LOOKED_AT)))
    found += [*_ended_well(context), *_moved(context)]
    looked = 0
    for run_id in found:
        try:
            look(context, run_id)
            looked += 1
        except Exception as error:  # noqa: BLE001 - the others have to be looked at in time
            context.metrics.tick_errors.inc()
            log_event(log, "run_not_looked_at", level=logging.ERROR, run=run_id, error=repr(error))
    _forget_planned(context)
    return looked


def _unreported() -> ColumnElement[bool]:
    """Whether a run ended unclean and has no report yet."""
    reported = exists().where(OrphanReportRow.run_id == RunRow.id)
    return and_(
        RunRow.status.in_(LOOKED_AT), RunRow.epoch.is_not(None), RunRow.kind.not_in(_READERS), ~reported
    )  # fmt: skip


def _ended_well(context: SchedulerContext) -> list[str]:
    """The runs that ended well, not looked at yet, with a call that may have been carried out although it failed."""
    failed = or_(
        JournalRow.outcome.is_(None),
        JournalRow.outcome == "unknown",
        and_(JournalRow.outcome == "answered", JournalRow.answer["http_status"].as_integer() >= 500),
    )
    doubtful = exists().where(JournalRow.run_id == RunRow.id, JournalRow.access == "write", failed)
    query = (
        select(RunRow.id, and_(doubtful, RunRow.kind.not_in(_READERS)))
        .where(
            UNEXAMINED,
            RunRow.finished_at < context.clock.wall() - _ANSWERS_ARE_IN,
        )
        .order_by(RunRow.sequence)
        .limit(MAX_LOOKED_AT)
    )
    with context.database.read() as session:
        found = [(run_id, wanted) for run_id, wanted in session.execute(query)]
    if clear := [run_id for run_id, wanted in found if not wanted]:
        with context.database.write() as session:
            session.execute(update(RunRow).where(RunRow.id.in_(clear)).values(examined=True))
    return [run_id for run_id, wanted in found if wanted]


def _moved(context: SchedulerContext) -> list[str]:
    """The open reports whose basis is another one by now, of those whose turn it is."""
    with context.database.read() as session:
        known = (
            select(OrphanReportRow, RunRow)
            .join(RunRow, RunRow.id == OrphanReportRow.run_id)
            .where(OrphanReportRow.open.is_(True))
            .order_by(OrphanReportRow.checked_at.nulls_first(), RunRow.sequence)
            .limit(MAX_LOOKED_AT)
        )
        rows = list(session.execute(known))
        moved = [row.run_id for row, run in rows if row.basis != _basis(session, run)]
    if len(rows) == MAX_LOOKED_AT:  # with fewer, all of them have their turn each time
        looked_through = OrphanReportRow.run_id.in_([row.run_id for row, _ in rows])
        with context.database.write() as session:
            session.execute(update(OrphanReportRow).where(looked_through).values(checked_at=context.clock.wall()))
    return moved


def _forget_planned(context: SchedulerContext) -> None:
    """Let go of what the plans of runs would have made, where no report can need it any more."""
    is_open = exists().where(OrphanReportRow.run_id == RunRow.id, OrphanReportRow.open.is_(True))
    unexamined = and_(RunRow.status == RunStatus.APPLIED, RunRow.examined.is_(False))
    query = (
        select(PlannedResourcesRow.run_id)
        .join(RunRow, RunRow.id == PlannedResourcesRow.run_id)
        .where(RunRow.status.in_(_OVER), ~is_open, ~_unreported(), ~unexamined)
        .limit(_MAX_FORGOTTEN)
    )
    with context.database.read() as session:
        found = list(session.scalars(query))
    if found:
        with context.database.write() as session:
            session.execute(delete(PlannedResourcesRow).where(PlannedResourcesRow.run_id.in_(found)))


def look(context: SchedulerContext, run_id: str) -> OrphanReport:
    """Compare the journal of a run that is over with the states since, and keep what comes of it. Raises a 404.

    The target is locked only to write that down. What came in between makes the basis another one: the next tick looks
    again, at what is open still and at what was not written.
    """
    with context.database.read() as session:
        run = find_run(session, run_id)
        basis = _basis(session, run)
        report = examine(context, session, run, session.get_one(TargetRow, run.target))
    with context.database.write() as session:
        run, target = lock_run(context.database, session, run_id)
        row = session.get(OrphanReportRow, run_id)
        outrun = row is not None and row.looked_at > report.looked_at
        if outrun or (not report.open and _basis(session, run) != basis):
            return report
        if row is not None:
            before = OrphanReport.model_validate(row.document)
            kept: dict[str, Any] = {"reported_at": before.reported_at, "recovery_run_id": before.recovery_run_id}
            if report.trouble and not report.orphans:
                # What was named is as far as anybody knows still there.
                kept |= {"orphans": before.orphans, "more": before.more}
            report = report.model_copy(update=kept)
        run.examined = True
        values = {
            "open": report.open,
            "basis": basis,
            "document": report.model_dump(mode="json"),
            "looked_at": report.looked_at,
            "checked_at": report.looked_at,
        }
        if row is None:
            missing = insert_into(session, OrphanReportRow).values(run_id=run_id, target=run.target, **values)
            session.execute(missing.on_conflict_do_nothing())
        else:
            for name, value in values.items():
                setattr(row, name, value)
        if report.open:
            _tell(session, run, target, report)
    if report.open:
        log_event(log, "orphans", level=logging.WARNING, run=run_id, target=report.target, count=len(report.orphans))
    return report


def examine(context: SchedulerContext, session: Session, run: RunRow, target: TargetRow) -> OrphanReport:
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
        reported_at=now,
        looked_at=now,
        release_digest=run.release_digest,
        state_serial=current.serial if current else None,
        kept_states=kept,
        open=False,
    )
    success = first_success(session, run)
    by_success = f"{success.id} took over and succeeded ({success.kind})" if success is not None else ""
    if success is not None and accounts_for_parts(session, run):
        return report.model_copy(update={"settled_by": by_success})
    try:
        found, trouble = _left(context, session, run)
    except (InterlockError, ValueError, KeyError, TypeError) as error:
        log_event(log, "run_not_looked_at", level=logging.ERROR, run=run.id, error=repr(error))
        return report.model_copy(update={"open": True, "trouble": _said(error)})
    if success is not None:
        parts = tuple(orphan for orphan in found if is_part(orphan.service, orphan.operation))
        return report.model_copy(
            update={
                "orphans": parts[:MAX_ORPHANS],
                "more": len(parts[MAX_ORPHANS:]),
                "open": bool(parts),
                "trouble": trouble if parts else "",
                "settled_by": by_success if not parts else "",
            }
        )
    settled = "no state lacks anything that it made, and nothing that it made is left" if not found else ""
    return report.model_copy(
        update={
            "orphans": tuple(found[:MAX_ORPHANS]),
            "more": max(0, len(found) - MAX_ORPHANS),
            "open": bool(found) or bool(trouble) or any(state.continues for state in kept),
            "trouble": trouble,
            "settled_by": settled if not trouble else "",
        }
    )


def _left(context: SchedulerContext, session: Session, run: RunRow) -> tuple[list[Orphan], str]:
    """What it made that no state holds, and what stood in the way of looking: a state that cannot be read holds none.

    Whoever has a run's state credentials stores what he likes. That must hide nothing that the journal knows.
    """
    creates, planned = _creates(session, run), _planned(session, run.id)
    try:
        return find_orphans(creates, _states(context, session, run), planned), ""
    except SQLAlchemyError:
        raise  # the database is away: the next tick looks
    except Exception as error:  # noqa: BLE001 - what is stored may be anything, and a report has to say so
        log_event(log, "state_not_read", level=logging.ERROR, run=run.id, error=repr(error))
        why = f"a stored state cannot be read, so none is counted, and what one holds may be named: {_said(error)}"
        return find_orphans(creates, (), planned), why[:_MAX_TROUBLE]


def _said(error: Exception) -> str:
    """In words; of what is no error of ours with its kind, for its text alone may say nothing."""
    return (str(error) if isinstance(error, InterlockError | ValueError) else repr(error))[:_MAX_TROUBLE]


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
    well = run.status == RunStatus.APPLIED  # then Terraform was told of what was answered
    own = [record for record in to_account_for(writes) if record.run_id == run.id]
    return [record for record in own if not (well and was_answered(record))]


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
    success = first_success(session, run)
    parts_too = success is not None and accounts_for_parts(session, run)
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
    parts = (newest[0] if newest else 0, _by(success, whole=parts_too), session.scalar(answered), session.scalar(kept))
    return ":".join(str(part) for part in parts)


def _by(success: RunRow | None, *, whole: bool) -> str:
    return "-" if success is None else success.id + "+" * whole


def _tell(session: Session, run: RunRow, target: TargetRow, report: OrphanReport) -> None:
    """Once for each run."""
    kinds = (RunKind.RECOVER,) if run.status == RunStatus.APPLIED else TAKING_OVER
    follower = None if run.kind == RunKind.EXEC else taking_over(session, run.target, kinds=kinds)
    notifications.record(
        session,
        notifications.Event(
            kind=notifications.Kind.ORPHANS,
            at=report.looked_at,
            next_run_id=follower.id if follower else None,
            reason=run.reason,
            items=tuple(_items(report)),
            more=report.more,
            **told_of(run, target),
        ),
    )


def _items(report: OrphanReport) -> Iterator[str]:
    if report.trouble:
        yield f"it could not be looked at: {report.trouble[:200]}"
    for orphan in report.orphans:
        what = f"{orphan.type or orphan.service + ':' + orphan.operation} {orphan.id or _named(orphan.names)}"
        yield what + (" (no answer)" if orphan.outcome == "unknown" else "")
    for state in report.kept_states:
        if state.continues:
            yield f"a state with serial {state.serial} that waits to be taken over"


def _named(names: dict[str, str]) -> str:
    return next(iter(names.values()), "")
