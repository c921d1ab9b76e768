"""What API and metrics show about drift."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from scheduler.context import SchedulerContext
from scheduler.drift.intake import drifted_in, report_of
from scheduler.drift.rules import rules_of
from scheduler.rows import find_target
from scheduler.tables import DriftCheckRow, DriftHitRow, DriftStandingRow, JournalRow, TargetRow
from shared.drift.records import DriftCheck, DriftDetail, DriftStanding, RuleUse, SignedCalls
from shared.drift.report import RollUp
from shared.models import RunStatus

MAX_LISTED: Final = 1000


def listed(
    context: SchedulerContext, *, flock: str | None = None, roll_up: RollUp | None = None, limit: int = MAX_LISTED
) -> list[DriftStanding]:
    """Where targets stand, by target; those of which nothing is known are listed as well."""
    query = (
        select(TargetRow, DriftStandingRow, DriftCheckRow.document)
        .outerjoin(DriftStandingRow, DriftStandingRow.target == TargetRow.id)
        .outerjoin(DriftCheckRow, DriftCheckRow.run_id == DriftStandingRow.run_id)
        .order_by(TargetRow.id)
        .limit(min(limit, MAX_LISTED))
    )
    if flock is not None:
        query = query.where(TargetRow.flock == flock)
    if roll_up is not None:
        query = query.where(DriftStandingRow.roll_up == roll_up)
    with context.database.read() as session:
        return [_standing(target, row, document) for target, row, document in session.execute(query)]


def shown(context: SchedulerContext, target: str) -> DriftDetail:
    """Where a target stands, and what its newest check found. Raises a 404."""
    with context.database.read() as session:
        found = find_target(session, target)
        row = session.get(DriftStandingRow, target)
        confirmed = session.get(DriftCheckRow, row.run_id) if row is not None and row.run_id is not None else None
        standing = _standing(found, row, confirmed.document if confirmed is not None else None)
        newest = session.get(DriftCheckRow, row.checked_run_id) if row is not None and row.checked_run_id else None
        if newest is None:
            return DriftDetail(standing=standing)
        return DriftDetail(
            standing=standing,
            check=DriftCheck.model_validate(newest.document),
            report=report_of(session, newest.run_id),
            calls=signed_calls(session, newest.run_id),
        )


def signed_calls(session: Session, run_id: str) -> SignedCalls:
    """What the proxy signed for a run: whatever it did not refuse. What is unknown was signed."""
    query = (
        select(JournalRow.access, JournalRow.outcome, func.count())
        .where(JournalRow.run_id == run_id)
        .group_by(JournalRow.access, JournalRow.outcome)
    )
    counts = dict.fromkeys(("reads", "writes", "refused"), 0)
    for access, outcome, count in session.execute(query):
        counts["refused" if outcome == "refused" else "reads" if access == "read" else "writes"] += count
    return SignedCalls(**counts)


def rules(context: SchedulerContext, *, flock: str | None = None) -> list[RuleUse]:
    """The ignore rules of the releases that targets have, and how often each was used."""
    today = context.clock.wall().date()
    found: list[RuleUse] = []
    with context.database.read() as session:
        query = select(TargetRow.flock).where(TargetRow.release_digest.is_not(None))
        if flock is not None:
            query = query.where(TargetRow.flock == flock)
        for name in session.scalars(query.distinct().order_by(TargetRow.flock)).all():
            used = {row.rule: row for row in session.scalars(select(DriftHitRow).where(DriftHitRow.flock == name))}
            for digest, rule in rules_of(session, name).items():
                hits = used.get(digest)
                found.append(
                    RuleUse(
                        flock=name,
                        rule=rule,
                        expired=today > rule.expires,
                        hits=hits.hits if hits is not None else 0,
                        last_hit_at=hits.last_hit_at if hits is not None else None,
                        last_run_id=hits.last_run_id if hits is not None else None,
                    )
                )
    return found


def refresh_counts(context: SchedulerContext) -> None:
    """Set the gauges about drift from the database."""
    now = context.clock.wall()
    with context.database.read() as session:
        query = select(DriftStandingRow.roll_up, func.count()).group_by(DriftStandingRow.roll_up)
        counts = {row[0] or "unknown": row[1] for row in session.execute(query)}
        oldest = session.scalar(select(func.min(DriftStandingRow.due_at)))
    for name in (*RollUp, "unknown"):
        context.metrics.drift_targets.labels(standing=str(name)).set(counts.get(str(name), 0))
    context.metrics.drift_age.set(max((now - oldest).total_seconds(), 0) if oldest is not None else 0)


def _standing(target: TargetRow, row: DriftStandingRow | None, confirmed: Mapping[str, object] | None) -> DriftStanding:
    if row is None:
        return DriftStanding(target=target.id, flock=target.flock)
    return DriftStanding(
        target=target.id,
        flock=target.flock,
        roll_up=RollUp(row.roll_up) if row.roll_up is not None else None,
        since=row.since,
        run_id=row.run_id,
        drifted=drifted_in(confirmed) if confirmed is not None else 0,
        pending=RollUp(row.pending_roll_up) if row.pending_roll_up is not None else None,
        changes=row.changes,
        checked_at=row.checked_at,
        last_run_id=row.last_run_id,
        last_status=RunStatus(row.last_status) if row.last_status is not None else None,
        last_reason=row.last_reason,
        failures=row.failures,
        due_at=row.due_at,
        remediation=row.remediation,
        rollout_id=row.rollout_id,
    )
