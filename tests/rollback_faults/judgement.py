"""The cloud before a deployment and after its rollback, and what Interlock said about it -> a verdict. Pure.

- rolled back, or not needed: the cloud is what it was, attribute by attribute, and the state holds what it held
- partial, or failed: each difference was named, as residue or in an orphan report, and what was named as left or
  missing or changed is
- no rollback, since the deployment went through in spite of the fault: the cloud is what the second release makes of it
- anything else: Interlock said nothing, and did not do it either

A thing that is there now, was not there before, and that nobody named, is an unknown orphan.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import zip_longest
from typing import Any

from tests.rollback_faults.inventory import Thing

WHOLE = frozenset({"ROLLED_BACK", "NOT_NEEDED"})
NOT_WHOLE = frozenset({"PARTIAL", "FAILED"})
APPLIED = "APPLIED"


class Kind(StrEnum):
    """How two inventories differ in one thing."""

    LEFT = "left"
    MISSING = "missing"
    CHANGED = "changed"


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One thing that is not as it was."""

    kind: Kind
    """How."""
    key: str
    """Its type and name."""
    thing: Thing
    """As it is now; a missing one as it was."""
    attributes: tuple[str, ...] = ()
    """`path: before -> after`, of a changed one."""

    def __str__(self) -> str:
        """`changed aws_sns_topic x: DisplayName: "a" -> "b"`."""
        return f"{self.kind} {self.key}{': ' if self.attributes else ''}{'; '.join(self.attributes)}"


