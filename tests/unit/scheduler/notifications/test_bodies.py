"""Events as destinations want them."""

from __future__ import annotations

import email
import email.policy
import json

import pytest

from scheduler.notifications import bodies
from scheduler.notifications.events import Kind
from tests.unit.scheduler.notifications.support import FULL, event


def test_a_webhook_gets_type_timestamp_and_data() -> None:
    document = json.loads(bodies.webhook_body(FULL[Kind.HALT]))
    data = document.pop("data")
    assert document == {"type": "interlock.halt", "timestamp": "2026-01-02T03:04:05+00:00"}
    assert (data["target"], data["run_id"], data["rollout_id"], data["epoch"]) == (
        "shop.eu-west-1",
        "run-0123456789abcdef",
        "rollout-0123456789abcdef",
        7,
    )
    assert (data["resource"], data["operation"]) == ("aws_s3_bucket.logs", "s3:DeleteBucket")
    assert data["commands"][0] == "interlock run show run-0123456789abcdef"
    assert {"title", "happened", "todo", "items", "more"} <= data.keys()
    assert "key" not in data


@pytest.mark.parametrize("kind", Kind)
def test_the_same_event_gives_the_same_bytes(kind: Kind) -> None:
    assert bodies.webhook_body(FULL[kind]) == bodies.webhook_body(FULL[kind])
    assert bodies.slack_body(FULL[kind]) == bodies.slack_body(FULL[kind])


@pytest.mark.parametrize("character", ["a", "ä", "€", "𝄞", '"'])
def test_the_largest_event_is_below_64_kilobytes(character: str) -> None:
    words = dict.fromkeys(("target", "phase", "reason", "resource", "operation"), character * 9999)
    largest = event(Kind.HALT, **words, items=[character * 9999] * 99)
    assert len(bodies.webhook_body(largest)) < 64_000
    assert len(json.loads(bodies.slack_body(largest))["text"]) < 40_000


def test_slack_gets_text_and_nothing_else() -> None:
    document = json.loads(bodies.slack_body(FULL[Kind.APPROVAL_WANTED]))
    assert list(document) == ["text"]
    lines = document["text"].splitlines()
    assert lines[0] == "*Approval wanted: shop, 5 plans of phase canary*"
    assert "• `shop.eu-west-2  plan b`" in lines or "• `shop.eu-west-2 plan b`" in lines
    assert "• and 3 more" in lines
    assert lines[-1] == "`interlock rollout approve rollout-0123456789abcdef --phase canary`"


def test_nobody_can_ping_a_channel_or_hide_a_link_through_a_reason() -> None:
    text = json.loads(
        bodies.slack_body(event(reason="<!channel> <http://evil|ok> @here `x` & y", items=["`<!here>`"]))
    )["text"]
    assert "<" not in text
    assert "@here" not in text
    assert "&lt;!channel&gt;" in text
    assert "• `'&lt;!here&gt;'`" in text


def test_a_mail_is_plain_text_under_the_events_id() -> None:
    made = bodies.email(
        FULL[Kind.LOST_LEASE], sender="interlock@example.com", recipients=["a@x.org", "b@x.org"], name="ops"
    )
    mail = email.message_from_bytes(made.as_bytes(), policy=email.policy.default)
    assert mail["Subject"] == "[interlock] Lease lost: shop.eu-west-1"
    assert (mail["From"], mail["To"]) == ("interlock@example.com", "a@x.org, b@x.org")
    assert mail["Message-ID"] == f"<{FULL[Kind.LOST_LEASE].id}.ops@example.com>"
    assert mail["X-Interlock-Id"] == FULL[Kind.LOST_LEASE].id
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail.get_content_type() == "text/plain"
    text = mail.get_content()
    for said in ("  target:      shop.eu-west-1", "  epoch:       7", "What to do: ", "  interlock run show run-"):
        assert said in text


def test_a_reason_cannot_add_a_header_to_a_mail() -> None:
    made = bodies.email(
        event(Kind.HALT, operation="x\r\nBcc: evil@x.org"), sender="i@x.org", recipients=["a@x.org"], name="ops"
    )
    mail = email.message_from_bytes(made.as_bytes(), policy=email.policy.default)
    assert mail["Bcc"] is None
    assert "Bcc: evil@x.org" in mail["Subject"]
