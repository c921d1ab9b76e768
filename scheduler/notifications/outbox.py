"""The outbox: rows between what happened and what people are told.

    record      in the caller's transaction: the event is told if and only if the transaction commits
    route       one row a destination; of several schedulers one does it (locked rows are skipped)
    claim       what is due, for one attempt: the row's `due_at` becomes the end of the claim, so that a row whose
                scheduler is killed is simply due again
    settle      how the attempt went; a late failure of a claim that ran out changes nothing

On PostgreSQL claims skip what another one has locked; on SQLite a write transaction is alone anyway. The wall clock
decides about repetition only, which is harmless: whoever receives it knows the id already.
"""

import logging
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Select, and_, delete, exists, func, or_, select, update
from sqlalchemy.orm import Session

from scheduler.database import Database, insert_into
from scheduler.notifications.events import Event
from scheduler.notifications.retries import MAX_AGE_S, MAX_RETRY_AFTER_S, Attempt, Verdict, judge
from scheduler.notifications.templates import message_of
from scheduler.tables import DeliveryRow, NotificationRow
from shared.log import log_event
from shared.notifications import Notification, NotificationKind, NotificationState

log = logging.getLogger(__name__)

#: A claim outlives the longest attempt by far.
CLAIM_S: Final = 60
#: Events routed in one transaction.
MAX_ROUTED: Final = 100
#: What was told, or given up, is kept for so long.
KEPT_S: Final = 30 * 86_400
#: What was recorded while no beat had any destinations is forgotten after so long.
UNROUTED_KEPT_S: Final = 86_400
#: A row that is due later than any pause can be was put there by a clock that was wrong.
_MAX_AHEAD: Final = timedelta(seconds=2 * MAX_RETRY_AFTER_S)
MAX_NOTE: Final = 500


@dataclass(frozen=True, kw_only=True)
class Claimed:
    """One attempt to make."""

    delivery: int
    """The row."""
    claim: str
    """The nonce of this attempt."""
    destination: str
    """Where to."""
    attempts: int
    """Which attempt it is, from 1."""
    event: Event
    """What to tell."""


def record(session: Session, event: Event, *, destination: str | None = None) -> str:
    """Tell people about the event once the transaction commits. Returns its id.

    Recording the same event again changes nothing, whatever it says. With a `destination` it goes there and nowhere
    else.
    """
    session.execute(
        insert_into(session, NotificationRow)
        .values(
            id=event.id,
            kind=event.kind.value,
            flock=event.flock,
            document=event.model_dump(mode="json"),
            destination=destination,
            created_at=event.at,
        )
        .on_conflict_do_nothing(index_elements=["id"])
    )
    return event.id


def route(database: Database, names_for: Callable[[Event, str | None], Iterable[str]], *, now: datetime) -> int:
    """Make the deliveries of events that have none yet. Returns how many events were routed; raises `Unavailable`.

    `names_for` says where an event goes; its second argument is the only destination, where the event has one.

    Events of a kind that only a later version knows stay as they are: a beat of that version routes them.
    """
    unrouted = (
        select(NotificationRow)
        .where(NotificationRow.routed_at.is_(None), NotificationRow.kind.in_(list(NotificationKind)))
        .order_by(NotificationRow.sequence)
    )
    with database.read() as session:
        if session.scalar(select(unrouted.limit(1).exists())) is not True:
            return 0
    with database.write() as session:
        rows = list(session.scalars(unrouted.limit(MAX_ROUTED).with_for_update(skip_locked=True)))
        for row in rows:
            row.routed_at = now
            try:
                event = Event.stored(row.document)
            except ValueError as error:
                # Damaged: nobody will ever understand it, and it must not hold up the others.
                log_event(log, "notification_not_understood", level=logging.ERROR, notification=row.id, error=error)
                continue
            for name in names_for(event, row.destination):
                session.add(
                    DeliveryRow(
                        notification_id=row.id,
                        destination=name,
                        state=NotificationState.QUEUED,
                        attempts=0,
                        due_at=now,
                        note="",
                        queued_at=now,
                    )
                )
    return len(rows)


