"""What drift needs of `terraform providers schema -json`: which attributes only the provider sets, and which lists have
no order. Pure; without it, every list is one in order and every attribute might be configured.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

MAX_BYTES: Final = 256 * 1024**2
_MAX_DEPTH: Final = 64


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What an attribute, a block or one of their elements is."""

    computed_only: bool = False
    """Whether no configuration can set it."""
    unordered: bool = False
    """Whether it is a set."""
    members: Mapping[str, Shape] = field(default_factory=dict)
    """Of an object, by name."""
    element: Shape | None = None
    """Of a list, a set or a map."""


UNKNOWN: Final = Shape()


def shapes(document: Any, types: Collection[str]) -> dict[str, Shape]:
    """The shapes of resource types, by type; what is not as expected has none.

    Args:
        document: the JSON.
        types: those that are needed: a provider has more than a thousand.
    """
    found: dict[str, Shape] = {}
    for provider in _mapping(_mapping(document).get("provider_schemas")).values():
        for name, schema in _mapping(_mapping(provider).get("resource_schemas")).items():
            if name in types:
                found[name] = _block(_mapping(_mapping(schema).get("block")), 0)
    return found


def _block(block: Mapping[str, Any], depth: int) -> Shape:
    if depth > _MAX_DEPTH:
        return UNKNOWN
    members = {name: _attribute(_mapping(one), depth + 1) for name, one in _mapping(block.get("attributes")).items()}
    for name, nested in _mapping(block.get("block_types")).items():
        inner = _block(_mapping(_mapping(nested).get("block")), depth + 1)
        members[name] = _nested(inner, _mapping(nested).get("nesting_mode"))
    return Shape(members=members)


def _attribute(attribute: Mapping[str, Any], depth: int) -> Shape:
    if depth > _MAX_DEPTH:
        return UNKNOWN
    computed_only = bool(attribute.get("computed")) and not attribute.get("optional") and not attribute.get("required")
    if (nested := attribute.get("nested_type")) is not None:
        nested = _mapping(nested)
        members = {
            name: _attribute(_mapping(one), depth + 1) for name, one in _mapping(nested.get("attributes")).items()
        }
        made = _nested(Shape(members=members), nested.get("nesting_mode"))
    else:
        made = _type(attribute.get("type"), depth + 1)
    return Shape(computed_only=computed_only, unordered=made.unordered, members=made.members, element=made.element)


def _nested(inner: Shape, mode: Any) -> Shape:
    return inner if mode in ("single", "group") else Shape(unordered=mode == "set", element=inner)


def _type(kind: Any, depth: int) -> Shape:
    """A type as cty writes it: "string", ["set", "string"], ["object", {…}]."""
    if depth > _MAX_DEPTH:
        return UNKNOWN
    match kind:
        case ["set" | "list" | "map" as word, inner]:
            return Shape(unordered=word == "set", element=_type(inner, depth + 1))
        case ["object", dict(members), *_]:
            return Shape(members={str(name): _type(one, depth + 1) for name, one in members.items()})
        case _:
            return UNKNOWN


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
