"""Safety plans as they travel between the parts."""

from __future__ import annotations

from pydantic import AwareDatetime, Field

from shared.models import Digest, RunId, TargetId
from shared.record import Record
from shared.safety.entries import Entry, SafetyPlan
from shared.safety.verdict import Verdict


class SafetyApproval(Record):
    """One person's approval."""

    approver: str = Field(max_length=256, description="who")
    approved_at: AwareDatetime = Field(description="when")
    run_id: RunId = Field(description="the run whose plan was looked at")
    digest: Digest = Field(description="what was approved: this plan, or one that holds more")


class SafetyRecord(Record):
    """The safety plan of a run, and what is decided about it now."""

    run_id: RunId = Field(description="the run whose plan it is")
    target: TargetId = Field(description="its target")
    release_digest: Digest = Field(description="what it deploys: another release is approved anew")
    digest: Digest = Field(description="of the entries without what is particular to the target's region")
    plan: SafetyPlan = Field(description="what it does")
    verdict: Verdict = Field(description="what may become of it")
    approvals: tuple[SafetyApproval, ...] = Field(default=(), description="of this very digest, the oldest first")
    created_at: AwareDatetime = Field(description="when it was delivered")


class Unused(Record):
    """What was approved for a deployment and not done by it."""

    run_id: RunId = Field(description="the run that applied")
    target: TargetId = Field(description="its target")
    approved: int = Field(ge=0, description="entries that were approved")
    unused: tuple[Entry, ...] = Field(description="those of them that were not needed")
    suggested: SafetyPlan = Field(description="the smaller plan that would have done")
    note: str = Field(default="", max_length=1024, description="what this rests on")