def due(database: Database, *, now: datetime) -> dict[str, int]:
    """How many deliveries are due, by destination. Raises `Unavailable`."""
    query = select(DeliveryRow.destination, func.count()).where(_is_due(now)).group_by(DeliveryRow.destination)
    with database.read() as session:
        return {row[0]: row[1] for row in session.execute(query)}


def claim(database: Database, destination: str, *, limit: int, now: datetime) -> list[Claimed]:
    """Take up to `limit` due deliveries of a destination, those first that wait longest. Raises `Unavailable`."""
    query = (
        select(DeliveryRow, NotificationRow.document)
        .join(NotificationRow, NotificationRow.id == DeliveryRow.notification_id)
        .where(_is_due(now), DeliveryRow.destination == destination)
        .order_by(DeliveryRow.due_at, DeliveryRow.id)
        .limit(limit)
        .with_for_update(skip_locked=True, of=DeliveryRow)
    )
    claimed = []
    with database.write() as session:
        for row, document in session.execute(query):
            row.due_at = now + timedelta(seconds=CLAIM_S)
            try:
                event = Event.stored(document)
            except ValueError as error:
                # A beat of a later version, which routed it, will send it.
                log_event(log, "notification_not_understood", level=logging.ERROR, delivery=row.id, error=error)
                continue
            row.attempts += 1
            row.claim = secrets.token_hex(16)
            claimed.append(
                Claimed(
                    delivery=row.id,
                    claim=row.claim,
                    destination=row.destination,
                    attempts=row.attempts,
                    event=event,
                )
            )
    return claimed


def settle(database: Database, claimed: Claimed, attempt: Attempt, *, now: datetime, jitter: float) -> Verdict:
    """Write down how an attempt went. Raises `Unavailable`; then the claim runs out and the attempt is repeated.

    What was delivered is delivered, also when the claim had run out meanwhile.
    """
    verdict = judge(attempt, kind=claimed.event.kind, attempts=claimed.attempts, jitter=jitter)
    mine = [DeliveryRow.id == claimed.delivery, DeliveryRow.state == NotificationState.QUEUED]
    if verdict.state is not NotificationState.DELIVERED:
        mine.append(DeliveryRow.claim == claimed.claim)
    with database.write() as session:
        session.execute(
            update(DeliveryRow)
            .where(*mine)
            .values(
                state=verdict.state,
                due_at=now + timedelta(seconds=verdict.pause_s),
                claim=None,
                note=attempt.note[:MAX_NOTE],
            )
        )
    return verdict


def clean(database: Database, *, now: datetime, routing: bool) -> int:
    """Give up what is too old, forget what is long over. Returns how many deliveries became dead; raises `Unavailable`.

    Without `routing`, on a beat that has no destinations, events that nobody routed are forgotten after a day; with it
    only those of a kind that no beat has understood for as long as anything is kept.
    """
    kept = now - timedelta(seconds=KEPT_S)
    with database.write() as session:
        died = session.execute(
            update(DeliveryRow)
            .where(
                DeliveryRow.state == NotificationState.QUEUED,
                DeliveryRow.queued_at < now - timedelta(seconds=MAX_AGE_S),
                # Not while an attempt is at work.
                DeliveryRow.due_at <= now,
            )
            .values(
                state=NotificationState.DEAD,
                claim=None,
                note=func.substr("too old; " + DeliveryRow.note, 1, MAX_NOTE),
            )
        )
        over = and_(DeliveryRow.state != NotificationState.QUEUED, DeliveryRow.queued_at < kept)
        session.execute(delete(DeliveryRow).where(over))
        has_deliveries = exists().where(DeliveryRow.notification_id == NotificationRow.id)
        session.execute(delete(NotificationRow).where(NotificationRow.routed_at < kept, ~has_deliveries))
        # What is merely late, after an outage however long, is still told by a beat that routes.
        nobody_will = (
            and_(NotificationRow.kind.not_in(list(NotificationKind)), NotificationRow.created_at < kept)
            if routing
            else NotificationRow.created_at < now - timedelta(seconds=UNROUTED_KEPT_S)
        )
        session.execute(delete(NotificationRow).where(NotificationRow.routed_at.is_(None), nobody_will))
    return int(getattr(died, "rowcount", 0))


