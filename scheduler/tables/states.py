"""Terraform's states, encrypted."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from scheduler.tables.base import Base, RowId, UtcDateTime


class StateVersionRow(Base):
    """A version of a target's Terraform state, encrypted. The newest row is the current state; versions are kept."""

    __tablename__ = "state_versions"
    __table_args__ = (Index("ix_state_versions_target", "target", "id"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    target: Mapped[str] = mapped_column(ForeignKey("targets.id"))
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"))
    epoch: Mapped[int] = mapped_column(BigInteger)
    serial: Mapped[int] = mapped_column(BigInteger)
    lineage: Mapped[str] = mapped_column(String(255))
    digest: Mapped[str] = mapped_column(String(64))
    size: Mapped[int] = mapped_column(BigInteger)
    #: From here on there is no state, but the versions before it stay.
    deleted: Mapped[bool] = mapped_column(default=False)
    ciphertext: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class StateLockRow(Base):
    """Terraform's lock within one run. It counts only while its epoch holds the lease; an older one is void."""

    __tablename__ = "state_locks"

    target: Mapped[str] = mapped_column(ForeignKey("targets.id"), primary_key=True)
    epoch: Mapped[int] = mapped_column(BigInteger)
    lock_id: Mapped[str] = mapped_column(String(255))
    info: Mapped[dict[str, Any]] = mapped_column(JSON)


class QuarantineRow(Base):
    """A state that came too late to be written: kept beside the target until a live epoch accepts it."""

    __tablename__ = "quarantined_states"
    __table_args__ = (Index("uq_quarantined_states_slot", "target", "epoch", "serial", "digest", unique=True),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    target: Mapped[str] = mapped_column(ForeignKey("targets.id"))
    epoch: Mapped[int] = mapped_column(BigInteger)
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"))
    serial: Mapped[int] = mapped_column(BigInteger)
    lineage: Mapped[str] = mapped_column(String(255))
    digest: Mapped[str] = mapped_column(String(64))
    size: Mapped[int] = mapped_column(BigInteger)
    ciphertext: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    accepted_by: Mapped[str | None] = mapped_column(String(32))
