"""Records that travel between the parts. Frozen, strict about names, timezone-aware.

Free text and collections are bounded here, at the edge, so that no part behind it has to ask.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import AwareDatetime, Field, ValidationError

from shared.errors import ConfigurationError
from shared.lease.keys import TARGET_PATTERN
from shared.lease.timing import LeaseTiming
from shared.names import LABEL as LABEL
from shared.names import Digest as Digest
from shared.names import Label as Label
from shared.names import RunId as RunId
from shared.names import TargetId as TargetId
from shared.record import Record
from shared.rollback.precedents import Precedents
from shared.rollback.records import RollbackOrder

#: Longest reason of a run, in characters.
MAX_REASON: Final = 4096
Identifiers = Annotated[dict[str, str], Field(max_length=20)]


class RunKind(StrEnum):
    """What a run does."""

    PLAN = "plan"
    APPLY = "apply"
    DESTROY = "destroy"
    EXEC = "exec"
    DRIFT = "drift"
    """Compare the cloud with the state, and the state with the configuration; change nothing."""
    ROLLBACK = "rollback"
    """Bring back what a target was before a deployment, where the run that deployed could not do it itself."""
    RECOVER = "recover"
    """Take over what a cut run left into the state; nothing in the cloud is changed."""


class Priority(StrEnum):
    """What is claimed first, the most urgent on top."""

    ROLLBACK = "rollback"
    APPLY = "apply"
    PLAN = "plan"
    DRIFT = "drift"

    @property
    def rank(self) -> int:
        """Its place; 0 is claimed first."""
        return list(Priority).index(self)


class RunStatus(StrEnum):
    """Where a run stands. A plan run ends as planned; its plan may then be confirmed or discarded."""

    PENDING = "pending"
    CLAIMED = "claimed"
    PLANNING = "planning"
    APPLYING = "applying"
    BAKING = "baking"
    """Applied, and watched under the same lease."""
    ROLLING_BACK = "rolling_back"
    """The deployment did not hold: the first state is being brought back, under the same lease."""
    SETTLING = "settling"
    APPLIED = "applied"
    PLANNED = "planned"
    CONFIRMED = "confirmed"
    DISCARDED = "discarded"
    SUCCEEDED = "succeeded"
    ERRORED = "errored"
    CANCELED = "canceled"
    LOST = "lost"
    HALTED = "halted"
    """It would have done, or tried to do, what nobody approved."""
    CHECKED = "checked"
    """A drift run that said what it found."""
    ROLLED_BACK = "rolled_back"
    """The first state is there again: a plan of the first configuration had no changes."""

    @property
    def terminal(self) -> bool:
        """Whether the run is over for good: it has no lease and gets none any more."""
        return self in _TERMINAL

    def shown(self, kind: RunKind) -> str:
        """The name that users of Terraform Cloud know; where ours says more, ours follows in brackets."""
        if self is RunStatus.SETTLING:
            known = RunStatus.PLANNING if kind in (RunKind.PLAN, RunKind.DRIFT) else RunStatus.APPLYING
        else:
            known = _KNOWN.get(self, self)
        return known.value if known is self else f"{known.value} ({self.value})"


#: The steps of the lease protocol, under the names of what they are part of.
_KNOWN: Final = {
    RunStatus.CLAIMED: RunStatus.PENDING,
    RunStatus.SUCCEEDED: RunStatus.APPLIED,
    RunStatus.LOST: RunStatus.ERRORED,
    RunStatus.HALTED: RunStatus.ERRORED,
    RunStatus.BAKING: RunStatus.APPLYING,
    RunStatus.ROLLING_BACK: RunStatus.APPLYING,
    RunStatus.CHECKED: RunStatus.PLANNED,
    RunStatus.ROLLED_BACK: RunStatus.ERRORED,
}

_TERMINAL: Final = frozenset(
    {
        RunStatus.APPLIED,
        RunStatus.PLANNED,
        RunStatus.CONFIRMED,
        RunStatus.DISCARDED,
        RunStatus.SUCCEEDED,
        RunStatus.ERRORED,
        RunStatus.CANCELED,
        RunStatus.LOST,
        RunStatus.HALTED,
        RunStatus.CHECKED,
        RunStatus.ROLLED_BACK,
    }
)


def target_id(flock: str, region: str, name: str | None = None) -> str:
    """Return `flock.region` or `flock.region.name`. Raises ConfigurationError for parts that make no valid id."""
    result = ".".join((flock, region) if name is None else (flock, region, name))
    if not TARGET_PATTERN.match(result):
        raise ConfigurationError(
            f"{result!r} is not a valid target id",
            hint="flock, region and name: lower-case letters, digits and '-', at most 63 characters each",
        )
    return result


def describe(error: ValidationError) -> str:
    """Return a validation error as one line: `place: message; place: message`."""
    parts = []
    for item in error.errors(include_url=False, include_context=False, include_input=False):
        if item["type"] == "default_factory_not_called":
            # Only says that another field is wrong, which has an item of its own.
            continue
        place = ".".join(str(step) for step in item["loc"])
        message = item["msg"].removeprefix("Value error, ")
        parts.append(f"{place}: {message}" if place else message)
    return "; ".join(parts)


class Target(Record):
    """An execution target as the database knows it."""

    id: TargetId = Field(description="flock.region or flock.region.name")
    flock: Label = Field(description="flock that it belongs to")
    region: Label = Field(description="region whose workers take its runs")
    provider_region: str = Field(max_length=64, description="the cloud's region")
    release_digest: Digest | None = Field(default=None, description="what a run deploys that names no release")
    epoch: int = Field(ge=0, description="last epoch claimed; 0: never")


class Flock(Record):
    """A flock as the API returns it."""

    name: Label = Field(description="the flock's name")
    targets: tuple[Target, ...] = Field(default=(), description="its targets")


class ReleasePhase(Record):
    """A group of a release's targets that is deployed side by side."""

    name: Label = Field(description="the phase's name")
    after: tuple[Label, ...] = Field(
        default=(), max_length=256, description="phases that must be done before it begins"
    )
    targets: tuple[TargetId, ...] = Field(max_length=1000, description="what it deploys, in the order of their ids")
    max_concurrent: int = Field(ge=1, le=1000, description="targets deployed at the same time")
    failure_tolerance: int = Field(ge=0, le=1000, description="failed targets with which it still counts as done")
    bake_s: int = Field(ge=0, le=86_400, description="seconds to wait and watch after its last target")
    approval: bool = Field(description="a person approves each of its plans")


