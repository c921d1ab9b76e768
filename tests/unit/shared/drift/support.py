"""Makes what Terraform writes while it looks for drift, as small as it can be."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from shared.drift.evidence import Evidence, evidence
from shared.drift.reading import Look

Values = Mapping[str, Any]


def resource(
    address: str,
    values: Values | None = None,
    *,
    depends_on: Iterable[str] = (),
    mask: Any = None,
    deposed: str | None = None,
) -> dict[str, Any]:
    """An object as a state's JSON holds it."""
    # A module's resource keeps its whole address; where it stands in the tree does not matter to a reader of it.
    name = address.split("[")[0].split(".")
    mode, kind = ("data", name[-2]) if "data" in name else ("managed", name[-2])
    made: dict[str, Any] = {
        "address": address,
        "mode": mode,
        "type": kind,
        "values": dict(values or {}),
        "sensitive_values": {} if mask is None else mask,
        "depends_on": list(depends_on),
    }
    return made if deposed is None else {**made, "deposed_key": deposed}


def state(*resources: Mapping[str, Any]) -> dict[str, Any]:
    """`terraform show -json` of a state."""
    return {"format_version": "1.0", "values": {"root_module": {"resources": [*resources]}}}


def change(
    address: str,
    before: Values | None,
    after: Values | None,
    *actions: str,
    masks: tuple[Any, Any] = ({}, {}),
    unknown: Any = None,
    **more: Any,
) -> dict[str, Any]:
    """An item of resource_drift or resource_changes."""
    name = address.split("[")[0].split(".")
    return {
        "address": address,
        "mode": "managed",
        "type": name[-2],
        "change": {
            "actions": list(actions) or ["update"],
            "before": before,
            "after": after,
            "before_sensitive": masks[0],
            "after_sensitive": masks[1],
            "after_unknown": unknown or {},
        },
        **more,
    }


def plan(
    *,
    prior: Iterable[Mapping[str, Any]] = (),
    drift: Iterable[Mapping[str, Any]] = (),
    changes: Iterable[Mapping[str, Any]] = (),
    **more: Any,
) -> dict[str, Any]:
    """`terraform show -json` of a plan."""
    return {
        "format_version": "1.2",
        "terraform_version": "1.11.4",
        "prior_state": state(*prior),
        "resource_drift": [*drift],
        "resource_changes": [*changes],
        "configuration": {},
        "complete": True,
        "errored": False,
        **more,
    }


def stream(*read: str, errors: Iterable[tuple[str | None, str]] = (), data: Iterable[str] = ()) -> bytes:
    """What `terraform plan -json` says."""
    messages: list[dict[str, Any]] = [{"type": "version"}]
    messages += [{"type": "refresh_complete", "hook": {"resource": {"addr": address}}} for address in read]
    messages += [
        {"type": "apply_complete", "hook": {"resource": {"addr": address}, "action": "read"}} for address in data
    ]
    for address, summary in errors:
        diagnostic: dict[str, Any] = {"severity": "error", "summary": summary, "detail": ""}
        if address is not None:
            diagnostic["address"] = address
        messages.append({"type": "diagnostic", "diagnostic": diagnostic})
    return b"".join(json.dumps(message).encode() + b"\n" for message in messages)


def seen(*read: str, **more: Any) -> Evidence:
    """The same, read."""
    return evidence(stream(*read, **more))


def looks(
    *,
    prior: Iterable[Mapping[str, Any]],
    drift: Iterable[Mapping[str, Any]] = (),
    changes: Iterable[Mapping[str, Any]] = (),
) -> tuple[Look, Look]:
    """Two looks that agree, at everything in the prior state and at what is gone."""
    prior, drift = list(prior), list(drift)
    read = [str(one["address"]) for one in prior] + [
        str(one["address"]) for one in drift if one["change"]["actions"] == ["delete"]
    ]
    return (
        Look(plan=plan(prior=prior, drift=drift), evidence=seen(*read)),
        Look(plan=plan(prior=prior, drift=drift, changes=changes), evidence=seen(*read)),
    )
