"""`interlock lease ls | show | watch | revoke`: who may act on what, since when, until when."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import JsonFlag, Output, examples, make_console, make_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from shared.lease.view import LeaseView

app = typer.Typer(help="See who may act on which target, and take that away.", no_args_is_help=True)

TargetArgument = Annotated[str, typer.Argument(help="Target id.", metavar="TARGET")]
RedisFlag = Annotated[
    bool, typer.Option("--redis", help="Read Redis directly, as dashboards do, instead of asking the API.")
]
COLUMNS = ("TARGET", "STATE", "EPOCH", "RUN", "NODE", "SINCE", "LEFT", "PROXIES", "REASON")
# Bounds a look at a Redis that many installations share.


@app.command("ls", epilog=examples("interlock lease ls", "interlock lease ls --redis --json"))
def list_leases(redis: RedisFlag = False, json_output: JsonFlag = False) -> None:
    """List the lease of every target."""
    out = Output(as_json=json_output)
    views = _reader(redis)()
    out.data(views)
    out.table(COLUMNS, (row(view) for view in views), empty="no leases; nothing was ever claimed")


@app.command(
    "show", epilog=examples("interlock lease show shop.eu-west-1", "interlock lease show shop.eu-west-1 --json")
)
def show_lease(target: TargetArgument, json_output: JsonFlag = False) -> None:
    """Show everything about one target's lease, with the proxies that may sign for it."""
    from cli.context import api

    out = Output(as_json=json_output)
    with api() as client:
        view = client.lease(target)
    out.data(view)
    pairs: list[tuple[str, object]] = [("state", state_of(view))]
    pairs += [(name, getattr(view, name)) for name in type(view).model_fields if name not in ("state", "attachments")]
    pairs += [
        (
            f"proxy {one.proxy_id}",
            f"boot {one.boot_id}, {'cut' if one.acknowledged else 'may sign'}, {one.in_flight} calls in flight",
        )
        for one in view.attachments
    ]
    out.fields(pairs)


@app.command(
    "watch",
    epilog=examples(
        "interlock lease watch", "interlock lease watch --redis --json   # one object a change, a line each"
    ),
)
def watch_leases(
    redis: RedisFlag = False,
    interval_s: Annotated[float, typer.Option("--interval", min=0.1, max=60, help="Seconds between two looks.")] = 1.0,
    count: Annotated[int | None, typer.Option("--count", min=1, help="End after so many looks.")] = None,
    json_output: JsonFlag = False,
) -> None:
    """Watch the leases live until interrupted. In a pipe or with --json: one line for each change."""
    out = Output(as_json=json_output)
    read = _reader(redis)
    try:
        if make_console().is_terminal and not out.as_json:
            _watch_live(read, interval_s, count)
        else:
            _watch_changes(read, out, interval_s, count)
    except KeyboardInterrupt:
        # How a live view is meant to end.
        return


@app.command("revoke", epilog=examples('interlock lease revoke shop.eu-west-1 --reason "wrong account"'))
def revoke_lease(
    target: TargetArgument,
    reason: Annotated[str, typer.Option("--reason", help="Why; recorded, and shown to whoever had the lease.")] = "",
    json_output: JsonFlag = False,
) -> None:
    """Take the lease away: proxies cut the holder's calls at once, and its run ends. Repeated until it took."""
    from cli.context import actor, api

    out = Output(as_json=json_output)
    with api() as client:
        answer = client.revoke_lease(target, reason or f"revoked by {actor()}")
    out.data(answer)
    out.say(after_revoke(answer))


def state_of(view: LeaseView) -> str:
    """The state in one word; an embargo hides whatever was recorded before it."""
    return "embargoed" if view.state is None or not view.cleared else view.state.value


def after_revoke(view: LeaseView) -> str:
    """What a revoke led to, from the lease as it was right after. Pure."""
    state = state_of(view)
    if state in ("held", "releasing", "revoking"):
        look = f"`interlock lease show {view.target}` shows when it is severed"
        return f"the lease of {view.target} is being revoked; {look}"
    if state == "severed":
        return f"the lease of {view.target} is severed: nothing is signed under epoch {view.epoch} any more"
    return f"nobody holds the lease of {view.target} ({state}); a run that has claimed it already will not begin"


def row(view: LeaseView) -> tuple[object, ...]:
    """One line of the table. Pure."""
    live = view.pttl_ms >= 0
    since = datetime.fromtimestamp(view.since_ms / 1000, UTC) if view.since_ms else None
    acknowledged = sum(one.acknowledged for one in view.attachments)
    proxies = f"{len(view.attachments)} ({acknowledged} cut)" if view.attachments else None
    return (
        view.target,
        state_of(view),
        view.epoch,
        view.run_id or None,
        view.node or None,
        since,
        f"{view.pttl_ms / 1000:.1f} s" if live else None,
        proxies,
        view.reason or None,
    )


def changed(before: dict[str, LeaseView], views: Sequence[LeaseView]) -> list[LeaseView]:
    """The views that tell something new; renewals alone do not. Pure."""
    return [view for view in views if view.target not in before or _story(before[view.target]) != _story(view)]


def _story(view: LeaseView) -> tuple[object, ...]:
    return (view.incarnation, view.cleared, view.state, view.lease_id, view.epoch, view.reason, view.attachments)


def _watch_changes(read: Callable[[], list[LeaseView]], out: Output, interval_s: float, count: int | None) -> None:
    before: dict[str, LeaseView] = {}
    for _ in _looks(interval_s, count):
        views = read()
        for view in changed(before, views):
            out.line(view)
            cells = zip(COLUMNS, row(view), strict=True)
            out.say(" ".join(f"{name.lower()}={value}" for name, value in cells if value is not None))
        before = {view.target: view for view in views}


def _watch_live(read: Callable[[], list[LeaseView]], interval_s: float, count: int | None) -> None:
    from rich.live import Live

    from cli.output import cell

    with Live(console=make_console(), auto_refresh=False) as live:
        for _ in _looks(interval_s, count):
            lines = [[cell(value) for value in row(view)] for view in read()]
            live.update(make_table(COLUMNS, lines), refresh=True)


def _looks(interval_s: float, count: int | None) -> Iterator[int]:
    number = 0
    while count is None or number < count:
        if number:
            time.sleep(interval_s)
        yield number
        number += 1


def _reader(from_redis: bool) -> Callable[[], list[LeaseView]]:
    from cli.context import api, lease_store, load_settings

    settings = load_settings()

    def from_api() -> list[LeaseView]:
        with api(settings) as client:
            return client.leases()

    def directly() -> list[LeaseView]:
        from shared.lease.view import LeaseView

        with lease_store(settings) as store:
            targets = store.targets()
            return [
                view if isinstance(view, LeaseView) else LeaseView.unreadable(name, view)
                for name, view in zip(targets, store.views(targets), strict=True)
            ]

    return directly if from_redis else from_api