def counts(database: Database) -> dict[NotificationState, int]:
    """How many deliveries there are by state, and how many events were not routed. Raises `Unavailable`."""
    found = dict.fromkeys((NotificationState.UNROUTED, NotificationState.QUEUED, NotificationState.DEAD), 0)
    with database.read() as session:
        query = select(DeliveryRow.state, func.count()).where(DeliveryRow.state.in_(found)).group_by(DeliveryRow.state)
        found |= {NotificationState(row[0]): row[1] for row in session.execute(query)}
        unrouted = select(func.count()).where(NotificationRow.routed_at.is_(None))
        found[NotificationState.UNROUTED] = session.scalar(unrouted) or 0
    return found


def listed(
    session: Session, *, notification: str | None = None, state: NotificationState | None = None, limit: int
) -> list[Notification]:
    """Notifications with their deliveries, the newest first."""
    query = _joined().order_by(NotificationRow.sequence.desc(), DeliveryRow.destination).limit(limit)
    if notification is not None:
        query = query.where(NotificationRow.id == notification)
    if state is not None:
        query = query.where(_in_state(state))
    return [found for row, delivery in session.execute(query) if (found := _record(row, delivery)) is not None]


def retry(session: Session, *, notification: str | None, destination: str | None, now: datetime) -> int:
    """Queue dead deliveries again: of one notification, to one destination, or all. Returns how many."""
    query = update(DeliveryRow).where(DeliveryRow.state == NotificationState.DEAD)
    if notification is not None:
        query = query.where(DeliveryRow.notification_id == notification)
    if destination is not None:
        query = query.where(DeliveryRow.destination == destination)
    again = session.execute(
        query.values(state=NotificationState.QUEUED, attempts=0, due_at=now, queued_at=now, claim=None)
    )
    return int(getattr(again, "rowcount", 0))


def _is_due(now: datetime) -> ColumnElement[bool]:
    return and_(
        DeliveryRow.state == NotificationState.QUEUED,
        or_(DeliveryRow.due_at <= now, DeliveryRow.due_at > now + _MAX_AHEAD),
    )


def _joined() -> Select[NotificationRow, DeliveryRow | None]:
    both = select(NotificationRow, DeliveryRow)
    return both.outerjoin(DeliveryRow, DeliveryRow.notification_id == NotificationRow.id)


def _in_state(state: NotificationState) -> ColumnElement[bool]:
    match state:
        case NotificationState.UNROUTED:
            return NotificationRow.routed_at.is_(None)
        case NotificationState.NOBODY:
            return and_(NotificationRow.routed_at.is_not(None), DeliveryRow.id.is_(None))
        case _:
            return DeliveryRow.state == state


def _record(row: NotificationRow, delivery: DeliveryRow | None) -> Notification | None:
    """The record of a row; None for one that a later version than ours has written."""
    try:
        event = Event.stored(row.document)
    except ValueError:
        return None
    if delivery is None:
        state = NotificationState.NOBODY if row.routed_at else NotificationState.UNROUTED
    else:
        state = NotificationState(delivery.state)
    return Notification(
        id=row.id,
        kind=NotificationKind(row.kind),
        flock=row.flock,
        target=event.target,
        title=message_of(event).title,
        at=event.at,
        state=state,
        destination=delivery.destination if delivery else row.destination,
        attempts=delivery.attempts if delivery else 0,
        due_at=delivery.due_at if delivery and state is NotificationState.QUEUED else None,
        note=delivery.note if delivery else "",
    )