class ReleaseTarget(Record):
    """One target of a release."""

    region: Label = Field(description="region whose workers take its runs")
    provider_region: str = Field(max_length=64, description="the cloud's region")
    phase: Label = Field(description="when it is deployed")
    configuration: str = Field(max_length=1024, description="which of the release's generic configurations it has")
    rendered_digest: Digest = Field(description="of everything that a worker gets for it; equal: nothing changes")


class ReleaseSummary(Record):
    """A release in a list."""

    digest: Digest = Field(description="sha256 of its canonical manifest: its name")
    flock: Label = Field(description="whose release it is")
    target_count: int = Field(ge=1, description="how many targets it has")
    actor: str = Field(max_length=256, description="who published it")
    created_at: AwareDatetime = Field(description="when it was published")


class Pruned(Record):
    """Releases that were let go, or would be."""

    releases: tuple[ReleaseSummary, ...] = Field(max_length=1000, description="which, the oldest first")
    files: int = Field(ge=0, description="files that no release has any more")
    size: int = Field(ge=0, description="their bytes")
    more: bool = Field(description="whether there is more to let go than one request does")
    dry_run: bool = Field(description="whether nothing was deleted")


class Release(Record):
    """An immutable, content-addressed set of everything that deploys a flock."""

    digest: Digest = Field(description="sha256 of its canonical manifest: its name")
    flock: Label = Field(description="whose release it is")
    actor: str = Field(max_length=256, description="who published it")
    created_at: AwareDatetime = Field(description="when it was published")
    phases: tuple[ReleasePhase, ...] = Field(min_length=1, description="in an order in which they can begin")
    targets: dict[TargetId, ReleaseTarget] = Field(min_length=1, description="every target, by id")


class Run(Record):
    """One piece of work on one target."""

    id: RunId = Field(description="run-<16 hex digits>")
    target: TargetId = Field(description="what it works on")
    region: Label = Field(description="whose workers take it")
    kind: RunKind = Field(description="what it does")
    status: RunStatus = Field(description="where it stands")
    epoch: int | None = Field(default=None, description="fencing token, from the claim on")
    node: str | None = Field(default=None, description="worker host that claimed it")
    actor: str = Field(default="", max_length=256, description="who asked for it")
    argv: tuple[str, ...] = Field(default=(), max_length=1024, description="command of an exec run")
    release_digest: Digest | None = Field(default=None, description="what it deploys")
    reason: str = Field(default="", max_length=MAX_REASON, description="why it ended as it did")
    exit_code: int | None = Field(default=None, description="exit code of the provisioner")
    attempt: int = Field(default=1, ge=1, description="1 for the first try, +1 for each follow-up of a lost run")
    retry_of: str | None = Field(default=None, description="the lost run that this one follows")
    rollout_id: str | None = Field(default=None, max_length=32, description="the roll-out that started it")
    plan_run_id: str | None = Field(default=None, max_length=32, description="the run whose plan it applies")
    created_at: AwareDatetime = Field(description="when it was asked for")
    claimed_at: AwareDatetime | None = Field(default=None, description="when a worker claimed it")
    finished_at: AwareDatetime | None = Field(default=None, description="when it was over")
    cancel_requested: bool = Field(default=False, description="whether someone asked to cancel it")
    revoke_requested: bool = Field(default=False, description="whether an operator revoked its lease")
    rollback_requested: bool = Field(default=False, description="whether an operator wants it taken back")


