"""Where rollbacks stand, as the API returns them. Frozen; no behaviour but what follows from the fields.

QUEUED  -> RUNNING -> ROLLED_BACK, NOT_NEEDED: over, the target takes other runs again
                   -> PARTIAL, FAILED: the target stays reserved until somebody tries again or leaves it so
PARTIAL, FAILED -> QUEUED (retry, or continue with consents), SKIPPED (skip)
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, Field, StringConstraints

from shared.names import Digest, Label, RunId, TargetId
from shared.record import Record
from shared.rollback.records import FirstState, NextStep, RollbackResult, RollbackVerdict, Why
from shared.rollback.settings import Trigger

RollbackId = Annotated[str, StringConstraints(pattern=r"^rollback-[0-9a-f]{16}$")]


class RollbackStatus(StrEnum):
    """Where a rollback stands."""

    QUEUED = "QUEUED"
    """Asked for; nothing has begun."""
    RUNNING = "RUNNING"
    ROLLED_BACK = "ROLLED_BACK"
    PARTIAL = "PARTIAL"
    FAILED = "FAILED"
    NOT_NEEDED = "NOT_NEEDED"
    SKIPPED = "SKIPPED"
    """A person left the target as it was."""

    @property
    def at_work(self) -> bool:
        """Whether it goes on by itself."""
        return self in (RollbackStatus.QUEUED, RollbackStatus.RUNNING)

    @property
    def stuck(self) -> bool:
        """Whether a person has to decide what becomes of it."""
        return self in (RollbackStatus.PARTIAL, RollbackStatus.FAILED)


class TargetRollback(Record):
    """What a roll-out knows of the rollback of one of its targets."""

    id: RollbackId = Field(description="which")
    status: RollbackStatus = Field(description="where it stands")
    reserved: bool = Field(default=False, description="whether the target takes no other run")
    reason: Why = Field(default="", description="why it was begun, or why it is not whole")


class RollbackSummary(Record):
    """A rollback in a list."""

    id: RollbackId = Field(description="rollback-<16 hex digits>")
    target: TargetId = Field(description="where")
    flock: Label = Field(description="whose")
    run_id: RunId = Field(description="the deployment that is taken back")
    rollout_id: str | None = Field(default=None, max_length=32, description="the roll-out that deployed it")
    status: RollbackStatus = Field(description="where it stands")
    reserved: bool = Field(description="whether the target takes no run but its own")
    current_run_id: RunId = Field(description="the run that carries it out, or did last")
    trigger: Trigger = Field(description="why it was begun")
    reason: str = Field(default="", max_length=4096, description="the same in words, or why it failed")
    actor: str = Field(default="", max_length=256, description="who asked for it; empty: nobody")
    attempts: int = Field(default=0, ge=0, description="runs that were queued for it since somebody asked last")
    triggered_at: AwareDatetime = Field(description="when it was asked for, or found necessary")
    started_at: AwareDatetime | None = Field(default=None, description="when a worker began")
    finished_at: AwareDatetime | None = Field(default=None, description="when it was over, the last time")


class Rollback(RollbackSummary):
    """A rollback with all that is known of it."""

    release_digest: Digest | None = Field(default=None, description="what is taken back")
    first: FirstState = Field(description="where it leads")
    verdict: RollbackVerdict | None = Field(default=None, description="what may be done of what was planned last")
    result: RollbackResult | None = Field(default=None, description="what came of it last")

    @property
    def options(self) -> tuple[NextStep, ...]:
        """What a person can do about it now."""
        if not self.status.stuck:
            return ()
        # Queued again since the result was sent: then that one says nothing any more.
        if self.result is not None and self.result.state.value == self.status.value:
            return self.result.options
        return (NextStep.RETRY, NextStep.SKIP)
