"""What a flock allows, and who has to say so. Pure: an entry and the rules in, a demand out.

    never          nobody can approve it
    two_persons    two of them have to
    one_person     one has to
    auto           nobody has to, unless the entry's type is protected: then one person

The strictest rule that names an entry counts. An operation on a resource that no rule names needs one person. What is
no plain operation on a resource (a provisioner, an action, a deferral) is refused unless a rule names it, and what this
version does not know is refused whatever the rules say: the world is closed.

A flock without rules: whoever may start its runs has approved the plain operations on resources that their plans say,
and nothing else: no rule names a provisioner there, so it is refused there, too.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from fnmatch import fnmatchcase
from typing import Annotated, Final

from pydantic import Field, StringConstraints, field_validator

from shared.record import Section
from shared.safety.entries import Entry, Operation

#: A resource type; `*` stands for any characters.
TypePattern = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_*.-]{1,256}$")]

#: These change what Terraform knows or says, or change nothing: `protected_types` does not hold them back.
_HARMLESS: Final = frozenset({Operation.READ, Operation.OUTPUT})
#: Refused where no rule names them.
_CLOSED: Final = frozenset({Operation.PROVISIONER, Operation.ACTION, Operation.DEFERRED, Operation.UNKNOWN})


class Demand(IntEnum):
    """How many persons have to approve; the larger the stricter."""

    NOBODY = 0
    ONE = 1
    TWO = 2
    NEVER = 3


class Rule(Section):
    """Operations on resource types."""

    operations: Annotated[
        tuple[Annotated[Operation, Field(strict=False)], ...], Field(strict=False, min_length=1, max_length=32)
    ] = Field(description="what is done")
    types: Annotated[tuple[TypePattern, ...], Field(strict=False, min_length=1, max_length=256)] = Field(
        default=("*",), description="to which resource types; * stands for any characters; left out: to any"
    )

    @field_validator("operations")
    @classmethod
    def _nameable(cls, operations: tuple[Operation, ...]) -> tuple[Operation, ...]:
        if Operation.UNKNOWN in operations:
            raise ValueError("what is unknown cannot be named")
        return operations

    def names(self, entry: Entry) -> bool:
        """Whether it is about this entry."""
        return entry.operation in self.operations and matches(entry.type, self.types)


Rules = Annotated[tuple[Rule, ...], Field(strict=False, max_length=256)]


class SafetyRules(Section):
    """The `safety` section of a flock."""

    auto: Rules = Field(default=(), description="approved without a person, except on protected types")
    one_person: Rules = Field(default=(), description="one person approves; also what else no rule names")
    two_persons: Rules = Field(default=(), description="two persons approve, each under a name of their own")
    never: Rules = Field(default=(), description="never done, whoever approves")
    protected_types: Annotated[tuple[TypePattern, ...], Field(strict=False, max_length=1024)] = Field(
        default=(), description="types on which `auto` does not count: one person approves"
    )
    exec: bool = Field(
        default=True, description="whether `interlock exec` may change anything: its command cannot be looked into"
    )

    def demand(self, entry: Entry) -> Demand:
        """Who has to approve the entry."""
        if entry.operation is Operation.UNKNOWN or _named(self.never, entry):
            return Demand.NEVER
        if _named(self.two_persons, entry):
            return Demand.TWO
        if _named(self.one_person, entry):
            return Demand.ONE
        if _named(self.auto, entry):
            guarded = entry.operation not in _HARMLESS and matches(entry.type, self.protected_types)
            return Demand.ONE if guarded else Demand.NOBODY
        return Demand.NEVER if entry.operation in _CLOSED else Demand.ONE


def demand(rules: SafetyRules | None, entry: Entry) -> Demand:
    """Who has to approve the entry in a flock with these rules, or with none."""
    if rules is not None:
        return rules.demand(entry)
    return Demand.NEVER if entry.operation in _CLOSED else Demand.NOBODY


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Whether a type is one of those."""
    # The patterns hold no other special character than the star.
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _named(rules: Iterable[Rule], entry: Entry) -> bool:
    return any(rule.names(entry) for rule in rules)
