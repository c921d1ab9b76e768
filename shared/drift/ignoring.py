"""Rules for drift that nobody wants to hear of. Pure.

A rule takes changes off a report; it hides none: they stay listed, marked as ignored. It never reaches an apply, whose
plan is Terraform's own. What was not checked cannot be ignored, and an expired rule ignores nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Annotated, Final

from pydantic import Field, StringConstraints, model_validator

from shared.drift.report import (
    MAX_PATH,
    MAX_PREVIEW,
    AttributeChange,
    Cause,
    DriftReport,
    ResourceDrift,
    ResourceStatus,
)
from shared.record import Record, Section
from shared.safety.entries import MAX_ADDRESS

MAX_RULES: Final = 256
_BOUNDARY: Final = re.compile(r"[.\[]")

Pattern = Annotated[str, StringConstraints(min_length=1, max_length=MAX_PREVIEW)]


class IgnoreRule(Section):
    """What not to hear of, until when, and why. In all patterns, `*` stands for any characters."""

    address: Annotated[str, StringConstraints(min_length=1, max_length=MAX_ADDRESS)] = Field(
        description='resource addresses: module.web[*].aws_instance.*, aws_sqs_queue.jobs["a"]'
    )
    attribute: Annotated[str, StringConstraints(min_length=1, max_length=MAX_PATH)] | None = Field(
        default=None,
        description="attributes, with all that is inside them: tags, tags.Owner; left out: everything about the "
        "resource, its deletion too",
    )
    value: Pattern | None = Field(
        default=None,
        description="values that the attribute may have now, written as JSON, as `interlock drift show` prints them; "
        "left out: any. A sensitive value fits none",
    )
    expires: Annotated[date, Field(strict=False)] = Field(description="the last day on which it ignores anything")
    reason: Annotated[str, StringConstraints(min_length=1, max_length=1024)] = Field(description="why, for people")

    @model_validator(mode="after")
    def _value_of_something(self) -> IgnoreRule:
        if self.value is not None and self.attribute is None:
            raise ValueError("`value` is that of an `attribute`: name it as well")
        return self

    def names(self, resource: ResourceDrift) -> bool:
        """Whether it is about this resource."""
        return fits(self.address, resource.address)

    def ignores(self, change: AttributeChange) -> bool:
        """Whether it takes this change of a resource off that it names."""
        if self.attribute is None:
            return True
        if not any(fits(self.attribute, path) for path in _around(change.path)):
            return False
        return self.value is None or (not change.sensitive and fits(self.value, change.after))


class Ignoring(Record):
    """A report with a flock's rules applied."""

    report: DriftReport = Field(description="without what the rules take off")
    hits: tuple[int, ...] = Field(description="of each rule, in order: how many changes it took off")
    expired: tuple[int, ...] = Field(description="which rules, by their place, are over and did nothing")


def apply(report: DriftReport, rules: Sequence[IgnoreRule], today: date) -> Ignoring:
    """Take off what the rules name. The first rule that names a change has the hit.

    Args:
        report: of a check.
        rules: of the flock.
        today: decides which of them are over.
    """
    live = [(place, rule) for place, rule in enumerate(rules) if today <= rule.expires]
    hits = [0] * len(rules)
    resources = tuple(_without(resource, live, hits) for resource in report.resources)
    return Ignoring(
        report=report.model_copy(update={"resources": resources}),
        hits=tuple(hits),
        expired=tuple(place for place, rule in enumerate(rules) if today > rule.expires),
    )


def fits(pattern: str, text: str) -> bool:
    """Whether `text` is what `pattern` says; only `*` is special. Linear, whatever the pattern."""
    first, *rest = pattern.split("*")
    if not rest:
        return text == pattern
    *middle, last = rest
    if not text.startswith(first) or len(text) < len(first) + len(last) or not text.endswith(last):
        return False
    position, end = len(first), len(text) - len(last)
    for part in middle:
        position = text.find(part, position, end)
        if position < 0:
            return False
        position += len(part)
    return True


def _without(resource: ResourceDrift, rules: Sequence[tuple[int, IgnoreRule]], hits: list[int]) -> ResourceDrift:
    if not resource.status.drifted:
        return resource
    naming = [(place, rule) for place, rule in rules if rule.names(resource)]
    if resource.status is ResourceStatus.DELETED or resource.more_attributes:
        # No rule about single attributes covers a deletion, or changes that are not even listed.
        naming = [(place, rule) for place, rule in naming if rule.attribute is None]
        if not naming:
            return resource
        hits[naming[0][0]] += 1
        return _settled(resource, [naming[0][1]], tuple(_ignored(change) for change in resource.attributes))
    attributes, used = [], dict[int, IgnoreRule]()
    for change in resource.attributes:
        hit = None
        if change.cause is Cause.CHANGED_OUTSIDE:
            hit = next(((place, rule) for place, rule in naming if rule.ignores(change)), None)
        if hit is not None:
            hits[hit[0]] += 1
            used[hit[0]] = hit[1]
        attributes.append(change if hit is None else _ignored(change))
    if not used:
        return resource
    if any(change.cause is Cause.CHANGED_OUTSIDE and not change.ignored for change in attributes):
        return resource.model_copy(update={"attributes": tuple(attributes)})
    return _settled(resource, list(used.values()), tuple(attributes))


def _settled(
    resource: ResourceDrift, rules: Sequence[IgnoreRule], attributes: tuple[AttributeChange, ...]
) -> ResourceDrift:
    was = "deleted outside" if resource.status is ResourceStatus.DELETED else "changed outside"
    why = "; ".join(rule.reason for rule in rules)
    return resource.model_copy(
        update={
            "status": ResourceStatus.IN_SYNC,
            "attributes": attributes,
            "reason": f"{was}, ignored by rule: {why}"[:1024],
        }
    )


def _ignored(change: AttributeChange) -> AttributeChange:
    return change.model_copy(update={"ignored": True}) if change.cause is Cause.CHANGED_OUTSIDE else change


def _around(path: str) -> Iterator[str]:
    """The path itself, and every one that it lies in."""
    yield path
    for boundary in _BOUNDARY.finditer(path):
        if boundary.start():
            yield path[: boundary.start()]
