"""Rollbacks as rows and as records, and the steps that change one: opened, queued, over.

Every step is taken under the target's lock, in the transaction of what caused it, and tells people in it.
"""

from __future__ import annotations

import logging
import re
import secrets
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from scheduler import notifications
from scheduler.context import SchedulerContext
from scheduler.drift import giving_way
from scheduler.pending import pending_run
from scheduler.problems import not_found
from scheduler.rollback.first_state import first_of, tries_of
from scheduler.rows import find_run, take_back, told_of
from scheduler.tables import FirstStateRow, RollbackRow, RunRow, TargetRow
from shared.log import log_event
from shared.models import MAX_REASON, RunKind, RunStatus
from shared.rollback.believing import believed
from shared.rollback.records import MAX_WHY, FirstState, RollbackResult, RollbackVerdict, StateComparison
from shared.rollback.settings import Trigger
from shared.rollback.standing import Rollback, RollbackStatus, RollbackSummary, TargetRollback

log = logging.getLogger(__name__)

#: As `left_over` says it.
_LEFT: Final = re.compile(r"(?:; )?\d+ resources are not as they were$")


def new_rollback_id() -> str:
    """A fresh id of a rollback."""
    return f"rollback-{secrets.token_hex(8)}"


def find(session: Session, rollback_id: str) -> RollbackRow:
    """The rollback, as it is now, without a lock. Raises a 404."""
    row = session.scalars(select(RollbackRow).where(RollbackRow.id == rollback_id)).one_or_none()
    if row is None:
        raise not_found("rollback", rollback_id, "`interlock rollback list` shows all")
    return row


def of_deployment(session: Session, run_id: str) -> RollbackRow | None:
    """The rollback of a deployment, if there is one."""
    return session.scalars(select(RollbackRow).where(RollbackRow.run_id == run_id)).one_or_none()


def carried_out_by(session: Session, run_id: str) -> RollbackRow | None:
    """The rollback that a run carries out, or carried out last."""
    return session.scalars(select(RollbackRow).where(RollbackRow.current_run_id == run_id)).one_or_none()


def first_state_of(session: Session, row: RollbackRow) -> FirstState:
    """Where it leads."""
    return first_of(session.get_one(FirstStateRow, row.run_id))


def opened(
    context: SchedulerContext,
    session: Session,
    deployment: RunRow,
    trigger: Trigger,
    reason: str,
    *,
    actor: str = "",
    rollback_id: str | None = None,
) -> RollbackRow:
    """A deployment is to be taken back: from now on its target is reserved. By the deployment's own run, at first."""
    target = session.get_one(TargetRow, deployment.target)
    row = RollbackRow(
        id=rollback_id or new_rollback_id(),
        run_id=deployment.id,
        target=deployment.target,
        flock=target.flock,
        rollout_id=deployment.rollout_id,
        status=RollbackStatus.QUEUED,
        reserved=True,
        current_run_id=deployment.id,
        trigger=trigger,
        reason=reason[:MAX_REASON],
        actor=actor,
        attempts=0,
        triggered_at=context.clock.wall(),
    )
    session.add(row)
    session.flush()
    _take_retries_back(context, session, row)
    context.metrics.rollbacks_begun.labels(trigger=trigger.value).inc()
    _tell(context, session, row, deployment, key=row.id)
    return row


def queued(context: SchedulerContext, session: Session, row: RollbackRow, *, after: RunRow | None = None) -> RunRow:
    """Queue the next ROLLBACK run of it, which nothing of its target comes before.

    `after` is the run that should have done it and could not: it has one follow-up at most, whoever settles it.
    """
    deployment = find_run(session, row.run_id)
    row.attempts += 1
    run = pending_run(
        context,
        RunKind.ROLLBACK,
        target=row.target,
        region=deployment.region,
        actor=row.actor or deployment.actor,
        release_digest=deployment.release_digest,
        reason=f"takes {row.run_id} back: {row.reason}"[:MAX_REASON],
        attempt=row.attempts,
        retry_of=after.id if after is not None else None,
    )
    session.add(run)
    session.flush()
    row.current_run_id = run.id
    row.status, row.reserved, row.finished_at = RollbackStatus.QUEUED, True, None
    session.flush()
    _take_retries_back(context, session, row)
    giving_way.make_room(context, session, row.target)
    return run


