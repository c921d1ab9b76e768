"""What a deployment set on something that stays, and no plan of the first configuration takes back. Pure.

Where a configuration says nothing of an attribute, many providers keep what is there (an attribute that is optional
and computed), and `ignore_changes` has Terraform keep it. So after an empty plan the values are compared, of those
attributes that the deployment's own plans gave other values.

What names another object that was made again, or another version of one, is as it was: the version of a launch
template, the ARN of a task definition, the id of a group. The state says of which others an object is made up.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from shared.rollback.rearranging import meaning, same_values
from shared.rollback.records import Changed, Kept
from shared.rollback.states import Instance, id_of
from shared.safety.plan_document import without_keys

#: Shorter values are looked for as whole ones only, not within a longer text.
_LONG: Final = 8
#: Members of a set that may have other names.
_MAX_REORDERED: Final = 1000


def kept(first: Collection[Instance], final: Collection[Instance], changed: Collection[Changed]) -> Iterator[Kept]:
    """Objects of which some of these attributes are not as they were.

    Args:
        first: objects of the first state.
        final: objects of the final one.
        changed: what the deployment's plans set.
    """
    was, now = ({one.address: one for one in state if one.deposed is None} for state in (first, final))
    others = _Others(was, now, changed)
    for item in changed:
        before, after = was.get(item.address), now.get(item.address)
        if before is None or after is None or before.type != after.type:
            continue
        if id_of(before.attributes) != id_of(after.attributes):
            continue  # made again, from the first configuration alone
        pairs = {name: (before.attributes.get(name), after.attributes.get(name)) for name in item.attributes}
        left = [name for name, pair in pairs.items() if not same_values(*pair)]
        if left:
            renamed = _Renamed(others.of(before.dependencies | after.dependencies))
            left = [name for name in left if not renamed.explain(*pairs[name])]
        if left:
            yield Kept(address=item.address, type=after.type, id=_shown_id(after), attributes=tuple(left))


class _Others:
    """What single values of objects were and are now, by the address of the resource."""

    def __init__(self, was: Mapping[str, Instance], now: Mapping[str, Instance], changed: Collection[Changed]) -> None:
        # What the deployment set itself explains nothing: there it may have stayed as well.
        own = {(item.address, name) for item in changed for name in item.attributes}
        self._renamed: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        for address in was.keys() & now.keys():
            again = id_of(was[address].attributes) != id_of(now[address].attributes)
            for name, old in was[address].attributes.items():
                new = now[address].attributes.get(name)
                if _is_scalar(old) and _is_scalar(new) and old != new and (again or (address, name) not in own):
                    self._renamed[without_keys(address)][str(old)].add(str(new))

    def of(self, dependencies: Collection[str]) -> dict[str, set[str]]:
        """By what values of those resources were: what they are now."""
        found: dict[str, set[str]] = defaultdict(set)
        for one in dependencies:
            for old, new in self._renamed.get(one, {}).items():
                found[old] |= new
        return found


class _Renamed:
    """What single values of the objects that one refers to were, and are now."""

    def __init__(self, renamed: Mapping[str, set[str]]) -> None:
        self._whole = renamed
        # Two objects of one name and two new ones are told apart as whole values only.
        self._long = {old: next(iter(new)) for old, new in renamed.items() if len(old) >= _LONG and len(new) == 1}
        longest_first = sorted(self._long, key=len, reverse=True)
        self._within = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def explain(self, before: Any, after: Any) -> bool:
        """Whether two values differ in nothing but what other objects were called, and are called now."""
        before, after = meaning(before), meaning(after)
        if isinstance(before, dict) and isinstance(after, dict):
            same = before.keys() == after.keys()
            return same and all(self.explain(one, after[key]) for key, one in before.items())
        if isinstance(before, list) and isinstance(after, list):
            return len(before) == len(after) and self._explain_all(before, after)
        if before == after and isinstance(before, bool) == isinstance(after, bool):
            return True
        if not _is_scalar(before) or not _is_scalar(after):
            return False
        return str(after) in self._now(str(before))

    def _explain_all(self, before: list[Any], after: list[Any]) -> bool:
        """One by one, or single values in another order: a set is sorted by what its members are called."""
        if all(self.explain(*pair) for pair in zip(before, after, strict=True)):
            return True
        if not all(map(_is_scalar, (*before, *after))):
            return False
        was, now = Counter(map(str, before)), Counter(map(str, after))
        free = now - was
        if free.total() > _MAX_REORDERED:
            return False
        for one in (was - now).elements():
            found = next((new for new in free if free[new] and new in self._now(one)), None)
            if found is None:
                return False
            free[found] -= 1
        return True

    def _now(self, value: str) -> Collection[str]:
        """What a value may be that names the same objects."""
        if value in self._whole:
            return self._whole[value]
        return (self._within.sub(lambda found: self._long[found.group()], value) if self._within else value,)


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool) and value != ""


def _shown_id(one: Instance) -> str | None:
    """Its id, unless that is a secret."""
    hidden = one.sensitive is None or any(not path or path[0] == "id" for path in one.sensitive)
    return None if hidden else id_of(one.attributes)
