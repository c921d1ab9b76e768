"""What a deployment set on something that stays, and no plan of the first configuration takes back. Pure.

Where a configuration says nothing of an attribute, many providers keep what is there (an attribute that is optional
and computed), and `ignore_changes` has Terraform keep it. So after an empty plan the values are compared, of those
attributes that the deployment's own plans gave other values.

What names another object that was made again, or another version of one, is as it was: the version of a launch
template, the ARN of a task definition, the id of a group.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from shared.rollback.rearranging import meaning, same_values
from shared.rollback.records import Changed, Kept
from shared.rollback.states import Instance, id_of

#: Attributes that name an object wherever it is referred to, also within a longer text.
_NAMES: Final = ("id", "arn")
#: Shorter names are looked for as whole values only.
_LONG: Final = 8


def kept(first: Collection[Instance], final: Collection[Instance], changed: Collection[Changed]) -> Iterator[Kept]:
    """Objects of which some of these attributes are not as they were.

    Args:
        first: objects of the first state.
        final: objects of the final one.
        changed: what the deployment's plans set.
    """
    was, now = ({one.address: one for one in state if one.deposed is None} for state in (first, final))
    renamed = _Renamed(was, now)
    for item in changed:
        before, after = was.get(item.address), now.get(item.address)
        if before is None or after is None or before.type != after.type:
            continue
        if id_of(before.attributes) != id_of(after.attributes):
            continue  # made again, from the first configuration alone
        left = [
            name
            for name in item.attributes
            if not same_values(before.attributes.get(name), after.attributes.get(name))
            and not renamed.explain(before.attributes.get(name), after.attributes.get(name), beside=item.address)
        ]
        if left:
            yield Kept(address=item.address, type=after.type, id=_shown_id(after), attributes=tuple(left))


class _Renamed:
    """What single values of objects were, and are now."""

    def __init__(self, was: Mapping[str, Instance], now: Mapping[str, Instance]) -> None:
        self._of: dict[tuple[str, str], set[str]] = defaultdict(set)
        """By value before and after: the objects that say so."""
        self._names: list[tuple[str, str, str]] = []
        """Those that name something, with its address."""
        for address in was.keys() & now.keys():
            for attribute, old in was[address].attributes.items():
                new = now[address].attributes.get(attribute)
                if not _is_scalar(old) or not _is_scalar(new) or old == new:
                    continue
                self._of[str(old), str(new)].add(address)
                if attribute in _NAMES and len(str(old)) >= _LONG:
                    self._names.append((str(old), str(new), address))

    def explain(self, before: Any, after: Any, *, beside: str) -> bool:
        """Whether two values differ in nothing but what another object was called, and is called now."""
        before, after = meaning(before), meaning(after)
        if isinstance(before, dict) and isinstance(after, dict):
            same = before.keys() == after.keys()
            return same and all(self.explain(one, after[key], beside=beside) for key, one in before.items())
        if isinstance(before, list) and isinstance(after, list):
            same = len(before) == len(after)
            return same and all(self.explain(*pair, beside=beside) for pair in zip(before, after, strict=True))
        if before == after and isinstance(before, bool) == isinstance(after, bool):
            return True
        if not _is_scalar(before) or not _is_scalar(after):
            return False
        if self._of.get((str(before), str(after)), set()) - {beside}:
            return True
        text = str(before)
        for old, new, address in self._names:
            text = text.replace(old, new) if address != beside else text
        return text == str(after)


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool) and value != ""


def _shown_id(one: Instance) -> str | None:
    """Its id, unless that is a secret."""
    hidden = one.sensitive is None or any(not path or path[0] == "id" for path in one.sensitive)
    return None if hidden else id_of(one.attributes)
