"""What a plan does that a plan of the first configuration does not turn around by itself: its moves, forgets and
imports, and what it sets on what stays. Pure.

The worker delivers it with the safety plan, before anything is applied: whoever takes the deployment back has to know,
and the run that planned it may be gone by then.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Literal

from shared.errors import ConfigurationError
from shared.rollback.records import MAX_ATTRIBUTES, Changed, Imported, Moved, Rearrangement
from shared.rollback.states import id_of, named_id
from shared.safety.entries import MAX_ENTRIES
from shared.safety.plan_document import SENSITIVE, Change, read, without_keys

_ALSO: Final[Mapping[tuple[str, ...], Literal["update", "replace"]]] = {
    ("update",): "update",
    ("delete", "create"): "replace",
    ("create", "delete"): "replace",
}
_FORGETS: Final = (("forget",), ("create", "forget"))
MAX_PACKAGES: Final = 1000
MAX_SOURCE_CHARS: Final = 1024


def rearrangement(plan: Mapping[str, Any]) -> Rearrangement:
    """Read it off `terraform show -json PLAN`, as `plan_document.load` gives it. Raises ConfigurationError."""
    document = read(plan)
    managed = [change for change in document.resource_changes if change.mode == "managed" and change.deposed is None]
    taken_in = [change for change in managed if change.importing]
    pairs = _with_items(plan, document.resource_changes)
    items = {change.address: item for item, change in pairs if change.deposed is None}
    expressions = dict(_expressions(plan))
    others = {without_keys(change.address) for change in managed if not change.importing}
    return Rearrangement(
        moved=tuple(
            Moved(before=change.previous_address, after=change.address)
            for change in managed
            if change.previous_address is not None and change.previous_address != change.address
        ),
        forgotten=tuple(change.previous_address or change.address for change in managed if change.actions in _FORGETS),
        imported=tuple(
            Imported(
                address=change.address,
                type=change.type,
                id=_import_id(items[change.address]),
                alone=without_keys(change.address) not in others,
                object_id=_own_id(change),
                also=_ALSO.get(change.actions),
            )
            for change in taken_in
        ),
        changed=tuple(
            Changed(address=change.previous_address or change.address, attributes=names[:MAX_ATTRIBUTES])
            for change in managed
            if change.actions == ("update",)
            and not change.importing
            and (
                names := tuple(_set(items[change.address], expressions.get(without_keys(change.address), frozenset())))
            )
        ),
        packages=_packages(plan),
    )


def _with_items(plan: Mapping[str, Any], changes: tuple[Change, ...]) -> Iterator[tuple[Mapping[str, Any], Change]]:
    # `read` keeps the order and has checked the shape.
    yield from zip(plan.get("resource_changes") or [], changes, strict=True)


def _import_id(item: Mapping[str, Any]) -> str | None:
    importing = item["change"].get("importing")
    return named_id(importing.get("id")) if isinstance(importing, dict) else None


def _own_id(change: Change) -> str | None:
    found = id_of(change.before)
    return None if found == SENSITIVE else found


def _set(item: Mapping[str, Any], configured: frozenset[str]) -> Iterator[str]:
    """Attributes that an update gives other values. What is known after the apply counts where it is configured."""
    change = item["change"]
    before, after, unknown = (_mapping(change.get(part)) for part in ("before", "after", "after_unknown"))
    for name in sorted(before.keys() | after.keys() | unknown.keys()):
        if len(name) > 256:
            continue
        later = unknown.get(name)
        if later is True:
            if name in configured:
                yield name
        elif (name in configured and _any_true(later)) or not same_values(before.get(name), after.get(name)):
            yield name


def _any_true(mask: Any) -> bool:
    """Whether something within a value is known after the apply: `after` leaves a member of a map out then."""
    waiting = [mask]
    while waiting:
        part = waiting.pop()
        if part is True:
            return True
        waiting += part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    return False


def same_values(one: Any, other: Any) -> bool:
    """Whether two values of an attribute mean the same; documents in JSON are what they say, however written.

    Nothing is nothing, whether null or empty: providers spell it otherwise after they have read it again.

    Args:
        one: of an attribute.
        other: of the same attribute.
    """
    return json.dumps(meaning(one), sort_keys=True) == json.dumps(meaning(other), sort_keys=True)


def meaning(value: Any) -> Any:
    """What a value says: a document instead of its text, and nothing instead of what is empty.

    Args:
        value: of an attribute.
    """
    if not isinstance(value, str) or value[:1] not in ("{", "["):
        return _without_empty(value)
    try:
        return _without_empty(json.loads(value))
    except (ValueError, RecursionError):
        return value


def _without_empty(value: Any) -> Any:
    if isinstance(value, dict):
        value = {key: said for key, one in value.items() if (said := _without_empty(one)) is not None}
    elif isinstance(value, list):
        value = [_without_empty(one) for one in value]
    return None if value in ("", [], {}) else value


def _expressions(plan: Mapping[str, Any]) -> Iterator[tuple[str, frozenset[str]]]:
    """The attributes that the configuration names, by the resource's address without keys. `read` checked the shape."""
    waiting = [("", (plan.get("configuration") or {}).get("root_module") or {})]
    while waiting:
        prefix, module = waiting.pop()
        for resource in module.get("resources") or ():
            yield f"{prefix}{resource.get('address')}", frozenset(_mapping(resource.get("expressions")))
        for name, call in (module.get("module_calls") or {}).items():
            waiting.append((f"{prefix}module.{name}.", call.get("module") or {}))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def combined(parts: Iterable[Rearrangement]) -> Rearrangement:
    """What the tries of one deployment did, one after the other.

    Args:
        parts: of each, the first try first.
    """
    parts = tuple(parts)
    changed: dict[str, dict[str, None]] = {}
    first: dict[str, str] = {}
    for part in parts:
        for one in part.changed:
            # What an earlier try has moved had another address in the first configuration.
            changed.setdefault(first.get(one.address, one.address), {}).update(dict.fromkeys(one.attributes))
        first |= {move.after: first.get(move.before, move.before) for move in part.moved}
    return Rearrangement(
        moved=tuple(dict.fromkeys(one for part in parts for one in part.moved)),
        forgotten=tuple(dict.fromkeys(one for part in parts for one in part.forgotten)),
        imported=tuple(dict.fromkeys(one for part in parts for one in part.imported)),
        changed=tuple(
            Changed(address=name, attributes=tuple(of)[:MAX_ATTRIBUTES])
            for name, of in list(changed.items())[:MAX_ENTRIES]
        ),
        packages={path: source for part in parts for path, source in part.packages.items()},
    )


def _packages(plan: Mapping[str, Any]) -> dict[str, str]:
    """The source of each called module, by its path without keys. `read` has checked shape and depth."""
    found: dict[str, str] = {}
    waiting = [("", plan["configuration"].get("root_module") or {})]
    while waiting:
        prefix, module = waiting.pop()
        for name, call in (module.get("module_calls") or {}).items():
            found[f"{prefix}module.{name}"] = str(call.get("source", ""))[:MAX_SOURCE_CHARS]
            waiting.append((f"{prefix}module.{name}.", call.get("module") or {}))
    if len(found) > MAX_PACKAGES:
        # One that is overlooked would count as local.
        raise ConfigurationError(f"the configuration calls {len(found)} modules", hint=f"{MAX_PACKAGES} are understood")
    return found