def _take_retries_back(context: SchedulerContext, session: Session, row: RollbackRow) -> None:
    """What was queued by itself to try the deployment again would deploy once more what is taken back."""
    tries = {one.run_id for one in tries_of(session, row.run_id)}
    pending = select(RunRow).where(
        RunRow.target == row.target,
        RunRow.kind == RunKind.APPLY,
        RunRow.status == RunStatus.PENDING,
        RunRow.retry_of.is_not(None),
    )
    for run in session.scalars(pending):
        if tries.isdisjoint(_follows(session, run)):
            continue
        take_back(run, at=context.clock.wall(), reason=f"{row.run_id}, which it would try again, is taken back")
        context.metrics.settled.labels(status=run.status).inc()
        log_event(log, "retry_taken_back", run=run.id, target=row.target, rollback=row.id)
    session.flush()


def _follows(session: Session, run: RunRow) -> list[str]:
    """The runs that it tries again, the last one first."""
    found: list[str] = []
    while run.retry_of is not None:
        found.append(run.retry_of)
        run = find_run(session, run.retry_of)
    return found


def asked_again(context: SchedulerContext, row: RollbackRow, *, actor: str) -> None:
    """A person wants it tried (again): attempts and waiting time count from here."""
    row.attempts, row.actor = 0, actor or row.actor
    row.triggered_at, row.started_at = context.clock.wall(), None
    # What was left the last time need not be left any more.
    row.reason = _LEFT.sub("", row.reason)


def left_over(count: int) -> str:
    """How a reason ends that something is left; empty for nothing."""
    return f"{count} resources are not as they were" if count else ""


def over(
    context: SchedulerContext, session: Session, row: RollbackRow, status: RollbackStatus, reason: str, *, run: RunRow
) -> None:
    """It ends like this, by `run`. One that is not whole keeps its target reserved until a person decides."""
    row.status, row.reserved = status, status.stuck
    row.reason = reason[:MAX_REASON]
    row.finished_at = context.clock.wall()
    if status in (RollbackStatus.ROLLED_BACK, RollbackStatus.NOT_NEEDED):
        first = first_state_of(session, row)
        if first.release_digest is not None:
            # Whoever asks for this target without naming a release means what is there.
            session.get_one(TargetRow, row.target).release_digest = first.release_digest
    session.flush()
    context.metrics.rollbacks.labels(status=status.value).inc()
    if status is not RollbackStatus.SKIPPED:
        _tell(context, session, row, run, key=f"{row.id} {status} {run.id}")


def summary(row: RollbackRow) -> RollbackSummary:
    """The rollback without what is in it."""
    return RollbackSummary.model_validate({name: getattr(row, name) for name in RollbackSummary.model_fields})


def standing(row: RollbackRow) -> TargetRollback:
    """What its roll-out is told."""
    return TargetRollback(
        id=row.id, status=RollbackStatus(row.status), reserved=row.reserved, reason=row.reason[:MAX_WHY]
    )


def result_of(row: RollbackRow) -> RollbackResult | None:
    """What came of it as far as it is to be believed; None: nobody has said yet."""
    if row.result is None:
        return None
    comparison = None if row.comparison is None else StateComparison.model_validate(row.comparison)
    verdict = None if row.verdict is None else RollbackVerdict.model_validate(row.verdict)
    begun = verdict is not None and row.planned_by != row.result_of and bool(verdict.changes)
    return believed(RollbackResult.model_validate(row.result), comparison, begun=begun)


def record(session: Session, row: RollbackRow) -> Rollback:
    """The rollback with all that is known of it."""
    return Rollback(
        **summary(row).model_dump(),
        release_digest=find_run(session, row.run_id).release_digest,
        first=first_state_of(session, row),
        verdict=None if row.verdict is None else RollbackVerdict.model_validate(row.verdict),
        result=result_of(row),
    )


def _tell(context: SchedulerContext, session: Session, row: RollbackRow, run: RunRow, *, key: str) -> None:
    result = result_of(row)
    over_now = row.finished_at is not None
    notifications.record(
        session,
        notifications.Event(
            **{
                **told_of(run, session.get_one(TargetRow, row.target)),
                "key": key,
                "release_digest": first_state_of(session, row).release_digest,
                "rollout_id": row.rollout_id,
            },
            kind=notifications.Kind.ROLLBACK,
            at=context.clock.wall(),
            rollback_id=row.id,
            standing=row.status if over_now else None,
            reason=row.reason,
            items=tuple(str(one) for one in result.residue) if over_now and result is not None else (),
        ),
    )
