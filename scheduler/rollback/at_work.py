"""What the holder of a target says while it takes a deployment back, and what it may have signed for that.

    begun      the first step: from the deployment's own run, or from a ROLLBACK run
    plan       what it would do; the answer says what of it may be done, and from then on exactly that is signed
    result     what came of it; the scheduler compares the first with the final state

All of it may be said twice. What a run that was lost said before counts until another one says something else.
"""

from __future__ import annotations

import logging

from sqlalchemy.orm import Session

from scheduler.context import SchedulerContext
from scheduler.problems import conflict, invalid
from scheduler.rollback import rows
from scheduler.rollback.consents import take_over, to_destroy
from scheduler.rollback.existing import existing
from scheduler.rollback.first_state import tries_of, verify
from scheduler.rollback.order import (
    made_or_ended,
    rearranged,
    replaced,
    require_descent,
    require_possible,
    touched,
)
from scheduler.rows import lock_run, require_holder
from scheduler.state_versions import current_body
from scheduler.tables import FirstStateRow, RollbackRow, RunRow
from shared.errors import InterlockError
from shared.log import log_event
from shared.models import RunKind, RunStatus
from shared.rollback import bounds
from shared.rollback.comparison import compare
from shared.rollback.records import Rearrangement, RollbackPlan, RollbackResult, RollbackVerdict
from shared.rollback.settings import Trigger
from shared.rollback.standing import Rollback, RollbackStatus
from shared.safety.allowance import Allowance, AllowedEntry

log = logging.getLogger(__name__)


def keep_rearrangement(session: Session, run: RunRow, given: Rearrangement | None) -> None:
    """Keep what a deployment's plan does with addresses only, beside its first state. The last one counts."""
    first = session.get(FirstStateRow, run.id)
    if first is not None and given is not None:
        first.rearranged = given.model_dump(mode="json")


def watched(session: Session, run: RunRow) -> None:
    """A deployment is applied, and watched from now on: should it not come to its end, nobody knows that it holds."""
    first = session.get(FirstStateRow, run.id)
    if first is not None:
        first.watched = True


def claimed(context: SchedulerContext, session: Session, run: RunRow) -> None:
    """A worker is about to get a ROLLBACK run: it begins. Any other run is no matter of this.

    Raises `ApiError` 409 where there is no way back any more; then nothing is to be executed.
    """
    row = rows.carried_out_by(session, run.id) if run.kind == RunKind.ROLLBACK else None
    if row is not None:
        require_possible(context, session, row)
        begun(context, session, run, None, "")


def not_begun(context: SchedulerContext, session: Session, run: RunRow) -> None:
    """It ended instead of being claimed: a person decides what becomes of its rollback."""
    row = rows.carried_out_by(session, run.id)
    if row is not None:
        rows.over(context, session, row, RollbackStatus.FAILED, run.reason, run=run)


def begun(
    context: SchedulerContext, session: Session, run: RunRow, trigger: Trigger | None, reason: str
) -> RollbackRow:
    """The holder takes the deployment back now. Raises `ApiError` 400 for a run that has none to take back."""
    row = rows.carried_out_by(session, run.id)
    if row is None:
        if run.kind != RunKind.APPLY or session.get(FirstStateRow, run.id) is None:
            raise invalid(f"run {run.id} has no first state to go back to")
        row = rows.opened(context, session, run, trigger or Trigger.APPLY_ERROR, reason)
    if row.status == RollbackStatus.QUEUED:
        row.status, row.started_at = RollbackStatus.RUNNING, row.started_at or context.clock.wall()
        take_over(session, row, run)
        session.flush()
    return row


