"""`interlock exec`: any command under a target's lease."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.output import JsonFlag, Output, examples

EXAMPLES = examples(
    "interlock exec --target shop.eu-west-1 -- aws s3 ls",
    "interlock exec --target shop.eu-west-1 -- ./deploy.sh --fast",
    "interlock exec --target shop.eu-west-1 --release 3fa9c1 -- ls",
)


def execute(
    command: Annotated[list[str], typer.Argument(help="The command and its arguments, after --.", metavar="-- CMD…")],
    target: Annotated[str, typer.Option("--target", "-t", help="The target whose lease it needs.")],
    release: Annotated[
        str | None,
        typer.Option("--release", help="In the files of this release; left out: of the one that the target has."),
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Print the run's id and return at once.")] = False,
    json_output: JsonFlag = False,
) -> None:
    """Run a command on a worker, sandboxed behind the signing proxy, while the target's lease is held.

    Its exit code becomes ours. 75 says that the lease was lost, 77 that it was revoked, 130 that it was canceled;
    --json tells these from a command that exits with the same number.
    """
    from cli.context import api
    from cli.deployments import create_run, finish
    from cli.releases import find_digest
    from shared.models import RunKind

    out = Output(as_json=json_output)
    with api() as client:
        digest = find_digest(client, release) if release is not None else None
        run = create_run(client, target, RunKind.EXEC, argv=tuple(command), release_digest=digest)
        raise typer.Exit(finish(client, out, [run], detach=detach))
