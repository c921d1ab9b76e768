"""What checks for drift found, and where targets stand."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, Integer, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from scheduler.tables.base import Base, UtcDateTime


class DriftCheckRow(Base):
    """What a drift run found (`shared.drift.report`), its flock's ignore rules applied. The newest few are kept."""

    __tablename__ = "drift_checks"
    __table_args__ = (Index("ix_drift_checks_target", "target", "epoch"),)

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    target: Mapped[str] = mapped_column(ForeignKey("targets.id"))
    epoch: Mapped[int] = mapped_column(BigInteger)
    release_digest: Mapped[str] = mapped_column(String(80))
    #: sha256 of the report as it came: the same one again is harmless.
    digest: Mapped[str] = mapped_column(String(80))
    roll_up: Mapped[str] = mapped_column(String(16))
    #: See `scheduler.drift.transitions.shape_of`.
    shape: Mapped[str] = mapped_column(String(80))
    #: `shared.drift.records.DriftCheck`
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    #: What drifted, a line each, for people; the first few.
    items: Mapped[list[str]] = mapped_column(JSON)
    #: How many changes each ignore rule took off, by the rule's digest.
    hits: Mapped[dict[str, int]] = mapped_column(JSON)
    #: The report, compressed (zlib).
    report: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class DriftStandingRow(Base):
    """Where a target stands (`scheduler.drift.transitions`), what people heard of it, and when it is checked next."""

    __tablename__ = "drift_standings"

    target: Mapped[str] = mapped_column(ForeignKey("targets.id"), primary_key=True)
    #: Whether something is deployed there: what was never applied, or was destroyed, is not checked by itself.
    deployed: Mapped[bool] = mapped_column()
    #: None: it is checked when somebody asks for it.
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)

    roll_up: Mapped[str | None] = mapped_column(String(16))
    shape: Mapped[str] = mapped_column(String(80), default="")
    since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    #: The check that confirmed it.
    run_id: Mapped[str | None] = mapped_column(String(32))
    pending_roll_up: Mapped[str | None] = mapped_column(String(16))
    pending_shape: Mapped[str] = mapped_column(String(80), default="")
    repeats: Mapped[int] = mapped_column(Integer, default=0)
    changes: Mapped[int] = mapped_column(Integer, default=0)

    #: What people heard last; a target of which they heard nothing is in sync.
    told_roll_up: Mapped[str] = mapped_column(String(16), default="in_sync")
    told_shape: Mapped[str] = mapped_column(String(80), default="")
    told_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    #: Names what that message was about (`scheduler.drift.telling`).
    told_group: Mapped[str | None] = mapped_column(String(80), index=True)

    #: The newest check that said what it found.
    checked_run_id: Mapped[str | None] = mapped_column(String(32))
    checked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    #: The newest check that is over.
    last_run_id: Mapped[str | None] = mapped_column(String(32))
    last_status: Mapped[str | None] = mapped_column(String(16))
    last_reason: Mapped[str] = mapped_column(Text, default="")
    failures: Mapped[int] = mapped_column(Integer, default=0)
    #: The check that was asked to stop because something else wants the target.
    given_way: Mapped[str | None] = mapped_column(String(32))

    #: The mode of the remedy that is wanted; None: none is.
    remedy: Mapped[str | None] = mapped_column(String(16), index=True)
    remediation: Mapped[str] = mapped_column(Text, default="")
    rollout_id: Mapped[str | None] = mapped_column(String(32))


class DriftHitRow(Base):
    """How often an ignore rule of a flock was used. One that is gone is forgotten after a while."""

    __tablename__ = "drift_hits"

    flock: Mapped[str] = mapped_column(String(63), primary_key=True)
    #: sha256 of the rule: a rule that is changed is another one.
    rule: Mapped[str] = mapped_column(String(80), primary_key=True)
    hits: Mapped[int] = mapped_column(BigInteger)
    last_hit_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_run_id: Mapped[str] = mapped_column(String(32))
