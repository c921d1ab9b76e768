"""`interlock flock register | ls`: from a flock file to targets that can be planned and applied."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import JsonFlag, Output, examples

if TYPE_CHECKING:
    from shared.api_client import ApiClient
    from shared.models import Target

app = typer.Typer(help="Register flocks: one Terraform configuration for many targets.", no_args_is_help=True)

FlockFile = Annotated[Path, typer.Argument(help="The flock file (YAML).", metavar="FILE")]
COLUMNS = ("TARGET", "REGION", "PROVIDER REGION", "EPOCH", "CONFIGURATION")
SHORT_DIGEST_CHARS = 19


@app.command(
    "register", epilog=examples("interlock flock register flock.yaml", "interlock flock register flock.yaml --json")
)
def register_flock(file: FlockFile, json_output: JsonFlag = False) -> None:
    """Upload a flock's configuration and declare its targets. Repeating it changes nothing."""
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
    """Load and check `file`, pack its directory, upload, declare the targets; return those of this flock.

    Everything is checked before anything is sent. Raises ConfigurationError for a bad file or directory.
    """
    from cli.bundle import build_bundle
    from shared.models import TargetUpsert, load_flock

    spec = load_flock(file)
    bundle = build_bundle((file.parent / spec.configuration).resolve())
    digest = client.upload_bundle(bundle)
    declared = [
        TargetUpsert(
            id=spec.target_id(target),
            region=target.region,
            provider_region=target.provider_region or target.region,
            variables=spec.target_variables(target),
        )
        for target in spec.targets
    ]
    return list(client.put_flock(spec.name, digest, declared).targets)


def show_targets(out: Output, targets: list[Target]) -> None:
    """Targets as a table."""
    rows = [
        (target.id, target.region, target.provider_region, target.epoch, target.bundle_digest[:SHORT_DIGEST_CHARS])
        for target in targets
    ]
    out.table(COLUMNS, rows, empty="no targets; `interlock flock register FILE` declares them")
