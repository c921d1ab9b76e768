"""`interlock version`."""

from __future__ import annotations

import platform
from importlib import metadata

from cli.output import JsonFlag, Output, examples

EXAMPLES = examples("interlock version", "interlock version --json")
DISTRIBUTION = "interlock-provisioning"


def own_version() -> str:
    """The installed version of Interlock; `unknown` where it runs from a source tree that was never installed."""
    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return "unknown"


def version(json_output: JsonFlag = False) -> None:
    """Show the version of Interlock and of Python."""
    out = Output(as_json=json_output)
    out.data({"version": own_version(), "python": platform.python_version()})
    out.say(f"interlock {own_version()} (Python {platform.python_version()})")
