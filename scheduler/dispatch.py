"""Publishing hints: at once after a commit, and again, with growing pauses, while a run stays pending."""

import logging
from datetime import datetime, timedelta

from sqlalchemy import exists, func, select, update
from sqlalchemy.orm import aliased

from scheduler.context import SchedulerContext
from scheduler.tables import ACTIVE_STATUSES, RunRow
from scheduler.turns import may_begin
from shared.errors import Unavailable
from shared.log import log_event
from shared.models import RunStatus

log = logging.getLogger(__name__)

#: A region whose workers are busy must not get a long queue: each repetition waits twice as long, up to this.
MAX_PAUSE_S = 300
#: Hints published in one pass of the reconciler.
MAX_BATCH = 500


def publish(context: SchedulerContext, run_id: str, region: str) -> bool:
    """Publish one hint and note it. A broker that is away is no error: the reconciler publishes again."""
    try:
        context.publisher.publish(run_id=run_id, region=region)
    except Unavailable as error:
        context.metrics.publication_failures.inc()
        log_event(log, "hint_not_published", level=logging.WARNING, run=run_id, region=region, error=error)
        return False
    context.metrics.publications.inc()
    with context.database.write() as session:
        session.execute(
            update(RunRow)
            .where(RunRow.id == run_id)
            .values(published_at=context.clock.wall(), publications=RunRow.publications + 1)
        )
    return True


def republish(context: SchedulerContext) -> int:
    """Publish what a worker should have claimed by now: the oldest pending run of each target that nobody holds.

    A region that no live worker serves is left alone: nothing takes hints off its queue, and those that a broker may
    lose are published again when a worker comes. Returns the number of hints published; raises `Unavailable`. The wall
    clock decides only about repetition, which is harmless.
    """
    due = []
    now = context.clock.wall()
    for run_id, region, published_at, publications in _claimable(context):
        pause_s = min(context.settings.republish_after_s * 2 ** min(max(publications - 1, 0), 16), MAX_PAUSE_S)
        # A publication in the future: the clock was set back, and would keep the run waiting until then.
        if published_at is None or not timedelta(0) <= now - published_at < timedelta(seconds=pause_s):
            due.append((run_id, region, publications == 0))
    served = _served_regions(context) if due else set()
    # Bounded only now: runs of a region that nobody serves must not take the places of the others.
    wanted = [(run_id, region) for run_id, region, first in due if first or region in served]
    return sum(publish(context, run_id, region) for run_id, region in wanted[:MAX_BATCH])


def hint_again(context: SchedulerContext) -> None:
    """Let every run that waits be published at the next pass, for an API that begins: while it was away hints led to
    nothing, and each made the pause until the next one longer.
    """
    with context.database.write() as session:
        session.execute(
            update(RunRow)
            .where(RunRow.status == RunStatus.PENDING, RunRow.publications > 0)
            .values(published_at=None, publications=1)
        )


def _served_regions(context: SchedulerContext) -> set[str]:
    """The regions whose queues some live worker takes hints from."""
    return {str(region) for node in context.store.nodes().values() for region in node.get("regions", ())}


def _claimable(context: SchedulerContext) -> list[tuple[str, str, datetime | None, int]]:
    other = aliased(RunRow)
    oldest = (
        select(func.min(RunRow.sequence))
        .where(RunRow.status == RunStatus.PENDING, may_begin())
        .group_by(RunRow.target)
        .subquery()
    )
    taken = exists().where(other.target == RunRow.target, other.status.in_(ACTIVE_STATUSES))
    query = (
        select(RunRow.id, RunRow.region, RunRow.published_at, RunRow.publications)
        .where(RunRow.sequence.in_(select(oldest.c[0])), ~taken)
        .order_by(RunRow.sequence)
    )
    with context.database.read() as session:
        return [(row[0], row[1], row[2], row[3]) for row in session.execute(query)]
