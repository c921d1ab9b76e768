"""Plan files: what was approved is what is applied, byte for byte, or nothing is.

A plan file holds secrets as a state does, so it is sealed like one. Beside it stands the state that it was made
against. A plan is void once that state moved, or once anything else that could change the target was at work on it
since: then it is discarded and another one is made.
"""

from __future__ import annotations

import hashlib

from sqlalchemy import false, func, select, update
from sqlalchemy.orm import Session, undefer

from scheduler.context import SchedulerContext
from scheduler.problems import conflict, invalid, not_found
from scheduler.rows import find_run, lock_run, require_holder
from scheduler.state_versions import current_identity
from scheduler.tables import PlanRow, RunRow
from shared import exit_codes
from shared.constants import MAX_PLAN_BYTES
from shared.models import RunKind, RunStatus, SavedPlan


def store_plan(context: SchedulerContext, run_id: str, *, holder: str, content: bytes, changes: bool) -> SavedPlan:
    """Keep the plan file of a plan run that is at work. The same one again changes nothing.

    Raises `ApiError` 409 `lease_lost` for anybody but the holder, 409 `other_plan` for a second, different plan, and
    400 for a run that keeps no plan or a file that is too large.
    """
    if not content or len(content) > MAX_PLAN_BYTES:
        raise invalid(
            f"a plan file of {len(content)} bytes", f"between 1 and {MAX_PLAN_BYTES} are kept; split the configuration"
        )
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    with context.database.write() as session:
        run, _ = lock_run(context.database, session, run_id)
        require_holder(run, holder)
        if run.kind != RunKind.PLAN or run.rollout_id is None or run.epoch is None:
            raise invalid(f"run {run_id} keeps no plan", "only a roll-out's plan runs deliver their plan files")
        kept = session.get(PlanRow, run_id)
        if kept is None:
            # Under the target's lock, by its live holder, after its plan: nothing wrote a state in between.
            state = current_identity(session, run.target)
            session.add(
                PlanRow(
                    run_id=run_id,
                    target=run.target,
                    epoch=run.epoch,
                    digest=digest,
                    size=len(content),
                    changes=changes,
                    serial=state.serial if state else None,
                    lineage=state.lineage if state else None,
                    ciphertext=context.cipher.seal(content, context=_sealed_for(run.target, run_id)),
                    created_at=context.clock.wall(),
                )
            )
        elif kept.digest != digest:
            raise conflict("other_plan", f"run {run_id} has delivered the plan {kept.digest} already")
    return SavedPlan(run_id=run_id, digest=digest)


def plan_to_apply(context: SchedulerContext, run_id: str, *, holder: str) -> bytes:
    """The plan file that an apply run is to apply; only for its live holder. Raises 404 and 409 `lease_lost`."""
    with context.database.read() as session:
        run = find_run(session, run_id)
        require_holder(run, holder)
        row = session.get(PlanRow, run.plan_run_id or "", options=[undefer(PlanRow.ciphertext)])
        if row is None or row.ciphertext is None:
            raise not_found("plan", run.plan_run_id or run_id, "it was discarded; its roll-out makes another one")
        return context.cipher.open(row.ciphertext, context=_sealed_for(row.target, row.run_id))


def saved_plan(session: Session, run: RunRow) -> SavedPlan | None:
    """What the run is told about the plan that it applies."""
    row = session.get(PlanRow, run.plan_run_id) if run.plan_run_id else None
    return SavedPlan(run_id=row.run_id, digest=row.digest) if row is not None else None


def why_stale(session: Session, run: RunRow) -> str | None:
    """Why the plan that this apply run names may not be applied any more, or None. The target is locked.

    Whatever could change the target counts, even where no state shows it: a run that was cut, a command.
    """
    if run.plan_run_id is None:
        return None
    query = select(PlanRow.epoch, PlanRow.serial, PlanRow.lineage, PlanRow.ciphertext.is_not(None))
    plan = session.execute(query.where(PlanRow.run_id == run.plan_run_id)).one_or_none()
    if plan is None or not plan[3]:
        return f"the plan of {run.plan_run_id} was let go"
    epoch, *made_against = plan[:3]
    state = current_identity(session, run.target)
    now = [state.serial, state.lineage] if state else [None, None]
    if now != made_against:
        return f"the state moved from serial {made_against[0]} to {now[0]} since the plan was made"
    # By its holder's word it never began to apply. A command may exit with that number by itself.
    unserved = (RunRow.exit_code == exit_codes.UNAVAILABLE) & (RunRow.kind != RunKind.EXEC)
    other = session.scalar(
        select(func.max(RunRow.id)).where(
            RunRow.target == run.target,
            RunRow.epoch > epoch,
            RunRow.kind.not_in((RunKind.PLAN, RunKind.DRIFT)),
            func.coalesce(unserved, false()).is_(False),
            RunRow.id != run.id,
        )
    )
    return f"{other} was at work on {run.target} since the plan was made" if other is not None else None


def mark(session: Session, plan_run_id: str, status: RunStatus) -> None:
    """Write beside a plan run that its plan was confirmed or discarded; a discarded one's content is let go.

    The run itself is over: only its name changes, so its target need not be locked.
    """
    session.execute(
        update(RunRow)
        .where(RunRow.id == plan_run_id, RunRow.status.in_((RunStatus.PLANNED, RunStatus.CONFIRMED)))
        .values(status=status)
    )
    if status is RunStatus.DISCARDED:
        let_go(session, plan_run_id)


def let_go(session: Session, plan_run_id: str) -> None:
    """Forget a plan's content; that there was one, and its digest, stay."""
    session.execute(update(PlanRow).where(PlanRow.run_id == plan_run_id).values(ciphertext=None))


def _sealed_for(target: str, run_id: str) -> str:
    return f"plan {target} run {run_id}"
