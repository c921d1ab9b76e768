"""Drift as the scheduler knows it: what came of a check, where a target stands, how often a rule was used. Frozen."""

from __future__ import annotations

from typing import Final

from pydantic import AwareDatetime, Field

from shared.drift.ignoring import IgnoreRule
from shared.drift.report import MAX_REASON, DriftReport, ResourceStatus, RollUp
from shared.models import Digest, Label, Run, RunId, RunStatus, TargetId
from shared.record import Record

MAX_CHECKED: Final = 1000
"""Targets that one request has checked."""
MAX_DRIFT_REPORT_BYTES: Final = 32 * 1024 * 1024
"""Largest report that is taken, as JSON."""


class DriftCheck(Record):
    """What a check came to, with the flock's rules applied."""

    run_id: RunId = Field(description="the run that checked")
    target: TargetId = Field(description="what was checked")
    release_digest: Digest = Field(description="against what")
    roll_up: RollUp = Field(description="what it came to")
    counts: dict[ResourceStatus, int] = Field(default_factory=dict, description="resources by status")
    ignored: int = Field(default=0, ge=0, description="changes that rules took off")
    expired: tuple[IgnoreRule, ...] = Field(default=(), max_length=256, description="rules that are over")
    created_at: AwareDatetime = Field(description="when it was delivered")


class DriftStanding(Record):
    """Where a target stands. What counts is what two checks found; `pending` is what one has found so far."""

    target: TargetId = Field(description="the target")
    flock: Label = Field(description="its flock")
    roll_up: RollUp | None = Field(default=None, description="confirmed; None: nothing is known yet")
    since: AwareDatetime | None = Field(default=None, description="when that was confirmed")
    run_id: RunId | None = Field(default=None, description="the check that confirmed it")
    drifted: int = Field(default=0, ge=0, description="resources changed or deleted outside, as confirmed")
    pending: RollUp | None = Field(default=None, description="found by one check, and not by a second one yet")
    changes: int = Field(default=0, ge=0, description="how often it has changed without a quiet day in between")
    checked_at: AwareDatetime | None = Field(default=None, description="when the newest check said what it found")
    last_run_id: RunId | None = Field(default=None, description="the newest check that is over, however it ended")
    last_status: RunStatus | None = Field(default=None, description="how that one ended")
    last_reason: str = Field(default="", max_length=MAX_REASON, description="why it did not say what it found")
    failures: int = Field(default=0, ge=0, description="checks in a row that did not say what they found")
    due_at: AwareDatetime | None = Field(default=None, description="when it is checked next; None: when asked to")
    remediation: str = Field(default="", max_length=1024, description="what is done about it")
    rollout_id: str | None = Field(default=None, max_length=32, description="the roll-out that does it")


class SignedCalls(Record):
    """What the proxy signed for a check, by its journal. A check may read, and nothing else."""

    reads: int = Field(default=0, ge=0, description="reads that were signed")
    writes: int = Field(default=0, ge=0, description="anything else that was signed; a check has none")
    refused: int = Field(default=0, ge=0, description="calls that were asked for and not signed")


class DriftDetail(Record):
    """A target's standing, and what its newest check found."""

    standing: DriftStanding = Field(description="where it stands")
    check: DriftCheck | None = Field(default=None, description="the newest check that said what it found")
    report: DriftReport | None = Field(default=None, description="what it found; what rules took off is marked")
    calls: SignedCalls | None = Field(default=None, description="what was signed for it")


class ChecksQueued(Record):
    """The answer to a request to check targets."""

    runs: tuple[Run, ...] = Field(max_length=MAX_CHECKED, description="one for each, in the order asked for")


class RuleUse(Record):
    """An ignore rule of a flock and what it took off so far."""

    flock: Label = Field(description="whose rule")
    rule: IgnoreRule = Field(description="the rule")
    expired: bool = Field(description="whether it is over, and ignores nothing")
    hits: int = Field(default=0, ge=0, description="changes that it took off, over all checks")
    last_hit_at: AwareDatetime | None = Field(default=None, description="when it did so last")
    last_run_id: RunId | None = Field(default=None, description="for which check")
