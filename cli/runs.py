"""`interlock run ls | show | logs | cancel`."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.output import JsonFlag, Output, examples

app = typer.Typer(help="Look at runs, read their logs, cancel them.", no_args_is_help=True)

RunId = Annotated[str, typer.Argument(help="Run id, as printed when it was created.", metavar="RUN")]
COLUMNS = ("RUN", "TARGET", "KIND", "STATUS", "EPOCH", "NODE", "ACTOR", "CREATED", "REASON")


@app.command(
    "ls",
    epilog=examples(
        "interlock run ls",
        "interlock run ls --target shop.eu-west-1 --status errored",
        "interlock run ls --kind drift",
        "interlock run ls --json | jq -r '.[].id'",
    ),
)
def list_runs(
    target: Annotated[str | None, typer.Option("--target", help="Only runs of this target.")] = None,
    status: Annotated[str | None, typer.Option("--status", help="Only runs in this status.")] = None,
    kind: Annotated[
        str | None,
        typer.Option("--kind", help="Only runs of this kind: plan, apply, destroy, exec, drift, rollback, recover."),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most this many, the newest first.")] = 50,
    json_output: JsonFlag = False,
) -> None:
    """List runs, the newest first."""
    from cli.context import api
    from shared.models import RunKind, RunStatus

    if status is not None and status not in {member.value for member in RunStatus}:
        raise typer.BadParameter(f"unknown status {status!r}; one of: {', '.join(RunStatus)}")
    if kind is not None and kind not in {member.value for member in RunKind}:
        raise typer.BadParameter(f"unknown kind {kind!r}; one of: {', '.join(RunKind)}")
    out = Output(as_json=json_output)
    with api() as client:
        found = client.runs(target=target, status=status, kind=kind, limit=limit)
    out.data(found)
    rows = [
        (
            run.id,
            run.target,
            run.kind.value,
            run.status.shown(run.kind),
            run.epoch,
            run.node,
            run.actor,
            run.created_at,
            run.reason,
        )
        for run in found
    ]
    out.table(COLUMNS, rows, empty="no runs; `interlock plan TARGET` makes one")


@app.command("show", epilog=examples("interlock run show run-0123456789abcdef"))
def show_run(run_id: RunId, json_output: JsonFlag = False) -> None:
    """Show everything that is known about one run."""
    from cli.context import api

    out = Output(as_json=json_output)
    with api() as client:
        run = client.run(run_id)
    out.data(run)
    out.fields((name, getattr(run, name)) for name in type(run).model_fields)


@app.command(
    "logs", epilog=examples("interlock run logs run-0123456789abcdef", "interlock run logs -f run-0123456789abcdef")
)
def run_logs(
    run_id: RunId,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run has ended.")] = False,
    json_output: JsonFlag = False,
) -> None:
    """Print a run's log. With --json: one object a piece of the log, each on a line of its own."""
    from cli.context import api
    from cli.follow import stream_log

    out = Output(as_json=json_output)
    with api() as client:
        for piece in stream_log(client, run_id, until_complete=follow):
            out.line({"run": run_id, "text": piece})
            if not out.as_json:
                out.raw(piece)


@app.command("cancel", epilog=examples("interlock run cancel run-0123456789abcdef"))
def cancel_run(run_id: RunId, json_output: JsonFlag = False) -> None:
    """Ask a run to stop: its provisioner gets one interrupt, ends its open operations and saves its state."""
    from cli.context import api

    out = Output(as_json=json_output)
    with api() as client:
        run = client.cancel_run(run_id)
    out.data(run)
    if run.status.terminal:
        out.say(f"{run.id} has ended: {run.status.value}")
    else:
        out.say(f"{run.id} was asked to stop; `interlock run logs -f {run.id}` shows how it ends")
