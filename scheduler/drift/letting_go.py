"""What is let go of checks, so that a schedule does not fill the database.

    reports                 the newest of each target are kept, and the one that confirmed how it stands
    reads in the journal    those of the checks with such a report, and of the newest checks whatever became of them
    logs                    the same
    everything else         stays: that a check was made and how it ended, its writes, its refused calls, and the log of
                            one that was halted

A call counts as a read as long as it was not refused, also where its outcome is unknown.
"""

from __future__ import annotations

import logging
from typing import Final

from sqlalchemy import Delete, Select, delete, or_, select
from sqlalchemy.orm import Session

from scheduler.context import SchedulerContext
from scheduler.tables import DriftCheckRow, DriftStandingRow, JournalRow, RunLogRow, RunRow
from shared.errors import Unavailable
from shared.log import log_event
from shared.models import RunKind, RunStatus

log = logging.getLogger(__name__)

KEPT: Final = 5
"""Reports of a target that are kept: the newest, and beside them the one that confirmed how it stands."""
BATCH: Final = 2000
"""Calls that are deleted in one transaction."""
MAX_BATCHES: Final = 100
"""Such transactions after one check; what is left goes after the next one."""
_LOOKED_AT: Final = 500
"""Checks of a target in a row that may end without one that takes a report in; of older ones nothing is let go."""
_LOGS: Final = 20
_OVER: Final = tuple(status.value for status in RunStatus if status.terminal)


def let_reports_go(session: Session, target: str) -> None:
    """Delete what is not kept, within the transaction that takes a report in."""
    newest = (
        select(DriftCheckRow.run_id)
        .where(DriftCheckRow.target == target)
        .order_by(DriftCheckRow.epoch.desc())
        .limit(KEPT)
        .subquery()
    )
    standing = select(DriftStandingRow.run_id).where(
        DriftStandingRow.target == target, DriftStandingRow.run_id.is_not(None)
    )
    session.execute(
        delete(DriftCheckRow).where(
            DriftCheckRow.target == target,
            DriftCheckRow.run_id.not_in(select(newest.c.run_id)),
            DriftCheckRow.run_id.not_in(standing),
        )
    )


def let_calls_go(context: SchedulerContext, target: str) -> int:
    """Delete the reads and the logs of older checks of a target, in transactions of their own that lock nothing else.

    Returns how many calls that was. Raises nothing for a database that is away: the next check makes good for it.
    """
    gone = 0
    try:
        for _ in range(MAX_BATCHES):
            with context.database.write() as session:
                calls, logs = (_deleted(session, query) for query in (_reads(target), _logs(target)))
            gone += calls
            if calls < BATCH and not logs:
                break
    except Unavailable as error:
        log_event(log, "calls_of_checks_not_let_go", level=logging.WARNING, target=target, error=error)
    return gone


def _old(target: str) -> Select[str]:
    """Checks of a target that are over and of which only the result is kept."""
    checks = (
        select(RunRow.id, RunRow.status)
        # One that has no epoch never began.
        .where(RunRow.target == target, RunRow.kind == RunKind.DRIFT, RunRow.epoch.is_not(None))
        .order_by(RunRow.epoch.desc())
        .offset(KEPT)
        .limit(_LOOKED_AT)
        .subquery()
    )
    kept = select(DriftCheckRow.run_id).where(DriftCheckRow.target == target)
    return select(checks.c.id).where(checks.c.status.in_(_OVER), checks.c.id.not_in(kept))


def _reads(target: str) -> Delete:
    chosen = (
        select(JournalRow.id)
        .where(
            JournalRow.run_id.in_(_old(target)),
            JournalRow.access == "read",
            or_(JournalRow.outcome.is_(None), JournalRow.outcome != "refused"),
        )
        .limit(BATCH)
    )
    return delete(JournalRow).where(JournalRow.id.in_(chosen))


def _logs(target: str) -> Delete:
    halted = select(RunRow.id).where(RunRow.target == target, RunRow.status == RunStatus.HALTED)
    chosen = (
        select(RunLogRow.run_id)
        .where(RunLogRow.run_id.in_(_old(target)), RunLogRow.run_id.not_in(halted))
        .distinct()
        .limit(_LOGS)
        .subquery()
    )
    return delete(RunLogRow).where(RunLogRow.run_id.in_(select(chosen.c.run_id)))


def _deleted(session: Session, query: Delete) -> int:
    return int(getattr(session.execute(query), "rowcount", 0))
