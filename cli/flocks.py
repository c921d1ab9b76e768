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
    """Check `file` and everything that belongs to it, upload, declare the targets; return those of this flock.

    Everything is checked before anything is sent. Raises ConfigurationError that names everything that is wrong.
    """
    from cli.bundle import build_bundle
    from cli.flock_configuration import checked_flock, require_clean
    from scheduler.configuration.nodes import plain
    from scheduler.configuration.render import PROVIDERS_FILE
    from shared.errors import ConfigurationError
    from shared.models import TargetUpsert

    checked = checked_flock(file)
    require_clean(checked, Output(as_json=False))
    for target in checked.targets:
        if target.backend.entries:
            raise ConfigurationError(
                f"{target.backend.origin}: runs keep the state of {target.id} in Interlock, not in another backend",
                hint="remove `backend`",
            )
    digests: dict[tuple[str, str | None], str] = {}
    declared = []
    for target in checked.targets:
        # Values travel with the target; arguments of providers have to lie beside the generic files.
        providers = target.files.get(PROVIDERS_FILE)
        key = (target.plan.configuration, providers)
        if key not in digests:
            extra = {} if providers is None else {PROVIDERS_FILE: providers}
            digests[key] = client.upload_bundle(build_bundle(checked.flock.folder(key[0]), extra=extra))
        declared.append(
            TargetUpsert(
                id=target.id,
                region=target.plan.region,
                provider_region=target.plan.provider_region,
                variables=plain(target.variables),
                bundle_digest=digests[key],
            )
        )
    return list(client.put_flock(checked.flock.name, next(iter(digests.values())), declared).targets)


def show_targets(out: Output, targets: list[Target]) -> None:
    """Targets as a table."""
    rows = [
        (target.id, target.region, target.provider_region, target.epoch, target.bundle_digest[:SHORT_DIGEST_CHARS])
        for target in targets
    ]
    out.table(COLUMNS, rows, empty="no targets; `interlock flock register FILE` declares them")
