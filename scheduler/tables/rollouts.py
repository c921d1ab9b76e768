"""A release on its way through the phases, and the plans that people approve."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from scheduler.tables.base import Base, RowId, UtcDateTime

_UNFINISHED = text("status IN ('running', 'paused', 'halting', 'canceling')")


class RolloutRow(Base):
    """A roll-out: one document (`shared.rollouts.Rollout`), and beside it what is asked for in SQL."""

    __tablename__ = "rollouts"
    __table_args__ = (
        Index(
            "uq_rollouts_unfinished_flock",
            "flock",
            unique=True,
            sqlite_where=_UNFINISHED,
            postgresql_where=_UNFINISHED,
        ),
    )

    #: Orders roll-outs by their start.
    sequence: Mapped[int] = mapped_column(RowId, primary_key=True)
    id: Mapped[str] = mapped_column(String(32), unique=True)
    flock: Mapped[str] = mapped_column(String(63))
    release_digest: Mapped[str] = mapped_column(String(80))
    status: Mapped[str] = mapped_column(String(16))
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class PlanRow(Base):
    """A plan file, encrypted, and the state that it was made against. No serial: there was no state."""

    __tablename__ = "plans"

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    target: Mapped[str] = mapped_column(ForeignKey("targets.id"))
    epoch: Mapped[int] = mapped_column(BigInteger)
    digest: Mapped[str] = mapped_column(String(80))
    size: Mapped[int] = mapped_column(BigInteger)
    changes: Mapped[bool] = mapped_column()
    serial: Mapped[int | None] = mapped_column(BigInteger)
    lineage: Mapped[str | None] = mapped_column(String(255))
    #: None: the plan was applied or discarded, and its content was let go.
    ciphertext: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class SafetyPlanRow(Base):
    """What the plan of a run does (`shared.safety.entries`), and what was decided about it when it was delivered."""

    __tablename__ = "safety_plans"
    __table_args__ = (Index("ix_safety_plans_release_digest", "release_digest", "digest"),)

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    target: Mapped[str] = mapped_column(ForeignKey("targets.id"))
    release_digest: Mapped[str] = mapped_column(String(80))
    #: Of the entries without what is particular to the target's place: what an approval names.
    digest: Mapped[str] = mapped_column(String(80))
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    #: `shared.safety.verdict.Verdict`
    verdict: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class SafetyApprovalRow(Base):
    """One person's approval of a run's safety plan, for one release. Never changed: another release is not approved by
    it. Deleted when somebody discards a plan that does the same.
    """

    __tablename__ = "safety_approvals"
    __table_args__ = (
        Index("uq_safety_approvals_person", "release_digest", "digest", "approver", "run_id", unique=True),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    release_digest: Mapped[str] = mapped_column(String(80))
    digest: Mapped[str] = mapped_column(String(80))
    approver: Mapped[str] = mapped_column(String(256))
    #: The run whose plan was looked at.
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"))
    #: The normalised entries that the digest is of.
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    approved_at: Mapped[datetime] = mapped_column(UtcDateTime)
