"""Routes: the outbox of notifications."""

import secrets
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from scheduler import notifications
from scheduler.api.access import Context, allow
from scheduler.api.request_body import Line, RequestBody
from scheduler.notifications import outbox
from scheduler.problems import not_found
from shared.notifications import (
    MAX_LISTED,
    DestinationName,
    Notification,
    NotificationId,
    NotificationKind,
    NotificationState,
    Requeued,
)

router = APIRouter(prefix="/v1/notifications", tags=["notifications"], dependencies=[allow()])


class TrialRequest(RequestBody):
    """Where a test goes."""

    destination: DestinationName = Field(description="a destination of beat's file")
    actor: Line = Field(default="", max_length=256, description="who asks")


class RetryRequest(RequestBody):
    """Which dead deliveries are tried again; without a choice all of them."""

    notification: NotificationId | None = Field(default=None, description="only those of this notification")
    destination: DestinationName | None = Field(default=None, description="only those to this destination")


@router.get("")
def list_notifications(
    context: Context,
    state: NotificationState | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LISTED)] = 100,
) -> list[Notification]:
    """Notifications, one record for each destination, the newest first."""
    with context.database.read() as session:
        return outbox.listed(session, state=state, limit=limit)


@router.get("/{notification_id}")
def get_notification(context: Context, notification_id: str) -> list[Notification]:
    """One notification on its way to each of its destinations."""
    with context.database.read() as session:
        found = outbox.listed(session, notification=notification_id, limit=MAX_LISTED)
    if not found:
        raise not_found("notification", notification_id, "`interlock notify list` shows all that are kept")
    return found


@router.post("/test", status_code=202)
def send_test(context: Context, request: TrialRequest) -> list[Notification]:
    """Send a test to one destination, by way of outbox and beat as everything else. The answer names its id."""
    event = notifications.Event(
        kind=NotificationKind.TEST,
        key=secrets.token_hex(16),
        at=context.clock.wall(),
        flock="interlock",
        reason=f"asked for by {request.actor}" if request.actor else "",
    )
    with context.database.write() as session:
        notifications.record(session, event, destination=request.destination)
    return get_notification(context, event.id)


@router.post("/retry")
def retry(context: Context, request: RetryRequest) -> Requeued:
    """Try dead deliveries again, with all their attempts."""
    with context.database.write() as session:
        count = outbox.retry(
            session,
            notification=request.notification,
            destination=request.destination,
            now=context.clock.wall(),
        )
    return Requeued(count=count)
