"""`interlock doctor`: everything that has to be there, whether it is, and how to mend it."""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import TYPE_CHECKING

import typer

from cli.output import JsonFlag, Output, examples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cli.findings import Finding

EXAMPLES = examples("interlock doctor", "interlock doctor --json | jq '.findings[] | select(.status == \"fail\")'")
MARKS = {"ok": ("32", "ok  "), "warn": ("33", "warn"), "fail": ("31", "FAIL")}


def doctor(json_output: JsonFlag = False) -> None:
    """Check what Interlock needs on this host and say how to mend what is missing.

    Exit code 0 when nothing failed (warnings allowed), else 1. It starts one trial sandbox and changes nothing.
    """
    from shared import exit_codes

    out = Output(as_json=json_output)
    found = []
    for finding in run_checks():
        found.append(finding)
        _show(out, finding)
    failed = sum(finding.status == "fail" for finding in found)
    warned = sum(finding.status == "warn" for finding in found)
    out.data({"ok": failed == 0, "findings": found})
    out.say(f"{len(found)} checks: {failed} failed, {warned} with a warning")
    raise typer.Exit(exit_codes.ERROR if failed else exit_codes.OK)


def run_checks() -> Iterator[Finding]:
    """All findings in order; what needs settings is left out when those are no good, which is a finding itself."""
    from cli import checks_machine, checks_services
    from cli.context import load_settings
    from cli.findings import fail, ok
    from shared.errors import ConfigurationError

    yield from _safely("python", checks_machine.python_version)
    yield from _safely("platform", checks_machine.platform)
    try:
        settings = load_settings()
    except ConfigurationError as error:
        yield fail("settings", error.message, mend=error.hint)
        return
    yield ok("settings", f"valid; TTL {settings.ttl_ms} ms, renewed every {settings.renew_ms} ms")
    for name, check in (*checks_machine.CHECKS, *checks_services.CHECKS):
        yield from _safely(name, partial(check, settings))


def _safely(name: str, check: Callable[[], Finding]) -> Iterator[Finding]:
    """One check that breaks must not hide the others: its error is what it found."""
    from cli.findings import fail
    from shared.errors import InterlockError

    try:
        yield check()
    except InterlockError as error:
        yield fail(name, error.message, mend=error.hint)
    except Exception as error:  # noqa: BLE001 - the finding says what it was; doctor goes on
        yield fail(name, f"the check itself broke: {type(error).__name__}: {error}", mend="report this; it is a bug")


def _show(out: Output, finding: Finding) -> None:
    colour, mark = MARKS[finding.status]
    if sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
        mark = f"\x1b[{colour}m{mark}\x1b[0m"
    out.say(f"{mark}  {finding.name:<16} {finding.what}")
    if finding.mend:
        out.say(f"{'':22} -> {finding.mend}")
