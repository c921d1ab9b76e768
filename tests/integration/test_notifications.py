"""Notifications on SQLite and on PostgreSQL: what is recorded arrives, whoever misbehaves or is killed on the way."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from scheduler.database import Database
from scheduler.metrics import SchedulerMetrics
from scheduler.notifications import outbox
from scheduler.notifications.destinations import load_directory
from scheduler.notifications.events import Event
from scheduler.notifications.loop import Notifier
from scheduler.notifications.outbox import CLAIM_S
from scheduler.notifications.retries import PAUSES_S
from scheduler.settlement import end_run
from scheduler.tables import NotificationRow
from shared.clock import Clock, ManualClock, SystemClock
from shared.notifications import Notification
from tests.integration.test_scheduler_database import at_once, failures
from tests.receivers import Behaviour, HttpReceiver, Received, SmtpReceiver
from tests.unit.scheduler.notifications.support import SECRET, event
from tests.unit.scheduler.support import TARGET, make_world

ROOT = Path(__file__).resolve().parent.parent.parent

#: A beat reduced to its sender, on the database and the file that its arguments name.
SENDER = """
import sys, threading
from pathlib import Path
from scheduler.database import Database
from scheduler.metrics import SchedulerMetrics
from scheduler.notifications.destinations import load_directory
from scheduler.notifications.loop import Notifier
from shared.clock import SystemClock

Notifier(
    database=Database(sys.argv[1]),
    clock=SystemClock(),
    metrics=SchedulerMetrics(),
    directory=load_directory(Path(sys.argv[2])),
).run(threading.Event())
"""


def destinations(folder: Path, *, webhook: HttpReceiver | None = None, mail: SmtpReceiver | None = None) -> Path:
    """The file of destinations that leads everything everywhere."""
    secret = folder / "ops.whsec"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    lines, names = ["destinations:"], []
    if webhook is not None:
        names.append("ops")
        lines.append(f'  ops: {{webhook: {{url: "{webhook.url}", secret: {{file: ops.whsec}}}}}}')
    if mail is not None:
        names.append("mail")
        lines.append(
            f"  mail: {{email: {{host: 127.0.0.1, port: {mail.port}, security: none, from: i@x.org, to: [a@x.org]}}}}"
        )
    lines.append(f"routes: [{{to: [{', '.join(names)}]}}]")
    path = folder / "notifications.yaml"
    path.write_text("\n".join(lines))
    return path


def notifier(database: Database, file: Path, clock: Clock) -> Notifier:
    return Notifier(database=database, clock=clock, metrics=SchedulerMetrics(), directory=load_directory(file))


async def rounds(sender: Notifier, count: int = 1) -> None:
    for _ in range(count):
        await sender.step()
        await sender.drain()


def tell(database: Database, *keys: str) -> list[str]:
    with database.write() as session:
        return [outbox.record(session, event(key=key)) for key in keys]


def listed(database: Database) -> list[Notification]:
    with database.read() as session:
        return outbox.listed(session, limit=1000)


@pytest.mark.parametrize(
    "behaviours",
    [[500, 503, (307, {"location": "http://127.0.0.1:1/"}), "reset", "huge failure", 404, 200], ["huge"]],
    ids=["everything that goes wrong", "an endless yes"],
)
async def test_it_arrives_once_the_receiver_has_come_to_its_senses(
    database: Database, tmp_path: Path, behaviours: list[Behaviour]
) -> None:
    clock = ManualClock(10**9)
    with HttpReceiver(*behaviours) as receiver:
        sender = notifier(database, destinations(tmp_path, webhook=receiver), clock)
        (told,) = tell(database, "run-1")
        for pause_s in (*PAUSES_S[: len(behaviours) - 1], 0):
            await rounds(sender)
            # A retry only after its pause; a second look before it finds nothing to do.
            await rounds(sender)
            clock.advance(int(pause_s * 1300))
    assert [got.headers["webhook-id"] for got in receiver.requests] == [told] * len(behaviours)
    assert len({got.body for got in receiver.requests}) == 1
    assert [(one.state, one.attempts) for one in listed(database)] == [("delivered", len(behaviours))]


async def test_gone_is_a_dead_letter_until_somebody_asks_again(database: Database, tmp_path: Path) -> None:
    clock = ManualClock(10**9)
    with HttpReceiver(410, 200) as receiver:
        sender = notifier(database, destinations(tmp_path, webhook=receiver), clock)
        (told,) = tell(database, "run-1")
        await rounds(sender, 3)
        clock.advance(10**9)
        await rounds(sender, 3)
        assert len(receiver.requests) == 1
        assert [(one.state, one.note) for one in listed(database)] == [("dead", "HTTP 410: said so")]
        with database.write() as session:
            assert outbox.retry(session, notification=told, destination=None, now=clock.wall()) == 1
        await rounds(sender)
    assert [(one.id, one.state) for one in listed(database)] == [(told, "delivered")]


async def test_a_mail_that_the_server_wants_later_is_sent_later_under_the_same_id(
    database: Database, tmp_path: Path
) -> None:
    clock = ManualClock(10**9)
    with SmtpReceiver(mode="later") as server:
        sender = notifier(database, destinations(tmp_path, mail=server), clock)
        (told,) = tell(database, "run-1")
        await rounds(sender)
        server.mode = ""
        clock.advance(int(PAUSES_S[0] * 1300))
        await rounds(sender)
    first, second = (got.content for got in server.mails)
    assert first == second
    assert f"Message-ID: <{told}.mail@x.org>".encode() in first
    assert [one.state for one in listed(database)] == ["delivered"]


async def test_a_scheduler_killed_between_sending_and_recording_is_replaced_and_the_id_is_the_same(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    process: list[subprocess.Popen[bytes]] = []
    started = threading.Event()

    def kill_the_sender(_: Received) -> None:
        assert started.wait(60)
        process[0].send_signal(signal.SIGKILL)
        process[0].wait(60)

    with HttpReceiver(kill_the_sender, 200) as receiver:
        file = destinations(tmp_path, webhook=receiver)
        (told,) = tell(database, "run-1")
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        with subprocess.Popen([sys.executable, "-c", SENDER, database_url, str(file)], env=environment) as sender:
            process.append(sender)
            started.set()
            assert sender.wait(120) == -signal.SIGKILL
        assert [(one.state, one.attempts) for one in listed(database)] == [("queued", 1)]
        # Another scheduler: while the claim holds it leaves it alone, then it sends it again.
        clock = Later()
        other = notifier(database, file, clock)
        await rounds(other, 2)
        assert len(receiver.requests) == 1
        clock.seconds = CLAIM_S
        await rounds(other)
    assert [got.headers["webhook-id"] for got in receiver.requests] == [told, told]
    assert [(one.state, one.attempts) for one in listed(database)] == [("delivered", 2)]


class Later(SystemClock):
    """This machine's clock, some seconds ahead."""

    seconds = 0

    def wall(self) -> Any:
        return super().wall() + timedelta(seconds=self.seconds)


