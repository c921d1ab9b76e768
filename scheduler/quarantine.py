"""States that came too late: what a cut worker still wanted to write, kept beside the target.

Nothing is written into the target's state for a holder that lost its lease. But what it created is in the cloud, and
its last state is the best record of that. So it is kept under its epoch, and the next live holder may accept it if it
continues the stored state: same lineage, higher serial.
"""

import json

from sqlalchemy import func, select
from sqlalchemy.orm import Session, undefer

from scheduler.context import SchedulerContext
from scheduler.problems import conflict, lease_lost, not_found
from scheduler.rows import find_run, lock_run, lock_target, require_holder
from scheduler.state_documents import StateIdentity, parse_state, refusal_to_follow
from scheduler.state_versions import add_version, current_identity
from scheduler.tables import QuarantineRow
from shared.models import QuarantinedState, RecoveryState
from shared.recovery.orphans import KeptState

#: States kept of one epoch. Terraform writes every 20 s at most and a cut holder writes once or twice.
MAX_STATES_PER_EPOCH = 16
#: Quarantined states that are considered, the youngest epochs first.
MAX_LOOKED_AT = 1000


def deliver(context: SchedulerContext, target: str, *, epoch: int, run_id: str, body: bytes) -> QuarantinedState:
    """Keep a late state in the slot of its epoch. The same one again changes nothing.

    Raises `ApiError` 400 for what is no state, 404 for an unknown run, and 409 when the run never had this epoch of
    this target or its slot is full.
    """
    document = parse_state(body)
    with context.database.write() as session:
        lock_target(context.database, session, target)
        run = find_run(session, run_id)
        if run.target != target or run.epoch != epoch:
            raise lease_lost(run_id, f"it never had epoch {epoch} of {target}")
        same_epoch = (QuarantineRow.target == target, QuarantineRow.epoch == epoch)
        row = session.scalars(
            select(QuarantineRow).where(
                *same_epoch, QuarantineRow.serial == document.serial, QuarantineRow.digest == document.digest
            )
        ).one_or_none()
        if row is None:
            if (session.scalar(select(func.count()).where(*same_epoch)) or 0) >= MAX_STATES_PER_EPOCH:
                raise conflict("slot_full", f"epoch {epoch} of {target} has {MAX_STATES_PER_EPOCH} quarantined states")
            row = QuarantineRow(
                target=target,
                epoch=epoch,
                run_id=run_id,
                serial=document.serial,
                lineage=document.lineage,
                digest=document.digest,
                size=len(body),
                ciphertext=context.cipher.seal(body, context=_sealed_for(target, epoch, document.serial)),
                created_at=context.clock.wall(),
            )
            session.add(row)
        return QuarantinedState(
            target=target,
            epoch=epoch,
            serial=row.serial,
            lineage=row.lineage,
            run_id=row.run_id,
            created_at=row.created_at,
        )


def newest_acceptable(
    context: SchedulerContext, session: Session, target: str, *, before_epoch: int
) -> RecoveryState | None:
    """The quarantined state of the youngest earlier epoch that may still be accepted, decrypted."""
    current = current_identity(session, target)
    query = (
        select(QuarantineRow)
        .where(QuarantineRow.target == target, QuarantineRow.epoch < before_epoch, QuarantineRow.accepted_by.is_(None))
        .order_by(QuarantineRow.epoch.desc(), QuarantineRow.serial.desc(), QuarantineRow.id.desc())
        .limit(MAX_LOOKED_AT)
    )
    for row in session.scalars(query):
        is_stored = current is not None and current.digest == row.digest
        kept = StateIdentity(serial=row.serial, lineage=row.lineage, digest=row.digest)
        if not is_stored and refusal_to_follow(current, kept) is None:
            return RecoveryState(
                epoch=row.epoch,
                serial=row.serial,
                lineage=row.lineage,
                run_id=row.run_id,
                state=json.loads(_opened(context, row)),
            )
    return None


def kept_states(session: Session, target: str, epoch: int) -> tuple[KeptState, ...]:
    """The states of an epoch that nobody has taken over, and whether the next holder can; the newest first."""
    current = current_identity(session, target)
    query = (
        select(QuarantineRow)
        .where(QuarantineRow.target == target, QuarantineRow.epoch == epoch, QuarantineRow.accepted_by.is_(None))
        .order_by(QuarantineRow.serial.desc(), QuarantineRow.id.desc())
        .limit(MAX_STATES_PER_EPOCH)
    )
    kept = []
    for row in session.scalars(query):
        if current is not None and current.digest == row.digest:
            continue  # it is stored already
        identity = StateIdentity(serial=row.serial, lineage=row.lineage, digest=row.digest)
        refusal = refusal_to_follow(current, identity)
        why = "" if refusal is None else str(refusal)[:1024]
        kept.append(
            KeptState(epoch=epoch, serial=row.serial, lineage=row.lineage[:128], continues=refusal is None, why=why)
        )
    return tuple(kept)


def accept(context: SchedulerContext, target: str, *, epoch: int, run_id: str, holder: str) -> None:
    """Make the newest quarantined state of `epoch` the target's current state, written by the accepting run's epoch.

    Only the live holder may; repeating it changes nothing. Raises `ApiError` 404 for an empty slot and 409 when the
    state does not continue the stored one or the caller is not the live holder.
    """
    with context.database.write() as session:
        run, row = lock_run(context.database, session, run_id)
        require_holder(run, holder)
        if run.target != target or run.epoch is None or run.epoch != row.epoch or epoch >= run.epoch:
            raise lease_lost(run_id, f"it is not the live holder of {target}")
        state = session.scalars(
            select(QuarantineRow)
            .where(QuarantineRow.target == target, QuarantineRow.epoch == epoch)
            .order_by(QuarantineRow.serial.desc(), QuarantineRow.id.desc())
            .options(undefer(QuarantineRow.ciphertext))
            .limit(1)
        ).one_or_none()
        if state is None:
            raise not_found("quarantined_state", f"{target} epoch {epoch}", "recover without it")
        document = parse_state(_opened(context, state))
        if (refusal := refusal_to_follow(current_identity(session, target), document.identity)) is not None:
            raise refusal
        add_version(context, session, target=target, run_id=run_id, epoch=run.epoch, document=document)
        state.accepted_by = run_id


def _opened(context: SchedulerContext, row: QuarantineRow) -> bytes:
    return context.cipher.open(row.ciphertext, context=_sealed_for(row.target, row.epoch, row.serial))


def _sealed_for(target: str, epoch: int, serial: int) -> str:
    return f"quarantine {target} epoch {epoch} serial {serial}"
