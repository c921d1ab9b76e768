"""Resources by type and by the attributes that tell them apart, so that thousands of calls find theirs at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from shared.recovery.rules import is_short, named, same, text_of, value_of
from shared.recovery.table import TABLE, Rule
from shared.recovery.views import Resource

_IDS = ("id", "arn")
#: Types whose `arn` is not their own.
_ANOTHERS = frozenset({"aws_cloudwatch_event_target"})
_TELLING: dict[str, set[str]] = defaultdict(set)
for _rule in TABLE:
    _TELLING[_rule.type] |= {attribute for _, attribute in _rule.same}


class Shelves:
    """Resources, looked up by what a call names."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        """Sort them.

        Args:
            resources: in an order that is kept.
        """
        self._by_type: dict[str, list[Resource]] = defaultdict(list)
        self._by_value: dict[tuple[str, str, str | None], list[Resource]] = defaultdict(list)
        self._taken: set[str] = set()
        for item in resources:
            self._by_type[item.type].append(item)
            for attribute in {*_TELLING.get(item.type, ()), *_IDS}:
                for text in _texts(value_of(item.values, attribute)):
                    self._by_value[item.type, attribute, text].append(item)

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

    def like(self, rule: Rule, names: Mapping[str, str], region: str = "") -> Resource | None:
        """The one that the names are those of (`rules.same`); of several the one of which most is known to be equal.

        Args:
            rule: of a call.
            names: of the call.
            region: where the call was made; what is known to be in another one is another one. Empty: anywhere.
        """
        if rule.alone:
            return next(iter(self.of(rule.type)), None)
        # What is meant has the call's value of each attribute, or none that is known: the shortest list will do.
        lists = [self._possible(rule, *pair, names) for pair in rule.same if named(names, pair[0])]
        fitting = [
            item
            for item in min(lists, key=len, default=[])
            if self._has(item) and not _elsewhere(item, region) and same(rule, names, item.values)
        ]
        return max(fitting, key=lambda item: _closeness(rule, names, item), default=None)

    def _possible(self, rule: Rule, name: str, attribute: str, names: Mapping[str, str]) -> list[Resource]:
        """Those that may have the value that a call names."""
        wanted = (named(names, name) or "").rstrip(".")
        texts: list[str | None] = [wanted, None]
        if is_short(rule, attribute):
            labels = wanted.split(".")
            texts += [".".join(labels[:count]) for count in range(1, len(labels))]
        return [item for text in texts for item in self._by_value.get((rule.type, attribute, text), ())]

    def with_id(self, kind: str, identifier: str | None, region: str = "") -> bool:
        """Whether there is one of that id or ARN.

        Args:
            kind: Terraform's type.
            identifier: of what; None: it is not known.
            region: as for `like`: an id may be a name, that each region has one of.
        """
        if identifier is None:
            return False
        found = (item for name in _IDS for item in self._by_value.get((kind, name, identifier.rstrip(".")), ()))
        return any(self._has(item) and not _elsewhere(item, region) for item in found)

    def take(self, item: Resource) -> None:
        """Take one away.

        Args:
            item: one of them.
        """
        self._taken.add(item.address)

    def _has(self, item: Resource) -> bool:
        return item.address not in self._taken


def _texts(value: Any) -> Iterable[str | None]:
    """The values by which it is found; None: it is not known."""
    if isinstance(value, list):
        return {text_of(one).rstrip(".") for one in value}
    return (None,) if value is None else (text_of(value).rstrip("."),)


def _elsewhere(item: Resource, region: str) -> bool:
    """Whether its ARN names another region. Those of global things, and of buckets, name none."""
    parts = text_of(None if item.type in _ANOTHERS else item.values.get("arn")).split(":")
    return bool(region) and len(parts) > 5 and parts[3] not in ("", region)


def _closeness(rule: Rule, names: Mapping[str, str], item: Resource) -> tuple[int, int]:
    """How many attributes are known to be equal, and the length of the longest that is written without its end."""
    known = [
        (attribute, value)
        for name, attribute in rule.same
        if named(names, name) and (value := value_of(item.values, attribute)) is not None
    ]
    short = [len(text_of(value)) for attribute, value in known if is_short(rule, attribute)]
    return len(known), max(short, default=0)
