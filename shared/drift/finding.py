"""A resource's findings while they are gathered, and the bounded record that is made of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from shared.drift.changes import Difference, previews
from shared.drift.report import (
    MAX_ATTRIBUTES,
    MAX_REASON,
    MAX_RESOURCES,
    AttributeChange,
    Cause,
    ResourceDrift,
    ResourceStatus,
)

#: Attributes listed of a whole report: it has to fit into a request.
MAX_LISTED: Final = 2000


@dataclass(kw_only=True)
class Finding:
    """What is known of one resource so far."""

    address: str
    """As it is told."""
    type: str
    """Of the resource."""
    status: ResourceStatus = ResourceStatus.IN_SYNC
    """So far."""
    reason: str = ""
    """Why, where the status alone does not say."""
    previous_address: str | None = None
    """Before a move."""
    causes: set[Cause] = field(default_factory=set)
    """Besides those of the attributes."""
    attributes: list[tuple[Difference, Cause]] = field(default_factory=list)
    """What differs."""
    restored: set[str] = field(default_factory=set)
    """Attributes of the resource that an apply puts back."""

    def decide(self, status: ResourceStatus, reason: str) -> None:
        """Take a status that says more than the one there is."""
        self.status, self.reason = status, reason

    def also(self, reason: str) -> None:
        """Say something more."""
        self.reason = f"{self.reason}; {reason}" if self.reason else reason


def listed(findings: Iterable[Finding]) -> tuple[tuple[ResourceDrift, ...], int]:
    """The records, by address, and how many there was no room for: never one that drifted while another is in sync."""
    ordered = sorted(
        findings, key=lambda one: (one.status is ResourceStatus.IN_SYNC, not one.status.drifted, one.address)
    )
    kept = sorted(ordered[:MAX_RESOURCES], key=lambda one: one.address)
    room = MAX_LISTED
    made: dict[int, ResourceDrift] = {}
    # What drifted is told in full before anything else is.
    for place in sorted(range(len(kept)), key=lambda place: not kept[place].status.drifted):
        record = _record(kept[place], min(room, MAX_ATTRIBUTES))
        room -= len(record.attributes)
        made[place] = record
    return tuple(made[place] for place in range(len(kept))), len(ordered) - len(kept)


def _record(finding: Finding, room: int) -> ResourceDrift:
    order = list(Cause)
    attributes = sorted(finding.attributes, key=lambda one: (order.index(one[1]), one[0].name))
    causes = {*finding.causes, *(cause for _, cause in attributes)}
    return ResourceDrift(
        address=finding.address,
        type=finding.type,
        status=finding.status,
        cause=min(causes, key=order.index, default=None),
        attributes=tuple(_attribute(one, cause, finding) for one, cause in attributes[:room]),
        more_attributes=max(0, len(attributes) - room),
        reason=finding.reason[:MAX_REASON],
        previous_address=finding.previous_address,
    )


def _attribute(one: Difference, cause: Cause, finding: Finding) -> AttributeChange:
    before, after = previews(one.before, one.after, sensitive=one.sensitive)
    return AttributeChange(
        path=one.name,
        before=before,
        after=after,
        sensitive=one.sensitive,
        cause=cause,
        restored=cause is Cause.CHANGED_OUTSIDE and one.top in finding.restored,
    )
