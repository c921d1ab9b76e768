"""The `drift` section of a flock."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field

from shared.drift.ignoring import MAX_RULES, IgnoreRule
from shared.record import Section

MIN_EVERY_S: Final = 60
MAX_EVERY_S: Final = 31 * 24 * 3600


class RemediationMode(StrEnum):
    """What follows from drift that a second check confirmed."""

    REPORT = "report"
    """It is told, and nothing else."""
    PLAN = "plan"
    """The target's release is planned, and the plan waits for approval."""
    APPLY = "apply"
    """The plan is applied where the flock's safety rules, or an approval of this release, cover all of it."""


class Remediation(Section):
    """What is done about drift."""

    mode: Annotated[RemediationMode, Field(strict=False)] = Field(
        default=RemediationMode.REPORT, description="report, plan, or apply"
    )


class DriftSettings(Section):
    """How a flock's targets are checked for drift."""

    every_s: int | None = Field(
        default=None,
        ge=MIN_EVERY_S,
        le=MAX_EVERY_S,
        description="seconds from one check of a target to the next; left out: on demand and after failed deployments",
    )
    ignore: Annotated[tuple[IgnoreRule, ...], Field(strict=False, max_length=MAX_RULES)] = Field(
        default=(), description="drift that nobody wants to hear of"
    )
    remediation: Remediation = Field(default_factory=Remediation, description="what is done about drift")
    confirm: bool = Field(default=True, description="whether a second check has to find the same before it is told")
