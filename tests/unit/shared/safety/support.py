"""Plans for tests, as short as they can be said."""

from __future__ import annotations

import json
from typing import Any

from shared.safety.entries import Entry, Operation, Place, SafetyPlan

EUROPE = Place(region="europe", provider_region="eu-west-1")
AMERICA = Place(region="america", provider_region="us-east-1")


def entry(operation: str, address: str, type_: str | None = None) -> Entry:
    """An entry; its type is the first word of the address unless it is given."""
    return Entry(address=address, type=type_ or address.split(".")[-2], operation=Operation(operation))


def plan(*entries: Entry) -> SafetyPlan:
    """A safety plan."""
    return SafetyPlan(entries=frozenset(entries))


def change(address: str, /, *actions: str, **more: Any) -> dict[str, Any]:
    """One item of resource_changes; `more` goes into it, and what is called change_… into its change."""
    inner = {name.removeprefix("change_"): value for name, value in more.items() if name.startswith("change_")}
    outer = {name: value for name, value in more.items() if not name.startswith("change_")}
    steps = address.split(".")
    return {
        "address": address,
        "mode": "data" if "data" in steps else "managed",
        "type": steps[-2],
        "name": steps[-1],
        "change": {"actions": list(actions), "before": None, "after": None, **inner},
        **outer,
    }


def document(*changes: dict[str, Any], **more: Any) -> bytes:
    """`terraform show -json` of a plan with these changes."""
    return json.dumps(
        {
            "format_version": "1.2",
            "terraform_version": "1.11.4",
            "planned_values": {"root_module": {}},
            "resource_changes": list(changes),
            "configuration": {"root_module": {}},
            **more,
        }
    ).encode()
