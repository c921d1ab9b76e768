"""Rollbacks as they travel between the parts. Frozen and bounded; no behaviour but what follows from the fields."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, Field, StringConstraints

from shared.names import Digest, Label, RunId, TargetId
from shared.record import Record
from shared.rollback.settings import RollbackSettings, Trigger
from shared.safety.entries import MAX_ADDRESS, MAX_ENTRIES, Operation

#: Longest identifier of a resource that is kept, in characters; what is longer is no identifier.
MAX_ID: Final = 4096
MAX_WHY: Final = 1024
MAX_DIFFERENCES: Final = 1000
MAX_ATTRIBUTES: Final = 200
MAX_PREVIEW: Final = 256
#: Unfinished tries that one deployment continues; what an older one made counts as somebody else's.
MAX_TRIES: Final = 1000

Address = Annotated[str, StringConstraints(min_length=1, max_length=MAX_ADDRESS)]
TypeName = Annotated[str, StringConstraints(max_length=256)]
ResourceId = Annotated[str, StringConstraints(min_length=1, max_length=MAX_ID)]
Why = Annotated[str, StringConstraints(max_length=MAX_WHY)]


class Reversibility(StrEnum):
    """What a rollback can do about an operation."""

    REVERSIBLE = "reversible"
    DATA_LOSS = "reversible_with_data_loss"
    """The resource can be there again, with its settings; what it held is gone."""
    IRREVERSIBLE = "irreversible"
    """Nothing that a rollback does brings it back as it was."""


class ReversibilityLabel(Record):
    """How far an operation can be undone, and why."""

    reversibility: Reversibility = Field(description="how far")
    why: Why = Field(description="the reason, in one line")

    @property
    def needs_consent(self) -> bool:
        """Whether somebody has to name it before it is done."""
        return self.reversibility is not Reversibility.REVERSIBLE


class FirstResource(Record):
    """One managed object that existed before the deployment."""

    address: Address = Field(description="of its instance, as in the state")
    type: TypeName = Field(description="its type")
    id: ResourceId | None = Field(default=None, description="its `id`; None: it has none")
    deposed: str | None = Field(default=None, max_length=64, description="the key of an object left by a replacement")
    import_id: ResourceId | None = Field(
        default=None, description="what an import of it takes; None: nothing takes it in again"
    )


class FirstArtifact(Record):
    """What was deployed of an artifact."""

    version: str | None = Field(default=None, max_length=1024, description="its tag")
    digest: Digest = Field(description="what it was, whatever the tag names by now")


class FirstStateVersion(Record):
    """The state as it was: it stays sealed in the database, this only names it."""

    id: int = Field(ge=1, description="the row of the stored version")
    epoch: int = Field(ge=0, description="epoch that wrote it")
    serial: int = Field(ge=0, description="Terraform's serial")
    lineage: str = Field(max_length=128, description="Terraform's lineage")
    digest: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] = Field(description="SHA-256 of its body")


class FirstState(Record):
    """What a target was before a deployment, stored and verified readable before anything is executed."""

    target: TargetId = Field(description="what it was taken of")
    run_id: RunId = Field(description="the deployment before which it was taken")
    epoch: int = Field(ge=1, description="that deployment's epoch")
    taken_at: AwareDatetime = Field(description="when")
    release_digest: Digest | None = Field(
        default=None, description="release that was last applied here; None: none ever, so nothing is to be there"
    )
    rendered_digest: Digest | None = Field(default=None, description="of its files for this target")
    lock_digest: Digest | None = Field(default=None, description="of its .terraform.lock.hcl; None: it has none")
    providers: Annotated[dict[str, str], Field(max_length=256)] = Field(
        default_factory=dict, description="versions of providers by source, from the lock file"
    )
    terraform_version: str | None = Field(default=None, max_length=64, description="that wrote the state")
    state: FirstStateVersion | None = Field(default=None, description="None: there was no state")
    outputs: tuple[Annotated[str, StringConstraints(max_length=256)], ...] = Field(
        default=(), max_length=10_000, description="names; their values are in the sealed state"
    )
    artifacts: Annotated[dict[Label, FirstArtifact], Field(max_length=256)] = Field(
        default_factory=dict, description="what the release deployed, by name"
    )
    resources: tuple[FirstResource, ...] = Field(
        default=(), max_length=MAX_ENTRIES, description="every managed object in the state"
    )


class Moved(Record):
    """An object that a plan gives another address."""

    before: Address = Field(description="its address in the first configuration")
    after: Address = Field(description="its address in the new one")


class Imported(Record):
    """An object that a plan takes into the state: it existed in the cloud before."""

    address: Address = Field(description="its address in the new configuration")
    type: TypeName = Field(description="its type")
    id: ResourceId | None = Field(default=None, description="as the import names it; None: by an identity")
    alone: bool = Field(
        default=False, description="whether every instance of its resource is taken in by the same plan"
    )
    object_id: ResourceId | None = Field(default=None, description="its `id` as the plan found it; None: it has none")
    also: Literal["update", "replace"] | None = Field(default=None, description="what the same plan does to it")
    made_by: RunId | None = Field(
        default=None,
        description="the earlier run that left it, and whose leftover was taken over; None: an import block",
    )


class Changed(Record):
    """What a plan sets on an object that stays."""

    address: Address = Field(description="its address in the first configuration")
    attributes: Annotated[
        tuple[Annotated[str, StringConstraints(max_length=256)], ...], Field(max_length=MAX_ATTRIBUTES)
    ] = Field(description="names of the attributes that get other values")


class Rearrangement(Record):
    """What a plan does that a plan of the first configuration does not turn around by itself. Made by `rearranging`."""

    moved: tuple[Moved, ...] = Field(default=(), max_length=MAX_ENTRIES, description="in the order of the plan")
    forgotten: tuple[Address, ...] = Field(
        default=(), max_length=MAX_ENTRIES, description="by their addresses before the plan"
    )
    imported: tuple[Imported, ...] = Field(default=(), max_length=MAX_ENTRIES, description="taken in")
    changed: tuple[Changed, ...] = Field(default=(), max_length=MAX_ENTRIES, description="updated in place")
    packages: Annotated[dict[str, str], Field(max_length=1000)] = Field(
        default_factory=dict, description="sources of called modules by path without keys: module.a.module.b"
    )


class RollbackOrder(Record):
    """What a worker needs to watch a deployment and to take it back."""

    settings: RollbackSettings = Field(description="of the release that is deployed")
    first: FirstState = Field(description="where to go back to")
    undoes: RunId = Field(description="the deployment to take back: the run itself, or the one that it follows")
    release_digest: Digest = Field(description="the release which that deployment applies")
    tries: tuple[RunId, ...] = Field(
        default=(), max_length=MAX_TRIES, description="unfinished tries before it: what they made was not there before"
    )
    rollback_only: bool = Field(
        default=False, description="a ROLLBACK run: nothing is deployed, the deployment is taken back at once"
    )
    trigger: Trigger | None = Field(default=None, description="rollback_only: why")
    reason: Why = Field(default="", description="rollback_only: the same in words")
    rearranged: Rearrangement = Field(
        default_factory=Rearrangement,
        description="rollback_only: what the cut deployment delivered; else the plan at hand says it",
    )


class RollbackPlanItem(Record):
    """One operation of a plan of the first configuration against the current state."""

    address: Address = Field(description="of the instance, where the plan puts it")
    type: TypeName = Field(description="of the resource, or the kind of a provisioner")
    operation: Operation = Field(description="what is done")
    id: ResourceId | None = Field(default=None, description="of the object that is there now; None: none, or unknown")
    deposed: str | None = Field(default=None, max_length=64, description="the key of an object left by a replacement")
    previous_address: Address | None = Field(default=None, description="where the object is in the current state")
    import_id: ResourceId | None = Field(default=None, description="what an import of that object would take")
    guarded: bool = Field(
        default=False, description="whether its configuration has prevent_destroy, in spite of which it is planned"
    )

    def __str__(self) -> str:
        """`delete aws_sqs_queue.orders`."""
        return f"{self.operation} {self.address}{' (deposed)' if self.deposed else ''}"


class RollbackPlan(Record):
    """Everything that a rollback would do."""

    items: tuple[RollbackPlanItem, ...] = Field(default=(), max_length=MAX_ENTRIES, description="in the plan's order")
    complete: bool = Field(default=True, description="whether nothing would be left to plan after it")

    @property
    def changes(self) -> tuple[RollbackPlanItem, ...]:
        """What is not only a read: empty and complete means that the first configuration holds."""
        return tuple(item for item in self.items if item.operation is not Operation.READ)

    @property
    def empty(self) -> bool:
        """Whether the first configuration holds, and nothing was put off."""
        return self.complete and not self.changes


class Refusal(Record):
    """An item that a rollback must not carry out."""

    item: RollbackPlanItem = Field(description="which")
    reason: Why = Field(description="why not")


class RollbackVerdict(Record):
    """What of a rollback plan may be carried out. Deny by default: each item is in one of the two."""

    allowed: tuple[RollbackPlanItem, ...] = Field(default=(), max_length=MAX_ENTRIES, description="may be done")
    refused: tuple[Refusal, ...] = Field(default=(), max_length=MAX_ENTRIES, description="may not, with the reason")

    @property
    def whole(self) -> bool:
        """Whether the plan may be applied as it is. Otherwise only the allowed items, by -target."""
        return not self.refused

    @property
    def changes(self) -> tuple[RollbackPlanItem, ...]:
        """What of the allowed is not only a read."""
        return RollbackPlan(items=self.allowed).changes


class ResidueKind(StrEnum):
    """How the cloud still differs from the first state."""

    LEFT = "left"
    """It is there and was not before."""
    MISSING = "missing"
    """It was there before and is not."""
    CHANGED = "changed"
    """It is there and not as it was."""
    UNKNOWN = "unknown"
    """Nobody could tell: the plan that would have said so failed, or put it off."""


class Residue(Record):
    """One thing that a rollback left."""

    kind: ResidueKind = Field(description="how it differs")
    address: Address = Field(description="of the instance")
    type: TypeName = Field(description="of the resource")
    id: ResourceId | None = Field(default=None, description="of the object, where it is known")
    reason: Why = Field(description="why it was left: refused by a bound, an error of the provider")

    def __str__(self) -> str:
        """`left aws_sqs_queue.orders (https://…): why`."""
        named = f" ({self.id})" if self.id else ""
        return f"{self.kind} {self.address}{named}: {self.reason}"


class AttributeDifference(Record):
    """One attribute before and after."""

    path: Annotated[str, StringConstraints(max_length=1024)] = Field(description="tags.owner, ingress[0].port")
    first: str | None = Field(default=None, max_length=MAX_PREVIEW, description="JSON, cut; None: it was not there")
    final: str | None = Field(default=None, max_length=MAX_PREVIEW, description="JSON, cut; None: it is not there")
    sensitive: bool = Field(default=False, description="whether both are hidden")


class Presence(StrEnum):
    """In which of two states an object is."""

    BOTH = "both"
    ONLY_FIRST = "only_first"
    ONLY_FINAL = "only_final"


class ResourceDifference(Record):
    """One object before and after; where all that differs is that it is a new one, its `id` does."""

    address: Address = Field(description="of the instance; `(deposed KEY)` follows that of a left one")
    type: TypeName = Field(description="of the resource")
    presence: Presence = Field(description="where it is")
    attributes: tuple[AttributeDifference, ...] = Field(
        default=(), max_length=MAX_ATTRIBUTES, description="of an object in both"
    )
    more: int = Field(default=0, ge=0, description="attributes that differ and are not listed")


class Kept(Record):
    """An object that is still there, with values that the deployment gave it and no plan takes back."""

    address: Address = Field(description="of the instance")
    type: TypeName = Field(description="of the resource")
    id: ResourceId | None = Field(default=None, description="of the object, where it is known")
    attributes: tuple[Annotated[str, StringConstraints(max_length=256)], ...] = Field(
        max_length=MAX_ATTRIBUTES, description="names of the attributes that are not as they were"
    )


class StateComparison(Record):
    """The first and the final state of a target, attribute by attribute, without secrets."""

    same_lineage: bool = Field(description="whether the one descends from the other")
    resources: tuple[ResourceDifference, ...] = Field(
        default=(), max_length=MAX_DIFFERENCES, description="that differ, by address"
    )
    outputs: tuple[AttributeDifference, ...] = Field(
        default=(), max_length=MAX_DIFFERENCES, description="that differ, by name"
    )
    more: int = Field(default=0, ge=0, description="differences that are not listed")
    compared: int = Field(ge=0, description="objects that were compared, in either")
    opened: tuple[FirstResource, ...] = Field(
        default=(), max_length=MAX_DIFFERENCES, description="security groups made again that let everything out since"
    )
    kept: tuple[Kept, ...] = Field(
        default=(), max_length=MAX_DIFFERENCES, description="what the deployment set, and no plan takes back"
    )

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        return not self.resources and not self.outputs and not self.more


class RollbackState(StrEnum):
    """What came of a rollback."""

    ROLLED_BACK = "ROLLED_BACK"
    """A following plan of the first configuration was empty."""
    PARTIAL = "PARTIAL"
    """Something is left; the residue says what."""
    FAILED = "FAILED"
    """Nothing was brought back: it could not begin, or its plan failed."""
    NOT_NEEDED = "NOT_NEEDED"
    """The deployment had changed nothing: the first plan was empty already."""


class NextStep(StrEnum):
    """What an operator can do about a rollback that is not whole."""

    CONTINUE = "continue"
    """Carry out what was refused as well, with consent by name."""
    RETRY = "retry"
    """The same again."""
    SKIP = "skip"
    """Leave it as it is: the target takes other runs again."""


class RollbackResult(Record):
    """What came of a rollback. The worker sends it; the scheduler adds the comparison."""

    state: RollbackState = Field(description="what came of it")
    trigger: Trigger = Field(description="why it was begun")
    reason: Why = Field(default="", description="the trigger in words, or why it failed")
    done: tuple[RollbackPlanItem, ...] = Field(default=(), max_length=MAX_ENTRIES, description="what was carried out")
    refused: tuple[Refusal, ...] = Field(default=(), max_length=MAX_ENTRIES, description="what its bounds refused")
    residue: tuple[Residue, ...] = Field(
        default=(),
        max_length=MAX_ENTRIES,
        description="PARTIAL: exactly what is left; FAILED: as far as a plan, the states and the journal tell",
    )
    start_ms: int = Field(default=0, ge=0, description="milliseconds from the trigger to the rollback's first step")
    comparison: StateComparison | None = Field(default=None, description="first and final, attribute by attribute")

    @property
    def options(self) -> tuple[NextStep, ...]:
        """What an operator can do now."""
        if self.state in (RollbackState.ROLLED_BACK, RollbackState.NOT_NEEDED):
            return ()
        steps = (NextStep.RETRY, NextStep.SKIP)
        return (NextStep.CONTINUE, *steps) if self.refused else steps