def deliver_plan(context: SchedulerContext, run_id: str, *, holder: str, plan: RollbackPlan) -> RollbackVerdict:
    """Keep what the rollback would do, and say what of it may be done. The one before counts no more.

    Raises `ApiError` 409 `lease_lost` for anybody but the holder, 409 `not_rolling_back` for a run that has not begun
    to take back, and 409 `lineage_differs`.
    """
    with context.database.write() as session:
        run, _ = lock_run(context.database, session, run_id)
        require_holder(run, holder)
        row = _at_work(session, run)
        first = rows.first_state_of(session, row)
        require_descent(session, row, first)
        tries = tries_of(session, row.run_id)
        taken_over = existing(session, tries)
        verdict = bounds.verdict(
            plan,
            first,
            # Who agreed that it is taken over has not agreed to its end.
            consents=to_destroy(
                session, row.id, planned=made_or_ended(session, tries) - {one.address for one in taken_over}
            ),
            touched=touched(session, tries),
            new=rearranged(tries),
            replaced=replaced(session, tries),
            existing=taken_over,
        )
        row.plan, row.verdict = plan.model_dump(mode="json"), verdict.model_dump(mode="json")
        row.planned_by = run.id
        return verdict


def deliver_result(context: SchedulerContext, run_id: str, *, holder: str, result: RollbackResult) -> Rollback:
    """Keep what came of it; the end of the run makes it so. Beside it, what differs between first and final state.

    Raises `ApiError` 409 `lease_lost` for anybody but the holder, 409 `not_rolling_back`, and 409 `other_result` for a
    second, different result of the same run.
    """
    sent = result.model_copy(update={"comparison": None}).model_dump(mode="json")
    with context.database.write() as session:
        run, _ = lock_run(context.database, session, run_id)
        require_holder(run, holder)
        row = _at_work(session, run)
        if row.result_of != run.id:
            row.result, row.result_of = sent, run.id
            row.comparison = _compared(context, session, row)
            waited_s = (row.started_at - row.triggered_at).total_seconds() if row.started_at else 0.0
            context.metrics.rollback_start.observe(max(waited_s, 0.0) + result.start_ms / 1000)
            session.flush()
        elif row.result != sent:
            raise conflict("other_result", f"run {run_id} has said already what came of its rollback")
        return rows.record(session, row)


def allowance(session: Session, run: RunRow) -> Allowance:
    """What may be signed for a run that takes back: what was accepted of its own last plan, and before that reads."""
    row = rows.carried_out_by(session, run.id)
    if row is None or row.planned_by != run.id or row.verdict is None:
        return Allowance.reads("its rollback is not planned yet")
    if row.result_of == run.id:
        return Allowance.reads("its rollback is over")
    verdict = RollbackVerdict.model_validate(row.verdict)
    kinds = {(item.type, item.operation.value) for item in verdict.allowed}
    if not kinds:
        return Allowance.reads("nothing of its rollback may be done")
    return Allowance(
        mode="entries",
        entries=tuple(AllowedEntry(type=type_, operation=operation) for type_, operation in sorted(kinds)),
        why=f"{row.id}: {len(verdict.allowed)} of {len(verdict.allowed) + len(verdict.refused)} operations",
    )


def takes_back(run: RunRow) -> bool:
    """Whether a live run takes a deployment back now."""
    return run.kind == RunKind.ROLLBACK or run.status == RunStatus.ROLLING_BACK


def _at_work(session: Session, run: RunRow) -> RollbackRow:
    row = rows.carried_out_by(session, run.id)
    if row is None or not (takes_back(run) or run.status == RunStatus.SETTLING):
        raise conflict("not_rolling_back", f"run {run.id} is {run.status}", "report rolling_back first")
    return row


def _compared(context: SchedulerContext, session: Session, row: RollbackRow) -> dict[str, object] | None:
    """Attribute by attribute; a state that cannot be compared costs the comparison, never the result."""
    try:
        first = verify(context, session, rows.first_state_of(session, row))
        final = current_body(context, session, row.target)
        changed = rearranged(tries_of(session, row.run_id)).changed
        return compare(first.body if first is not None else None, final, changed).model_dump(mode="json")
    except (InterlockError, ValueError, RecursionError) as error:
        log_event(log, "rollback_not_compared", level=logging.WARNING, rollback=row.id, error=repr(error))
        return None
