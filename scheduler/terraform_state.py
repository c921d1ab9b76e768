"""Terraform's HTTP backend, fenced.

A write is accepted only while all of this holds: the run is active and its epoch is the target's last (database), the
lease of exactly this epoch is held (Redis), the lineage is the stored one and the serial grows. Redis is asked first; a
lease that ends between that look and the commit does no harm, since no younger epoch can be claimed before this
transaction is over: both lock the target.

A plan run writes no state, since Terraform's `plan` does not: whatever else tries to, comes from the code that it runs.

The lock is derived from the lease. Within one run it behaves as Terraform expects; a lock of an older epoch is void,
so no lock outlives its lease.
"""

import hmac
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from scheduler.cipher import password_hash
from scheduler.claims import active_run
from scheduler.context import SchedulerContext
from scheduler.problems import lease_lost
from scheduler.rows import find_run, lock_target
from scheduler.state_documents import parse_state, refusal_to_follow
from scheduler.state_versions import add_deletion, add_version, current_body, current_identity
from scheduler.tables import LIVE_STATUSES, RunRow, StateLockRow, TargetRow
from shared.errors import ApiError
from shared.lease.machine import State
from shared.models import RunKind


@dataclass(frozen=True, kw_only=True)
class StateCaller:
    """Who calls the state backend, after the password was checked."""

    run_id: str
    """The run whose credentials were given."""
    target: str
    """The target that they are for."""
    epoch: int
    """The epoch that the run claimed."""


class StateLockedError(ApiError):
    """Somebody else has the state; `info` is what Terraform shows of them."""

    def __init__(self, message: str, info: dict[str, Any]) -> None:
        """Answer 423 with Terraform's lock info of the holder."""
        super().__init__(message, status=423, code="locked", hint="wait for the holder, or revoke its lease")
        self.info = info


def authenticate(context: SchedulerContext, target: str, *, username: str, password: str) -> StateCaller:
    """Who this is. Raises `ApiError` 401 for everything that is not a run of this target with its password."""
    with context.database.read() as session:
        try:
            run = find_run(session, username)
        except ApiError:
            raise _unauthorized() from None
    known = run.state_password_hash or ""
    if not hmac.compare_digest(known, password_hash(password)) or run.target != target or run.epoch is None:
        raise _unauthorized()
    return StateCaller(run_id=run.id, target=run.target, epoch=run.epoch)


def read_state(context: SchedulerContext, caller: StateCaller) -> bytes | None:
    """The current state, or None. Only for the live epoch: a state holds secrets. Raises 409 `lease_lost`."""
    with context.database.write() as session:
        _require_live(context, session, caller)
        return current_body(context, session, caller.target)


def operator_read(context: SchedulerContext, target: str) -> bytes | None:
    """The current state for an operator, whoever holds the target. Raises a 404."""
    with context.database.read() as session:
        if session.get(TargetRow, target) is None:
            return None
        return current_body(context, session, target)


def write_state(context: SchedulerContext, caller: StateCaller, body: bytes, *, lock_id: str | None) -> None:
    """Store a new version.

    Raises `ApiError` 400 for what is no state, 403 `plan_writes_no_state` for a plan run, 409 for the fence (code
    `lease_lost`, `lineage_differs`, `serial_not_greater`), `StateLockedError` when another process of the run has the
    lock, `Unavailable` when Redis cannot be asked: then nothing is written.
    """
    document = parse_state(body)
    _require_held(context, caller)
    with context.database.write() as session:
        _require_live(context, session, caller)
        _require_writer(context, session, caller)
        lock = _live_lock(session, caller)
        if lock is not None and lock_id is not None and lock.lock_id != lock_id:
            raise StateLockedError(f"{caller.target} is locked by {lock.lock_id}", lock.info)
        if (refusal := refusal_to_follow(current_identity(session, caller.target), document.identity)) is not None:
            raise refusal
        add_version(context, session, target=caller.target, run_id=caller.run_id, epoch=caller.epoch, document=document)


def delete_state(context: SchedulerContext, caller: StateCaller) -> None:
    """Mark the state as deleted; its versions are kept. The same fence as for a write."""
    _require_held(context, caller)
    with context.database.write() as session:
        _require_live(context, session, caller)
        _require_writer(context, session, caller)
        add_deletion(context, session, target=caller.target, run_id=caller.run_id, epoch=caller.epoch)


