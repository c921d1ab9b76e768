"""What a plan does with addresses only: its moves, forgets and imports. Pure.

The worker delivers it with the safety plan, before anything is applied: whoever takes the deployment back has to know,
and the run that planned it may be gone by then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from shared.rollback.records import MAX_ID, Imported, Moved, Rearrangement
from shared.safety.plan_document import MAX_MODULE_DEPTH, Change, read, without_keys

_FORGETS: Final = (("forget",), ("create", "forget"))
MAX_PACKAGES: Final = 1000


def rearrangement(plan: Mapping[str, Any]) -> Rearrangement:
    """Read it off `terraform show -json PLAN`, as `plan_document.load` gives it. Raises ConfigurationError."""
    document = read(plan)
    managed = [change for change in document.resource_changes if change.mode == "managed" and change.deposed is None]
    taken_in = [change for change in managed if change.importing]
    names = {change.address: _import_id(item) for item, change in _with_items(plan, document.resource_changes)}
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
                id=names.get(change.address),
                alone=without_keys(change.address) not in others,
            )
            for change in taken_in
        ),
        packages=dict(_packages(plan)),
    )


def _with_items(plan: Mapping[str, Any], changes: tuple[Change, ...]) -> Iterator[tuple[Mapping[str, Any], Change]]:
    # `read` keeps the order and has checked the shape.
    yield from zip(plan.get("resource_changes") or [], changes, strict=True)


def _import_id(item: Mapping[str, Any]) -> str | None:
    importing = item["change"].get("importing")
    found = importing.get("id") if isinstance(importing, dict) else None
    return found if isinstance(found, str) and 0 < len(found) <= MAX_ID else None


def _packages(plan: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The source of each called module, by its path without keys."""
    found: list[tuple[str, str]] = []
    waiting = [("", plan["configuration"].get("root_module"), 0)]
    while waiting:
        prefix, module, depth = waiting.pop()
        calls = module.get("module_calls") if isinstance(module, dict) else None
        if depth > MAX_MODULE_DEPTH or not isinstance(calls, dict):
            continue
        for name, call in calls.items():
            if not isinstance(call, dict) or len(found) >= MAX_PACKAGES:
                continue
            path = f"{prefix}module.{name}"
            found.append((path, str(call.get("source", ""))[:1024]))
            waiting.append((f"{path}.", call.get("module"), depth + 1))
    return found
