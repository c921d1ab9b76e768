"""What people are told."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from scheduler.tables.base import Base, RowId, UtcDateTime


class NotificationRow(Base):
    """Something that people are told: recorded in the transaction that makes it true, sent later."""

    __tablename__ = "notifications"
    __table_args__ = (Index("ix_notifications_routed_at", "routed_at", "sequence"),)

    #: Orders notifications by their recording.
    sequence: Mapped[int] = mapped_column(RowId, primary_key=True)
    id: Mapped[str] = mapped_column(String(40), unique=True)
    kind: Mapped[str] = mapped_column(String(32))
    flock: Mapped[str] = mapped_column(String(256))
    #: The whole event (`scheduler.notifications.events.Event`).
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    #: For a test: the only destination. None: the routes decide.
    destination: Mapped[str | None] = mapped_column(String(63))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    #: When its deliveries were made; None: no beat has looked at it yet.
    routed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class DeliveryRow(Base):
    """A notification on its way to one destination."""

    __tablename__ = "notification_deliveries"
    __table_args__ = (
        Index("uq_notification_deliveries_slot", "notification_id", "destination", unique=True),
        Index("ix_notification_deliveries_due", "state", "due_at"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    notification_id: Mapped[str] = mapped_column(ForeignKey("notifications.id"))
    destination: Mapped[str] = mapped_column(String(63))
    state: Mapped[str] = mapped_column(String(16))
    #: Counted when an attempt begins: one whose scheduler was killed counts too.
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    #: When it may be claimed; while it is being sent: when its claim has run out.
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    #: The nonce of the attempt that is at work.
    claim: Mapped[str | None] = mapped_column(String(32))
    #: What the destination said last.
    note: Mapped[str] = mapped_column(Text, default="")
    #: Its age counts from here: when it was routed, or sent anew by a person.
    queued_at: Mapped[datetime] = mapped_column(UtcDateTime)
