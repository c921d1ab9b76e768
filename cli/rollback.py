"""`interlock rollback start | list | show | retry | skip`."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import JsonFlag, Output, YesOption, examples

if TYPE_CHECKING:
    from shared.api_client import ApiClient
    from shared.rollback.records import StateComparison
    from shared.rollback.standing import Rollback, RollbackStatus

POLL_S = 1.0

app = typer.Typer(
    help="Take a deployment back to what its target was before it; see and decide what becomes of rollbacks.\n\n"
    "With --watch: exit code 0 when the first state is there again, 2 when something is left, 1 when it failed.",
    no_args_is_help=True,
)

RollbackId = Annotated[
    str, typer.Argument(help="Rollback id, as `interlock rollback list` shows it.", metavar="ROLLBACK")
]
WatchOption = Annotated[bool, typer.Option("--watch", help="Follow it to its end.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why, in one line, for the record.")]
COLUMNS = ("ROLLBACK", "TARGET", "STATUS", "TRIGGER", "DEPLOYMENT", "RUN", "SINCE", "REASON")
LEFT_COLUMNS = ("WHAT", "ADDRESS", "ID", "WHY")
REFUSED_COLUMNS = ("REFUSED", "ADDRESS", "WHY")
DIFFERENCE_COLUMNS = ("ADDRESS", "ATTRIBUTE", "BEFORE", "NOW")


@app.command(
    "start",
    epilog=examples(
        "interlock rollback start shop.eu-north --reason 'orders are slow'",
        "interlock rollback start --run run-0123456789abcdef --watch",
        "interlock rollback start shop.eu-north --yes --json | jq -r .id",
    ),
)
def start(
    target: Annotated[str | None, typer.Argument(help="Whose last deployment.", metavar="[TARGET]")] = None,
    run: Annotated[str | None, typer.Option("--run", help="The deployment itself; it has to be the last.")] = None,
    reason: ReasonOption = "",
    watch_it: WatchOption = False,
    yes: YesOption = False,
    json_output: JsonFlag = False,
) -> None:
    """Take a target's last deployment back. One that is at work does it itself, under its own lease.

    Refused, and nothing touched: where nothing was deployed that recorded its first state, while another run holds the
    target, where something was deployed since, and where the state was replaced by hand.
    """
    from cli.context import actor, api

    out = Output(as_json=json_output)
    if (target is None) == (run is None):
        raise typer.BadParameter("name a target, or a run with --run")
    if not yes and sys.stdin.isatty():
        typer.confirm(f"Take back {run or f'the last deployment of {target}'}?", abort=True, err=True)
    with api() as client:
        back = client.start_rollback(target=target, run=run, actor=actor(), reason=reason)
        if watch_it:
            raise typer.Exit(_watch(client, out, back))
    out.data(back)
    out.say(back.id)
    out.note(f"{back.target}: {back.status}, by {back.current_run_id}; `interlock rollback show {back.id}` says more")


@app.command("list", epilog=examples("interlock rollback list --open", "interlock rollback list --flock shop --json"))
def list_rollbacks(
    target: Annotated[str | None, typer.Option("--target", help="Only of this target.")] = None,
    flock: Annotated[str | None, typer.Option("--flock", help="Only of this flock.")] = None,
    unfinished: Annotated[
        bool, typer.Option("--open", help="Only those that are not over: they keep their targets.")
    ] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most this many, the newest first.")] = 50,
    json_output: JsonFlag = False,
) -> None:
    """List rollbacks, the newest first."""
    from cli.context import api

    out = Output(as_json=json_output)
    with api() as client:
        found = client.rollbacks(target=target, flock=flock, unfinished=unfinished, limit=limit)
    out.data(found)
    rows = [
        (one.id, one.target, one.status, one.trigger, one.run_id, one.current_run_id, one.triggered_at, one.reason)
        for one in found
    ]
    out.table(COLUMNS, rows, empty="no rollbacks")


@app.command(
    "show",
    epilog=examples(
        "interlock rollback show rollback-0123456789abcdef",
        "interlock rollback show run-0123456789abcdef       # of that deployment",
        "interlock rollback show shop.eu-north              # the target's last one",
    ),
)
def show(
    name: Annotated[str, typer.Argument(help="A rollback, a deployment's run, or a target.", metavar="ROLLBACK")],
    json_output: JsonFlag = False,
) -> None:
    """Show a rollback: where it leads, what was refused, what is left, what differs, and what can be done."""
    from cli.context import api

    out = Output(as_json=json_output)
    with api() as client:
        back = _found(client, name)
    _show(out, back)


@app.command(
    "retry",
    epilog=examples(
        "interlock rollback retry rollback-0123456789abcdef",
        "interlock rollback retry rollback-0123456789abcdef --consent aws_db_instance.orders   # continue",
    ),
)
def retry(
    rollback_id: RollbackId,
    consent: Annotated[
        list[str] | None,
        typer.Option("--consent", help="Address of what was refused and may be destroyed; several times for several."),
    ] = None,
    watch_it: WatchOption = False,
    yes: YesOption = False,
    json_output: JsonFlag = False,
) -> None:
    """Try a rollback again that is PARTIAL, FAILED or SKIPPED; with --consent it may destroy what it was refused."""
    from cli.context import actor, api

    out = Output(as_json=json_output)
    if consent and not yes and sys.stdin.isatty():
        typer.confirm(f"Let it destroy or replace {', '.join(consent)}?", abort=True, err=True)
    with api() as client:
        back = client.retry_rollback(rollback_id, actor=actor(), consents=consent or [])
        if watch_it:
            raise typer.Exit(_watch(client, out, back))
    out.data(back)
    out.say(f"{back.id} is {back.status}, by {back.current_run_id}")


@app.command(
    "skip",
    epilog=examples("interlock rollback skip rollback-0123456789abcdef --reason 'the queue stays, it is empty'"),
)
def skip(rollback_id: RollbackId, reason: ReasonOption = "", json_output: JsonFlag = False) -> None:
    """Leave a target as it is: it takes other runs again. A rollback that has not begun does not begin."""
    from cli.context import actor, api

    out = Output(as_json=json_output)
    with api() as client:
        back = client.skip_rollback(rollback_id, actor=actor(), reason=reason)
    out.data(back)
    out.say(f"{back.id} is {back.status}; {back.target} takes other runs again")


def exit_code_of(status: RollbackStatus) -> int:
    """The exit code of a command that waited for a rollback. Pure."""
    from shared import exit_codes

    return {
        "ROLLED_BACK": exit_codes.OK,
        "NOT_NEEDED": exit_codes.OK,
        "PARTIAL": exit_codes.CHANGES,
        "SKIPPED": exit_codes.CHANGES,
    }.get(status.value, exit_codes.ERROR)


def _found(client: ApiClient, name: str) -> Rollback:
    if "." not in name:
        return client.rollback(name)
    from shared.errors import ApiError

    newest = client.rollbacks(target=name, limit=1)
    if not newest:
        raise ApiError(
            f"{name} has no rollback", status=404, code="unknown_rollback", hint="`interlock rollback list` shows all"
        )
    return client.rollback(newest[0].id)


def _watch(client: ApiClient, out: Output, back: Rollback) -> int:
    said = ""
    while True:
        line = f"{back.target}: {back.status}" + (f", by {back.current_run_id}" if back.status.at_work else "")
        if line != said:
            out.note(line)
            said = line
        if not back.status.at_work:
            _show(out, back)
            return exit_code_of(back.status)
        time.sleep(POLL_S)
        back = client.rollback(back.id)


def _show(out: Output, back: Rollback) -> None:
    out.data(back)
    first = back.first
    names = ("id", "target", "status", "trigger", "reason", "run_id", "current_run_id", "rollout_id", "actor")
    out.fields((name, getattr(back, name)) for name in names)
    out.fields(
        [
            ("first release", first.release_digest or "none: nothing existed"),
            (
                "first state",
                f"serial {first.state.serial}, {len(first.resources)} resources" if first.state else "none",
            ),
            ("reserved", back.reserved),
            ("begun", back.started_at),
            ("over", back.finished_at),
        ]
    )
    result = back.result
    refused = (*(result.refused if result else ()), *(back.verdict.refused if back.verdict and not result else ()))
    if result is not None and result.residue:
        out.say("")
        left = [(one.kind, one.address, one.id, one.reason) for one in result.residue]
        out.table(LEFT_COLUMNS, left, empty="nothing is left")
    if refused:
        out.say("")
        out.table(REFUSED_COLUMNS, [(one.item.operation, one.item.address, one.reason) for one in refused], empty="")
    if result is not None and result.comparison is not None:
        out.say("")
        rows = list(_differences(result.comparison))
        out.table(DIFFERENCE_COLUMNS, rows, empty="no attribute differs from the first state")
    for step in back.options:
        out.note(_OPTIONS[step.value].format(id=back.id))


_OPTIONS = {
    "continue": "`interlock rollback retry {id} --consent ADDRESS` goes on past what was refused",
    "retry": "`interlock rollback retry {id}` tries again",
    "skip": "`interlock rollback skip {id}` leaves it as it is, and the target takes other runs again",
}


def _differences(comparison: StateComparison) -> Iterator[tuple[object, ...]]:
    for one in comparison.resources:
        if not one.attributes:
            yield one.address, one.presence.value.replace("_", " "), None, None
        for attribute in one.attributes:
            hidden = "(sensitive)" if attribute.sensitive else None
            yield one.address, attribute.path, hidden or attribute.first, hidden or attribute.final
    for output in comparison.outputs:
        hidden = "(sensitive)" if output.sensitive else None
        yield "output", output.path, hidden or output.first, hidden or output.final
    if comparison.more:
        yield f"and {comparison.more} more", None, None, None
