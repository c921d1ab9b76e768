"""What a drift check found. Travels from the worker to the scheduler and on to people; holds no secret.

The status of a resource compares the cloud with the state, and nothing else: a configuration that is not applied yet is
no drift, and a data source that says something new is none either. Those are kept apart, as causes.

A resource is in sync only where Terraform has said that it read it. What nobody looked at is never in sync, and neither
is the target that it belongs to.
"""

from __future__ import annotations

import hashlib
import json
from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field, StringConstraints

from shared.record import Record
from shared.safety.entries import MAX_ADDRESS, MAX_ENTRIES

MAX_RESOURCES: Final = MAX_ENTRIES
#: Attributes listed of one resource; what is above is only counted.
MAX_ATTRIBUTES: Final = 200
MAX_PATH: Final = 1024
#: Longest preview of a value, in characters.
MAX_PREVIEW: Final = 512
MAX_REASON: Final = 2048
MAX_GAPS: Final = 100

Address = Annotated[str, StringConstraints(min_length=1, max_length=MAX_ADDRESS)]
Reason = Annotated[str, StringConstraints(max_length=MAX_REASON)]


class ResourceStatus(StrEnum):
    """How the cloud compares with the state."""

    IN_SYNC = "in_sync"
    """Read, and as the state says."""
    MODIFIED = "modified"
    """Changed outside."""
    DELETED = "deleted"
    """No longer there."""
    NOT_CHECKED = "not_checked"
    """Not looked at; the reason says why."""
    UNKNOWN = "unknown"
    """Looked at, and what was seen cannot be judged."""
    UNSUPPORTED = "unsupported"
    """Cannot be looked at: Terraform put it off, or its provider reads nothing."""

    @property
    def drifted(self) -> bool:
        """Whether the cloud is known to differ."""
        return self in (ResourceStatus.MODIFIED, ResourceStatus.DELETED)

    @property
    def checked(self) -> bool:
        """Whether it is known how the cloud compares."""
        return self is ResourceStatus.IN_SYNC or self.drifted


class Cause(StrEnum):
    """Where a difference comes from; the gravest first."""

    CHANGED_OUTSIDE = "changed_outside"
    """Somebody or something changed the cloud. The only one that is drift."""
    NOT_APPLIED = "not_applied"
    """The configuration says something else than what was applied."""
    DATA_SOURCE = "data_source"
    """A data source says something else than at the last apply."""
    CONSEQUENCE = "consequence"
    """An apply would change it because something that it depends on was changed outside."""
    REFLECTION = "reflection"
    """It shows another resource of the same target, which is looked at itself: a role's policies, a group's rules."""
    MOVED = "moved"
    """The same object under another address of the configuration."""
    NORMALISATION = "normalisation"
    """The provider writes the same thing otherwise, or a value of its own moved on by itself."""


class RollUp(StrEnum):
    """What a report comes to for its target."""

    IN_SYNC = "in_sync"
    """Everything was read, and nothing differs."""
    DRIFTED = "drifted"
    """Something was changed or deleted outside, whatever else could not be looked at."""
    NOT_CHECKED = "not_checked"
    """Nothing is known to differ, and something was not looked at."""


class AttributeChange(Record):
    """One attribute that differs."""

    path: Annotated[str, StringConstraints(max_length=MAX_PATH)] = Field(
        description='tags.Name, ingress[0].cidr_blocks, tags["a key"]; empty: the whole value'
    )
    before: str = Field(default="", max_length=MAX_PREVIEW, description="in the state: JSON, shortened")
    after: str = Field(default="", max_length=MAX_PREVIEW, description="now, or as it would become")
    sensitive: bool = Field(default=False, description="whether the values are kept back")
    cause: Cause = Field(default=Cause.CHANGED_OUTSIDE, description="where it comes from")
    restored: bool = Field(default=False, description="whether an apply of the same release puts it back")
    ignored: bool = Field(default=False, description="whether a rule of the flock takes it off")


class ResourceDrift(Record):
    """One resource instance, or data source, as the check found it."""

    address: Address = Field(description="of the instance; `(deposed)` follows that of one left by a replacement")
    type: str = Field(default="", max_length=256, description="its type: aws_sqs_queue")
    status: ResourceStatus = Field(description="how the cloud compares with the state")
    cause: Cause | None = Field(default=None, description="the gravest of what differs; None: nothing does")
    attributes: tuple[AttributeChange, ...] = Field(
        default=(), max_length=MAX_ATTRIBUTES, description="what differs, by path"
    )
    more_attributes: int = Field(default=0, ge=0, description="those that are not listed")
    reason: Reason = Field(default="", description="why, where the status alone does not say")
    previous_address: str | None = Field(default=None, max_length=MAX_ADDRESS, description="before a move")


class DriftReport(Record):
    """Everything that a check found."""

    terraform_version: str = Field(default="", max_length=64, description="which Terraform looked")
    resources: tuple[ResourceDrift, ...] = Field(
        default=(), max_length=MAX_RESOURCES, description="everything in the state or the configuration, by address"
    )
    gaps: Annotated[tuple[Reason, ...], Field(max_length=MAX_GAPS)] = Field(
        default=(), description="why the check as a whole is not complete; none: it is"
    )

    @property
    def complete(self) -> bool:
        """Whether everything was looked at, and can be judged."""
        return not self.gaps and all(resource.status.checked for resource in self.resources)

    @property
    def drifted(self) -> tuple[ResourceDrift, ...]:
        """What was changed or deleted outside."""
        return tuple(resource for resource in self.resources if resource.status.drifted)

    @property
    def not_checked(self) -> tuple[ResourceDrift, ...]:
        """What was not looked at, or cannot be judged."""
        return tuple(resource for resource in self.resources if not resource.status.checked)

    @property
    def roll_up(self) -> RollUp:
        """What it comes to. Never in sync while something was not checked."""
        if self.drifted:
            return RollUp.DRIFTED
        return RollUp.IN_SYNC if self.complete else RollUp.NOT_CHECKED

    @property
    def fingerprint(self) -> str:
        """`sha256:…` of what drifted and how: two checks that found the same have the same.

        Sensitive values have no part in it: their digests could be guessed.
        """
        found = [
            [
                resource.address,
                resource.status,
                [[change.path, change.after] for change in resource.attributes if _counts(change)],
            ]
            for resource in sorted(self.drifted, key=lambda resource: resource.address)
        ]
        content = json.dumps([self.roll_up, found], separators=(",", ":"), ensure_ascii=False).encode()
        return f"sha256:{hashlib.sha256(content).hexdigest()}"

    def counts(self) -> dict[ResourceStatus, int]:
        """How many resources have each status, in the order of the statuses."""
        return {
            status: count
            for status in ResourceStatus
            if (count := sum(resource.status is status for resource in self.resources))
        }


def _counts(change: AttributeChange) -> bool:
    return change.cause is Cause.CHANGED_OUTSIDE and not change.ignored
