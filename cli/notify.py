"""`interlock notify list | test | retry`: what people were told, and what could not be told."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import JsonFlag, Output, examples
from shared import exit_codes
from shared.notifications import NotificationState

if TYPE_CHECKING:
    from shared.api_client import ApiClient
    from shared.notifications import Notification

app = typer.Typer(help="Notifications: what was told, what waits, what could not be told.", no_args_is_help=True)

COLUMNS = ("AT", "ID", "KIND", "TITLE", "DESTINATION", "STATE", "TRIES", "NEXT", "NOTE")
#: A beat looks once a second, and an attempt takes 20 s at most.
TEST_PATIENCE_MS = 30_000
POLL_S = 0.5


@app.command(
    "list",
    epilog=examples(
        "interlock notify list",
        "interlock notify list --state dead       # what was given up, and why",
        "interlock notify list --json | jq '.[] | select(.state == \"queued\")'",
    ),
)
def list_notifications(
    state: Annotated[NotificationState | None, typer.Option("--state", help="Only those that stand here.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most this many, the newest first.")] = 50,
    json_output: JsonFlag = False,
) -> None:
    """List notifications, a line for each destination, the newest first."""
    from cli.context import api

    out = Output(as_json=json_output)
    with api() as client:
        found = client.notifications(state=state, limit=limit)
    out.data(found)
    rows = [
        (
            one.at,
            one.id,
            one.kind.value,
            one.title,
            one.destination,
            one.state.value,
            one.attempts,
            one.due_at,
            one.note,
        )
        for one in found
    ]
    out.table(COLUMNS, rows, empty="no notifications for this choice")


@app.command("test", epilog=examples("interlock notify test ops", "interlock notify test ops --json"))
def send_test(
    destination: Annotated[str, typer.Argument(help="A destination of beat's file.", metavar="DESTINATION")],
    json_output: JsonFlag = False,
) -> None:
    """Send a test by way of outbox and beat, as everything else goes, and say what came of it. Exit code 1: it failed.

    It is tried once.
    """
    from cli.context import actor, api

    out = Output(as_json=json_output)
    with api() as client:
        asked = client.test_notification(destination, actor=actor())
        out.note(f"{asked.id} is queued")
        ended = _outcome(client, asked)
    out.data(ended)
    match ended.state:
        case NotificationState.DELIVERED:
            out.say(f"{destination} took it" + (f": {ended.note}" if ended.note else ""))
            return
        case NotificationState.NOBODY:
            out.note(f"beat's file has no destination {destination}: see INTERLOCK_NOTIFICATIONS")
        case NotificationState.UNROUTED:
            out.note("no beat took it: does one run, and was it started with INTERLOCK_NOTIFICATIONS?")
        case NotificationState.QUEUED:
            out.note("beat has not finished; `interlock notify list` shows what comes of it")
        case _:
            out.note(f"{destination} did not take it: {ended.note}")
    raise typer.Exit(exit_codes.ERROR)


@app.command(
    "retry",
    epilog=examples(
        "interlock notify retry evt_0123456789abcdef0123456789abcdef",
        "interlock notify retry --destination ops",
        "interlock notify retry --all",
    ),
)
def retry(
    notification: Annotated[str | None, typer.Argument(help="Only this notification.", metavar="ID")] = None,
    destination: Annotated[str | None, typer.Option("--destination", help="Only what goes there.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every dead delivery.")] = False,
    json_output: JsonFlag = False,
) -> None:
    """Try dead deliveries again, with all their attempts."""
    from cli.context import api

    if everything == (notification is not None or destination is not None):
        raise typer.BadParameter("name a notification or a --destination, or say --all")
    out = Output(as_json=json_output)
    with api() as client:
        requeued = client.retry_notifications(notification=notification, destination=destination)
    out.data(requeued)
    out.say(f"{requeued.count} deliveries are queued again")


def _outcome(client: ApiClient, asked: Notification) -> Notification:
    """The test as it is once something came of it, or after our patience."""
    from shared.clock import SystemClock

    clock = SystemClock()
    until_ms = clock.boot_ms() + TEST_PATIENCE_MS
    while True:
        (now,) = client.notification(asked.id)
        if now.state not in (NotificationState.UNROUTED, NotificationState.QUEUED) or clock.boot_ms() >= until_ms:
            return now
        time.sleep(POLL_S)