def lock_state(context: SchedulerContext, caller: StateCaller, info: dict[str, Any]) -> None:
    """Lock the state for one process of the live run.

    Raises `StateLockedError` (423) with the live holder's lock info when that is another run, or another process of
    this one.
    """
    lock_id = str(info.get("ID", ""))[:255]
    with context.database.write() as session:
        target = lock_target(context.database, session, caller.target)
        holder = active_run(session, caller.target)
        ours = holder is not None and holder.id == caller.run_id and holder.status in LIVE_STATUSES
        if not ours or target.epoch != caller.epoch:
            raise StateLockedError(f"{caller.target} is not held by {caller.run_id}", _lease_info(caller, holder))
        lock = _live_lock(session, caller)
        if lock is not None and lock.lock_id != lock_id:
            raise StateLockedError(f"{caller.target} is locked by {lock.lock_id}", lock.info)
        # Before the lock is written: one that was answered with a refusal must not stand in its process's next way.
        _require_held(context, caller)
        row = session.get(StateLockRow, caller.target) or StateLockRow(target=caller.target)
        row.epoch, row.lock_id, row.info = caller.epoch, lock_id, info
        session.add(row)


def unlock_state(context: SchedulerContext, caller: StateCaller, lock_id: str | None) -> None:
    """Give the lock back; without an id (`terraform force-unlock`) whichever the run has. A void lock needs nothing.

    Raises `StateLockedError` when another process of the run has the lock.
    """
    with context.database.write() as session:
        lock_target(context.database, session, caller.target)
        lock = _live_lock(session, caller)
        if lock is None:
            return
        if lock_id is not None and lock.lock_id != lock_id:
            raise StateLockedError(f"{caller.target} is locked by {lock.lock_id}", lock.info)
        session.delete(lock)


def _require_live(context: SchedulerContext, session: Session, caller: StateCaller) -> None:
    target = lock_target(context.database, session, caller.target)
    run = find_run(session, caller.run_id)
    if run.status not in LIVE_STATUSES or run.epoch != target.epoch or run.epoch != caller.epoch:
        context.metrics.state_refusals.inc()
        raise lease_lost(caller.run_id, f"it is {run.status} under epoch {run.epoch}; the last is {target.epoch}")


def _require_writer(context: SchedulerContext, session: Session, caller: StateCaller) -> None:
    if find_run(session, caller.run_id).kind in (RunKind.PLAN, RunKind.DRIFT):
        context.metrics.state_refusals.inc()
        raise ApiError(
            f"{caller.run_id} is a plan: it changes nothing, and no state either",
            status=403,
            code="plan_writes_no_state",
            hint="something that the plan ran (a provider, a data source) wrote it: look for it in the run's log",
        )


def _require_held(context: SchedulerContext, caller: StateCaller) -> None:
    view = context.store.view(caller.target)
    if view.state is not State.HELD or view.lease_epoch != caller.epoch:
        context.metrics.state_refusals.inc()
        shown = f"{view.state} under epoch {view.lease_epoch}" if view.state else "unknown to Redis"
        raise lease_lost(caller.run_id, f"the lease of {caller.target} is {shown}")


def _live_lock(session: Session, caller: StateCaller) -> StateLockRow | None:
    row = session.get(StateLockRow, caller.target)
    return row if row is not None and row.epoch == caller.epoch else None


def _lease_info(caller: StateCaller, holder: RunRow | None) -> dict[str, Any]:
    """Terraform's lock info for a lease: what its error message prints."""
    if holder is None or holder.id == caller.run_id:
        return {
            "ID": caller.run_id,
            "Operation": "none",
            "Info": f"{caller.run_id} no longer holds {caller.target} (epoch {caller.epoch} is over)",
            "Who": "nobody",
            "Version": "interlock",
            "Created": "0001-01-01T00:00:00Z",
            "Path": caller.target,
        }
    return {
        "ID": holder.id,
        "Operation": holder.kind,
        "Info": f"{holder.id} holds {caller.target} under epoch {holder.epoch}",
        "Who": f"{holder.actor or 'unknown'}@{holder.node or 'unknown'}",
        "Version": "interlock",
        "Created": holder.claimed_at.isoformat() if holder.claimed_at else "0001-01-01T00:00:00Z",
        "Path": caller.target,
    }


def _unauthorized() -> ApiError:
    return ApiError(
        "the state backend does not know this user name and password",
        status=401,
        code="unauthorized",
        hint="use the credentials of the run's assignment",
    )
