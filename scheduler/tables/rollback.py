"""Deployments that are taken back, and what cut ones left behind."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, Integer, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from scheduler.tables.base import Base, RowId, UtcDateTime


class FirstStateRow(Base):
    """What a target was before a deployment (`shared.rollback.records.FirstState`). The state itself stays sealed where
    it is; every version of it is kept.
    """

    __tablename__ = "first_states"
    __table_args__ = (Index("ix_first_states_target", "target", "run_id"),)

    #: The deployment.
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    target: Mapped[str] = mapped_column(ForeignKey("targets.id"))
    #: Where a rollback leads. None: nothing existed.
    release_digest: Mapped[str | None] = mapped_column(String(80), index=True)
    state_version_id: Mapped[int | None] = mapped_column(ForeignKey("state_versions.id"))
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    #: What its plan does with addresses only (`shared.rollback.records.Rearrangement`), from its delivery on.
    rearranged: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    #: The unfinished try of a deployment before it whose first state this is as well.
    inherits: Mapped[str | None] = mapped_column(String(32))
    #: It is applied, by its holder's word, and watched from then on.
    watched: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class RollbackRow(Base):
    """A deployment that is taken back, or was. While `reserved` its target takes no run but the rollback's own."""

    __tablename__ = "rollbacks"
    __table_args__ = (
        Index(
            "uq_rollbacks_reserved_target",
            "target",
            unique=True,
            sqlite_where=text("reserved = 1"),
            postgresql_where=text("reserved"),
        ),
    )

    #: Orders rollbacks by their beginning.
    sequence: Mapped[int] = mapped_column(RowId, primary_key=True)
    id: Mapped[str] = mapped_column(String(32), unique=True)
    #: The deployment: of each there is one rollback, however often it is tried.
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"), unique=True)
    target: Mapped[str] = mapped_column(ForeignKey("targets.id"))
    flock: Mapped[str] = mapped_column(String(63))
    rollout_id: Mapped[str | None] = mapped_column(String(32), index=True)
    #: `shared.rollback.standing.RollbackStatus`
    status: Mapped[str] = mapped_column(String(16))
    reserved: Mapped[bool] = mapped_column()
    #: The run that carries it out, or did last: the deployment itself, or a ROLLBACK run.
    current_run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"), index=True)
    trigger: Mapped[str] = mapped_column(String(32))
    reason: Mapped[str] = mapped_column(Text, default="")
    actor: Mapped[str] = mapped_column(String(256), default="")
    #: ROLLBACK runs since a person asked for it last.
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    #: What was planned last and what of it may be done, and by which run.
    plan: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    verdict: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    planned_by: Mapped[str | None] = mapped_column(String(32))
    #: What came of it last, and by which run.
    result: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    comparison: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    result_of: Mapped[str | None] = mapped_column(String(32))
    #: Its status as its roll-out has it.
    told: Mapped[str | None] = mapped_column(String(16))
    triggered_at: Mapped[datetime] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ConsentRow(Base):
    """A person consents, by name, to an operation that cannot be undone. Counts for one target of one release."""

    __tablename__ = "rollback_consents"
    __table_args__ = (
        Index("ix_rollback_consents_release_digest", "release_digest", "target"),
        Index("ix_rollback_consents_rollback_id", "rollback_id"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    release_digest: Mapped[str] = mapped_column(String(80))
    target: Mapped[str] = mapped_column(ForeignKey("targets.id"))
    address: Mapped[str] = mapped_column(String(2048))
    approver: Mapped[str] = mapped_column(String(256))
    #: The run whose plan, or whose rollback, was looked at.
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"))
    #: What it was given for: that a rollback ends the object; else what the run's plan does at the address.
    for_the_end: Mapped[bool] = mapped_column()
    #: The only rollback that it counts for. None: it counts for plans.
    rollback_id: Mapped[str | None] = mapped_column(String(32))
    given_at: Mapped[datetime] = mapped_column(UtcDateTime)


class PlannedResourcesRow(Base):
    """What the plan of a run would make, and by which names (`shared.recovery.orphans.PlannedResources`)."""

    __tablename__ = "planned_resources"

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class OrphanReportRow(Base):
    """What a run left that no state holds (`shared.recovery.orphans.OrphanReport`); one a run that was looked at."""

    __tablename__ = "orphan_reports"
    __table_args__ = (Index("ix_orphan_reports_open", "open", "checked_at"),)

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    target: Mapped[str] = mapped_column(ForeignKey("targets.id"), index=True)
    open: Mapped[bool] = mapped_column()
    #: What was compared: while it stays the same, so does the report.
    basis: Mapped[str] = mapped_column(String(255))
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    looked_at: Mapped[datetime] = mapped_column(UtcDateTime)
    #: When its basis was compared last, whether that had changed or not: the open ones take turns by it.
    checked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    #: What its flock's rule says was done, or it says nothing.
    rule_applied: Mapped[bool] = mapped_column(default=False)
