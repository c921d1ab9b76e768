"""The tick that tells people how targets stand: one message for all targets of a flock to which the same happened.

A standing that differs from what people heard last is the outbox: it is written in the transaction that confirms it and
settled in the one that records the message. Of two ticks at once the second finds it settled.

The same means: the same resources drifted in the same attributes, or the same targets' drift is over, or they cannot be
checked any more. After a message about something the next one about the same waits for a quarter of an hour, and names
everything that came together by then: a fleet whose targets are checked one after the other makes few messages.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from scheduler import notifications
from scheduler.context import SchedulerContext
from scheduler.drift.intake import drifted_in
from scheduler.drift.transitions import Finding, Standing, is_to_be_told
from scheduler.tables import DriftCheckRow, DriftStandingRow, RunRow, TargetRow
from shared.drift.report import RollUp

INTERVAL_S: Final = 15 * 60
"""Seconds from one message about something to the next one about the same."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """How a target stands, of which people have not heard."""

    target: str
    """The target."""
    flock: str
    """Its flock."""
    run_id: str | None
    """The check that confirmed it."""
    now: Finding
    """How it stands."""
    told: Finding
    """What people heard last."""
    items: tuple[str, ...] = ()
    """What drifted, or was not looked at, a line each."""
    drifted: int = 0
    """How many resources that is; the items may be fewer."""
    changes: int = 1
    """How often it changed without a calm time in between."""

    @property
    def group(self) -> tuple[str, RollUp, str]:
        """What changes have in common that are told together. Drift that is over: by what it was."""
        return self.flock, self.now.roll_up, self.now.shape or self.told.shape


def tell(context: SchedulerContext) -> int:
    """Record what is to be told. Returns how many messages that was; raises `Unavailable`."""
    now = context.clock.wall()
    with context.database.read() as session:
        if session.scalars(_untold().limit(1)).one_or_none() is None:
            return 0
    with context.database.write() as session:
        rows = session.scalars(_untold().order_by(DriftStandingRow.target).with_for_update()).all()
        ready = {row.target: row for row in rows if is_to_be_told(_standing(row), _told(row), now=now)}
        groups: dict[tuple[str, RollUp, str], list[Change]] = {}
        for change in _changes(session, list(ready.values())):
            groups.setdefault(change.group, []).append(change)
        told = 0
        for group, changes in groups.items():
            if _told_lately(session, group, now):
                continue
            notifications.record(session, event_of(changes, at=now))
            told += 1
            for change in changes:
                row = ready[change.target]
                row.told_roll_up, row.told_shape, row.told_at = change.now.roll_up, change.now.shape, now
                row.told_group = _name(group)
    return told


def event_of(changes: Sequence[Change], *, at: datetime) -> notifications.Event:
    """The message about changes of one group. Pure."""
    first = changes[0]
    alone = first if len(changes) == 1 else None
    items: tuple[str, ...] = ()
    why = ""
    what = "; ".join(first.items[:3]) + (f" and {first.drifted - 3} more" if first.drifted > 3 else "")
    match first.now.roll_up:
        case RollUp.NOT_CHECKED:
            why = "; ".join(first.items[:3])
        case RollUp.DRIFTED if alone:
            items = first.items
        case RollUp.DRIFTED:
            why = f"in each of them: {what}"
    flapping = max(change.changes for change in changes)
    if flapping > 1:
        why = "; ".join(part for part in (why, f"it changed {flapping} times without a quiet day in between") if part)
    return notifications.Event(
        kind=notifications.Kind.DRIFT,
        key=_key(changes),
        at=at,
        flock=first.flock,
        target=alone.target if alone else None,
        run_id=alone.run_id if alone else None,
        run_kind="drift",
        standing=first.now.roll_up,
        reason=why,
        items=items if alone else tuple(change.target for change in changes),
        more=max(first.drifted - len(first.items), 0) if alone and items else 0,
    )


def _key(changes: Iterable[Change]) -> str:
    """What makes it this message: these targets, by these checks."""
    return _digest("\0".join(sorted(f"{change.target} {change.run_id} {change.now}" for change in changes)))


def _name(group: tuple[str, RollUp, str]) -> str:
    return _digest("\0".join(group))


def _digest(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _untold() -> Select[DriftStandingRow]:
    return select(DriftStandingRow).where(
        DriftStandingRow.roll_up.is_not(None),
        or_(
            DriftStandingRow.roll_up != DriftStandingRow.told_roll_up,
            DriftStandingRow.shape != DriftStandingRow.told_shape,
        ),
    )


def _told_lately(session: Session, group: tuple[str, RollUp, str], now: datetime) -> bool:
    lately = DriftStandingRow.told_at.between(now - timedelta(seconds=INTERVAL_S), now)
    query = select(DriftStandingRow.target).where(DriftStandingRow.told_group == _name(group), lately).limit(1)
    return session.scalars(query).one_or_none() is not None


def _standing(row: DriftStandingRow) -> Standing:
    return Standing(confirmed=_now(row), since=row.since, changes=row.changes)


def _now(row: DriftStandingRow) -> Finding:
    return Finding(roll_up=RollUp(row.roll_up or RollUp.NOT_CHECKED), shape=row.shape)


def _told(row: DriftStandingRow) -> Finding:
    return Finding(roll_up=RollUp(row.told_roll_up), shape=row.told_shape)


def _changes(session: Session, rows: Sequence[DriftStandingRow]) -> list[Change]:
    names = [row.target for row in rows]
    found = session.execute(select(TargetRow.id, TargetRow.flock).where(TargetRow.id.in_(names)))
    flocks = {row[0]: row[1] for row in found}
    query = select(DriftCheckRow.run_id, DriftCheckRow.items, DriftCheckRow.document).where(
        DriftCheckRow.run_id.in_([row.run_id for row in rows])
    )
    checks = {row[0]: (tuple(row[1]), drifted_in(row[2])) for row in session.execute(query)}
    # Where the check that confirmed it delivered nothing: why it did not.
    silent = [row.run_id for row in rows if row.run_id not in checks]
    reasons = session.execute(select(RunRow.id, RunRow.reason).where(RunRow.id.in_(silent)))
    checks |= {row[0]: ((row[1],), 0) for row in reasons}
    return [
        Change(
            target=row.target,
            flock=flocks[row.target],
            run_id=row.run_id,
            now=_now(row),
            told=_told(row),
            items=checks.get(row.run_id or "", ((), 0))[0],
            drifted=checks.get(row.run_id or "", ((), 0))[1],
            changes=row.changes,
        )
        for row in rows
    ]
