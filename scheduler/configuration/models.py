"""What the files may hold. Strict: no unknown key, no value that is only nearly of the type.

`flock.yaml` belongs to a team; `realms/*.yaml` and `regions/*.yaml` may belong to somebody else. JSON Schemas for
editors are made from these models (`schemas`). What a value means for Terraform is not judged here but in `check`.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from shared.drift.settings import DriftSettings
from shared.models import Label, TargetId
from shared.rollback.settings import RollbackSettings
from shared.safety.rules import SafetyRules
from shared.versions import check_constraint

MAX_TARGETS: Final = 1000
MAX_REGIONS: Final = 1000
MAX_BAKE_S: Final = 24 * 3600


def _printable(path: str) -> str:
    if not path.isprintable():
        raise ValueError("a path holds nothing unprintable")
    return path


#: A relative path inside the folder of the file that names it.
RelativePath = Annotated[str, StringConstraints(min_length=1, max_length=1024), AfterValidator(_printable)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=1024)]
Values = Annotated[dict[str, Any], Field(max_length=10_000)]
Versions = Annotated[str, StringConstraints(min_length=1, max_length=256), AfterValidator(check_constraint)]
Texts = Annotated[tuple[Text, ...], Field(strict=False, max_length=256)]


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Layer(_File):
    """Values that one layer sets. Maps merge deep into what lower layers set, everything else replaces it."""

    variables: Values = Field(default_factory=dict, description="values of Terraform variables")
    providers: Values = Field(
        default_factory=dict,
        description="arguments of provider blocks, by `name` or `name.alias`; the generic configuration has the block",
    )
    backend: Values = Field(
        default_factory=dict,
        description="one entry: the type of a state backend and its arguments; left out: Interlock keeps the state",
    )


class Phase(_File):
    """A group of targets that is deployed side by side."""

    name: Label = Field(description="the phase's name")
    max_concurrent: int = Field(default=10, ge=1, le=MAX_TARGETS, description="targets deployed at the same time")
    failure_tolerance: int = Field(
        default=0, ge=0, le=MAX_TARGETS, description="failed targets after which the phase still counts as done"
    )
    bake_s: int = Field(default=0, ge=0, le=MAX_BAKE_S, description="seconds to wait and watch after its last target")
    approval: bool = Field(default=False, description="a person approves each of its plans")
    after: Annotated[tuple[Label, ...], Field(strict=False, max_length=256)] | None = Field(
        default=None, description="phases that must be done first; left out: the phase listed before this one"
    )


class Artifact(_File):
    """Something built elsewhere that the configuration deploys; values refer to it as `${artifact.NAME.digest}`."""

    source: Text = Field(description="where it is: a repository, a URL")
    version: Text | None = Field(
        default=None, description="a tag; it may move, so its digest is looked up when a release is published"
    )
    digest: Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")] | None = Field(
        default=None, description="what is deployed, whatever the version points to; left out: looked up by the version"
    )


class TargetEntry(Layer):
    """One target, or one target in each region of a realm."""

    region: Label | None = Field(default=None, description="the region to deploy to; its workers take the runs")
    realm: Label | None = Field(default=None, description="instead of `region`: every region of this realm")
    name: Label | None = Field(default=None, description="tells two targets of one region apart")
    phase: Label | None = Field(default=None, description="when it is deployed; left out: the only phase there is")
    configuration: RelativePath | None = Field(default=None, description="generic configuration, where it is another")
    provider_region: Text | None = Field(
        default=None, description="the cloud's region, where it is not the one of the region file"
    )

    @model_validator(mode="after")
    def _one_place(self) -> TargetEntry:
        if (self.region is None) == (self.realm is None):
            raise ValueError("give either `region`, or `realm` for every region of a realm")
        return self


class FlockFile(Layer):
    """`flock.yaml`: one service's infrastructure. Its own values are the lowest layer, for all its targets."""

    name: Label = Field(description="the flock's name; target ids begin with it")
    owners: Texts = Field(default=(), description="who answers for it")
    configuration: RelativePath = Field(description="folder with the generic Terraform configuration")
    fleet: RelativePath = Field(
        default=".",
        description="folder that holds regions/ and realms/, where it is not the flock's own; may lead upwards",
    )
    terraform: Versions | None = Field(
        default=None,
        description="versions of Terraform or OpenTofu that may deploy it: 1.9.8, or ~> 1.9; left out: any that the "
        "generic configuration allows",
    )
    artifacts: Annotated[dict[Label, Artifact], Field(max_length=256)] = Field(
        default_factory=dict, description="what is deployed, by name"
    )
    phases: Annotated[tuple[Phase, ...], Field(strict=False, max_length=256)] = Field(
        default=(), description="the order of a roll-out; none: all targets at once"
    )
    targets: Annotated[tuple[TargetEntry, ...], Field(strict=False, min_length=1, max_length=MAX_TARGETS)] = Field(
        description="where it is deployed"
    )
    safety: SafetyRules | None = Field(
        default=None, description="who has to approve what; left out: whoever may start its runs has approved them"
    )
    rollback: RollbackSettings | None = Field(
        default=None, description="when a deployment is taken back, and what is watched; left out: never by itself"
    )
    drift: DriftSettings | None = Field(
        default=None, description="how its targets are checked for drift; left out: on demand"
    )


class RealmFile(Layer):
    """`realms/NAME.yaml`: what regions of one realm (an environment, a partition) have in common."""

    name: Label = Field(description="the realm's name; the file has the same")
    flocks: Annotated[dict[Label, Layer], Field(max_length=MAX_TARGETS)] = Field(
        default_factory=dict, description="values for single flocks; they win over those for all"
    )


class RegionFile(RealmFile):
    """`regions/NAME.yaml`: a place to deploy to."""

    name: Label = Field(description="the region's name; the file has the same, its workers take the runs")
    realm: Label = Field(description="the realm or environment that it belongs to")
    provider_region: Text | None = Field(default=None, description="the cloud's own name of it; left out: the name")
    zones: Texts = Field(default=(), description="availability zones")
    account: Annotated[str, StringConstraints(min_length=1, max_length=128)] | None = Field(
        default=None, description="account, project or subscription"
    )
    targets: Annotated[dict[TargetId, Layer], Field(max_length=MAX_TARGETS)] = Field(
        default_factory=dict, description="values for single targets of this region; they win over everything"
    )
