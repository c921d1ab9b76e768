"""A value as it was written: every leaf knows where it comes from.

Nodes are never changed: merging builds new maps and lists around the same leaves, so a leaf that was written once is
one object in the values of a thousand targets.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

type Plain = str | int | float | bool | None
type Node = Scalar | ListNode | MapNode
type Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Origin:
    """A place in a file, and the layer that the file speaks for there."""

    file: str
    """As the user would name it: relative to the fleet's folder."""
    line: int
    """From 1."""
    column: int = 1
    """From 1."""
    layer: str = ""
    """Name of the layer; empty before the value belongs to one."""

    def __str__(self) -> str:
        """`file:line`, as compilers write it and editors follow it."""
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalar:
    """A leaf."""

    value: Plain
    """What it means."""
    origin: Origin
    """Where it stands."""
    text: str = field(default="", compare=False)
    """How it was written; for numbers that are meant as text, such as 1.10."""
    via: Origin | None = field(default=None, compare=False)
    """Where the reference stands that brought it here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListNode:
    """A list."""

    items: tuple[Node, ...]
    """Its items."""
    origin: Origin
    """Where it begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MapNode:
    """A map with text keys."""

    entries: Mapping[str, Node]
    """Its entries; never changed."""
    origin: Origin
    """Where it begins."""
    keys: Mapping[str, Origin] = field(default_factory=dict, compare=False)
    """Where each key stands."""

    def key_origin(self, key: str) -> Origin:
        """Where `key` stands, or else where the map begins."""
        return self.keys.get(key, self.origin)


def plain(node: Node) -> Any:
    """`node` as dicts, lists and scalars."""
    match node:
        case Scalar():
            return node.value
        case ListNode():
            return [plain(item) for item in node.items]
        case MapNode():
            return {key: plain(value) for key, value in node.entries.items()}


def leaves(node: Node, path: Path = ()) -> Iterator[tuple[Path, Scalar | ListNode | MapNode]]:
    """Every leaf with its path: scalars, and lists and maps that are empty."""
    match node:
        case ListNode() if node.items:
            for index, item in enumerate(node.items):
                yield from leaves(item, (*path, index))
        case MapNode() if node.entries:
            for key, value in node.entries.items():
                yield from leaves(value, (*path, key))
        case _:
            yield path, node


def same(left: Node, right: Node) -> bool:
    """Whether two nodes mean the same. Unlike Python, true is not 1; like JSON, 1.0 is 1."""
    match left, right:
        case Scalar(value=a), Scalar(value=b):
            return isinstance(a, bool) == isinstance(b, bool) and a == b
        case ListNode(items=a), ListNode(items=b):
            return len(a) == len(b) and all(map(same, a, b))
        case MapNode(entries=a), MapNode(entries=b):
            return a.keys() == b.keys() and all(same(value, b[key]) for key, value in a.items())
        case _:
            return False


def in_layer(node: Node, layer: str) -> Node:
    """`node` with `layer` as the layer of every origin."""

    def moved(origin: Origin) -> Origin:
        return replace(origin, layer=layer)

    match node:
        case Scalar():
            return replace(node, origin=moved(node.origin))
        case ListNode():
            return ListNode(items=tuple(in_layer(item, layer) for item in node.items), origin=moved(node.origin))
        case MapNode():
            return MapNode(
                entries={key: in_layer(value, layer) for key, value in node.entries.items()},
                origin=moved(node.origin),
                keys={key: moved(origin) for key, origin in node.keys.items()},
            )


def dotted(path: Path) -> str:
    """A path as people write it: `tags.team`, `zones[0]`, `labels["a.b"]`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif not step or any(mark in step for mark in '.[]" '):
            text += f'["{step}"]'
        else:
            text += f".{step}" if text else step
    return text


def find(node: Node | None, path: Path) -> Node | None:
    """What stands at `path`, or None."""
    for step in path:
        match node, step:
            case MapNode(), str():
                node = node.entries.get(step)
            case ListNode(), int() if step < len(node.items):
                node = node.items[step]
            case _:
                return None
    return node


def origin_at(node: Node, path: Path) -> Origin:
    """Where `path` stands: the key of its last step where there is one, else the nearest thing above it that exists."""
    here = node.origin
    for step in path:
        match node, step:
            case MapNode(), str() if step in node.entries:
                here, node = node.key_origin(step), node.entries[step]
            case ListNode(), int() if step < len(node.items):
                node = node.items[step]
                here = node.origin
            case _:
                return here
    return here
