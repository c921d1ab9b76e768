"""A check never delays anything else: whatever wants its target cancels it.

That happens where such a run is queued, in the same transaction, and in a tick for whatever came about otherwise. The
tick also frees a worker: where a run waits whose target is free, every place of its region is taken, and a check has
one of them.

A check that is queued is taken back at once; one that is at work is asked to stop, which its worker sees within
seconds. Either way its target is due again once it is free.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from sqlalchemy import exists, select
from sqlalchemy.orm import Session, aliased

from scheduler.context import SchedulerContext
from scheduler.drift.outcome import gave_way
from scheduler.drift.queueing import standing_of
from scheduler.rows import lock_target, take_back
from scheduler.tables import ACTIVE_STATUSES, LIVE_STATUSES, UNFINISHED_STATUSES, RunRow, TargetRow
from scheduler.turns import may_begin
from shared.log import log_event
from shared.models import RunKind, RunStatus

log = logging.getLogger(__name__)

PATIENCE_S: Final = 3
"""So long a run may wait for a place that a check has: a worker that is free takes it within that time."""


def make_room(context: SchedulerContext, session: Session, target: str, *, locked: bool = False) -> None:
    """Something else is about to be queued for the target: cancel its check, if there is one.

    Within the caller's transaction, and before it inserts the run: two that had inserted theirs would each wait for the
    other's hold on the target. Where there is no check, nothing is locked. `locked`: the caller has the target's lock.
    """
    if _checks(session, target):
        row = session.get_one(TargetRow, target) if locked else lock_target(context.database, session, target)
        _cancel(context, session, row)


def make_room_everywhere(context: SchedulerContext) -> int:
    """The tick. Returns how many targets' checks were canceled; raises `Unavailable`."""
    with context.database.read() as session:
        wanted = {*_in_the_way(session), *_places_wanted(context, session)}
    for name in sorted(wanted):
        with context.database.write() as session:
            _cancel(context, session, lock_target(context.database, session, name))
    return len(wanted)


def _checks(session: Session, target: str) -> list[str]:
    query = select(RunRow.id).where(
        RunRow.target == target,
        RunRow.kind == RunKind.DRIFT,
        RunRow.status.in_(UNFINISHED_STATUSES),
        RunRow.cancel_requested.is_(False),
    )
    return list(session.scalars(query))


def _cancel(context: SchedulerContext, session: Session, target: TargetRow) -> None:
    """Cancel the checks of a target that the caller has locked. No run of it is read before that."""
    for run_id in _checks(session, target.id):
        run = session.scalars(select(RunRow).where(RunRow.id == run_id).execution_options(populate_existing=True)).one()
        standing = standing_of(session, target)
        if run.status == RunStatus.PENDING:
            take_back(run, at=context.clock.wall(), reason="gave way before it began")
            context.metrics.settled.labels(status=run.status).inc()
            standing.last_run_id, standing.last_status, standing.last_reason = run.id, run.status, run.reason
            gave_way(standing, every_s=None, now=context.clock.wall())
        elif run.status in LIVE_STATUSES:
            run.cancel_requested = True
            standing.given_way = run.id
        else:
            continue
        context.metrics.drift_checks.labels(outcome="gave_way").inc()
        log_event(log, "drift_check_gives_way", target=target.id, run=run.id)


def _in_the_way(session: Session) -> Iterable[str]:
    """Targets with a check that something else waits for."""
    check = aliased(RunRow)
    checked = exists().where(
        check.target == RunRow.target,
        check.kind == RunKind.DRIFT,
        check.status.in_((RunStatus.PENDING.value, *LIVE_STATUSES)),
        check.cancel_requested.is_(False),
    )
    query = (
        select(RunRow.target)
        .where(RunRow.status == RunStatus.PENDING, RunRow.kind != RunKind.DRIFT, may_begin(), checked)
        .distinct()
    )
    return session.scalars(query)


def _places_wanted(context: SchedulerContext, session: Session) -> Iterable[str]:
    """Targets whose checks have places, at a worker or by a limit, that runs of their regions wait for: one for each.

    Those go first that began last: they have the least to lose.
    """
    other = aliased(RunRow)
    taken = exists().where(other.target == RunRow.target, other.status.in_(ACTIVE_STATUSES))
    late = context.unstepped_wall() - timedelta(seconds=PATIENCE_S)
    waiting = (
        select(RunRow.region, RunRow.target)
        .where(
            RunRow.status == RunStatus.PENDING,
            RunRow.kind != RunKind.DRIFT,
            RunRow.created_at < late,
            may_begin(),
            ~taken,
        )
        .distinct()
    )
    found: list[str] = []
    regions = [row[0] for row in session.execute(waiting)]
    for region in sorted(set(regions)):
        # Those that were asked already are about to free a place.
        checks = session.execute(
            select(RunRow.target, RunRow.cancel_requested)
            .where(RunRow.region == region, RunRow.kind == RunKind.DRIFT, RunRow.status.in_(LIVE_STATUSES))
            .order_by(RunRow.claimed_at.desc(), RunRow.sequence.desc())
        ).all()
        going = sum(asked for _, asked in checks)
        found += [target for target, asked in checks if not asked][: max(regions.count(region) - going, 0)]
    return found
