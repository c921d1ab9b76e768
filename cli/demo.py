"""`interlock demo`: the main job, with a worker frozen and one killed in the middle, judged by the cloud's own log."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.output import JsonFlag, Output, examples

EXAMPLES = examples(
    "interlock demo",
    "interlock demo --json | tail -n 1 | jq .overlaps",
    "interlock demo --unfenced             # without the gate: shows the overlap that Interlock prevents",
    "interlock demo --plugin-dir ./providers",
)


def demo(
    json_output: JsonFlag = False,
    unfenced: Annotated[
        bool, typer.Option("--unfenced", help="Switch the gate off and give workers credentials: overlaps appear.")
    ] = False,
    plugin_dir: Annotated[
        Path | None,
        typer.Option("--plugin-dir", help="Directory with provider plug-ins, as for terraform init -plugin-dir."),
    ] = None,
) -> None:
    """Freeze and kill workers in the middle of a real apply and judge what the cloud saw.

    Everything runs on embedded parts in a temporary directory; the last line of --json is one object, the verdict.
    """
    from deploy.demo.story import run_demo
    from shared.errors import ConfigurationError

    if plugin_dir is not None and not plugin_dir.is_dir():
        raise ConfigurationError(
            f"the plug-in directory {plugin_dir} does not exist",
            hint="name a directory laid out as a filesystem mirror, or leave --plugin-dir out",
        )
    raise typer.Exit(
        run_demo(json_output=Output(as_json=json_output).as_json, unfenced=unfenced, plugin_dir=plugin_dir)
    )
