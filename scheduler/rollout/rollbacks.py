"""Rollbacks of a roll-out's targets: from rows to the pure part (`taking_back`), in the transaction that moves it.

A rollback's row says which of its statuses its roll-out knows (`told`), so that nothing is missed, whoever is killed:
the tick moves every roll-out that has not been told the present one, also those that are over.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import ColumnElement, exists, or_, select, update
from sqlalchemy.orm import Session

from scheduler.context import SchedulerContext
from scheduler.rollback.requests import take_phase_back
from scheduler.rollout.advance import Advanced
from scheduler.rollout.events import with_targets
from scheduler.rollout.taking_back import stands
from scheduler.tables import RollbackRow, RolloutRow
from shared.rollback.records import MAX_WHY
from shared.rollback.standing import RollbackStatus, TargetRollback
from shared.rollouts import Rollout


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where the rollback of one target stands."""

    target: str
    """Which."""
    run_id: str
    """The deployment."""
    rollback: TargetRollback
    """The rest."""


@dataclass(frozen=True, kw_only=True)
class Queued:
    """What became of the deployments that were to be taken back."""

    advanced: Advanced
    """The roll-out with its rollbacks as they stand."""
    hints: tuple[tuple[str, str], ...] = ()
    """Runs and their regions, to be published after the commit."""


def untold() -> ColumnElement[bool]:
    """Whether a roll-out does not know yet where one of its rollbacks stands."""
    news = or_(RollbackRow.told.is_(None), RollbackRow.told != RollbackRow.status)
    return exists().where(RollbackRow.rollout_id == RolloutRow.id, news)


def standings(session: Session, rollout: Rollout) -> list[Standing]:
    """The rollbacks of what it deployed, the oldest first. No row is loaded: their targets are not locked yet."""
    columns = (RollbackRow.id, RollbackRow.target, RollbackRow.run_id, RollbackRow.status, RollbackRow.reserved)
    query = select(*columns, RollbackRow.reason).where(RollbackRow.rollout_id == rollout.id)
    return [
        Standing(
            target=row[1],
            run_id=row[2],
            rollback=TargetRollback(id=row[0], status=RollbackStatus(row[3]), reserved=row[4], reason=row[5][:MAX_WHY]),
        )
        for row in session.execute(query.order_by(RollbackRow.sequence))
    ]


def taken_in(rollout: Rollout, found: Sequence[Standing]) -> Rollout:
    """The roll-out with its rollbacks as they stand."""
    for one in found:
        rollout = stands(rollout, one.target, one.run_id, one.rollback)
    return rollout


def queue(context: SchedulerContext, session: Session, advanced: Advanced) -> Queued:
    """Queue the rollbacks that begin now; their targets are locked. What cannot be taken back says why."""
    hints = []
    changes = {}
    for back in advanced.back:
        rollback, run = take_phase_back(
            context, session, rollback_id=back.rollback_id, run_id=back.run_id, reason=advanced.rollout.reason
        )
        target = advanced.rollout.target(back.target)
        if target is not None:
            changes[back.target] = target.model_copy(update={"rollback": rollback})
        if run is not None:
            hints.append((run.id, run.region))
    rollout = with_targets(advanced.rollout, changes)
    return Queued(advanced=replace(advanced, rollout=rollout), hints=tuple(hints))


def note_told(session: Session, found: Collection[Standing]) -> None:
    """The roll-out knows these now; their targets are locked."""
    for one in found:
        mine = (RollbackRow.id == one.rollback.id, RollbackRow.status == one.rollback.status.value)
        session.execute(update(RollbackRow).where(*mine).values(told=one.rollback.status.value))
