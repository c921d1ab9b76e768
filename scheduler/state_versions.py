"""The stored versions of a target's state: all kept, the newest current, every one encrypted."""

from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.orm import Session, undefer

from scheduler.context import SchedulerContext
from scheduler.state_documents import StateDocument, StateIdentity
from scheduler.tables import StateVersionRow
from shared.models import StateVersion


@dataclass(frozen=True, kw_only=True)
class StoredState:
    """One stored version, decrypted."""

    id: int
    """Its row."""
    epoch: int
    """That wrote it."""
    identity: StateIdentity
    """What it says that it is."""
    body: bytes = field(repr=False)
    """The document: it holds secrets."""


def current_identity(session: Session, target: str) -> StateIdentity | None:
    """What the current state is, or None where there is none (never written, or deleted)."""
    row = _newest(session, target)
    if row is None or row.deleted:
        return None
    return StateIdentity(serial=row.serial, lineage=row.lineage, digest=row.digest)


def current_body(context: SchedulerContext, session: Session, target: str) -> bytes | None:
    """The current state, decrypted, or None where there is none.

    Raises `ConfigurationError` when it cannot be decrypted.
    """
    found = current_version(context, session, target)
    return None if found is None else found.body


def current_version(context: SchedulerContext, session: Session, target: str) -> StoredState | None:
    """The current state with its row, or None where there is none. Raises as `current_body` does."""
    row = _newest(session, target, content=True)
    return None if row is None else _opened(context, row)


def stored_version(context: SchedulerContext, session: Session, version: int) -> StoredState | None:
    """A version by its row, or None where there is none, or it says that there was no state."""
    query = select(StateVersionRow).where(StateVersionRow.id == version).options(undefer(StateVersionRow.ciphertext))
    row = session.scalars(query).one_or_none()
    return None if row is None else _opened(context, row)


def add_version(
    context: SchedulerContext, session: Session, *, target: str, run_id: str, epoch: int, document: StateDocument
) -> None:
    """Make `document` the current state unless it is already. The caller has checked that it may be."""
    current = current_identity(session, target)
    if current is not None and current.digest == document.digest:
        return
    session.add(
        StateVersionRow(
            target=target,
            run_id=run_id,
            epoch=epoch,
            serial=document.serial,
            lineage=document.lineage,
            digest=document.digest,
            size=len(document.body),
            deleted=False,
            ciphertext=context.cipher.seal(document.body, context=_sealed_for(target, epoch, document.serial)),
            created_at=context.clock.wall(),
        )
    )
    session.flush()


def add_deletion(context: SchedulerContext, session: Session, *, target: str, run_id: str, epoch: int) -> None:
    """From here on there is no state; what was stored before stays stored."""
    current = current_identity(session, target)
    if current is None:
        return
    session.add(
        StateVersionRow(
            target=target,
            run_id=run_id,
            epoch=epoch,
            serial=current.serial,
            lineage=current.lineage,
            digest="",
            size=0,
            deleted=True,
            ciphertext=None,
            created_at=context.clock.wall(),
        )
    )
    session.flush()


def version_ids(session: Session, target: str, *, limit: int) -> list[int]:
    """The rows of the stored versions, the newest first."""
    query = select(StateVersionRow.id).where(StateVersionRow.target == target).order_by(StateVersionRow.id.desc())
    return list(session.scalars(query.limit(limit)))


def versions(session: Session, target: str, *, limit: int) -> list[StateVersion]:
    """The stored versions, the newest first, without their content."""
    query = (
        select(StateVersionRow).where(StateVersionRow.target == target).order_by(StateVersionRow.id.desc()).limit(limit)
    )
    return [
        StateVersion(
            target=row.target,
            epoch=row.epoch,
            serial=row.serial,
            lineage=row.lineage,
            created_at=row.created_at,
            size=row.size,
        )
        for row in session.scalars(query)
    ]


def _newest(session: Session, target: str, *, content: bool = False) -> StateVersionRow | None:
    query = select(StateVersionRow).where(StateVersionRow.target == target).order_by(StateVersionRow.id.desc()).limit(1)
    if content:
        query = query.options(undefer(StateVersionRow.ciphertext))
    return session.scalars(query).one_or_none()


def _opened(context: SchedulerContext, row: StateVersionRow) -> StoredState | None:
    if row.ciphertext is None:
        return None
    return StoredState(
        id=row.id,
        epoch=row.epoch,
        identity=StateIdentity(serial=row.serial, lineage=row.lineage, digest=row.digest),
        body=context.cipher.open(row.ciphertext, context=_sealed_for(row.target, row.epoch, row.serial)),
    )


def _sealed_for(target: str, epoch: int, serial: int) -> str:
    return f"state {target} epoch {epoch} serial {serial}"
