"""Whether this process can do its work, and how many runs there are."""

from sqlalchemy import func, select

from scheduler.context import SchedulerContext
from scheduler.tables import RunRow
from shared.errors import InterlockError
from shared.models import RunStatus


def checks(context: SchedulerContext) -> dict[str, bool]:
    """Each dependency and whether it answers now. Raises nothing."""
    return {"database": context.database.ping(), "redis": _redis_answers(context)}


def refresh_run_counts(context: SchedulerContext) -> None:
    """Set the gauge of runs by status from the database; a status without runs shows 0."""
    with context.database.read() as session:
        query = select(RunRow.status, func.count()).group_by(RunRow.status)
        counts = {row[0]: row[1] for row in session.execute(query)}
    for status in RunStatus:
        context.metrics.runs.labels(status=status.value).set(counts.get(status.value, 0))


def _redis_answers(context: SchedulerContext) -> bool:
    try:
        context.store.nodes()
    except InterlockError:
        return False
    return True
