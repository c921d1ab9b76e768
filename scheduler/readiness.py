"""Whether this process can do its work, and how many runs and roll-outs there are."""

from collections import Counter

from sqlalchemy import func, select

from scheduler.context import SchedulerContext
from scheduler.rollout.drive import UNFINISHED
from scheduler.tables import RollbackRow, RolloutRow, RunRow
from shared.errors import InterlockError
from shared.models import RunStatus
from shared.rollback.standing import RollbackStatus
from shared.rollouts import RolloutStatus, Stage


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


def refresh_rollout_counts(context: SchedulerContext) -> None:
    """Set the gauges about roll-outs from the database. One document for each flock at most is read."""
    with context.database.read() as session:
        query = select(RolloutRow.status, func.count()).group_by(RolloutRow.status)
        statuses = {row[0]: row[1] for row in session.execute(query)}
        unfinished = select(RolloutRow.document, RolloutRow.created_at).where(RolloutRow.status.in_(UNFINISHED))
        documents = [(row[0], row[1]) for row in session.execute(unfinished)]
    stages: Counter[str] = Counter()
    waiting = 0
    for document, _ in documents:
        asking = {phase["name"] for phase in document["phases"] if phase["approval"]}
        for target in document["targets"]:
            stages[target["stage"]] += 1
            asked = target["phase"] in asking or target.get("held", False)
            waiting += target["stage"] == Stage.PLANNED and asked
    metrics, now = context.metrics, context.clock.wall()
    for status in RolloutStatus:
        metrics.rollouts.labels(status=status.value).set(statuses.get(status.value, 0))
    for stage in Stage:
        metrics.rollout_targets.labels(stage=stage.value).set(stages[stage.value])
    metrics.rollout_plans_waiting.set(waiting)
    metrics.rollout_age.set(max(((now - created_at).total_seconds() for _, created_at in documents), default=0))


def refresh_rollback_counts(context: SchedulerContext) -> None:
    """Set the gauge of targets that rollbacks keep, by status, from the database."""
    with context.database.read() as session:
        query = select(RollbackRow.status, func.count()).where(RollbackRow.reserved.is_(True))
        counts = {row[0]: row[1] for row in session.execute(query.group_by(RollbackRow.status))}
    for status in RollbackStatus:
        if status.at_work or status.stuck:
            context.metrics.reserved_targets.labels(status=status.value).set(counts.get(status.value, 0))


def _redis_answers(context: SchedulerContext) -> bool:
    try:
        context.store.nodes()
    except InterlockError:
        return False
    return True