class SavedPlan(Record):
    """The plan that an apply applies, and nothing else."""

    run_id: RunId = Field(description="the run that made it")
    digest: Digest = Field(description="sha256 of the plan file")


class Assignment(Record):
    """What a worker needs to carry out the run that it claimed."""

    run: Run = Field(description="the run")
    target: Target = Field(description="its target")
    epoch: int = Field(ge=1, description="fencing token of this claim")
    holder: str = Field(min_length=1, max_length=128, description="nonce of the execution that claimed")
    timing: LeaseTiming = Field(description="durations of the lease protocol")
    state_username: str = Field(description="user name for the state backend (the run id)")
    state_password: str = Field(repr=False, description="password for the state backend, of this run only")
    recovers: str | None = Field(default=None, description="run whose cut this one follows")
    plan: SavedPlan | None = Field(default=None, description="an apply: the plan to apply; None: make one")
    keep_plan: bool = Field(default=False, description="a plan: whether its plan file is delivered, for a later apply")
    rollback: RollbackOrder | None = Field(
        default=None, description="where to go back to, and when; None: the release has no `rollback`"
    )
    precedents: Precedents | None = Field(
        default=None, description="what is known of what its plan would take over; None: nobody asks for that"
    )


class JournalIntent(Record):
    """A mutating (or read) call that the proxy is about to sign."""

    run_id: RunId = Field(description="run that calls")
    target: TargetId = Field(description="its target")
    epoch: int = Field(ge=1, description="its epoch")
    call_id: str = Field(pattern=r"^[0-9a-f]{32}$", description="made by the proxy, 32 hex digits")
    service: str = Field(max_length=128, description="signing name of the service")
    operation: str = Field(max_length=256, description="operation, or empty when unknown")
    access: Literal["read", "write"] = Field(description="unknown operations are writes")
    host: str = Field(max_length=255, description="host that the client called")
    method: str = Field(max_length=16, description="HTTP method")
    path: str = Field(max_length=2048, description="path without query, cut at 2 KiB")
    region: str = Field(max_length=64, description="region of the signature's scope")
    resource: Identifiers = Field(default_factory=dict, description="identifying parameters of the request")
    at_wall: AwareDatetime = Field(description="wall clock of the proxy, for people")


class JournalOutcome(Record):
    """What became of a journaled call."""

    call_id: str = Field(pattern=r"^[0-9a-f]{32}$", description="the call")
    outcome: Literal["answered", "refused", "unknown"] = Field(description="unknown: cut while in flight")
    http_status: int | None = Field(default=None, ge=100, le=999, description="status of the answer")
    resource: Identifiers = Field(default_factory=dict, description="identifiers in the answer")
    error_code: str | None = Field(default=None, max_length=256, description="the service's own error code")


class JournalRecord(JournalIntent):
    """A call and its outcome; no outcome recorded means unknown."""

    outcome: Literal["answered", "refused", "unknown"] | None = Field(default=None, description="None: unknown")
    http_status: int | None = Field(default=None, description="status of the answer")
    outcome_resource: Identifiers = Field(default_factory=dict, description="identifiers in the answer")
    error_code: str | None = Field(default=None, description="the service's own error code")


class StateVersion(Record):
    """One accepted version of a target's Terraform state."""

    target: TargetId = Field(description="whose state")
    epoch: int = Field(ge=0, description="epoch that wrote it")
    serial: int = Field(ge=0, description="Terraform's serial; only grows")
    lineage: str = Field(max_length=128, description="Terraform's lineage")
    created_at: AwareDatetime = Field(description="when it was written")
    size: int = Field(ge=0, description="bytes of plain text")


class QuarantinedState(Record):
    """A state that a cut run delivered after its lease had ended."""

    target: TargetId = Field(description="whose state")
    epoch: int = Field(ge=1, description="epoch that was cut")
    serial: int = Field(ge=0, description="Terraform's serial")
    lineage: str = Field(max_length=128, description="Terraform's lineage")
    run_id: RunId = Field(description="run that was cut")
    created_at: AwareDatetime = Field(description="when it was delivered")


class RecoveryState(Record):
    """The quarantined state that a take-over may accept, with its content."""

    epoch: int = Field(ge=1, description="epoch that was cut")
    serial: int = Field(ge=0, description="Terraform's serial")
    lineage: str = Field(max_length=128, description="Terraform's lineage")
    run_id: RunId = Field(description="run that was cut")
    state: dict[str, Any] = Field(repr=False, description="the state itself")


class Recovery(Record):
    """What a cut left behind, for the next holder."""

    quarantine: RecoveryState | None = Field(default=None, description="state of the cut epoch, if one was delivered")
    creates: tuple[JournalRecord, ...] = Field(default=(), description="creates not settled in any state")
    others: tuple[str, ...] = Field(
        default=(), description="ids in the answers of all calls of the kinds that have one without an answer here"
    )


class LogChunk(Record):
    """A piece of a run's log."""

    text: str = Field(description="the piece")
    next_offset: int = Field(ge=0, description="offset to ask for next, in bytes")
    complete: bool = Field(description="whether the run is over and nothing will follow")
