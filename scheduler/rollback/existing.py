"""What was there, outside of every state, under a name that a deployment makes: its worker finds it, and tells it.

A deployment that continues an unfinished try knows what that one found. By then the cloud has what that one made, too,
so what the first of them was answered counts.
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from scheduler.rollback.first_state import newest_unfinished, settings_of, tries_of
from scheduler.tables import FirstStateRow, RunRow, SafetyPlanRow
from shared.models import RunKind
from shared.rollback.precedents import Precedents
from shared.rollback.records import MAX_TRIES
from shared.safety.entries import Existing, SafetyPlan


def existing(session: Session, tries: list[FirstStateRow]) -> frozenset[Existing]:
    """What the plans of a deployment and of its unfinished tries would make where something of that name was."""
    query = select(SafetyPlanRow.document).where(SafetyPlanRow.run_id.in_([row.run_id for row in tries]))
    return frozenset(one for found in session.scalars(query) for one in SafetyPlan.model_validate(found).existing)


def precedents(session: Session, run: RunRow) -> Precedents | None:
    """For an apply whose first state was recorded, and for a plan of a release that has a `rollback` section; None for
    any other run, of which nobody asks what is there.
    """
    if run.kind == RunKind.APPLY and (own := session.get(FirstStateRow, run.id)) is not None:
        last = own.inherits
    elif run.kind == RunKind.PLAN and settings_of(session, run) is not None:
        last = newest_unfinished(session, run.target, before_epoch=run.epoch or 1)
    else:
        return None
    tries = [] if last is None else tries_of(session, last)
    return Precedents(tries=tuple(row.run_id for row in tries[-MAX_TRIES:]), existing=existing(session, tries))
