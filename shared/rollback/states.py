"""A Terraform state, read as far as rollbacks need it. Pure. Format 4, which every Terraform since 0.12 writes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from shared.errors import ConfigurationError
from shared.rollback.importing import import_name
from shared.rollback.records import MAX_ID, FirstResource
from shared.safety.entries import MAX_ADDRESS, MAX_ENTRIES

_SHORT: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}
_HINT: Final = "give the state as Terraform wrote it"


@dataclass(frozen=True, kw_only=True)
class Instance:
    """One object in a state."""

    address: str
    """Of the instance."""
    type: str
    """Of the resource."""
    managed: bool
    """False: a data source's."""
    deposed: str | None
    """The key of an object that a replacement left behind."""
    attributes: Mapping[str, Any]
    """Its values; sensitive ones in clear."""
    sensitive: tuple[tuple[str | int, ...], ...] | None
    """Paths of those that are sensitive; None: the marks cannot be read, so all of them may be."""
    dependencies: frozenset[str] = frozenset()
    """Addresses, without keys, of what its configuration referred to when it was applied last."""


def quoted(text: str) -> str:
    """A text as Terraform writes it in an address, and as HCL reads it back: nothing in it is evaluated."""
    result = []
    for at, character in enumerate(text):
        if character in _SHORT:
            result.append(_SHORT[character])
        elif character in "$%" and text[at + 1 : at + 2] == "{":
            result.append(character * 2)
        elif character.isprintable():
            result.append(character)
        else:
            code = ord(character)
            result.append(f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")
    return f'"{"".join(result)}"'


def load_state(content: bytes) -> Mapping[str, Any]:
    """The JSON of a state. Raises ConfigurationError for anything else."""
    try:
        state = json.loads(content)
    except (ValueError, RecursionError):
        raise ConfigurationError("the state is not JSON", hint=_HINT) from None
    if not isinstance(state, dict):
        raise ConfigurationError("the state is no object", hint=_HINT)
    return state


def instances(state: Mapping[str, Any]) -> Iterator[Instance]:
    """Every object of a state, in its order; `{}` has none.

    Raises ConfigurationError for another format than 4, for what is not as agreed, and for more than can be handled:
    what is overlooked here would later count as something that did not exist before.
    """
    if not state:
        return
    if state.get("version") != 4:
        raise ConfigurationError(f"state format {str(state.get('version'))[:20]}; only 4 is understood", hint=_HINT)
    count = 0
    for resource in _list(state, "resources"):
        mode, kind, name = (_text(resource, key) for key in ("mode", "type", "name"))
        module = f"{_text(resource, 'module')}." if resource.get("module") else ""
        base = f"{module}{'' if mode == 'managed' else 'data.'}{kind}.{name}"
        for one in _list(resource, "instances"):
            count += 1
            if count > MAX_ENTRIES:
                raise ConfigurationError(f"the state has more than {MAX_ENTRIES} objects", hint="split the flock")
            yield _instance(one, base, kind, managed=mode == "managed")


def resources_of(state: Mapping[str, Any]) -> tuple[FirstResource, ...]:
    """Every managed object of a state, with its id. Raises as `instances` does."""
    return tuple(_first(one) for one in instances(state) if one.managed)


def id_of(attributes: Any) -> str | None:
    """What an object is called where it is; None where it says nothing usable. A number counts as its digits.

    The provider random has `none` and `-` for all objects of a type.
    """
    found = attributes.get("id") if isinstance(attributes, Mapping) else None
    if isinstance(found, int) and not isinstance(found, bool):
        found = str(found)
    return named_id(found) if found not in ("none", "-") else None


def named_id(value: Any) -> str | None:
    """A text that names something, and is not too long for that; else None."""
    return value if isinstance(value, str) and 0 < len(value) <= MAX_ID else None


def _first(one: Instance) -> FirstResource:
    """As it is recorded. That is shown, so a secret is no part of it: an id that is one is none."""
    hidden = None if one.sensitive is None else {path[0] if path else None for path in one.sensitive}
    if hidden is None or None in hidden:
        shown: Mapping[str, Any] = {}
    else:
        shown = {name: value for name, value in one.attributes.items() if name not in hidden}
    name = id_of(shown)
    taken_by = import_name(one.type, name, shown)
    return FirstResource(
        address=one.address,
        type=one.type,
        id=name,
        deposed=one.deposed and one.deposed[:64],
        import_id=taken_by if taken_by is not None and len(taken_by) <= MAX_ID else None,
    )


def _instance(one: Mapping[str, Any], base: str, kind: str, *, managed: bool) -> Instance:
    key = one.get("index_key")
    if key is None:
        address = base
    elif isinstance(key, str):
        address = f"{base}[{quoted(key)}]"
    elif isinstance(key, int | float) and not isinstance(key, bool) and key == int(key):
        address = f"{base}[{int(key)}]"
    else:
        raise ConfigurationError(f"{base[:200]} has an instance with a key of an unknown kind", hint=_HINT)
    if len(address) > MAX_ADDRESS:
        raise ConfigurationError(f"an address of {len(address)} characters in the state", hint="use shorter keys")
    attributes = one.get("attributes")
    return Instance(
        address=address,
        type=kind,
        managed=managed,
        deposed=_text(one, "deposed") if one.get("deposed") else None,
        attributes=attributes if isinstance(attributes, dict) else {},
        sensitive=_sensitive(one),
        dependencies=_dependencies(one),
    )


def _sensitive(one: Mapping[str, Any]) -> tuple[tuple[str | int, ...], ...] | None:
    """`sensitive_attributes`: lists of steps {type: get_attr, value: name} or {type: index, value: {value: key}}."""
    listed = one.get("sensitive_attributes", [])
    if listed is None:
        return ()
    if not isinstance(listed, list):
        return None
    paths = []
    for steps in listed:
        if not isinstance(steps, list):
            return None
        path: list[str | int] = []
        for step in steps:
            value = step.get("value") if isinstance(step, dict) else None
            if isinstance(value, dict):
                value = value.get("value")
            if isinstance(value, bool) or not isinstance(value, str | int):
                return None
            path.append(value)
        paths.append(tuple(path))
    return tuple(paths)


def _dependencies(one: Mapping[str, Any]) -> frozenset[str]:
    listed = one.get("dependencies")
    return frozenset(item for item in listed if isinstance(item, str)) if isinstance(listed, list) else frozenset()


def _list(parent: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = [] if parent.get(name) is None else parent[name]
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise ConfigurationError(f"{name} of the state is no list of objects", hint=_HINT)
    return found


def _text(parent: Mapping[str, Any], name: str) -> str:
    found = parent.get(name)
    if not isinstance(found, str) or not found:
        raise ConfigurationError(f"something in the state has no {name}", hint=_HINT)
    return found
