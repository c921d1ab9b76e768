"""The approvals of safety plans, as they are stored: who approved what, and of which run.

The rules of a release take any approval of it. The gate of a phase, and a target that was tried again, take only those
of the target's own runs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from scheduler import persons
from scheduler.tables import RunRow, SafetyApprovalRow, SafetyPlanRow
from shared.safety.entries import SafetyPlan
from shared.safety.verdict import Approval


@dataclass(frozen=True, kw_only=True)
class Given:
    """One person's approval of the safety plan of one run."""

    digest: str
    """Of the plan, normalised."""
    plan: SafetyPlan
    """Normalised."""
    approver: str
    """Who gave it."""
    target: str
    """The run's."""
    rollout_id: str | None
    """The run's."""
    sequence: int
    """The run's."""


def given_of(session: Session, release_digest: str) -> list[Given]:
    """What was approved of a release, the first first."""
    query = (
        select(SafetyApprovalRow, RunRow.target, RunRow.rollout_id, RunRow.sequence)
        .join(RunRow, RunRow.id == SafetyApprovalRow.run_id)
        .where(SafetyApprovalRow.release_digest == release_digest)
        .order_by(SafetyApprovalRow.id)
    )
    plans: dict[str, SafetyPlan] = {}
    given = []
    for row, target, rollout_id, sequence in session.execute(query):
        if row.digest not in plans:
            plans[row.digest] = SafetyPlan.model_validate(row.document)
        given.append(
            Given(
                digest=row.digest,
                plan=plans[row.digest],
                approver=row.approver,
                target=target,
                rollout_id=rollout_id,
                sequence=sequence,
            )
        )
    return given


def approvals(given: Iterable[Given]) -> list[Approval]:
    """Each plan with those who approved it."""
    plans: dict[str, SafetyPlan] = {}
    approvers: dict[str, dict[str, str]] = {}
    for one in given:
        plans[one.digest] = one.plan
        approvers.setdefault(one.digest, {}).setdefault(persons.key(one.approver), one.approver)
    return [Approval(plan=plan, approvers=tuple(approvers[digest].values())) for digest, plan in plans.items()]


def withdraw(session: Session, run_id: str) -> None:
    """Somebody discards the plan of a run: what does the same is approved no more. In the caller's transaction."""
    row = session.get(SafetyPlanRow, run_id)
    if row is not None:
        session.execute(
            delete(SafetyApprovalRow).where(
                SafetyApprovalRow.release_digest == row.release_digest, SafetyApprovalRow.digest == row.digest
            )
        )
