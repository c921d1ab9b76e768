"""Resources by type and by the attributes that tell them apart, so that thousands of calls find theirs at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from shared.recovery.rules import is_short, named, needed, same, text_of
from shared.recovery.table import TABLE, Rule
from shared.recovery.views import Resource

_IDS = ("id", "arn")
_TELLING: dict[str, set[str]] = defaultdict(set)
for _rule in TABLE:
    _TELLING[_rule.type] |= {one for _, attribute in _rule.same for one in attribute.split("|")}


class Shelves:
    """Resources, looked up by what a call names."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        """Sort them.

        Args:
            resources: in an order that is kept.
        """
        self._by_type: dict[str, list[Resource]] = defaultdict(list)
        self._by_value: dict[tuple[str, str, str], list[Resource]] = defaultdict(list)
        self._taken: set[str] = set()
        for item in resources:
            self._by_type[item.type].append(item)
            for attribute in {*_TELLING.get(item.type, ()), *_IDS}:
                if isinstance(value := item.values.get(attribute), str | int | float):
                    self._by_value[item.type, attribute, text_of(value).rstrip(".")].append(item)

    def of(self, kind: str) -> list[Resource]:
        """Those of a type.

        Args:
            kind: Terraform's type.
        """
        return [item for item in self._by_type.get(kind, ()) if self._has(item)]

    @property
    def types(self) -> Iterator[str]:
        """The types that there are."""
        yield from self._by_type

    def like(self, rule: Rule, names: Mapping[str, str]) -> Resource | None:
        """The first one that the names are those of (`rules.same`).

        Args:
            rule: of a call.
            names: of the call.
        """
        if rule.alone:
            return next(iter(self.of(rule.type)), None)
        # Where something has to be known, all that can be meant have it: the shortest list of them will do.
        exact = [pair for pair in needed(rule) if named(names, pair[0]) and not is_short(rule, pair[1])]
        listed = [self._with(rule, *pair, names) for pair in exact]
        short = [pair for pair in rule.same if is_short(rule, pair[1])]
        if not listed:
            found = (item for pair in rule.same for item in self._with(rule, *pair, names))
            return next((item for item in found if same(rule, names, item.values)), None)
        # A name as it is in the cloud is found at once; else the longest that it begins with is meant.
        whole = [item for pair in short for item in self._with(rule, *pair, names) if same(rule, names, item.values)]
        fitting = whole or [item for item in min(listed, key=len) if same(rule, names, item.values)]
        return max(fitting, key=lambda item: _length(item, short), default=None)

    def _with(self, rule: Rule, name: str, attribute: str, names: Mapping[str, str]) -> list[Resource]:
        """Those with the very value that a call names."""
        if not (value := named(names, name)):
            return []
        lists = (self._by_value.get((rule.type, one, value.rstrip(".")), ()) for one in attribute.split("|"))
        return [item for items in lists for item in items if self._has(item)]

    def with_id(self, kind: str, identifier: str | None) -> bool:
        """Whether there is one of that id or ARN.

        Args:
            kind: Terraform's type.
            identifier: of what; None: it is not known.
        """
        if identifier is None:
            return False
        found = (item for name in _IDS for item in self._by_value.get((kind, name, identifier.rstrip(".")), ()))
        return any(self._has(item) for item in found)

    def take(self, item: Resource) -> None:
        """Take one away.

        Args:
            item: one of them.
        """
        self._taken.add(item.address)

    def _has(self, item: Resource) -> bool:
        return item.address not in self._taken


def _length(item: Resource, pairs: Iterable[tuple[str, str]]) -> int:
    return max((len(text_of(item.values.get(one))) for _, pair in pairs for one in pair.split("|")), default=0)
