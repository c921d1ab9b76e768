"""Which runs wait because a rollback has their target. SQL, for the queries that choose runs."""

from __future__ import annotations

from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.orm import Session

from scheduler.tables import RollbackRow, RunRow


def kept_out() -> ColumnElement[bool]:
    """Whether a rollback has reserved the target of a pending run, and the run is not its own."""
    return exists().where(
        RollbackRow.target == RunRow.target, RollbackRow.reserved.is_(True), RollbackRow.current_run_id != RunRow.id
    )


def reserving(session: Session, target: str) -> RollbackRow | None:
    """The rollback that has reserved the target, if any."""
    query = select(RollbackRow).where(RollbackRow.target == target, RollbackRow.reserved.is_(True))
    return session.scalars(query).one_or_none()
