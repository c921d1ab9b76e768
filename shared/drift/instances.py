"""The objects that a state holds, as `terraform show -json` writes them, also as a plan's prior state. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from shared.errors import ConfigurationError
from shared.safety.entries import MAX_ADDRESS, MAX_ENTRIES

_MAX_MODULE_DEPTH: Final = 100

#: The address of an instance, and the key of the deposed object there; None: of the current one.
Key = tuple[str, str | None]


@dataclass(frozen=True, kw_only=True)
class Instance:
    """One object."""

    address: str
    """Of the instance."""
    deposed: str | None
    """Names an object that a replacement left behind."""
    mode: str
    """managed or data."""
    type: str
    """Of the resource."""
    values: Mapping[str, Any]
    """In clear."""
    mask: Any
    """What of them is sensitive."""
    depends_on: frozenset[str]
    """Addresses of the configuration, without keys."""

    @property
    def key(self) -> Key:
        """What tells it from all others."""
        return self.address, self.deposed


def instances(state: Any) -> dict[Key, Instance]:
    """Everything that a state holds.

    Args:
        state: the JSON of a state, or the `prior_state` of a plan; None, or one without values: nothing.

    Raises:
        ConfigurationError: it is not as agreed, or too large.
    """
    values = _mapping({} if state is None else state, "state").get("values")
    if values is None:
        return {}
    found: dict[Key, Instance] = {}
    for instance in _module(_mapping(_mapping(values, "values").get("root_module", {}), "root_module"), 0):
        found[instance.key] = instance
        if len(found) > MAX_ENTRIES:
            raise _refuse(f"it holds more than {MAX_ENTRIES} objects")
    return found


def label(address: str, deposed: str | None) -> str:
    """How an object is called."""
    return f"{address} (deposed)" if deposed else address


def _module(module: Mapping[str, Any], depth: int) -> Iterator[Instance]:
    if depth > _MAX_MODULE_DEPTH:
        raise _refuse("its modules are nested too deeply")
    for resource in _list(module.get("resources"), "resources"):
        yield _instance(_mapping(resource, "resources"))
    for child in _list(module.get("child_modules"), "child_modules"):
        yield from _module(_mapping(child, "child_modules"), depth + 1)


def _instance(resource: Mapping[str, Any]) -> Instance:
    address, mode, kind = (resource.get(name) for name in ("address", "mode", "type"))
    if not (isinstance(address, str) and isinstance(mode, str) and isinstance(kind, str)):
        raise _refuse("a resource without address, mode or type")
    if not address or len(address) > MAX_ADDRESS:
        raise _refuse(f"an address of {len(address)} characters")
    deposed = resource.get("deposed_key")
    # A value without a mask of its own was made by a Terraform that had none: nothing of it may be shown.
    mask = resource.get("sensitive_values", True)
    return Instance(
        address=address,
        deposed=str(deposed) if deposed else None,
        mode=mode,
        type=kind,
        values=_mapping(resource.get("values") or {}, address),
        mask=mask,
        depends_on=frozenset(str(one) for one in _list(resource.get("depends_on"), address)),
    )


def _list(value: Any, where: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise _refuse(f"{where} is no list")
    return value


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _refuse(f"{where}: no object where one has to be")
    return value


def _refuse(what: str) -> ConfigurationError:
    return ConfigurationError(
        f"the state's JSON cannot be read: {what}",
        hint="give the output of `terraform show -json`, whole and unchanged",
    )
