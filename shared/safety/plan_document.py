"""Reads `terraform show -json PLAN`: what Interlock needs of it, bounded, with secrets taken out.

Lenient to properties that it does not know, because every version of Terraform adds some; strict about everything that
it reads, because what it misreads would be approved. Formats 0.1 to 1.x are one family; 2.x is refused.
https://developer.hashicorp.com/terraform/internals/json-format

Sensitive values stand in clear in the JSON; only a mask beside them says so. They are replaced here, by that mask, and
where there is no mask nothing is shown at all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from shared.errors import ConfigurationError
from shared.safety.entries import KEY, MAX_ADDRESS, MAX_ENTRIES

MAX_BYTES: Final = 256 * 1024**2
MAX_DEPTH: Final = 200
MAX_MODULE_DEPTH: Final = 100
SENSITIVE: Final = "(sensitive)"
_FORMAT: Final = re.compile(r"(?:0|1)\.\d{1,6}")
_HINT: Final = "give the output of `terraform show -json PLAN`, whole and unchanged"


@dataclass(frozen=True, kw_only=True)
class Change:
    """What happens, or happened outside, to one object."""

    address: str
    """Of the instance."""
    mode: str
    """managed or data."""
    type: str
    """Of the resource."""
    actions: tuple[str, ...]
    """In the order in which they are carried out."""
    previous_address: str | None = None
    """Where it was before a move."""
    deposed: str | None = None
    """Names an object that a replacement left behind."""
    action_reason: str | None = None
    """Why, where Terraform says so."""
    importing: bool = False
    """Whether it is brought into the state."""
    replace_paths: tuple[str, ...] = ()
    """Attributes that force the replacement."""
    before: Any = None
    """Values now, without sensitive ones."""
    after: Any = None
    """Values then, without sensitive ones."""
    after_unknown: Any = None
    """True in place of each value that is known only after the apply."""


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """A provider's action that is called."""

    address: str
    """Of the action."""
    type: str
    """Of the action."""


@dataclass(frozen=True, kw_only=True)
class PlanDocument:
    """A plan."""

    format_version: str
    """Of the JSON."""
    terraform_version: str
    """Of who made it; empty where it does not say."""
    resource_changes: tuple[Change, ...] = ()
    """Planned, no-ops too."""
    resource_drift: tuple[Change, ...] = ()
    """Noticed: changed outside of Terraform."""
    output_changes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Actions by output."""
    provisioners: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Kinds of provisioners by the resource's address without keys. Only the configuration tells of them."""
    action_invocations: tuple[Invocation, ...] = ()
    """Actions that the plan calls."""
    deferred_changes: tuple[Change, ...] = ()
    """Put off."""
    deferred_action_invocations: tuple[Invocation, ...] = ()
    """Put off."""
    complete: bool = True
    """Whether an apply leaves nothing to be planned again."""
    errored: bool = False
    """Whether planning ended with an error."""
    applyable: bool | None = None
    """Whether an apply would do anything; None: this version of Terraform does not say."""


def load(content: bytes) -> dict[str, Any]:
    """The JSON of a plan, of a format that is understood.

    Raises ConfigurationError for what is truncated, too large, too deep, or of another format.
    """
    if len(content) > MAX_BYTES:
        raise _refuse(f"the plan's JSON is larger than {MAX_BYTES} bytes", "split the flock into smaller ones")
    try:
        plan = json.loads(content)
    except RecursionError:
        raise _refuse("the plan's JSON is nested too deeply") from None
    except ValueError as error:
        raise _refuse(f"the plan's JSON is truncated or damaged: {error}") from None
    if not isinstance(plan, dict):
        raise _refuse("the plan's JSON is no object")
    version = plan.get("format_version")
    if not isinstance(version, str) or not _FORMAT.fullmatch(version):
        raise _refuse(
            f"plan format {str(version)[:40]!r}; only 1.x (and 0.x before it) is understood",
            "use an older Terraform or a newer Interlock",
        )
    return plan


def parse(content: bytes) -> PlanDocument:
    """Read a plan. Raises as `load` does, and for anything in it that is not as agreed."""
    return read(load(content))


def read(plan: Mapping[str, Any]) -> PlanDocument:
    """As `parse`, from what `load` gave."""
    try:
        return _document(plan)
    except RecursionError:
        raise _refuse("the plan's JSON is nested too deeply") from None


def without_keys(address: str) -> str:
    """The address of the resource in the configuration: `module.a["x"].t.n[0]` is an instance of `module.a.t.n`."""
    return KEY.sub("", address)


def _document(plan: Mapping[str, Any]) -> PlanDocument:
    if "configuration" not in plan:
        # `show -json` of a state has a format version too; and without it nobody knows of provisioners.
        raise _refuse("not a plan: it has no configuration")
    changes = tuple(_change(item, "resource_changes") for item in _list(plan, "resource_changes"))
    deferred = tuple(
        _change(_member(item, "resource_change", "deferred_changes"), "deferred_changes")
        for item in _list(plan, "deferred_changes")
    )
    return PlanDocument(
        format_version=str(plan["format_version"]),
        terraform_version=_text(plan, "terraform_version", "plan", default=""),
        resource_changes=changes,
        resource_drift=tuple(_change(_addressed(item), "resource_drift") for item in _list(plan, "resource_drift")),
        output_changes={
            name: _actions(_mapping(change, f"output_changes.{name}"), f"output_changes.{name}")
            for name, change in _members(plan, "output_changes").items()
        },
        provisioners=dict(_provisioners(_members(_mapping(plan["configuration"], "configuration"), "root_module"))),
        action_invocations=tuple(_invocation(item, "action_invocations") for item in _list(plan, "action_invocations")),
        deferred_changes=deferred,
        deferred_action_invocations=tuple(
            _invocation(
                _member(item, "action_invocation", "deferred_action_invocations"), "deferred_action_invocations"
            )
            for item in _list(plan, "deferred_action_invocations")
        ),
        complete=_flag(plan, "complete", default=True) is True,
        errored=_flag(plan, "errored", default=False) is True,
        applyable=_flag(plan, "applyable", default=None),
    )


