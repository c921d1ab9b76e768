"""From rows to the records that travel, and the one way to take hold of a run.

Every transition of a run happens while its target's row is locked. One lock per target, always taken first, means that
claims, reports, state writes and settlements of a target are serial and cannot deadlock.
"""

import secrets
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from scheduler.database import Database
from scheduler.problems import lease_lost, not_found
from scheduler.tables import ACTIVE_STATUSES, RunRow, TargetRow
from shared.models import Run, RunKind, RunStatus, Target


def run_record(row: RunRow) -> Run:
    """The run as the API shows it."""
    return Run(
        id=row.id,
        target=row.target,
        region=row.region,
        kind=RunKind(row.kind),
        status=RunStatus(row.status),
        epoch=row.epoch,
        node=row.node,
        actor=row.actor,
        argv=tuple(row.argv),
        release_digest=row.release_digest,
        reason=row.reason,
        exit_code=row.exit_code,
        attempt=row.attempt,
        retry_of=row.retry_of,
        rollout_id=row.rollout_id,
        plan_run_id=row.plan_run_id,
        created_at=row.created_at,
        claimed_at=row.claimed_at,
        finished_at=row.finished_at,
        cancel_requested=row.cancel_requested,
        revoke_requested=row.revoke_requested,
        rollback_requested=row.rollback_requested,
    )


def target_record(row: TargetRow) -> Target:
    """The target as the API shows it."""
    return Target(
        id=row.id,
        flock=row.flock,
        region=row.region,
        provider_region=row.provider_region,
        release_digest=row.release_digest,
        epoch=row.epoch,
    )


def told_of(run: RunRow, target: TargetRow) -> dict[str, Any]:
    """The part of a notification that says which run it is about; of one kind there is one for each run."""
    return {
        "key": run.id,
        "flock": target.flock,
        "target": run.target,
        "run_id": run.id,
        "run_kind": run.kind,
        "epoch": run.epoch,
        "rollout_id": run.rollout_id,
        "release_digest": run.release_digest,
    }


def find_run(session: Session, run_id: str) -> RunRow:
    """The run, as it is now, without a lock. Raises a 404."""
    row = session.scalars(select(RunRow).where(RunRow.id == run_id)).one_or_none()
    if row is None:
        raise not_found("run", run_id, "`interlock run ls` shows all")
    return row


def find_target(session: Session, target: str) -> TargetRow:
    """The target without a lock. Raises a 404."""
    row = session.get(TargetRow, target)
    if row is None:
        raise not_found(
            "target", target, "`interlock flock ls` shows all; `interlock flock register FILE` declares new ones"
        )
    return row


def lock_target(database: Database, session: Session, target: str) -> TargetRow:
    """The target, locked until the transaction ends. Raises a 404."""
    row = database.lock_target(session, target)
    if row is None:
        raise not_found(
            "target", target, "`interlock flock ls` shows all; `interlock flock register FILE` declares new ones"
        )
    return row


def lock_run(database: Database, session: Session, run_id: str) -> tuple[RunRow, TargetRow]:
    """The run and its target, the target locked, the run read after that. Raises a 404."""
    target_id = session.scalar(select(RunRow.target).where(RunRow.id == run_id))
    if target_id is None:
        raise not_found("run", run_id, "`interlock run ls` shows all")
    target = lock_target(database, session, target_id)
    return find_run(session, run_id), target


def require_holder(run: RunRow, holder: str) -> None:
    """Refuse (409) whoever is not the holder of an active run."""
    if run.holder != holder or run.status not in ACTIVE_STATUSES:
        raise lease_lost(run.id, f"it is {run.status} and not held by {holder}")


def take_back(run: RunRow, *, at: datetime, reason: str) -> None:
    """End a run that has not begun, its target locked."""
    run.status = RunStatus.CANCELED
    run.reason = reason
    run.finished_at = at
    run.cancel_requested = True


def new_run_id() -> str:
    """A fresh run id."""
    return f"run-{secrets.token_hex(8)}"
