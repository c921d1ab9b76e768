"""Events and destinations for tests, as short as they can be said."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

from scheduler.notifications.destinations import Directory, Email, EmailPart, RoutePart, Slack, Webhook
from scheduler.notifications.events import Event, Kind

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
KEY = b"k" * 32
SECRET = "whsec_" + base64.b64encode(KEY).decode()
DIGEST = "sha256:" + "a" * 64


def event(kind: Kind = Kind.LOST_LEASE, **values: Any) -> Event:
    """An event of a run that everything is known about."""
    known: dict[str, Any] = {
        "kind": kind,
        "key": "run-0123456789abcdef",
        "at": NOW,
        "flock": "shop",
        "target": "shop.eu-west-1",
        "run_id": "run-0123456789abcdef",
        "run_kind": "apply",
        "epoch": 7,
        "reason": "its lease expired without a sign of life",
    }
    return Event(**{**known, **values})


FULL: dict[Kind, Event] = {
    Kind.HALT: event(
        Kind.HALT,
        rollout_id="rollout-0123456789abcdef",
        phase="canary",
        resource="aws_s3_bucket.logs",
        operation="s3:DeleteBucket",
        reason="not in the approved safety plan",
    ),
    Kind.DRIFT: event(
        Kind.DRIFT, run_kind="drift", reason="", items=("aws_sqs_queue.jobs  MODIFIED: visibility_timeout_seconds",)
    ),
    Kind.ROLLBACK: event(
        Kind.ROLLBACK,
        target=None,
        run_id=None,
        epoch=None,
        rollout_id="rollout-0123456789abcdef",
        release_digest=DIGEST,
        reason="its bake check failed",
    ),
    Kind.LOST_LEASE: event(next_run_id="run-fedcba9876543210"),
    Kind.ORPHANS: event(Kind.ORPHANS, items=("aws_s3_bucket orders", "aws_sqs_queue https://q (no answer)")),
    Kind.APPROVAL_WANTED: event(
        Kind.APPROVAL_WANTED,
        target=None,
        run_id=None,
        epoch=None,
        rollout_id="rollout-0123456789abcdef",
        phase="canary",
        reason="",
        items=(f"shop.eu-west-1  plan {DIGEST} of run-0123456789abcdef", "shop.eu-west-2  plan b"),
        more=3,
    ),
    Kind.TEST: event(Kind.TEST, target=None, run_id=None, epoch=None, reason="asked for by ann@desk"),
}


def webhook(url: str, **changes: Any) -> Webhook:
    """A webhook signed with `KEY`."""
    return Webhook(**{"url": url, "keys": (KEY,), "ca_file": None, **changes})


def slack(url: str) -> Slack:
    """A Slack-compatible destination."""
    return Slack(url=url, ca_file=None)


def mail(port: int, *, secret: str | None = None, **changes: Any) -> Email:
    """A mail server on this machine, in clear unless said otherwise."""
    values: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": port,
        "security": "none",
        "from": "interlock@example.com",
        "to": ["oncall@example.com"],
    }
    return Email(part=EmailPart.model_validate({**values, **changes}), password=secret)


def directory(**destinations: Any) -> Directory:
    """A directory in which everything goes everywhere."""
    return Directory(destinations=destinations, routes=(RoutePart(to=tuple(destinations)),) if destinations else ())
