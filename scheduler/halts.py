"""Tells people that something was halted: which resource, which operation, where it can be told."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from scheduler import notifications
from scheduler.rows import told_of
from scheduler.tables import JournalRow, RunRow, SafetyPlanRow, TargetRow
from shared.safety.halts import at_the_wire, call_in
from shared.safety.verdict import Decision, Verdict

#: The proxy's reasons (`signing_proxy.denial.Reason`) that only a run has which it latched.
_LATCHING = ("not_allowed", "latched")


def journaled_halt(session: Session, run: RunRow) -> str | None:
    """The call that the proxy halted this epoch of the run by, as a reason; None where its journal has none.

    The proxy writes it down itself. What the worker reported does not count here: it may have died, or lost its lease,
    before it could report the halt.
    """
    query = (
        select(JournalRow)
        .where(
            JournalRow.run_id == run.id,
            JournalRow.epoch == run.epoch,
            JournalRow.outcome == "refused",
            JournalRow.answer["error_code"].as_string().in_(_LATCHING),
        )
        .order_by(JournalRow.id)
        .limit(1)
    )
    call = session.scalars(query).one_or_none()
    if call is None:
        return None
    named = call.intent.get("resource") or {}
    return at_the_wire(call.service, call.operation or "Unknown", named, "it is outside of what the run may do")


def tell(session: Session, run: RunRow, *, at: datetime, reason: str, verdict: Verdict | None = None) -> None:
    """Record the notification, once for each run, in the transaction that halts it.

    Args:
        session: of that transaction.
        run: that was halted, or whose plan was.
        at: when.
        reason: why.
        verdict: on its plan, where that is the cause; None: the run's own, if it delivered one.
    """
    resource: str | None = None
    operation: str | None = None
    items: tuple[str, ...] = ()
    call = call_in(reason)
    if call is not None:
        operation, resource = call.call, call.address or call.names or None
        items = (call.names,) if call.address and call.names else ()
    else:
        verdict = verdict or _own(session, run)
        if verdict is not None and verdict.entries and verdict.decision in (Decision.OUTSIDE, Decision.FORBIDDEN):
            first = verdict.entries[0]
            resource, operation = first.address, first.operation.value
            items = tuple(str(entry) for entry in verdict.entries)
    notifications.record(
        session,
        notifications.Event(
            kind=notifications.Kind.HALT,
            at=at,
            resource=resource,
            operation=operation,
            reason=reason,
            items=items,
            **told_of(run, session.get_one(TargetRow, run.target)),
        ),
    )


def _own(session: Session, run: RunRow) -> Verdict | None:
    row = session.get(SafetyPlanRow, run.id)
    return None if row is None else Verdict.model_validate(row.verdict)
