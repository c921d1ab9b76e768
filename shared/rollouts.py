"""Roll-outs as they travel and as they are stored: a release on its way through its phases. Frozen; no behaviour.

A target of a roll-out goes through the stages that users of Terraform Cloud know a run by:

    pending -> planning -> planned -> confirmed -> applying -> applied
                  |           |           |            |
               errored    discarded   discarded     errored        canceled: from any of them

What a stage costs (a plan run, then an apply run, each under its own lease and epoch) is named beside it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

from pydantic import AwareDatetime, Field, StringConstraints

from shared.models import Digest, Label, RunId, TargetId
from shared.record import Record
from shared.rollback.standing import TargetRollback

RolloutId = Annotated[str, StringConstraints(pattern=r"^rollout-[0-9a-f]{16}$")]
MAX_TARGETS: Final = 1000
MAX_REASON: Final = 1024


class Stage(StrEnum):
    """Where one target of a roll-out stands."""

    PENDING = "pending"
    PLANNING = "planning"
    PLANNED = "planned"
    CONFIRMED = "confirmed"
    APPLYING = "applying"
    APPLIED = "applied"
    ERRORED = "errored"
    CANCELED = "canceled"
    DISCARDED = "discarded"

    @property
    def in_flight(self) -> bool:
        """Whether a run of it is queued or at work."""
        return self in (Stage.PLANNING, Stage.APPLYING)

    @property
    def has_plan(self) -> bool:
        """Whether a plan waits to be confirmed or applied, and nothing runs."""
        return self in (Stage.PLANNED, Stage.CONFIRMED)

    @property
    def settled(self) -> bool:
        """Whether nothing more happens to it."""
        return self is Stage.APPLIED or self.failed

    @property
    def failed(self) -> bool:
        """Whether it counts against the phase's tolerance. A plan that a person turned down does."""
        return self in (Stage.ERRORED, Stage.CANCELED, Stage.DISCARDED)


class PhaseStatus(StrEnum):
    """Where a phase stands."""

    WAITING = "waiting"
    RUNNING = "running"
    BAKING = "baking"
    DONE = "done"
    FAILED = "failed"
    FROZEN = "frozen"


class RolloutStatus(StrEnum):
    """Where a roll-out stands."""

    RUNNING = "running"
    PAUSED = "paused"
    HALTING = "halting"
    CANCELING = "canceling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def over(self) -> bool:
        """Whether it is over for good."""
        return self in (RolloutStatus.SUCCEEDED, RolloutStatus.FAILED, RolloutStatus.CANCELED)


class RolloutTarget(Record):
    """One target on its way."""

    id: TargetId = Field(description="flock.region or flock.region.name")
    phase: Label = Field(description="its phase")
    stage: Stage = Field(default=Stage.PENDING, description="where it stands")
    run_id: RunId | None = Field(default=None, description="the run that is queued or at work, or was the last")
    plan_run_id: RunId | None = Field(default=None, description="the run that made the plan in hand")
    plan_digest: Digest | None = Field(
        default=None, description="sha256 of that plan file: what is approved and applied"
    )
    plans: int = Field(default=0, ge=0, description="plans asked for so far; more than one: an earlier one was void")
    losses: int = Field(default=0, ge=0, description="runs of it that lost their lease or could not begin")
    confirmed_by: str = Field(default="", max_length=256, description="who approved the plan; empty: nobody had to")
    held: bool = Field(default=False, description="whether the safety rules ask persons to approve its plan first")
    halted: bool = Field(default=False, description="whether it would have done what nobody approved; nothing goes on")
    retried_after: RunId | None = Field(
        default=None, description="its last run before it was tried again: approvals up to there count no more for it"
    )
    failed_with: str | None = Field(
        default=None,
        max_length=80,
        description="the release that it deployed by itself when it failed last; empty: none",
    )
    rollback: TargetRollback | None = Field(
        default=None, description="the rollback of what `run_id` deployed: the target has failed, whatever it had"
    )
    reason: str = Field(default="", max_length=MAX_REASON, description="why it stands where it stands")


class RolloutPhase(Record):
    """A group of targets that is deployed side by side."""

    name: Label = Field(description="the phase's name")
    after: tuple[Label, ...] = Field(default=(), max_length=256, description="phases that must be done before")
    max_concurrent: int = Field(ge=1, le=MAX_TARGETS, description="runs queued or at work at the same time")
    failure_tolerance: int = Field(
        ge=0, le=MAX_TARGETS, description="failed targets with which it still counts as done"
    )
    bake_s: int = Field(ge=0, le=86_400, description="seconds to wait and watch after its last target")
    approval: bool = Field(description="whether a person approves its plans before they are applied")
    status: PhaseStatus = Field(default=PhaseStatus.WAITING, description="where it stands")
    bake_until: AwareDatetime | None = Field(default=None, description="end of the bake time, once it has begun")


class Rollout(Record):
    """A release on its way to its targets."""

    id: RolloutId = Field(description="rollout-<16 hex digits>")
    flock: Label = Field(description="whose targets")
    release_digest: Digest = Field(description="what is rolled out")
    actor: str = Field(default="", max_length=256, description="who started it")
    status: RolloutStatus = Field(default=RolloutStatus.RUNNING, description="where it stands")
    reason: str = Field(default="", max_length=MAX_REASON, description="why it ended, or is ending")
    phases: tuple[RolloutPhase, ...] = Field(min_length=1, max_length=256, description="in an order they can begin in")
    targets: tuple[RolloutTarget, ...] = Field(max_length=MAX_TARGETS, description="in the order of their phases")
    phases_done: bool = Field(
        default=False, description="whether a phase that fails by a rollback takes those back that were done before it"
    )
    created_at: AwareDatetime = Field(description="when it was started")
    finished_at: AwareDatetime | None = Field(default=None, description="when it was over")

    def target(self, target: str) -> RolloutTarget | None:
        """The target of that id, or None."""
        return next((one for one in self.targets if one.id == target), None)


class RolloutSummary(Record):
    """A roll-out in a list."""

    id: RolloutId = Field(description="rollout-<16 hex digits>")
    flock: Label = Field(description="whose targets")
    release_digest: Digest = Field(description="what is rolled out")
    actor: str = Field(max_length=256, description="who started it")
    status: RolloutStatus = Field(description="where it stands")
    reason: str = Field(max_length=MAX_REASON, description="why it ended, or is ending")
    created_at: AwareDatetime = Field(description="when it was started")
    finished_at: AwareDatetime | None = Field(default=None, description="when it was over")
