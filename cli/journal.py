"""`interlock journal ls`: every call that the proxy was asked to sign and must be able to account for."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.output import JsonFlag, Output, examples

app = typer.Typer(help="The proxy's record of calls: run, epoch, operation, outcome.", no_args_is_help=True)

COLUMNS = ("AT", "TARGET", "EPOCH", "RUN", "SERVICE", "OPERATION", "ACCESS", "OUTCOME", "HTTP", "RESOURCE")


@app.command(
    "ls",
    epilog=examples(
        "interlock journal ls --target shop.eu-west-1",
        "interlock journal ls --run run-0123456789abcdef --json | jq '.[] | select(.outcome == null)'",
    ),
)
def list_journal(
    target: Annotated[str | None, typer.Option("--target", help="Only calls for this target.")] = None,
    run: Annotated[str | None, typer.Option("--run", help="Only calls of this run.")] = None,
    epoch: Annotated[int | None, typer.Option("--epoch", min=1, help="Only calls under this epoch.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most this many, the newest first.")] = 100,
    json_output: JsonFlag = False,
) -> None:
    """List journaled calls, the newest first. No outcome means unknown: the call may have reached the cloud."""
    from cli.context import api

    out = Output(as_json=json_output)
    with api() as client:
        records = client.journal(target=target, run=run, epoch=epoch, limit=limit)
    out.data(records)
    rows = [
        (
            record.at_wall,
            record.target,
            record.epoch,
            record.run_id,
            record.service,
            record.operation,
            record.access,
            record.outcome or "unknown",
            record.http_status,
            " ".join(f"{name}={value}" for name, value in record.resource.items()),
        )
        for record in records
    ]
    out.table(COLUMNS, rows, empty="no calls are journaled for this choice")
