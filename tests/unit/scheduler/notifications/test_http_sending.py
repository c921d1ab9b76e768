"""One attempt over HTTP, to a real receiver."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from scheduler.notifications import bodies
from scheduler.notifications.http_sending import MAX_ANSWER_BYTES, retry_after, send_http, tls_context
from tests.receivers import Authority, Behaviour, HttpReceiver
from tests.unit.scheduler.notifications.support import NOW, event, slack, webhook

SHORT_S = 0.3


async def test_a_webhook_gets_the_signed_body_under_the_events_id() -> None:
    with HttpReceiver(204) as receiver:
        attempt = await send_http(webhook(receiver.url), event(), now=NOW)
    assert attempt.delivered
    (got,) = receiver.requests
    assert got.body == bodies.webhook_body(event())
    assert got.headers["content-type"] == "application/json"
    assert (got.headers["webhook-id"], got.headers["webhook-timestamp"]) == (event().id, str(int(NOW.timestamp())))
    assert got.headers["webhook-signature"].startswith("v1,")


async def test_slack_gets_its_text_and_no_signature() -> None:
    with HttpReceiver(200) as receiver:
        assert (await send_http(slack(receiver.url), event(), now=NOW)).delivered
    (got,) = receiver.requests
    assert list(json.loads(got.body)) == ["text"]
    assert not [name for name in got.headers if name.startswith("webhook")]


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
async def test_whatever_is_not_2xx_is_a_failure_with_what_was_said(status: int) -> None:
    with HttpReceiver(status) as receiver:
        attempt = await send_http(webhook(receiver.url), event(), now=NOW)
    assert (attempt.delivered, attempt.gone) == (False, False)
    assert attempt.note == f"HTTP {status}: said so"


async def test_gone_means_no_more() -> None:
    with HttpReceiver(410) as receiver:
        assert (await send_http(webhook(receiver.url), event(), now=NOW)).gone


async def test_a_redirect_is_not_followed() -> None:
    with HttpReceiver(200) as elsewhere:
        redirect = (307, {"location": elsewhere.url})
        with HttpReceiver(redirect) as receiver:
            attempt = await send_http(webhook(receiver.url), event(), now=NOW)
    assert not attempt.delivered
    assert attempt.note == "HTTP 307: redirects are not followed; configure the new address"
    assert elsewhere.requests == []


@pytest.mark.parametrize("behaviour", ["hang", "trickle"])
async def test_a_receiver_that_does_not_come_to_an_end_is_given_up(behaviour: Behaviour) -> None:
    with HttpReceiver(behaviour) as receiver:
        attempt = await send_http(webhook(receiver.url), event(), now=NOW, total_s=SHORT_S)
    assert not attempt.delivered
    assert "0.3 s" in attempt.note or "ReadTimeout" in attempt.note


async def test_a_connection_that_is_reset_is_a_failure() -> None:
    with HttpReceiver("reset") as receiver:
        attempt = await send_http(webhook(receiver.url), event(), now=NOW)
    assert not attempt.delivered
    assert attempt.note.startswith(("ReadError", "RemoteProtocolError"))


async def test_nobody_there_is_a_failure() -> None:
    with HttpReceiver(200) as receiver:
        pass
    assert "ConnectError" in (await send_http(webhook(receiver.url), event(), now=NOW)).note


@pytest.mark.parametrize(("behaviour", "delivered"), [("huge", True), ("huge failure", False)])
async def test_of_an_endless_answer_only_the_beginning_is_read(behaviour: Behaviour, delivered: bool) -> None:
    with HttpReceiver(behaviour) as receiver:
        attempt = await send_http(webhook(receiver.url), event(), now=NOW)
    assert attempt.delivered is delivered
    assert len(attempt.note) < 300
    # Some megabytes lie in the sockets' buffers; what is read stays small.
    assert receiver.sent < 64 * 2**20 > MAX_ANSWER_BYTES


async def test_a_receiver_may_ask_for_time() -> None:
    with HttpReceiver((429, {"retry-after": "7"})) as receiver:
        assert (await send_http(webhook(receiver.url), event(), now=NOW)).retry_after_s == 7


async def test_what_a_receiver_says_carries_no_secret_and_no_line_break_into_our_log() -> None:
    with HttpReceiver(400, body=b"password=hunter2\r\nevil=line") as receiver:
        attempt = await send_http(webhook(receiver.url), event(), now=NOW)
    assert attempt.note == "HTTP 400: password=*** evil=line"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        ("Fri, 02 Jan 2026 03:05:05 GMT", 60),
        ("Fri, 02 Jan 2026 03:00:05 GMT", 0),
        ("", None),
        ("-5", None),
        ("soon", None),
        ("9" * 400, 999_999_999),
    ],
)
def test_retry_after_is_a_number_or_a_date(value: str, seconds: int | None) -> None:
    assert retry_after(value, NOW) == seconds


@pytest.fixture
def authority(tmp_path: Path) -> Callable[..., Authority]:
    return lambda *names: Authority(tmp_path / "-".join(("ca", *names)), *names)


async def test_a_certificate_of_the_configured_authority_is_trusted(authority: Callable[..., Authority]) -> None:
    ca = authority()
    with HttpReceiver(200, tls=ca.server_context) as receiver:
        trusting = await send_http(webhook(receiver.url, ca_file=ca.ca_file), event(), now=NOW)
        unconfigured = await send_http(webhook(receiver.url), event(), now=NOW)
    assert trusting.delivered
    assert "CERTIFICATE_VERIFY_FAILED" in unconfigured.note
    assert len(receiver.requests) == 1


async def test_a_certificate_for_another_host_is_not(authority: Callable[..., Authority]) -> None:
    ca = authority("example.com")
    with HttpReceiver(200, tls=ca.server_context) as receiver:
        attempt = await send_http(webhook(receiver.url, ca_file=ca.ca_file), event(), now=NOW)
    assert "IP address mismatch" in attempt.note
    assert receiver.requests == []


async def test_a_file_that_holds_no_certificates_is_a_failure_not_a_crash(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    attempt = await send_http(webhook("https://127.0.0.1:1/", ca_file=tmp_path / "ca.pem"), event(), now=NOW)
    assert not attempt.delivered
    assert attempt.note.startswith("SSLError: "), "and not that nobody answers there"


def test_certificates_and_names_are_always_checked() -> None:
    context = tls_context(None)
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED


async def test_a_proxy_of_the_environment_sees_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with HttpReceiver(200) as proxy, HttpReceiver(200) as receiver:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert (await send_http(webhook(receiver.url), event(), now=NOW + timedelta(seconds=1))).delivered
    assert proxy.requests == []
