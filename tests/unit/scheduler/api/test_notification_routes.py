"""Routes: the outbox of notifications."""

from __future__ import annotations

import pytest

from scheduler.notifications import outbox
from scheduler.notifications.retries import Attempt
from shared.errors import ApiError
from shared.notifications import NotificationState
from tests.unit.scheduler.api.conftest import Clients
from tests.unit.scheduler.notifications.support import event
from tests.unit.scheduler.support import World


def dead(world: World, key: str, *names: str) -> str:
    """A notification that all its destinations refused for good."""
    database, now = world.context.database, world.clock.wall()
    with database.write() as session:
        told = outbox.record(session, event(key=key))
    outbox.route(database, lambda *_: names, now=now)
    for name in names:
        for claimed in outbox.claim(database, name, limit=9, now=now):
            outbox.settle(database, claimed, Attempt(delivered=False, gone=True, note="HTTP 410"), now=now, jitter=0)
    return told


def test_notifications_are_listed_by_state(world: World, client: Clients) -> None:
    told = dead(world, "run-1", "chat", "ops")
    with world.context.database.write() as session:
        waits = outbox.record(session, event(key="run-2"))
    everything = client("admin").notifications()
    assert [(one.id, one.destination) for one in everything] == [(waits, None), (told, "chat"), (told, "ops")]
    (first, _) = client("admin").notifications(state=NotificationState.DEAD)
    assert (first.state, first.note, first.attempts) == ("dead", "HTTP 410", 1)
    assert [one.id for one in client("admin").notifications(state=NotificationState.UNROUTED)] == [waits]
    assert client("admin").notifications(state=NotificationState.DELIVERED) == []
    assert [one.id for one in client("admin").notifications(limit=1)] == [waits]


def test_one_is_shown_with_all_its_destinations(world: World, client: Clients) -> None:
    told = dead(world, "run-1", "chat", "ops")
    assert [one.destination for one in client("admin").notification(told)] == ["chat", "ops"]
    with pytest.raises(ApiError, match="no notification") as unknown:
        client("admin").notification("evt_0")
    assert unknown.value.status == 404


def test_a_test_is_recorded_for_one_destination(world: World, client: Clients) -> None:
    asked = client("admin").test_notification("ops", actor="ann@desk")
    assert (asked.kind, asked.destination, asked.state) == ("test", "ops", "unrouted")
    again = client("admin").test_notification("ops", actor="ann@desk")
    assert again.id != asked.id
    with pytest.raises(ApiError):
        client("admin").test_notification("../ops")


def test_the_dead_are_queued_again(world: World, client: Clients) -> None:
    told = dead(world, "run-1", "chat", "ops")
    dead(world, "run-2", "ops")
    admin = client("admin")
    assert admin.retry_notifications(notification=told, destination="chat").count == 1
    assert admin.retry_notifications(destination="ops").count == 2
    assert admin.retry_notifications().count == 0
    assert {one.state for one in admin.notifications()} == {"queued"}


@pytest.mark.parametrize("role", ["worker", "proxy"])
def test_only_the_admin_may(client: Clients, role: str) -> None:
    for ask in (
        lambda: client(role).notifications(),
        lambda: client(role).test_notification("ops"),
        lambda: client(role).retry_notifications(),
    ):
        with pytest.raises(ApiError) as refused:
            ask()
        assert refused.value.status == 403