def test_of_many_schedulers_each_notification_is_sent_by_one(database: Database, tmp_path: Path) -> None:
    with HttpReceiver(200) as receiver:
        file = destinations(tmp_path, webhook=receiver)
        told = tell(database, *[f"run-{number}" for number in range(40)])
        clock = ManualClock(10**9)
        senders = [notifier(database, file, clock) for _ in range(4)]
        results = at_once(*[lambda sender=sender: asyncio.run(rounds(sender, 20)) for sender in senders])
        assert failures(results) == []
        asyncio.run(rounds(senders[0], 20))
    assert Counter(got.headers["webhook-id"] for got in receiver.requests) == dict.fromkeys(told, 1)
    assert {one.state for one in listed(database)} == {"delivered"}


def test_recorded_by_many_at_once_it_is_recorded_once(database: Database) -> None:
    results = at_once(*[lambda: tell(database, "run-1")] * 8)
    assert failures(results) == []
    assert len(listed(database)) == 1


def test_a_killed_transaction_tells_nothing_and_a_committed_one_does(
    tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(tmp_path / "home", database)
    world.register()
    try:
        assignment, lease = world.begin()
        world.sever(TARGET, lease)

        def record_and_die(session: Session, made: Event) -> None:
            outbox.record(session, made)
            session.flush()
            raise SystemExit

        with monkeypatch.context() as patched:
            patched.setattr("scheduler.notifications.record", record_and_die)
            with pytest.raises(SystemExit):
                end_run(world.context, assignment.run.id, epoch=1, reason="severed")
        assert listed(database) == []
        for _ in range(2):
            end_run(world.context, assignment.run.id, epoch=1, reason="severed")
        with database.read() as session:
            (row,) = session.scalars(select(NotificationRow))
        assert (row.kind, row.flock, row.document["run_id"]) == ("lost_lease", "web", assignment.run.id)
    finally:
        world.store.close()
