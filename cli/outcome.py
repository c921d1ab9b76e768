"""How a run ended, as an exit code. Pure.

Exit codes follow Terraform's -detailed-exitcode where they can (0 nothing to do or done, 1 error, 2 a plan has
changes or a target has drifted) and sysexits above that; docs/cli.md holds the table for users.
"""

from __future__ import annotations

from collections.abc import Iterable

from shared import exit_codes
from shared.models import Run, RunKind, RunStatus

# A shell sees 128 + n for a command that signal n ended.
SIGNAL_BASE = 128
MAX_EXIT_CODE = 255


_CHECKED = {
    exit_codes.OK: "in sync",
    exit_codes.CHANGES: "drifted",
    exit_codes.ERROR: "not everything could be looked at",
}


def exit_code_of(run: Run) -> int:
    """The exit code of a command that waited for `run`, which must have ended.

    A revoke by an operator wins over what it led to (a lost lease, an error of the provisioner).
    """
    if run.status in (RunStatus.APPLIED, RunStatus.SUCCEEDED):
        return exit_codes.OK
    if run.status is RunStatus.HALTED or _held(run):
        return exit_codes.REFUSED
    if run.status is RunStatus.CHECKED:
        # By its report: 0 in sync, 2 drifted, 1 not all of it could be looked at.
        return run.exit_code if run.exit_code in (exit_codes.OK, exit_codes.CHANGES) else exit_codes.ERROR
    if run.status in (RunStatus.PLANNED, RunStatus.CONFIRMED):
        return exit_codes.CHANGES if run.exit_code == exit_codes.CHANGES else exit_codes.OK
    if run.revoke_requested:
        return exit_codes.REFUSED
    if run.status is RunStatus.LOST:
        return exit_codes.LEASE_LOST
    if run.status is RunStatus.CANCELED:
        return exit_codes.CANCELED
    if run.kind is RunKind.EXEC and run.exit_code is not None:
        return _shell_code(run.exit_code)
    return exit_codes.ERROR


def worst(codes: Iterable[int]) -> int:
    """One exit code for several runs: the highest error, else CHANGES if any plan has changes, else OK."""
    known = list(codes)
    errors = [code for code in known if code not in (exit_codes.OK, exit_codes.CHANGES)]
    return max(errors or known, default=exit_codes.OK)


def describe(run: Run) -> str:
    """One sentence about how `run` ended, with what to do next where there is something to do."""
    subject = f"{run.kind.value} of {run.target} ({run.id})"
    reason = f": {run.reason}" if run.reason else ""
    code = exit_code_of(run)
    if run.status is RunStatus.ROLLED_BACK:
        held = "ended well" if run.kind is RunKind.ROLLBACK else "did not hold"
        return f"{subject} {held}; its target is as it was before{reason}"
    if run.status is RunStatus.CHECKED:
        return f"{subject}: {_CHECKED[code]}; `interlock drift show {run.target}` has it all"
    if code == exit_codes.CHANGES:
        return f"{subject} has changes; `interlock apply {run.target}` carries them out"
    if code == exit_codes.OK:
        return f"{subject} {'has no changes' if run.status is RunStatus.PLANNED else run.status.value}"
    if _held(run):
        return f"{subject} waits for an approval; nothing was applied{reason}"
    if run.status is RunStatus.HALTED:
        return f"{subject} was halted: it would have done what nobody approved{reason}"
    if code == exit_codes.REFUSED:
        return f"{subject} had its lease revoked by an operator{reason}"
    if run.status is RunStatus.LOST:
        return f"{subject} lost its lease{reason}; nothing was signed for it since"
    if run.status is RunStatus.CANCELED:
        return f"{subject} was canceled{reason}"
    ended = f" with exit code {run.exit_code}" if run.exit_code is not None else ""
    return f"{subject} failed{ended}{reason}"


def _held(run: Run) -> bool:
    """Whether it was to apply, and its plan waits for persons."""
    return run.status is RunStatus.PLANNED and run.kind is not RunKind.PLAN


def _shell_code(code: int) -> int:
    if code < 0:
        code = SIGNAL_BASE - code
    # A failed command must never look like success, whatever its number was cut to.
    return code if 0 < code <= MAX_EXIT_CODE else exit_codes.ERROR
