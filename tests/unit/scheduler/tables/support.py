"""Rows as the code would write them, straight into the tables."""

from __future__ import annotations

from typing import Any

from sqlalchemy import insert

from scheduler.tables import Base, RollbackRow, RunRow
from tests.unit.scheduler.support import TARGET, World


def add(world: World, table: type[Base], **values: Any) -> None:
    """Insert a row. Raises IntegrityError where the schema has a rule against it."""
    with world.context.database.write() as session:
        session.execute(insert(table).values(**values))


def add_run(world: World, number: int, **values: Any) -> str:
    """A run of the target; returns its id."""
    row = {
        "id": f"run-{number:016x}",
        "target": TARGET,
        "region": "north",
        "kind": "apply",
        "status": "pending",
        "actor": "",
        "argv": [],
        "reason": "",
        "created_at": world.clock.wall(),
    }
    add(world, RunRow, **{**row, **values})
    return f"run-{number:016x}"


def add_rollback(world: World, number: int, run_id: str, *, reserved: bool) -> None:
    """A rollback of a deployment."""
    add(
        world,
        RollbackRow,
        id=f"rollback-{number:016x}",
        run_id=run_id,
        target=TARGET,
        flock="web",
        status="queued",
        reserved=reserved,
        current_run_id=run_id,
        trigger="operator",
        triggered_at=world.clock.wall(),
    )
