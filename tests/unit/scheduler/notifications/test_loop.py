"""The sender."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from scheduler.database import Database
from scheduler.metrics import SchedulerMetrics
from scheduler.notifications import loop as sender
from scheduler.notifications import outbox
from scheduler.notifications.destinations import Directory, RoutePart
from scheduler.notifications.events import Kind
from scheduler.notifications.loop import AT_ONCE, CLEAN_MS, Notifier
from scheduler.notifications.outbox import CLAIM_S
from scheduler.notifications.retries import MAX_AGE_S, PAUSES_S
from shared.clock import ManualClock
from shared.errors import Unavailable
from shared.notifications import Notification
from tests.receivers import HttpReceiver, Received, SmtpReceiver
from tests.servers import wait_for
from tests.unit.scheduler.notifications.support import directory, event, mail, slack, webhook


class Beat:
    """A notifier and what tests do with it."""

    def __init__(self, database: Database, found: Directory | None) -> None:
        self.database = database
        self.clock = ManualClock(10**9)
        self.metrics = SchedulerMetrics()
        self.notifier = Notifier(database=database, clock=self.clock, metrics=self.metrics, directory=found)

    def tell(self, key: str, *, kind: Kind = Kind.HALT, only: str | None = None) -> str:
        with self.database.write() as session:
            made = event(kind, key=key, at=self.clock.wall())
            return outbox.record(session, made, destination=only)

    async def round(self) -> None:
        await self.notifier.step()
        await self.notifier.drain()

    def listed(self) -> list[Notification]:
        with self.database.read() as session:
            return outbox.listed(session, limit=100)

    def counted(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"interlock_scheduler_{name}", labels) or 0.0


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    with HttpReceiver(200) as receiver:
        yield receiver


async def test_what_happened_is_told_everywhere_it_is_routed_to(database: Database, receiver: HttpReceiver) -> None:
    with SmtpReceiver() as server:
        beat = Beat(database, directory(ops=webhook(receiver.url), chat=slack(receiver.url), mail=mail(server.port)))
        told = beat.tell("run-1")
        await beat.round()
    assert len(receiver.requests) == 2
    assert len(server.mails) == 1
    assert {(one.id, one.destination, one.state) for one in beat.listed()} == {
        (told, name, "delivered") for name in ("ops", "chat", "mail")
    }
    for name in ("ops", "chat", "mail"):
        assert beat.counted("notification_attempts_total", destination=name, outcome="delivered") == 1


async def test_a_failure_is_repeated_under_the_same_id_and_a_fresh_timestamp(
    database: Database, receiver: HttpReceiver
) -> None:
    receiver.script = [500, 200]
    beat = Beat(database, directory(ops=webhook(receiver.url)))
    beat.tell("run-1")
    await beat.round()
    await beat.round()
    assert len(receiver.requests) == 1
    beat.clock.advance(PAUSES_S[0] * 1300)
    await beat.round()
    first, second = (got.headers for got in receiver.requests)
    assert first["webhook-id"] == second["webhook-id"]
    assert int(second["webhook-timestamp"]) > int(first["webhook-timestamp"])
    assert [one.state for one in beat.listed()] == ["delivered"]
    assert beat.counted("notification_attempts_total", destination="ops", outcome="failed") == 1


async def test_one_that_wants_no_more_is_a_dead_letter(database: Database, receiver: HttpReceiver) -> None:
    receiver.script = [410]
    beat = Beat(database, directory(ops=webhook(receiver.url)))
    beat.tell("run-1")
    await beat.round()
    assert [one.state for one in beat.listed()] == ["dead"]
    assert beat.counted("notification_attempts_total", destination="ops", outcome="dead") == 1
    beat.clock.advance(20_000)
    await beat.round()
    assert beat.counted("notifications", state="dead") == 1


async def test_a_destination_that_hangs_holds_up_no_other(database: Database, receiver: HttpReceiver) -> None:
    with HttpReceiver("hang") as hanging:
        beat = Beat(database, directory(bad=webhook(hanging.url), good=webhook(receiver.url)))
        for number in range(3 * AT_ONCE):
            beat.tell(f"run-{number}")
        async with asyncio.timeout(60):
            while len(receiver.requests) < 3 * AT_ONCE:
                await beat.notifier.step()
                await asyncio.sleep(0.02)
        # No more than its share of attempts was begun.
        assert beat.notifier._busy["bad"] == AT_ONCE
        hanging.close()
        await beat.notifier.drain()


async def test_an_attempt_that_could_not_be_recorded_is_repeated_under_the_same_id(
    database: Database, receiver: HttpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    beat = Beat(database, directory(ops=webhook(receiver.url)))
    told = beat.tell("run-1")

    def away(*_: object, **__: object) -> None:
        raise Unavailable("the database is away")

    with monkeypatch.context() as patched:
        patched.setattr(outbox, "settle", away)
        await beat.round()
    beat.clock.advance(CLAIM_S * 1000)
    await beat.round()
    assert [got.headers["webhook-id"] for got in receiver.requests] == [told, told]
    assert [(one.state, one.attempts) for one in beat.listed()] == [("delivered", 2)]


async def test_a_bug_of_ours_counts_as_an_attempt_and_holds_up_nobody(
    database: Database, receiver: HttpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    beat = Beat(database, directory(ops=webhook(receiver.url)))
    beat.tell("run-1")
    monkeypatch.setattr(sender, "send_http", lambda *_, **__: 1 / 0)
    await beat.round()
    assert [(one.state, one.attempts, one.note) for one in beat.listed()] == [
        ("queued", 1, "a bug of Interlock: ZeroDivisionError")
    ]


async def test_two_beats_send_each_notification_once(database: Database, receiver: HttpReceiver) -> None:
    beats = [Beat(database, directory(ops=webhook(receiver.url))) for _ in range(2)]
    told = {beats[0].tell(f"run-{number}") for number in range(20)}
    for _ in range(20):
        await asyncio.gather(*(beat.round() for beat in beats))
    assert sorted(got.headers["webhook-id"] for got in receiver.requests) == sorted(told)


async def test_a_destination_of_another_beats_file_is_left_to_it_and_dies_of_age(
    database: Database, receiver: HttpReceiver
) -> None:
    knows = Beat(database, directory(old=webhook(receiver.url)))
    knows.tell("run-1")
    outbox.route(database, lambda *_: ["old"], now=knows.clock.wall())
    other = Beat(database, directory(ops=webhook(receiver.url)))
    await other.round()
    assert [one.attempts for one in other.listed()] == [0]
    other.clock.advance((MAX_AGE_S + 1) * 1000)
    await other.round()
    assert [one.state for one in other.listed()] == ["dead"]
    assert receiver.requests == []


async def test_a_test_goes_to_its_destination_whatever_the_routes_say(
    database: Database, receiver: HttpReceiver
) -> None:
    ends = {"ops": webhook(receiver.url), "chat": slack(receiver.url)}
    beat = Beat(database, Directory(destinations=ends, routes=(RoutePart(to=("chat",), kinds=(Kind.HALT,)),)))
    beat.tell("t1", kind=Kind.TEST, only="ops")
    beat.tell("t2", kind=Kind.TEST, only="opps")
    await beat.round()
    assert {(one.destination, one.state) for one in beat.listed()} == {("ops", "delivered"), ("opps", "nobody")}


async def test_without_destinations_nothing_is_routed_and_old_news_are_forgotten(database: Database) -> None:
    beat = Beat(database, None)
    beat.tell("run-1")
    await beat.round()
    assert [one.state for one in beat.listed()] == ["unrouted"]
    beat.clock.advance(86_400_000 + CLEAN_MS)
    await beat.round()
    assert beat.listed() == []
    assert not beat.notifier.sends


def run(beat: Beat) -> tuple[threading.Thread, threading.Event]:
    stop = threading.Event()
    thread = threading.Thread(target=beat.notifier.run, args=(stop,))
    thread.start()
    return thread, stop


def test_it_runs_until_it_is_told_to_stop_and_lets_what_is_under_way_end(database: Database) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(_: Received) -> None:
        begun.set()
        go_on.wait(60)

    with HttpReceiver(slow) as receiver:
        beat = Beat(database, directory(ops=webhook(receiver.url)))
        beat.tell("run-1")
        thread, stop = run(beat)
        assert begun.wait(60)
        stop.set()
        go_on.set()
        thread.join(60)
    assert not thread.is_alive()
    # The receiver closed without an answer: recorded as a failure, not lost.
    assert [(one.state, one.attempts) for one in beat.listed()] == [("queued", 1)]
    beat.notifier.close()


def test_a_pass_that_fails_is_followed_by_the_next(
    database: Database, receiver: HttpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "COMPLAINT_PAUSE_S", 0.01)
    real, failures = outbox.route, [Unavailable("away"), ValueError("a bug")]

    def route(*args: Any, **options: Any) -> int:
        if failures:
            raise failures.pop()
        return real(*args, **options)

    monkeypatch.setattr(outbox, "route", route)
    beat = Beat(database, directory(ops=webhook(receiver.url)))
    beat.tell("run-1")
    thread, stop = run(beat)
    try:
        wait_for("the notification", lambda: receiver.requests)
        assert beat.notifier.age_s() == 0
    finally:
        stop.set()
        thread.join(60)
        beat.notifier.close()
