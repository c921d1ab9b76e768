"""What a plan does with addresses only: its moves, forgets and imports. Pure.

The worker delivers it with the safety plan, before anything is applied: whoever takes the deployment back has to know,
and the run that planned it may be gone by then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from shared.errors import ConfigurationError
from shared.rollback.records import MAX_ID, Imported, Moved, Rearrangement
from shared.safety.plan_document import Change, read, without_keys

_FORGETS: Final = (("forget",), ("create", "forget"))
MAX_PACKAGES: Final = 1000
MAX_SOURCE_CHARS: Final = 1024


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
        packages=_packages(plan),
    )


def _with_items(plan: Mapping[str, Any], changes: tuple[Change, ...]) -> Iterator[tuple[Mapping[str, Any], Change]]:
    # `read` keeps the order and has checked the shape.
    yield from zip(plan.get("resource_changes") or [], changes, strict=True)


def _import_id(item: Mapping[str, Any]) -> str | None:
    importing = item["change"].get("importing")
    found = importing.get("id") if isinstance(importing, dict) else None
    return found if isinstance(found, str) and 0 < len(found) <= MAX_ID else None


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
