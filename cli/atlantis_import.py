"""`interlock import`: from the files of another tool to a flock."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated

import typer

from cli.output import JsonFlag, Output, examples

EXAMPLES = examples(
    "interlock import atlantis.yaml",
    "interlock import atlantis.yaml --region eu-west-1 --name shop --dry-run",
)


def import_file(
    file: Annotated[Path, typer.Argument(help="An atlantis.yaml, at the top of its repository.", metavar="FILE")],
    region: Annotated[
        str | None, typer.Option("--region", help="Region of projects whose name, workspace and folder name none.")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="The flock's name. Default: that of the folder.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show flock.yaml, write nothing.")] = False,
    json_output: JsonFlag = False,
) -> None:
    """Write a flock.yaml beside an atlantis.yaml and say what it could not carry over. Changes no other file."""
    from cli.flock_configuration import checked_flock, exit_code, show_findings
    from scheduler.configuration.atlantis import import_atlantis
    from scheduler.configuration.fleet import FLOCK_FILE
    from scheduler.configuration.report import ManyRefused, Severity

    out = Output(as_json=json_output)
    target = file.parent / FLOCK_FILE
    if os.path.lexists(target) and not dry_run:
        raise _there_already(target)
    try:
        imported = import_atlantis(file, name=name or _name_of(file.absolute().parent), region=region)
    except ManyRefused as error:
        out.data({"file": None, "flock": None, "findings": [one.data() for one in error.findings]})
        show_findings(out, error.findings)
        raise typer.Exit(error.exit_code) from None
    findings = imported.findings
    if not dry_run:
        _write_new(target, imported.text)
        # Only what keeps it from being deployed: values that no region overrides yet are what an import looks like.
        report = checked_flock(target).report
        findings = (*findings, *(one for one in report.findings if one.severity is Severity.ERROR))
    out.data(
        {
            "file": None if dry_run else str(target),
            "flock": imported.flock,
            "findings": [one.data() for one in findings],
        }
    )
    if dry_run:
        out.say(imported.text.rstrip("\n"))
    show_findings(out, findings)
    if not dry_run:
        out.say(f"wrote {target}; next: interlock flock validate {target.parent}")
    if exit_code(findings):
        raise typer.Exit(exit_code(findings))


def _there_already(target: Path) -> Exception:
    from shared.errors import ConfigurationError

    return ConfigurationError(f"{target} exists already", hint="--dry-run shows what would be written")


def _write_new(target: Path, text: str) -> None:
    """Write a file that was not there; one that somebody made meanwhile, or a link, is left alone."""
    from shared.errors import ConfigurationError

    try:
        with target.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise _there_already(target) from None
    except OSError as error:
        raise ConfigurationError(
            f"{target} cannot be written: {error.strerror}", hint="--dry-run shows what would be written"
        ) from error


def _name_of(folder: Path) -> str:
    return re.sub(r"[^a-z0-9]+", "-", folder.name.lower()).strip("-")[:63].strip("-") or "flock"
