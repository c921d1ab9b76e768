"""How a provisioner's work ended."""

from __future__ import annotations

from dataclasses import dataclass

from shared.models import RunStatus


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The result of a run whose lease was never lost."""

    status: RunStatus
    """Terminal status to report."""
    exit_code: int
    """Exit code to report; follows Terraform's -detailed-exitcode."""
    reason: str = ""
    """One sentence, when something went wrong."""
