"""Attributes that show other resources: a role shows its policies, a group its rules, a bucket its versioning. Pure.

Terraform reads the role before it makes the policy. From then on the state says "no policies" and the cloud says "one",
and nobody has touched anything; the policy is a resource of the state and is looked at itself. A policy that is not one
of the state's is something else: that one was put there outside.

Which attribute shows which type is a table (`shown`). What it does not name is taken for a reflection only where a
resource that depends on this one accounts for every part of what is new, by what the state says of it: whoever sets the
same tag on all of them has changed all of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from shared.drift.instances import Instance, Key
from shared.drift.meaning import is_nothing, plain
from shared.drift.shown import TABLE, Shown
from shared.safety.plan_document import without_keys

#: Attributes that name a resource to another one.
_NAMES: Final = ("id", "arn", "name", "url", "bucket", "invoke_arn", "execution_arn")
#: Attributes that say which object it is, and not what is in it: an element may have one of its own.
_OWN: Final = frozenset({"id", "arn"})
#: What an element calls otherwise than the resource that it shows.
_ALSO: Final = {"action": "rule_action", "protocol": "ip_protocol", "rule_no": "rule_number"}
_MAX_DEPTH: Final = 32


class Reflections:
    """The objects of one state, to be asked what an attribute shows."""

    def __init__(self, held: Iterable[Instance], then: Mapping[Key, Instance] | None = None) -> None:
        """Index them.

        Args:
            held: everything managed that the state holds, as it was read.
            then: the same as the state says; None: it cannot be had.
        """
        self._then = then
        self._by_type: dict[str, list[Instance]] = {}
        self._by_dependency: dict[str, list[Instance]] = {}
        self._texts: dict[int, frozenset[str]] = {}
        self._naming: dict[str, dict[str, list[Instance]]] = {}
        for instance in held:
            self._by_type.setdefault(instance.type, []).append(instance)
            for address in instance.depends_on:
                self._by_dependency.setdefault(address, []).append(instance)

    def explain(self, instance: Instance, attribute: str, before: Any, after: Any) -> bool:
        """Whether the difference shows other resources of the state, and nothing else.

        Args:
            instance: whose attribute it is.
            attribute: of the resource itself, with all that is inside it.
            before: its value in the state.
            after: its value now.
        """
        names = set(_identities(instance))
        shown = TABLE.get(instance.type, {}).get(attribute)
        if shown is None:
            near = [one for one in self._by_dependency.get(without_keys(instance.address), ()) if one is not instance]
            if self._then is not None:
                near = [self._then[one.key] for one in near if one.key in self._then]
            # Nothing may be missing: what these would no longer account for is not known.
            return not _only_in(before, after) and self._accounted(before, after, near, names)
        known: list[Instance] = []
        for kind in shown:
            for one in self._of(instance, kind, names):
                if kind.whole:
                    return True
                known.append(one)
        if any(kind.counted for kind in shown):
            # More than the state accounts for is somebody else's, whatever the number was before.
            return isinstance(after, int) and after <= len({end for one in known for end in _ends(one, shown)})
        # What is missing was one of those resources: where the state still holds it, it is told as deleted itself, and
        # where not, the last apply has removed it.
        if all(kind.whole for kind in shown):
            return False
        return self._accounted(before, after, known, names)

    def _of(self, instance: Instance, kind: Shown, names: set[str]) -> Iterator[Instance]:
        """The resources that the attribute shows: of the type, with these values, and linked to its resource."""
        names = names | {str(value) for name in kind.parent if (value := instance.values.get(name))}
        for one in self._that_name(names, kind.type):
            if one is instance or any(one.values.get(name) != value for name, value in kind.where.items()):
                continue
            if not kind.link or any(names & frozenset(_texts(one.values.get(name))) for name in kind.link):
                yield one

    def _that_name(self, names: Iterable[str], kind: str) -> list[Instance]:
        """Resources of a type that hold one of these names somewhere."""
        if kind not in self._naming:
            index = self._naming[kind] = {}
            for instance in self._by_type.get(kind, ()):
                for text in self._texts_of(instance):
                    index.setdefault(text, []).append(instance)
        found = {id(one): one for name in names for one in self._naming[kind].get(name, ())}
        return list(found.values())

    def _accounted(self, before: Any, after: Any, known: Iterable[Instance], names: set[str]) -> bool:
        """Whether every element that is new is one that these resources made."""
        added = _only_in(after, before)
        if not added:
            return isinstance(before, (list, dict))
        sources = [(one.values, texts) for one in known if names & (texts := self._texts_of(one))]
        return all(_explained(element, sources, names) for element in added)

    def _texts_of(self, instance: Instance) -> frozenset[str]:
        known = self._texts.get(id(instance))
        if known is None:
            known = self._texts[id(instance)] = frozenset(_texts(instance.values))
        return known


def _explained(element: Any, sources: Sequence[tuple[Mapping[str, Any], frozenset[str]]], names: set[str]) -> bool:
    """One resource has every single value of the element; its lists may come from several such."""
    singles = {text for value in _singles(element) for text in _texts(value)} - names
    fitting = [texts for values, texts in sources if singles <= texts and _agrees(element, values, names)]
    listed = {text for values in _lists(element) for text in _texts(values)} - names
    together: set[str] = set().union(*fitting) if fitting else set()
    return bool(fitting) and bool(singles or listed) and listed <= together


def _agrees(element: Any, values: Mapping[str, Any], names: set[str]) -> bool:
    """Whether what both sides have under one name is the same: a port from 0 on is none from 443 on."""
    if not isinstance(element, dict):
        return True
    for name, value in element.items():
        theirs = name if name in values else _ALSO.get(name, "")
        other = values.get(theirs)
        if theirs not in values or name in _OWN or isinstance(value, (dict, list)) or isinstance(other, (dict, list)):
            continue
        if _says_nothing(value) or _says_nothing(other):
            if not (_says_nothing(value) and _says_nothing(other)):
                return False
        elif (text := _spelled(value)) not in names and text != _spelled(other):
            return False
    return True


def _ends(one: Instance, shown: Iterable[Shown]) -> Iterator[tuple[str, str]]:
    """What a counted resource stands for: itself, or who it attaches to. Two that do the same count once."""
    for kind in shown:
        for name, what in kind.counted if kind.type == one.type else ():
            for text in _texts(one.values.get(name)):
                yield what, text


def _singles(element: Any) -> Iterator[Any]:
    if isinstance(element, dict):
        for value in element.values():
            yield from _singles(value)
    elif not isinstance(element, list):
        yield element


def _lists(element: Any) -> Iterator[list[Any]]:
    if isinstance(element, dict):
        for value in element.values():
            yield from _lists(value)
    elif isinstance(element, list):
        yield element


def _identities(instance: Instance) -> Iterator[str]:
    for name in _NAMES:
        value = instance.values.get(name)
        if isinstance(value, str) and value:
            yield value


def _texts(value: Any, depth: int = 0) -> Iterator[str]:
    """Every value inside, spelled so that equal ones are equal; not those that say nothing."""
    if _says_nothing(value) or depth > _MAX_DEPTH:
        return
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, depth + 1)
    else:
        yield _spelled(value)


def _says_nothing(value: Any) -> bool:
    return is_nothing(value) or value is False or value == 0


def _spelled(value: Any) -> str:
    if isinstance(value, str):
        document = plain(value)
        return value if isinstance(document, str) else json.dumps(document, sort_keys=True)
    return json.dumps(value)


def _only_in(one: Any, other: Any) -> list[Any]:
    """Elements of `one` that `other` has not; of maps their entries; anything else is one element."""
    if isinstance(one, list) or isinstance(other, list):
        mine, theirs = _listed(one), _listed(other)
    elif isinstance(one, dict) or isinstance(other, dict):
        mine, theirs = _entries(one), _entries(other)
    else:
        return [] if is_nothing(one) or one == other else [one]
    left = [json.dumps(plain(value), sort_keys=True) for value in theirs]
    found = []
    for value in mine:
        text = json.dumps(plain(value), sort_keys=True)
        if text in left:
            left.remove(text)
        else:
            found.append(value)
    return found


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _entries(value: Any) -> list[Any]:
    return [{"key": key, "value": item} for key, item in value.items()] if isinstance(value, dict) else []
