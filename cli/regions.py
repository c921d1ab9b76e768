"""`interlock region add`: what a new region would mean, before anything is deployed there."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from cli.output import JsonFlag, Output, examples

app = typer.Typer(help="Regions: the places that flocks are deployed to.", no_args_is_help=True)

COLUMNS = ("ORDER", "PHASE", "TARGET", "PROVIDER REGION", "CONFIGURATION", "VALUES", "WAITS FOR")


@app.command(
    "add",
    epilog=examples(
        "interlock region add regions/eu-south-1.yaml",
        "interlock region add eu-south-1.yaml --fleet examples/shop --write",
    ),
)
def add(
    file: Annotated[Path, typer.Argument(help="The region file.", metavar="FILE")],
    fleet: Annotated[
        Path | None, typer.Option("--fleet", help="Folder that holds the flocks and regions/. Default: that of FILE.")
    ] = None,
    write: Annotated[
        bool, typer.Option("--write", help="Copy FILE into regions/ when nothing is wrong. Nothing else is changed.")
    ] = False,
    json_output: JsonFlag = False,
) -> None:
    """Show what would be deployed to a new region, in which order, and what is missing. Deploys nothing."""
    from cli.flock_configuration import show_findings
    from scheduler.configuration.fleet import REGIONS
    from scheduler.configuration.preview import default_fleet, preview_region
    from scheduler.configuration.report import Severity
    from shared import exit_codes
    from shared.errors import ConfigurationError

    out = Output(as_json=json_output)
    root = fleet or default_fleet(file)
    previews = preview_region(file, root)
    if not previews:
        raise ConfigurationError(f"there is no flock.yaml below {root}", hint="name the fleet's folder with --fleet")
    out.data([preview.data() for preview in previews])
    for preview in previews:
        out.say(f"{preview.flock}    {preview.file}")
        rows = [
            (s.order, s.phase, s.target, s.provider_region, s.configuration, s.values, _some(s.waits_for))
            for s in preview.steps
        ]
        out.table(COLUMNS, rows, empty=f"{preview.flock}: nothing would be deployed there; no target has this realm")
        show_findings(out, preview.findings)
    if any(one.severity is Severity.ERROR for preview in previews for one in preview.findings):
        raise typer.Exit(exit_codes.USAGE)
    if write:
        target = root / REGIONS / file.name
        if target.resolve() != file.resolve():
            if target.exists():
                raise ConfigurationError(f"{target} exists already", hint="edit that file instead")
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(file, target)
            out.note(f"wrote {target}")


def _some(targets: tuple[str, ...]) -> str:
    shown = ", ".join(targets[:3])
    return f"{shown} and {len(targets) - 3} more" if len(targets) > 3 else shown or "nothing"
