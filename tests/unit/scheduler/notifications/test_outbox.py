"""The outbox."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from scheduler.database import Database
from scheduler.notifications import outbox
from scheduler.notifications.events import Event, Kind
from scheduler.notifications.retries import MAX_AGE_S, PAUSES_S, Attempt
from scheduler.tables import DeliveryRow, NotificationRow
from shared.notifications import Notification, NotificationState
from tests.unit.scheduler.notifications.support import NOW, event

OK = Attempt(delivered=True)
FAILED = Attempt(delivered=False, note="HTTP 500")


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def put(database: Database, made: Event, *, to: tuple[str, ...] = ("ops",)) -> None:
    """Record and route."""
    with database.write() as session:
        outbox.record(session, made)
    outbox.route(database, lambda _event, _only: to, now=NOW)


def listed(database: Database, **choice: object) -> list[Notification]:
    with database.read() as session:
        return outbox.listed(session, limit=100, **choice)  # type: ignore[arg-type]  # passed through


def test_it_is_recorded_with_its_transaction_or_not_at_all(database: Database) -> None:
    def fails() -> None:
        with database.write() as session:
            outbox.record(session, event())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert listed(database) == []
    with database.write() as session:
        assert outbox.record(session, event()) == event().id
    (found,) = listed(database)
    assert (found.id, found.state, found.title) == (event().id, "unrouted", "Lease lost: shop.eu-west-1")


def test_recording_twice_is_recording_once(database: Database) -> None:
    with database.write() as session:
        outbox.record(session, event())
        outbox.record(session, event(reason="in other words"))
    put(database, event())
    assert [one.state for one in listed(database)] == ["queued"]


def test_it_is_routed_once_to_each_destination(database: Database) -> None:
    put(database, event(), to=("chat", "ops"))
    assert outbox.route(database, lambda _event, _only: ("other",), now=NOW) == 0
    assert [one.destination for one in listed(database)] == ["chat", "ops"]
    assert outbox.due(database, now=NOW) == {"chat": 1, "ops": 1}


def test_what_leads_nowhere_is_listed_as_such(database: Database) -> None:
    put(database, event(), to=())
    assert [one.state for one in listed(database)] == ["nobody"]
    assert outbox.due(database, now=NOW) == {}


def test_a_test_goes_where_it_was_sent(database: Database) -> None:
    seen = []
    with database.write() as session:
        outbox.record(session, event(Kind.TEST), destination="ops")
    outbox.route(database, lambda _event, only: seen.append(only) or (), now=NOW)  # type: ignore[func-returns-value]
    assert seen == ["ops"]


def test_an_event_of_a_kind_that_a_later_version_knows_waits_for_it_and_holds_up_nobody(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "MAX_ROUTED", 1)
    with database.write() as session:
        outbox.record(session, event())
        session.execute(update(NotificationRow).values(kind="novelty"))
    put(database, event(key="run-2"))
    assert [one.event.key for one in outbox.claim(database, "ops", limit=9, now=NOW)] == ["run-2"]
    assert outbox.counts(database)[NotificationState.UNROUTED] == 1
    with database.write() as session:
        # As if the later version looked at it.
        session.execute(update(NotificationRow).where(NotificationRow.kind == "novelty").values(kind=event().kind))
    assert outbox.route(database, lambda _event, _only: ("ops",), now=NOW) == 1
    assert [one.event.id for one in outbox.claim(database, "ops", limit=9, now=NOW)] == [event().id]


def test_an_event_that_is_damaged_holds_up_nobody(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(outbox, "MAX_ROUTED", 1)
    with database.write() as session:
        outbox.record(session, event())
        session.execute(update(NotificationRow).values(document={"kind": "damaged"}))
    put(database, event(key="run-2"))
    put(database, event(key="run-3"))
    assert outbox.due(database, now=NOW) == {"ops": 1}
    assert [one.levelname for one in caplog.records if one.message.startswith("notification_not_understood")] == [
        "ERROR"
    ]


def test_a_delivery_of_a_later_version_is_left_to_it(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    put(database, event(key="run-1"))
    put(database, event(key="run-2"))
    with database.write() as session:
        novelty = update(NotificationRow).where(NotificationRow.id == event(key="run-1").id)
        session.execute(novelty.values(document={"kind": "novelty"}))
    assert [one.event.key for one in outbox.claim(database, "ops", limit=9, now=NOW)] == ["run-2"]
    with database.read() as session:
        assert sorted(session.scalars(select(DeliveryRow.attempts))) == [0, 1]
    assert "notification_not_understood" in caplog.text


def test_a_claimed_delivery_is_nobody_elses_until_its_claim_runs_out(database: Database) -> None:
    put(database, event())
    (first,) = outbox.claim(database, "ops", limit=10, now=NOW)
    assert (first.attempts, first.event, first.destination) == (1, event(), "ops")
    assert outbox.claim(database, "ops", limit=10, now=later(outbox.CLAIM_S - 1)) == []
    (second,) = outbox.claim(database, "ops", limit=10, now=later(outbox.CLAIM_S))
    assert (second.attempts, second.event.id) == (2, first.event.id)


def test_no_more_is_claimed_than_there_is_room_for_and_the_oldest_first(database: Database) -> None:
    for number in range(5):
        put(database, event(key=f"run-{number}"))
    keys = [one.event.key for one in outbox.claim(database, "ops", limit=2, now=NOW)]
    assert keys == ["run-0", "run-1"]
    assert outbox.claim(database, "other", limit=2, now=NOW) == []


def test_what_was_taken_is_delivered_for_good(database: Database) -> None:
    put(database, event())
    (claimed,) = outbox.claim(database, "ops", limit=1, now=NOW)
    outbox.settle(database, claimed, OK, now=NOW, jitter=0)
    assert outbox.due(database, now=later(10**6)) == {}
    assert [one.state for one in listed(database)] == ["delivered"]


def test_what_failed_is_tried_again_after_its_pause_and_finally_dead(database: Database) -> None:
    put(database, event())
    now = NOW
    for number, pause_s in enumerate(PAUSES_S, start=1):
        (claimed,) = outbox.claim(database, "ops", limit=1, now=now)
        outbox.settle(database, claimed, FAILED, now=now, jitter=0)
        (found,) = listed(database)
        assert (found.state, found.attempts, found.note) == ("queued", number, "HTTP 500")
        assert found.due_at == now + timedelta(seconds=pause_s)
        assert outbox.due(database, now=now + timedelta(seconds=pause_s - 1)) == {}
        now += timedelta(seconds=pause_s)
    (claimed,) = outbox.claim(database, "ops", limit=1, now=now)
    outbox.settle(database, claimed, FAILED, now=now, jitter=0)
    assert [(one.state, one.due_at) for one in listed(database, state=NotificationState.DEAD)] == [("dead", None)]


def test_the_late_failure_of_a_claim_that_ran_out_changes_nothing(database: Database) -> None:
    put(database, event())
    (slow,) = outbox.claim(database, "ops", limit=1, now=NOW)
    (quick,) = outbox.claim(database, "ops", limit=1, now=later(outbox.CLAIM_S))
    outbox.settle(database, slow, Attempt(delivered=False, gone=True), now=later(61), jitter=0)
    assert [one.state for one in listed(database)] == ["queued"]
    outbox.settle(database, quick, OK, now=later(62), jitter=0)
    outbox.settle(database, slow, FAILED, now=later(63), jitter=0)
    assert [one.state for one in listed(database)] == ["delivered"]


def test_the_late_success_of_a_claim_that_ran_out_counts(database: Database) -> None:
    put(database, event())
    (slow,) = outbox.claim(database, "ops", limit=1, now=NOW)
    outbox.claim(database, "ops", limit=1, now=later(outbox.CLAIM_S))
    outbox.settle(database, slow, OK, now=later(61), jitter=0)
    assert [one.state for one in listed(database)] == ["delivered"]


def test_a_clock_that_was_set_back_keeps_nothing_waiting(database: Database) -> None:
    put(database, event())
    assert outbox.due(database, now=NOW - timedelta(days=30)) == {"ops": 1}
    assert outbox.due(database, now=NOW - timedelta(hours=1)) == {}


def test_the_dead_are_tried_again_when_somebody_asks(database: Database) -> None:
    for key in ("run-1", "run-2"):
        put(database, event(key=key), to=("chat", "ops"))
    for name in ("chat", "ops"):
        for claimed in outbox.claim(database, name, limit=9, now=NOW):
            outbox.settle(database, claimed, Attempt(delivered=False, gone=True), now=NOW, jitter=0)
    with database.write() as session:
        one = event(key="run-1").id
        assert outbox.retry(session, notification=one, destination="ops", now=later(9)) == 1
        assert outbox.retry(session, notification=one, destination="ops", now=later(9)) == 0
        assert outbox.retry(session, notification=None, destination="chat", now=later(9)) == 2
        assert outbox.retry(session, notification=None, destination=None, now=later(9)) == 1
    assert outbox.due(database, now=later(9)) == {"chat": 2, "ops": 2}
    (again, _) = outbox.claim(database, "ops", limit=9, now=later(9))
    assert again.attempts == 1


def test_what_nobody_can_deliver_dies_of_age_and_not_while_it_is_being_sent(database: Database) -> None:
    put(database, event(key="run-1"))
    put(database, event(key="run-2"))
    outbox.claim(database, "ops", limit=1, now=later(MAX_AGE_S))
    assert outbox.clean(database, now=later(MAX_AGE_S), routing=True) == 0
    assert outbox.clean(database, now=later(MAX_AGE_S + 1), routing=True) == 1
    assert [(one.state, one.note) for one in listed(database)] == [("dead", "too old; "), ("queued", "")]


def test_what_is_long_over_is_forgotten(database: Database) -> None:
    put(database, event(key="run-1"))
    put(database, event(key="run-2"), to=())
    (claimed,) = outbox.claim(database, "ops", limit=1, now=NOW)
    outbox.settle(database, claimed, OK, now=NOW, jitter=0)
    outbox.clean(database, now=later(outbox.KEPT_S), routing=True)
    assert [one.state for one in listed(database)] == ["nobody", "delivered"]
    outbox.clean(database, now=later(outbox.KEPT_S + 1), routing=True)
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(NotificationRow)) == 0
        assert session.scalar(select(func.count()).select_from(DeliveryRow)) == 0


def test_what_somebody_asked_for_again_is_not_forgotten_with_the_old(database: Database) -> None:
    for key in ("run-1", "run-2"):
        put(database, event(key=key))
    for claimed in outbox.claim(database, "ops", limit=2, now=NOW):
        outbox.settle(database, claimed, Attempt(delivered=False, gone=True), now=NOW, jitter=0)
    again, now = event(key="run-1").id, later(outbox.KEPT_S + 1)
    with database.write() as session:
        outbox.retry(session, notification=again, destination=None, now=now)
    outbox.clean(database, now=now, routing=True)
    assert [(one.id, one.state) for one in listed(database)] == [(again, "queued")]


def test_what_nobody_routed_is_forgotten_after_a_day_by_a_beat_without_destinations(database: Database) -> None:
    with database.write() as session:
        outbox.record(session, event())
    outbox.clean(database, now=later(outbox.UNROUTED_KEPT_S), routing=False)
    assert len(listed(database)) == 1
    outbox.clean(database, now=later(outbox.UNROUTED_KEPT_S + 1), routing=False)
    assert listed(database) == []


def test_a_beat_with_destinations_forgets_nothing_that_it_can_still_tell(database: Database) -> None:
    with database.write() as session:
        outbox.record(session, event(key="run-1"))
        strange = outbox.record(session, event(key="run-2"))
        session.execute(update(NotificationRow).where(NotificationRow.id == strange).values(kind="of_tomorrow"))
    outbox.clean(database, now=later(outbox.KEPT_S), routing=True)
    assert outbox.counts(database)[NotificationState.UNROUTED] == 2
    outbox.clean(database, now=later(outbox.KEPT_S + 1), routing=True)
    assert [one.id for one in listed(database)] == [event(key="run-1").id]


def test_what_is_on_its_way_is_counted(database: Database) -> None:
    put(database, event(key="run-1"), to=("chat", "ops"))
    (claimed,) = outbox.claim(database, "chat", limit=1, now=NOW)
    outbox.settle(database, claimed, Attempt(delivered=False, gone=True), now=NOW, jitter=0)
    with database.write() as session:
        outbox.record(session, event(key="run-2"))
    assert {state.value: count for state, count in outbox.counts(database).items()} == {
        "unrouted": 1,
        "queued": 1,
        "dead": 1,
    }
