"""Notifications as they travel: what the outbox holds, one record a destination. Frozen; no behaviour."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

from pydantic import AwareDatetime, Field, StringConstraints

from shared.record import Record

NotificationId = Annotated[str, StringConstraints(pattern=r"^evt_[0-9a-f]{32}$")]
DestinationName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
MAX_LISTED: Final = 1000


class NotificationKind(StrEnum):
    """What happened."""

    HALT = "halt"
    DRIFT = "drift"
    ROLLBACK = "rollback"
    LOST_LEASE = "lost_lease"
    ORPHANS = "orphans"
    APPROVAL_WANTED = "approval_wanted"
    TEST = "test"


class NotificationState(StrEnum):
    """Where a notification stands on its way to one destination."""

    UNROUTED = "unrouted"
    """No beat has looked at it yet; it has no destinations so far."""
    NOBODY = "nobody"
    """No route leads anywhere for it."""
    QUEUED = "queued"
    """It is being sent, or waits for its next attempt."""
    DELIVERED = "delivered"
    """Its destination took it."""
    DEAD = "dead"
    """It is not tried any more, unless somebody asks for it."""


class Notification(Record):
    """One notification on its way to one destination, or before it has any."""

    id: NotificationId = Field(description="the same for every destination and every attempt: for de-duplication")
    kind: NotificationKind = Field(description="what happened")
    flock: str = Field(description="whose")
    target: str | None = Field(default=None, description="to what")
    title: str = Field(description="the subject of its message")
    at: AwareDatetime = Field(description="when it happened")
    state: NotificationState = Field(description="where it stands")
    destination: str | None = Field(default=None, description="where to; None: unrouted, or nobody")
    attempts: int = Field(default=0, ge=0, description="how often it was tried")
    due_at: AwareDatetime | None = Field(default=None, description="queued: when it is tried next, at the earliest")
    note: str = Field(default="", description="what the destination said last")


class Requeued(Record):
    """What came of asking for another try."""

    count: int = Field(ge=0, description="dead deliveries that are queued again")