def _change(item: Any, where: str) -> Change:
    item = _mapping(item, where)
    address = _text(item, "address", where)
    if not address or len(address) > MAX_ADDRESS:
        raise _refuse(f"{where}: an address of {len(address)} characters")
    change = _mapping(item.get("change"), f"{where}: {address}")
    importing = change.get("importing")
    return Change(
        address=address,
        mode=_text(item, "mode", where, default="managed"),
        type=_text(item, "type", where),
        actions=_actions(change, address),
        previous_address=_text(item, "previous_address", where, default="") or None,
        deposed=_deposed(item, where),
        action_reason=_text(item, "action_reason", where, default="") or None,
        importing=importing is not None,
        replace_paths=tuple(
            ".".join(str(step) for step in path) for path in _list(change, "replace_paths") if isinstance(path, list)
        ),
        before=redacted(change.get("before"), change.get("before_sensitive")),
        after=redacted(change.get("after"), change.get("after_sensitive")),
        after_unknown=change.get("after_unknown"),
    )


def _addressed(item: Any) -> Any:
    """Terraform 1.0 leaves the addresses of drifted resources out, and has all that they are made of."""
    if not isinstance(item, dict) or "address" in item:
        return item
    module = f"{item['module_address']}." if item.get("module_address") else ""
    data = "data." if item.get("mode") == "data" else ""
    key = f"[{json.dumps(item['index'])}]" if "index" in item else ""
    return {**item, "address": f"{module}{data}{item.get('type')}.{item.get('name')}{key}"}


def _deposed(item: Mapping[str, Any], where: str) -> str | None:
    # The first previews of 0.12 only said whether it is one.
    found = item.get("deposed")
    return "deposed" if found is True else None if found is False else _text(item, "deposed", where, default="") or None


def _actions(change: Mapping[str, Any], where: str) -> tuple[str, ...]:
    actions = change.get("actions")
    if not isinstance(actions, list) or not actions or not all(isinstance(one, str) for one in actions):
        raise _refuse(f"{where}: its actions are no list of words")
    return tuple(actions)


def _invocation(item: Any, where: str) -> Invocation:
    item = _mapping(item, where)
    return Invocation(address=_text(item, "address", where), type=_text(item, "type", where))


def _provisioners(module: Any, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, tuple[str, ...]]]:
    if depth > MAX_MODULE_DEPTH:
        raise _refuse("configuration: modules are nested too deeply")
    module = _mapping(module, "configuration")
    for resource in _list(module, "resources"):
        resource = _mapping(resource, "configuration")
        kinds = [
            _text(_mapping(one, "provisioners"), "type", "provisioners") for one in _list(resource, "provisioners")
        ]
        if kinds:
            yield prefix + _text(resource, "address", "configuration"), tuple(kinds)
    for name, call in _members(module, "module_calls").items():
        inner = _mapping(call, "module_calls").get("module")
        if inner is not None:
            yield from _provisioners(inner, f"{prefix}module.{name}.", depth + 1)


def redacted(value: Any, mask: Any, depth: int = 0) -> Any:
    """`value` with everything that `mask` marks replaced; where the two do not fit together, all of it."""
    if depth > MAX_DEPTH:
        raise _refuse("values are nested too deeply")
    if value is None or mask is False:
        return value
    if isinstance(mask, dict) and isinstance(value, dict):
        return {key: redacted(item, mask.get(key, False), depth + 1) for key, item in value.items()}
    if isinstance(mask, list) and isinstance(value, list) and len(mask) == len(value):
        return [redacted(item, inner, depth + 1) for item, inner in zip(value, mask, strict=True)]
    if mask == {} and not isinstance(value, dict):
        # Terraform's way of saying that nothing is sensitive inside something that has no keys.
        return value
    return SENSITIVE


def _list(parent: Mapping[str, Any], name: str) -> list[Any]:
    found = parent.get(name)
    if found is None:
        return []
    if not isinstance(found, list):
        raise _refuse(f"{name} is no list")
    if len(found) > MAX_ENTRIES:
        raise _refuse(f"{name} has {len(found)} items; {MAX_ENTRIES} are understood", "split the flock")
    return found


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _refuse(f"{where}: no object where one has to be")
    return value


def _members(parent: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = parent.get(name)
    return {} if found is None else _mapping(found, name)


def _member(item: Any, name: str, where: str) -> Any:
    return _mapping(item, where).get(name)


def _text(parent: Mapping[str, Any], name: str, where: str, default: str | None = None) -> str:
    found = parent.get(name, default)
    if not isinstance(found, str):
        raise _refuse(f"{where}: {name} is no text")
    return found


def _flag(parent: Mapping[str, Any], name: str, *, default: bool | None) -> bool | None:
    found = parent.get(name, default)
    if found is not None and not isinstance(found, bool):
        raise _refuse(f"{name} is neither true nor false")
    return found


def _refuse(what: str, hint: str = _HINT) -> ConfigurationError:
    return ConfigurationError(what, hint=hint)
