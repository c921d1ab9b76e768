"""What there is, as recovery looks at it: what a plan would make, what a state holds, what the cloud has."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Resource:
    """A resource in a plan: planned to be created, or held by the state."""

    address: str
    """Terraform's address."""
    type: str
    """Terraform's type."""
    values: Mapping[str, Any]
    """Attributes that are known."""


@dataclass(frozen=True, kw_only=True)
class PlanView:
    """What recovery needs of a plan."""

    creates: tuple[Resource, ...]
    """What the plan would make."""
    held: tuple[Resource, ...]
    """What the state holds already, or will by an import of this plan."""
    successors: tuple[Resource, ...] = ()
    """What the plan would make in place of something else, at the address that the state has for that."""
    gone: frozenset[str] = frozenset()
    """Addresses at which the stored state holds what does not exist any more: an import there does nothing."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """Something that the cloud says exists."""

    id: str
    """What `terraform import` takes."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """By Terraform's names; compared as text."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Its tags."""
    created_at: datetime | None = None
    """When the cloud says that it was made; None: it does not say."""


def tags_of(values: Mapping[str, Any]) -> dict[str, str]:
    """The tags of a resource, those that its provider adds to all included.

    Args:
        values: its attributes.
    """
    tags = values.get("tags_all") or values.get("tags")
    # A provider may keep other things under that name: an autoscaling group's old tags were a list.
    return {key: str(value) for key, value in tags.items() if value is not None} if isinstance(tags, Mapping) else {}


def read_plan(plan: Mapping[str, Any]) -> PlanView:
    """Take what recovery needs out of `terraform show -json`.

    Args:
        plan: format 1.x.
    """
    creates, held, successors = [], [], []
    for change in plan.get("resource_changes", []):
        if change.get("mode") != "managed":
            continue
        detail = change.get("change", {})
        if detail.get("actions") == ["create"]:
            creates.append(Resource(address=change["address"], type=change["type"], values=detail.get("after") or {}))
        elif sorted(detail.get("actions") or ()) == ["create", "delete"]:
            address = change.get("previous_address") or change["address"]
            successors.append(Resource(address=address, type=change["type"], values=detail.get("after") or {}))
        elif detail.get("importing"):
            held.append(Resource(address=change["address"], type=change["type"], values=detail.get("before") or {}))
    prior = plan.get("prior_state", {}).get("values", {}).get("root_module", {})
    known = {resource.address for resource in held}
    held += [resource for resource in _modules(prior) if resource.address not in known]
    gone = frozenset(
        str(drift["address"])
        for drift in plan.get("resource_drift", [])
        if drift.get("mode") == "managed" and drift.get("change", {}).get("actions") == ["delete"]
    )
    return PlanView(creates=tuple(creates), held=tuple(held), successors=tuple(successors), gone=gone)


def _modules(module: Mapping[str, Any]) -> Iterator[Resource]:
    for resource in module.get("resources", []):
        if resource.get("mode") == "managed":
            yield Resource(address=resource["address"], type=resource["type"], values=resource.get("values") or {})
    for child in module.get("child_modules", []):
        yield from _modules(child)


def read_state(state: Mapping[str, Any]) -> tuple[Resource, ...]:
    """The managed resources of a Terraform state, one for each instance.

    Args:
        state: as Terraform writes it, format 4.
    """
    found = []
    for resource in state.get("resources", []):
        if resource.get("mode") != "managed":
            continue
        name = f"{resource['type']}.{resource['name']}"
        address = f"{resource['module']}.{name}" if resource.get("module") else name
        for instance in resource.get("instances", []):
            key = instance.get("index_key")
            suffix = "" if key is None else f"[{json.dumps(key)}]"
            values = instance.get("attributes") or {}
            found.append(Resource(address=address + suffix, type=resource["type"], values=values))
    return tuple(found)
