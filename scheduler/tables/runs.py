"""What is done on targets: runs, their turns, what they said and what was signed for them."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, Integer, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from scheduler.tables.base import Base, RowId, UtcDateTime

#: The statuses in which a run's provisioner may be at work. A settling run has reported: whatever still calls for it is
#: not its provisioner.
LIVE_STATUSES = ("claimed", "planning", "applying", "baking", "rolling_back")
#: The statuses in which a run occupies its target.
ACTIVE_STATUSES = (*LIVE_STATUSES, "settling")
#: The statuses of a run that is not over.
UNFINISHED_STATUSES = ("pending", *ACTIVE_STATUSES)

#: As its index has it, in the same words: a planner compares them.
UNEXAMINED = text("runs.status = 'applied' AND NOT runs.examined")
_UNEXAMINED = text("status = 'applied' AND NOT examined")
_ACTIVE = text("status IN ('claimed', 'planning', 'applying', 'baking', 'rolling_back', 'settling')")


class RunRow(Base):
    """One piece of work on one target."""

    __tablename__ = "runs"
    __table_args__ = (
        Index(
            "uq_runs_active_target",
            "target",
            unique=True,
            sqlite_where=_ACTIVE,
            postgresql_where=_ACTIVE,
        ),
        Index("uq_runs_target_epoch", "target", "epoch", unique=True),
        Index("uq_runs_retry_of", "retry_of", unique=True),
        Index("ix_runs_status", "status"),
        Index("ix_runs_unexamined", "sequence", sqlite_where=_UNEXAMINED, postgresql_where=_UNEXAMINED),
    )

    #: Orders runs by submission; ids are random and clocks step.
    sequence: Mapped[int] = mapped_column(RowId, primary_key=True)
    id: Mapped[str] = mapped_column(String(32), unique=True)
    target: Mapped[str] = mapped_column(ForeignKey("targets.id"))
    region: Mapped[str] = mapped_column(String(63))
    kind: Mapped[str] = mapped_column(String(16))
    status: Mapped[str] = mapped_column(String(16))
    actor: Mapped[str] = mapped_column(String(256))
    argv: Mapped[list[str]] = mapped_column(JSON)
    #: What it deploys; fixed when it is submitted, and the same for its follow-ups.
    release_digest: Mapped[str | None] = mapped_column(String(80))
    attempt: Mapped[int] = mapped_column(Integer, default=1)
    retry_of: Mapped[str | None] = mapped_column(ForeignKey("runs.id"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    #: A smaller number is claimed earlier; see `shared.models.Priority`.
    priority: Mapped[int] = mapped_column(Integer, default=1)
    #: The roll-out that started it.
    rollout_id: Mapped[str | None] = mapped_column(String(32), index=True)
    #: The run whose plan file this apply applies, and nothing else.
    plan_run_id: Mapped[str | None] = mapped_column(String(32))
    #: The run whose hint was answered with this one, so that the same question gets the same answer again.
    hint: Mapped[str | None] = mapped_column(String(32))

    epoch: Mapped[int | None] = mapped_column(BigInteger)
    node: Mapped[str | None] = mapped_column(String(255))
    #: A nonce per execution, never the broker's task id: a redelivered message carries the same task id.
    holder: Mapped[str | None] = mapped_column(String(255))
    claimed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    recovers: Mapped[str | None] = mapped_column(String(32))
    state_password_hash: Mapped[str | None] = mapped_column(String(64))
    #: Redis was seen to have granted this epoch, or the holder reported progress under it.
    acquired: Mapped[bool] = mapped_column(default=False)

    reported_status: Mapped[str | None] = mapped_column(String(16))
    exit_code: Mapped[int | None] = mapped_column(Integer)
    reason: Mapped[str] = mapped_column(Text, default="")
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    cancel_requested: Mapped[bool] = mapped_column(default=False)
    revoke_requested: Mapped[bool] = mapped_column(default=False)
    rollback_requested: Mapped[bool] = mapped_column(default=False)
    #: It ended well, and what it may have made all the same was looked at.
    examined: Mapped[bool] = mapped_column(default=False)

    published_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    publications: Mapped[int] = mapped_column(Integer, default=0)


class TurnRow(Base):
    """When a flock or a target was served last in a region, counted in claims; the row without a name is the count.

    Flock names hold no dot and target ids do, so they never meet. The count's row is also the lock under which a
    region's claims are made one after the other.
    """

    __tablename__ = "turns"

    region: Mapped[str] = mapped_column(String(63), primary_key=True)
    name: Mapped[str] = mapped_column(String(191), primary_key=True)
    served: Mapped[int] = mapped_column(BigInteger)


class RunLogRow(Base):
    """A piece of a run's log. Offsets count bytes (UTF-8) from the log's start, as its sender does."""

    __tablename__ = "run_logs"

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    offset: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    length: Mapped[int] = mapped_column(Integer)
    text: Mapped[str] = mapped_column(Text)


class RevocationRow(Base):
    """An operator's revoke: repeated by the observer until Redis shows that it took."""

    __tablename__ = "revocations"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    target: Mapped[str] = mapped_column(ForeignKey("targets.id"))
    #: Every lease of the target up to this epoch is revoked; a younger one is not touched.
    epoch: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[str] = mapped_column(Text)
    requested_at: Mapped[datetime] = mapped_column(UtcDateTime)
    took_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)


class JournalRow(Base):
    """One call that the proxy was about to sign, and what became of it. No outcome means unknown."""

    __tablename__ = "journal"
    __table_args__ = (Index("ix_journal_target_epoch", "target", "epoch"), Index("ix_journal_run_id", "run_id"))

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    call_id: Mapped[str] = mapped_column(String(64), unique=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"))
    target: Mapped[str] = mapped_column(ForeignKey("targets.id"))
    epoch: Mapped[int] = mapped_column(BigInteger)
    service: Mapped[str] = mapped_column(String(128))
    operation: Mapped[str] = mapped_column(String(256))
    access: Mapped[str] = mapped_column(String(8))
    #: The whole intent as it was sent.
    intent: Mapped[dict[str, Any]] = mapped_column(JSON)
    recorded_at: Mapped[datetime] = mapped_column(UtcDateTime)
    outcome: Mapped[str | None] = mapped_column(String(16))
    #: The whole outcome as it was sent.
    answer: Mapped[dict[str, Any] | None] = mapped_column(JSON)