@dataclass(frozen=True, kw_only=True)
class Told:
    """One thing that Interlock says is not as it was."""

    kind: str
    """left, missing, changed, unknown, or orphan."""
    type: str
    """Its type."""
    ids: tuple[str, ...] = ()
    """What names it in the cloud, where that is known."""
    address: str = ""
    """Where the configuration has it."""

    def names(self, difference: Difference) -> bool:
        """Whether it is about this difference."""
        if self.kind == "orphan" and difference.kind is Kind.MISSING:
            return False
        if self.kind in tuple(Kind) and self.kind != difference.kind.value:
            return False
        if self.type and self.type != difference.thing.type:
            return False
        if not self.ids:
            return bool(self.type)
        # A service names a thing in several ways; each holds, or is held by, what we know it by.
        return any(_same(told, known) for told in self.ids for known in difference.thing.ids)

    def __str__(self) -> str:
        """`left aws_sns_topic.x (arn:…)`."""
        return f"{self.kind} {self.address or self.type}{f' ({", ".join(self.ids)})' if self.ids else ''}"


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """All that a verdict is computed from."""

    before: Mapping[str, Thing]
    """The cloud before the deployment."""
    after: Mapping[str, Thing]
    """The cloud when nothing of the target was to be done any more."""
    outcome: str
    """ROLLED_BACK, PARTIAL, FAILED, NOT_NEEDED; APPLIED: the deployment went through; else what there was instead."""
    told: Sequence[Told] = ()
    """The residue, and what the orphan reports of the case's runs name."""
    second: Mapping[str, Thing] | None = None
    """The cloud as the second release leaves it, where nothing else is."""
    beside: Mapping[str, Thing] = field(default_factory=dict)
    """What other targets have in the same region; it is in `before` and in `after`."""
    held_before: AbstractSet[str] = frozenset()
    """The addresses in the target's state before the deployment."""
    held_after: AbstractSet[str] = frozenset()
    """The same afterwards."""
    struck: int = 1
    """How many strikes fell."""
    expected: int = 1
    """How many were ordered."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether the promise was kept."""

    reasons: tuple[str, ...]
    """Each one that speaks against it, for people."""
    differences: tuple[str, ...] = ()
    """How the cloud differs from what it was."""
    unknown_orphans: tuple[str, ...] = field(default=())
    """What is there, was not there, and nobody named."""

    @property
    def passed(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.reasons


def differences(before: Mapping[str, Thing], after: Mapping[str, Thing]) -> list[Difference]:
    """How two inventories differ, by key."""
    found = []
    for key, old, new in _paired(before, after):
        if old is None and new is not None:
            found.append(Difference(kind=Kind.LEFT, key=key, thing=new))
        elif new is None and old is not None:
            found.append(Difference(kind=Kind.MISSING, key=key, thing=old))
        elif old is not None and new is not None and (changed := _changed(old, new)):
            found.append(Difference(kind=Kind.CHANGED, key=key, thing=new, attributes=changed))
    return found


def _paired(
    before: Mapping[str, Thing], after: Mapping[str, Thing]
) -> Iterator[tuple[str, Thing | None, Thing | None]]:
    """What is before and after, by key; of things with one name those that are equal belong together."""
    names = {key: key.partition(" #")[0] for key in before.keys() | after.keys()}
    for name in sorted(set(names.values())):
        keys = sorted(key for key in names if names[key] == name)
        old, new = ([things[key] for key in keys if key in things] for things in (before, after))
        for one in list(old):
            same = next((other for other in new if other.attributes == one.attributes), None)
            if same is not None:
                old.remove(one)
                new.remove(same)
        for number, (one, other) in enumerate(zip_longest(old, new), start=1):
            yield name if number == 1 else f"{name} #{number}", one, other


def judge(evidence: Evidence) -> Verdict:
    """The verdict on one case."""
    found = differences(evidence.before, evidence.after)
    shown = tuple(map(str, found))
    reasons = []
    if evidence.struck < evidence.expected:
        reasons.append(f"{evidence.struck} of {evidence.expected} strikes fell: nothing was shown")
    unnamed: list[Difference] = []
    if evidence.outcome in WHOLE:
        unnamed = found
        reasons += [f"{evidence.outcome}, and {one}" for one in found]
        lost, new = evidence.held_before - evidence.held_after, evidence.held_after - evidence.held_before
        reasons += [f"{evidence.outcome}, and {address} is in no state any more" for address in sorted(lost)]
        reasons += [f"{evidence.outcome}, and {address} is in the state" for address in sorted(new)]
    elif evidence.outcome in NOT_WHOLE:
        unnamed = [one for one in found if not any(told.names(one) for told in evidence.told)]
        reasons += [f"{evidence.outcome}, and nobody named: {one}" for one in unnamed]
        reasons += [
            f"{evidence.outcome}, and named without cause: {told}"
            for told in evidence.told
            if told.kind in tuple(Kind) and not any(told.names(one) for one in found)
        ]
    elif evidence.outcome == APPLIED and evidence.second is not None:
        off = differences({**evidence.beside, **evidence.second}, evidence.after)
        unnamed = [one for one in off if one.kind is Kind.LEFT]
        reasons += [f"the deployment went through, and against the second release {one}" for one in off]
    else:
        unnamed = [one for one in found if not any(told.names(one) for told in evidence.told)]
        reasons.append(f"no rollback followed: {evidence.outcome or 'nothing was said'}")
    orphans = tuple(one.key for one in unnamed if one.kind is Kind.LEFT)
    return Verdict(reasons=tuple(reasons), differences=shown, unknown_orphans=orphans)


def addresses_in(state: Mapping[str, Any]) -> frozenset[str]:
    """Where a state file (format version 4) has what it manages; what a replacement left counts apart."""
    return frozenset(
        f"{resource.get('module', '')} {resource['type']}.{resource['name']}"
        f"[{instance.get('index_key', '')}]{instance.get('deposed', '')}".strip()
        for resource in state.get("resources", ())
        if resource.get("mode") == "managed"
        for instance in resource.get("instances", ())
    )


def _changed(old: Thing, new: Thing) -> tuple[str, ...]:
    paths = sorted(old.attributes.keys() | new.attributes.keys())
    return tuple(
        f"{path}: {old.attributes.get(path, 'nothing')} -> {new.attributes.get(path, 'nothing')}"
        for path in paths
        if old.attributes.get(path) != new.attributes.get(path)
    )


def _same(told: str, known: str) -> bool:
    return told == known or known.endswith((f"/{told}", f":{told}")) or told.endswith((f"/{known}", f":{known}"))
