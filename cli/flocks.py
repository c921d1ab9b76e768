"""`interlock flock register | ls`: from a flock file to targets that can be planned and applied.

What can be known without the API (inspect, render, validate, diff) is in `cli.flock_configuration`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import flock_configuration
from cli.output import JsonFlag, Output, examples

if TYPE_CHECKING:
    from shared.api_client import ApiClient
    from shared.models import Target

app = typer.Typer(help="Register flocks: one Terraform configuration for many targets.", no_args_is_help=True)

app.command("inspect", epilog=flock_configuration.INSPECT_EXAMPLES)(flock_configuration.inspect)
app.command("render", epilog=flock_configuration.RENDER_EXAMPLES)(flock_configuration.render)
app.command("validate", epilog=flock_configuration.VALIDATE_EXAMPLES)(flock_configuration.validate)
app.command("diff", epilog=flock_configuration.DIFF_EXAMPLES)(flock_configuration.diff)

FlockFile = Annotated[Path, typer.Argument(help="The flock file (YAML).", metavar="FILE")]
COLUMNS = ("TARGET", "REGION", "PROVIDER REGION", "EPOCH", "RELEASE")
SHORT_DIGEST_CHARS = 19


@app.command(
    "register", epilog=examples("interlock flock register flock.yaml", "interlock flock register flock.yaml --json")
)
def register_flock(file: FlockFile, json_output: JsonFlag = False) -> None:
    """Publish a flock as a release, and let its targets deploy it from now on. Repeating it changes nothing."""
    from cli.context import api

    out = Output(as_json=json_output)
    with api() as client:
        targets = register(client, file)
    out.data(targets)
    show_targets(out, targets)


@app.command("ls", epilog=examples("interlock flock ls", "interlock flock ls --json"))
def list_targets(json_output: JsonFlag = False) -> None:
    """List every registered target."""
    from cli.context import api

    out = Output(as_json=json_output)
    with api() as client:
        targets = client.targets()
    out.data(targets)
    show_targets(out, targets)


def register(client: ApiClient, file: Path) -> list[Target]:
    """Publish `file` as a release and let its targets deploy it when a run names none; return those targets.

    Everything is checked before anything is sent. Raises ConfigurationError that names everything that is wrong.
    """
    from cli.releases import publish

    release = publish(client, file, Output(as_json=False))
    return list(client.put_flock(release.flock, release.digest).targets)


def show_targets(out: Output, targets: list[Target]) -> None:
    """Targets as a table."""
    rows = [
        (
            target.id,
            target.region,
            target.provider_region,
            target.epoch,
            (target.release_digest or "")[:SHORT_DIGEST_CHARS],
        )
        for target in targets
    ]
    out.table(COLUMNS, rows, empty="no targets; `interlock flock register FILE` declares them")
