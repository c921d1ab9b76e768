"""`interlock notify`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from shared.notifications import Notification, Requeued
from tests.unit.cli.conftest import CREATED, FakeApi, Said

ID = "evt_" + "0a" * 16


def notification(**changes: Any) -> Notification:
    values = {
        "id": ID,
        "kind": "halt",
        "flock": "shop",
        "title": "Halted: shop.local",
        "at": CREATED,
        "state": "dead",
        "destination": "ops",
        "attempts": 10,
        "note": "HTTP 500: no",
    }
    return Notification.model_validate({**values, **changes})


@dataclass
class Outbox:
    """The part of the API that these commands use; a test takes the next of its `stages` at each look."""

    stages: list[Notification] = field(default_factory=list)
    asked: list[Any] = field(default_factory=list)

    def notifications(self, **choice: Any) -> list[Notification]:
        self.asked.append(choice)
        return self.stages

    def test_notification(self, destination: str, *, actor: str) -> Notification:
        self.asked.append(destination)
        return notification(kind="test", state="unrouted", destination=destination)

    def notification(self, notification_id: str) -> list[Notification]:
        assert notification_id == ID
        return [self.stages.pop(0) if len(self.stages) > 1 else self.stages[0]]

    def retry_notifications(self, **choice: Any) -> Requeued:
        self.asked.append(choice)
        return Requeued(count=3)


@pytest.fixture
def outbox(fake_api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> Outbox:
    made = Outbox()
    for name in ("notifications", "test_notification", "notification", "retry_notifications"):
        monkeypatch.setattr(FakeApi, name, staticmethod(getattr(made, name)), raising=False)
    monkeypatch.setattr("cli.notify.POLL_S", 0.0)
    return made


def test_the_list_shows_what_was_given_up_and_why(interlock: Callable[..., Said], outbox: Outbox) -> None:
    outbox.stages = [notification()]
    said = interlock("notify", "list", "--state", "dead")
    assert said.code == 0
    for word in (ID, "halt", "Halted: shop.local", "ops", "dead", "10", "HTTP 500: no"):
        assert word in said.out
    assert outbox.asked == [{"state": "dead", "limit": 50}]
    (shown,) = json.loads(interlock("notify", "list", "--json").out)
    assert (shown["id"], shown["state"]) == (ID, "dead")


def test_an_empty_list_says_so(interlock: Callable[..., Said], outbox: Outbox) -> None:
    said = interlock("notify", "list")
    assert (said.out, said.err) == ("", "no notifications for this choice\n")


def test_a_test_is_followed_to_its_end(interlock: Callable[..., Said], outbox: Outbox) -> None:
    outbox.stages = [notification(state=state, note="") for state in ("unrouted", "queued", "delivered")]
    said = interlock("notify", "test", "ops")
    assert (said.code, said.out) == (0, "ops took it\n")
    assert outbox.asked == ["ops"]
    assert json.loads(interlock("notify", "test", "ops", "--json").out)["state"] == "delivered"


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("dead", "ops did not take it: HTTP 500: no"),
        ("nobody", "beat's file has no destination ops"),
        ("unrouted", "no beat took it"),
        ("queued", "beat has not finished"),
    ],
)
def test_a_test_that_did_not_arrive_says_why_and_fails(
    interlock: Callable[..., Said], outbox: Outbox, monkeypatch: pytest.MonkeyPatch, state: str, words: str
) -> None:
    monkeypatch.setattr("cli.notify.TEST_PATIENCE_MS", 0)
    outbox.stages = [notification(state=state)]
    said = interlock("notify", "test", "ops")
    assert said.code == 1
    assert words in said.err


def test_the_dead_are_tried_again_by_name_or_all(interlock: Callable[..., Said], outbox: Outbox) -> None:
    assert interlock("notify", "retry", ID).out == "3 deliveries are queued again\n"
    assert interlock("notify", "retry", "--destination", "ops").code == 0
    assert json.loads(interlock("notify", "retry", "--all", "--json").out) == {"count": 3}
    assert outbox.asked == [
        {"notification": ID, "destination": None},
        {"notification": None, "destination": "ops"},
        {"notification": None, "destination": None},
    ]


@pytest.mark.parametrize("words", [(), (ID, "--all")])
def test_without_a_choice_or_with_two_nothing_is_tried_again(
    interlock: Callable[..., Said], outbox: Outbox, words: tuple[str, ...]
) -> None:
    assert interlock("notify", "retry", *words).code == 64
    assert outbox.asked == []
