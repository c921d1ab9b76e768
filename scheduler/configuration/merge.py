"""Layers as patches.

A layer is not a value but a change of what lies below it:

| in YAML                                 | patch   | does |
|-----------------------------------------|---------|------|
| a scalar, null, a list                  | `Put`   | replaces |
| `{$replace: value}`                     | `Put`   | replaces, maps too |
| a map                                   | `Deep`  | merges key by key |
| `{$remove: [key], other: value}`        | `Deep`  | takes keys out, then merges |
| `{$append: [...]}`, also with `$remove` | `Edit`  | takes items out of a list, then appends |
| `{$remove: [...]}` alone                | `Prune` | takes keys out of a map or items out of a list |

`compose(low, high)` is "first `low`, then `high`" as one patch. It is associative, with an empty map as its identity,
and the last writer wins; tests/unit/scheduler/configuration/test_merge.py holds it to these laws. Associativity is why
a map that was put over something that is no map has to stay closed (`Put`): {a: 1} < 5 < {b: 2} is {b: 2}, however it
is grouped.

A key that begins with `$` and is meant as a key is written with two: `$$ref`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import reduce

from scheduler.configuration.nodes import ListNode, MapNode, Node, Origin, Scalar, plain, same
from scheduler.configuration.report import Finding, Kind, Refused, Severity, did_you_mean

APPEND, REMOVE, REPLACE = "$append", "$remove", "$replace"
DIRECTIVES = (APPEND, REMOVE, REPLACE)

type Patch = Put | Drop | Deep | Edit | Prune
#: Is told of an edit that changes nothing or fits nothing.
type Complain = Callable[[Finding], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """Replaces whatever lies below."""

    node: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """Takes out whatever lies below."""

    name: str = field(compare=False)
    """What it takes out, for messages."""
    origin: Origin = field(compare=False)
    found: bool = field(default=False, compare=False)
    """Whether a lower layer is known to have it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deep:
    """Merges into a map, key by key."""

    entries: Mapping[str, Patch]
    origin: Origin
    keys: Mapping[str, Origin] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """Takes items out of a list, then appends."""

    removed: tuple[Node, ...]
    appended: tuple[Node, ...]
    origin: Origin
    found: tuple[Node, ...] = field(default=(), compare=False)
    """Those of `removed` that a lower layer is known to have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prune:
    """Takes items out of a list or keys out of a map, whichever lies below."""

    removed: tuple[Node, ...]
    origin: Origin
    found: tuple[Node, ...] = field(default=(), compare=False)
    """Those of `removed` that a lower layer is known to have."""


def ignore(finding: Finding) -> None:
    """Hear a complaint and do nothing."""


def layer_patch(node: MapNode) -> Deep:
    """A whole section of a layer as a patch. Raises Refused for directives that make no sense."""
    patch = patch_of(node)
    match patch:
        case Deep():
            return patch
        case Prune():
            return _pruned_map(Deep(entries={}, origin=patch.origin), patch)
        case _:
            raise Refused(
                Kind.SCHEMA, node.origin, f"{APPEND} and {REPLACE} have no place here", hint="use them below a name"
            )


def patch_of(node: Node) -> Patch:
    """What `node` does to the values below it. Raises Refused for directives that make no sense."""
    if not isinstance(node, MapNode):
        return Put(node=_literal(node))
    found = [key for key in node.entries if key.startswith("$") and not key.startswith("$$")]
    for key in found:
        if key not in DIRECTIVES:
            raise Refused(
                Kind.SCHEMA,
                node.key_origin(key),
                f"there is no directive {key}",
                hint=did_you_mean(key, DIRECTIVES, otherwise=f"a key that begins with $ is written ${key}"),
            )
    others = {key: value for key, value in node.entries.items() if key not in found}
    if REPLACE in found or APPEND in found:
        alone = {REPLACE} if REPLACE in found else {APPEND, REMOVE}
        extra = [key for key in node.entries if key not in alone]
        if extra:
            first = REPLACE if REPLACE in found else APPEND
            raise Refused(
                Kind.SCHEMA, node.key_origin(extra[0]), f"{extra[0]} cannot stand beside {first}", hint="choose one"
            )
    if REPLACE in found:
        return Put(node=_literal(node.entries[REPLACE]))
    removed = _listed(node, REMOVE)
    if APPEND in found:
        return Edit(removed=removed, appended=_listed(node, APPEND), origin=node.origin)
    if found and not others:
        return Prune(removed=removed, origin=node.key_origin(REMOVE))
    entries: dict[str, Patch] = {_key(item): Drop(name=_key(item), origin=item.origin) for item in removed}
    keys = {_key(item): item.origin for item in removed}
    for key, value in others.items():
        name = key.removeprefix("$") if key.startswith("$$") else key
        if name in entries:
            raise Refused(Kind.SCHEMA, node.key_origin(key), f"{name} is both removed and set", hint="choose one")
        entries[name] = patch_of(value)
        keys[name] = node.key_origin(key)
    return Deep(entries=entries, origin=node.origin, keys=keys)


def merge(layers: Iterable[Deep], complain: Complain = ignore) -> Deep:
    """All layers as one patch, the lowest first."""
    nothing = Deep(entries={}, origin=Origin("", 0))
    return reduce(lambda low, high: _deep_deep(low, high, complain), layers, nothing)


def compose(low: Patch, high: Patch, complain: Complain = ignore) -> Patch:
    """First `low`, then `high`."""
    match high:
        case Put():
            return high
        case Drop():
            return replace(high, found=not isinstance(low, Drop | Prune) or (isinstance(low, Drop) and low.found))
        case Deep():
            return _then_deep(low, high, complain)
        case Edit():
            return _then_edit(low, high, complain)
        case Prune():
            return _then_prune(low, high, complain)


def resolve(patch: Patch, complain: Complain = ignore) -> Node | None:
    """What `patch` makes of nothing; None: nothing."""
    match patch:
        case Put():
            return patch.node
        case Drop():
            if not patch.found:
                complain(_nothing_there(patch.name, patch.origin))
            return None
        case Deep():
            values = {key: resolve(value, complain) for key, value in patch.entries.items()}
            return MapNode(
                entries={key: value for key, value in values.items() if value is not None},
                origin=patch.origin,
                keys=patch.keys,
            )
        case Edit():
            _missed(patch, complain)
            return ListNode(items=patch.appended, origin=patch.origin)
        case Prune():
            _missed(patch, complain)
            return None


def _missed(patch: Edit | Prune, complain: Complain) -> None:
    for item in patch.removed:
        if not any(same(item, one) for one in patch.found):
            complain(_nothing_there(_key(item), item.origin))


def _then_deep(low: Patch, high: Deep, complain: Complain) -> Patch:
    match low:
        case Deep():
            return _deep_deep(low, high, complain)
        case Prune():
            return _deep_deep(_pruned_map(Deep(entries={}, origin=low.origin), low), high, complain)
        case Put(node=MapNode() as below):
            patched = _deep_deep(
                Deep(
                    entries={key: Put(node=value) for key, value in below.entries.items()},
                    origin=below.origin,
                    keys=below.keys,
                ),
                high,
                complain,
            )
            return _closed(patched, complain)
        case Put(node=below) if not _is_null(below):
            complain(_clash(high.origin, below.origin, "a map is merged into what is no map"))
        case Edit():
            complain(_clash(high.origin, low.origin, "a map is merged into a list"))
        case _:
            pass
    return _closed(high, complain)


def _deep_deep(low: Deep, high: Deep, complain: Complain) -> Deep:
    entries = dict(low.entries)
    for key, patch in high.entries.items():
        below = entries.get(key)
        entries[key] = patch if below is None else compose(below, patch, complain)
    return Deep(entries=entries, origin=high.origin, keys={**low.keys, **high.keys})


def _closed(patch: Deep, complain: Complain) -> Put:
    node = resolve(patch, complain)
    if node is None:
        raise AssertionError("a map resolves to a map")
    return Put(node=node)


def _then_edit(low: Patch, high: Edit, complain: Complain) -> Patch:
    match low:
        case Put(node=ListNode() as below):
            items = (*_without(below.items, high.removed, complain), *high.appended)
            return Put(node=ListNode(items=items, origin=below.origin))
        case Edit():
            return replace(_edit_pruned(low, high), appended=(*_kept(low, high), *high.appended), origin=high.origin)
        case Prune():
            removed, found = (*low.removed, *high.removed), (*low.found, *high.found)
            return Edit(removed=removed, appended=high.appended, origin=high.origin, found=found)
        case Deep() | Put(node=MapNode()):
            complain(_mistaken(high.origin, _origin(low), "a list is appended to a map"))
        case Put(node=below) if not _is_null(below):
            complain(_mistaken(high.origin, below.origin, "a list is appended to what is no list"))
        case _:
            pass
    return Put(node=ListNode(items=high.appended, origin=high.origin))


def _then_prune(low: Patch, high: Prune, complain: Complain) -> Patch:
    match low:
        case Put(node=ListNode() as below):
            return Put(node=ListNode(items=_without(below.items, high.removed, complain), origin=below.origin))
        case Put(node=MapNode() as below):
            names = {_key(item) for item in high.removed}
            for item in high.removed:
                if _key(item) not in below.entries:
                    complain(_nothing_there(_key(item), item.origin))
            entries = {key: value for key, value in below.entries.items() if key not in names}
            return Put(node=MapNode(entries=entries, origin=below.origin, keys=below.keys))
        case Put():
            complain(_clash(high.origin, low.node.origin, "nothing can be removed from a single value"))
            return low
        case Drop():
            complain(_nothing_there(", ".join(map(_key, high.removed)), high.origin))
            return low
        case Deep():
            return _pruned_map(low, high)
        case Edit():
            return _edit_pruned(low, high)
        case Prune():
            removed, found = (*low.removed, *high.removed), (*low.found, *high.found)
            return Prune(removed=removed, origin=high.origin, found=found)


def _kept(low: Edit, high: Edit | Prune) -> tuple[Node, ...]:
    return _without(low.appended, high.removed, ignore)


def _edit_pruned(low: Edit, high: Edit | Prune) -> Edit:
    hits = tuple(one for one in high.removed if any(same(one, item) for item in low.appended))
    return Edit(
        removed=(*low.removed, *high.removed),
        appended=_kept(low, high),
        origin=low.origin,
        found=(*low.found, *high.found, *hits),
    )


def _pruned_map(low: Deep, high: Prune) -> Deep:
    entries = dict(low.entries)
    keys = dict(low.keys)
    for item in high.removed:
        name = _key(item)
        drop = Drop(name=name, origin=item.origin, found=any(same(item, one) for one in high.found))
        entries[name] = compose(entries[name], drop) if name in entries else drop
        keys[name] = item.origin
    return Deep(entries=entries, origin=low.origin, keys=keys)


def _without(items: tuple[Node, ...], removed: tuple[Node, ...], complain: Complain) -> tuple[Node, ...]:
    for one in removed:
        if not any(same(one, item) for item in items):
            complain(_nothing_there(_key(one), one.origin))
    return tuple(item for item in items if not any(same(one, item) for one in removed))


def _listed(node: MapNode, key: str) -> tuple[Node, ...]:
    value = node.entries.get(key)
    if value is None:
        return ()
    if not isinstance(value, ListNode):
        raise Refused(Kind.SCHEMA, value.origin, f"{key} takes a list", hint=f"write {key}: [ … ]")
    if key == REMOVE and any(isinstance(item, Scalar) and item.value is None for item in value.items):
        raise Refused(Kind.SCHEMA, value.origin, f"{key} cannot take null", hint="name keys or items")
    return tuple(_literal(item) for item in value.items)


def _literal(node: Node) -> Node:
    """`node` as it is, with `$$` keys unescaped; directives have no place inside a list or a `$replace`."""
    match node:
        case Scalar():
            return node
        case ListNode():
            return ListNode(items=tuple(_literal(item) for item in node.items), origin=node.origin)
        case MapNode():
            entries: dict[str, Node] = {}
            keys: dict[str, Origin] = {}
            for key, value in node.entries.items():
                if key.startswith("$") and not key.startswith("$$"):
                    raise Refused(
                        Kind.SCHEMA,
                        node.key_origin(key),
                        f"{key} has no place inside a list or {REPLACE}",
                        hint=f"lists replace as a whole; a key that begins with $ is written ${key}",
                    )
                name = key.removeprefix("$") if key.startswith("$$") else key
                entries[name], keys[name] = _literal(value), node.key_origin(key)
            return MapNode(entries=entries, origin=node.origin, keys=keys)


def _is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.value is None


def _origin(patch: Patch) -> Origin:
    return patch.node.origin if isinstance(patch, Put) else patch.origin


def _clash(origin: Origin, below: Origin, message: str) -> Finding:
    return Finding(
        kind=Kind.SHADOWED,
        origin=origin,
        message=f"{message}; the value of {below} is lost",
        hint=f"make both the same kind, or say {REPLACE}",
        severity=Severity.WARNING,
    )


def _mistaken(origin: Origin, below: Origin, message: str) -> Finding:
    """An edit of what it cannot edit: unlike a value that replaces another, it cannot be meant so."""
    return replace(_clash(origin, below, message), kind=Kind.MISTYPED, severity=Severity.ERROR)


def _key(item: Node) -> str:
    """The key that an item of `$remove` names, as it is written: `true`, not Python's True."""
    if isinstance(item, Scalar) and not isinstance(item.value, str):
        return item.text or str(item.value)
    return str(plain(item))


def _nothing_there(name: str, origin: Origin) -> Finding:
    return Finding(
        kind=Kind.UNRESOLVED,
        origin=origin,
        message=f"{name[:80]}: is to be removed, but no lower layer has it",
        hint="correct the name or drop the line",
    )
