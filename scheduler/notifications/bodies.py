"""An event as its three kinds of destination want it. Pure; the same event always gives the same bytes.

The webhook's body is `type`, `timestamp` and `data` as Standard Webhooks recommends, below 64 KB. The Slack body has
`text` alone, in Slack's mark-up: that is what Mattermost, Rocket.Chat and others take as well. E-mail is plain text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Final

from scheduler.notifications.events import Event
from scheduler.notifications.templates import Message, message_of

#: The fields of an event that its text lists, and what they are called there.
_IDS: Final = (
    ("target", "target"),
    ("run_id", "run"),
    ("epoch", "epoch"),
    ("rollout_id", "roll-out"),
    ("phase", "phase"),
    ("release_digest", "release"),
    ("resource", "resource"),
    ("operation", "operation"),
    ("next_run_id", "followed by"),
)


def webhook_body(event: Event) -> bytes:
    """JSON in one line: `type` is `interlock.` and the kind."""
    message = message_of(event)
    data = event.model_dump(mode="json", exclude={"kind", "key", "at"}, exclude_none=True)
    document = {
        "type": f"interlock.{event.kind.value}",
        "timestamp": event.at.isoformat(),
        "data": {
            **data,
            "title": message.title,
            "happened": message.happened,
            "todo": message.todo,
            "commands": list(message.commands),
        },
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def slack_body(event: Event) -> bytes:
    """`text` for an incoming webhook. Nothing in it is taken for a mention, a link or mark-up of somebody else's."""
    message = message_of(event)
    lines = [f"*{_escaped(message.title)}*", _escaped(message.happened)]
    lines += [f"• {_code(line)}" for line in event.items]
    lines += [f"• and {event.more} more"] * (event.more > 0)
    lines += [f"{name} {_code(value)}" for name, value in _ids(event)]
    lines += [f"What to do: {_escaped(message.todo)}", *(_code(command) for command in message.commands)]
    return json.dumps({"text": "\n".join(lines)}, ensure_ascii=False, separators=(",", ":")).encode()


def email(event: Event, *, sender: str, recipients: Sequence[str], name: str) -> EmailMessage:
    """The e-mail for the destination `name`. Its Message-ID is the event's, so that a second copy can be told."""
    message = message_of(event)
    mail = EmailMessage()
    mail["Subject"] = f"[interlock] {message.title}"
    mail["From"] = Address(addr_spec=sender)
    mail["To"] = tuple(Address(addr_spec=one) for one in recipients)
    mail["Date"] = format_datetime(event.at)
    mail["Message-ID"] = f"<{event.id}.{name}@{sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Interlock-Id"] = event.id
    mail["X-Interlock-Kind"] = event.kind.value
    mail.set_content("\n".join(_paragraphs(event, message)) + "\n")
    return mail


def _paragraphs(event: Event, message: Message) -> Iterator[str]:
    yield message.happened
    yield ""
    if event.items:
        yield from (f"  - {line}" for line in event.items)
        if event.more:
            yield f"  - and {event.more} more"
        yield ""
    if ids := list(_ids(event)):
        yield from (f"  {name + ':':<13}{value}" for name, value in ids)
        yield ""
    yield f"What to do: {message.todo}"
    yield ""
    yield from (f"  {command}" for command in message.commands)
    yield ""
    yield f"{event.at.isoformat(timespec='seconds')}  {event.id}"


def _ids(event: Event) -> Iterator[tuple[str, str]]:
    for field, name in _IDS:
        if (value := getattr(event, field)) is not None:
            yield name, str(value)


def _escaped(text: str) -> str:
    """Free text for Slack: its three control characters, and an @ that other servers would take for a mention."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped.replace("@", "@\u200b").replace("`", "'")


def _code(text: str) -> str:
    return "`" + text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("`", "'") + "`"
