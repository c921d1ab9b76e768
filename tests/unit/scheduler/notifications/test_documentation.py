"""docs/notifications.md says what the code does, and its receiver runs as it stands there."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from scheduler.notifications import bodies
from scheduler.notifications.destinations import Webhook, load_directory
from scheduler.notifications.events import Event, Kind
from scheduler.notifications.http_sending import send_http
from scheduler.notifications.retries import PAUSES_S
from scheduler.notifications.signature import decode_secret
from shared.clock import SystemClock
from shared.notifications import NotificationState
from tests.servers import wait_for
from tests.unit.scheduler.notifications.support import event

PAGE = (Path(__file__).resolve().parents[4] / "docs" / "notifications.md").read_text()


def block(language: str) -> str:
    found = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert len(found) == 1
    return str(found[0])


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A secret made by the command on the page."""
    (command,) = re.findall(r"^    (\(umask 077; .* > ops\.whsec\))$", PAGE, re.MULTILINE)
    subprocess.run(["sh", "-ec", command], cwd=tmp_path, check=True)
    return tmp_path / "ops.whsec"


def test_the_file_of_destinations_is_one(tmp_path: Path, secret: Path) -> None:
    path = tmp_path / "notifications.yaml"
    path.write_text(block("yaml"))
    environ = {"INTERLOCK_CHAT_URL": "https://chat.example.com/x", "INTERLOCK_MAIL_PASSWORD": "p"}
    found = load_directory(path, environ)
    assert list(found.destinations) == ["ops", "chat", "oncall"]
    assert found.names_for(event(Kind.HALT, flock="shop")) == ("chat", "oncall", "ops")
    assert found.names_for(event(Kind.DRIFT, flock="shop")) == ("ops",)
    assert decode_secret(secret.read_text().strip())


def test_the_body_is_one() -> None:
    shown = json.loads(block("json"))
    made = Event(
        kind=Kind(shown["type"].removeprefix("interlock.")),
        key="k",
        at=datetime.fromisoformat(shown["timestamp"]),
        **{name: value for name, value in shown["data"].items() if name in Event.model_fields},
    )
    assert json.loads(bodies.webhook_body(made)) == shown


def test_its_tables_have_every_kind_and_state_and_its_text_every_pause() -> None:
    rows = set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))
    assert {kind.value for kind in Kind} - {"test"} <= rows
    assert {state.value for state in NotificationState} <= rows
    assert PAUSES_S == (5, 30, 2 * 60, 10 * 60, 30 * 60, 2 * 3600, 6 * 3600, 12 * 3600, 24 * 3600)
    assert "5 s, 30 s, 2, 10 and 30 min,\n2, 6, 12 and 24 h" in PAGE


@pytest.fixture
def receiver(tmp_path: Path, secret: Path) -> Iterator[tuple[Webhook, Path]]:
    """The receiver of the page as a process: a webhook that leads to it, and what it printed."""
    (tmp_path / "receiver.py").write_text(block("python"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    said = tmp_path / "said"
    with said.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "receiver.py", secret.name, str(port)], cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=out
        )

    def listens() -> bool:
        assert process.poll() is None
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", port)) == 0

    try:
        wait_for("the receiver", listens)
        key = decode_secret(secret.read_text().strip())
        yield Webhook(url=f"http://127.0.0.1:{port}/", keys=(key,), ca_file=None), said
    finally:
        process.kill()
        process.wait(60)


async def test_the_receiver_takes_what_is_ours_and_tells_it_once(receiver: tuple[Webhook, Path]) -> None:
    webhook, said = receiver
    now = SystemClock().wall()
    for _ in range(2):
        assert (await send_http(webhook, event(), now=now)).delivered
    assert said.read_text() == "interlock.lost_lease Lease lost: shop.eu-west-1\n"
    # While a secret is exchanged, either signature will do.
    both = Webhook(url=webhook.url, keys=(b"n" * 32, *webhook.keys), ca_file=None)
    assert (await send_http(both, event(key="another"), now=now)).delivered


async def test_the_receiver_refuses_what_is_not_ours_or_is_old(receiver: tuple[Webhook, Path]) -> None:
    webhook, said = receiver
    now = SystemClock().wall()
    forged = Webhook(url=webhook.url, keys=(b"x" * 32,), ca_file=None)
    assert (await send_http(forged, event(), now=now)).note == "HTTP 401"
    for stale in (now - timedelta(minutes=6), now + timedelta(minutes=6), datetime(2026, 1, 1, tzinfo=UTC)):
        assert (await send_http(webhook, event(), now=stale)).note == "HTTP 401"
    assert said.read_text() == ""
