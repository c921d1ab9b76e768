"""Which planned resource refers to which: what a plan does not know is often the id of something made before.

Only what is written as a plain reference to one resource counts. What is more than that (`"${x.id}-logs"` looks the
same in a plan) resolves to a value that no journal holds, so nothing follows from it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from shared.safety.plan_document import without_keys

_KEY = r'(?:\[(?:\d+|"(?:[^"\\]|\\.)*")\])?'
_MODULES = re.compile(rf"(?:module\.[^.\[]+{_KEY}\.)*")
_REFERENCE = re.compile(rf"(?P<address>[a-z][a-z0-9_]*\.[A-Za-z_][\w-]*{_KEY})\.(?P<attribute>[a-z_]+)")
_NO_RESOURCES = ("var.", "local.", "each.", "count.", "data.", "module.", "path.", "self.", "terraform.")


def references_of(plan: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Attribute -> what it refers to, by the address that a resource has in the configuration.

    Args:
        plan: `terraform show -json`.
    """
    root = plan.get("configuration", {}).get("root_module", {})
    return {address: found for address, found in _resources(root, "") if found}


def _resources(module: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, dict[str, str]]]:
    for resource in module.get("resources", []):
        expressions = resource.get("expressions", {})
        found = {name: target for name, value in expressions.items() if (target := _target(value)) is not None}
        yield prefix + resource.get("address", ""), found
    for name, call in module.get("module_calls", {}).items():
        yield from _resources(call.get("module", {}), f"{prefix}module.{name}.")


def _target(expression: Any) -> str | None:
    references = expression.get("references") if isinstance(expression, Mapping) else None
    if not references or not all(str(references[0]).startswith(str(other)) for other in references):
        return None
    first = str(references[0])
    return first if _REFERENCE.fullmatch(first) and not first.startswith(_NO_RESOURCES) else None


def referred(address: str, references: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Attribute -> address and attribute that it refers to, of one instance.

    Args:
        address: of the instance.
        references: result of `references_of`.
    """
    found = _MODULES.match(address)
    prefix = found.group() if found else ""
    return {name: prefix + target for name, target in references.get(without_keys(address), {}).items()}


def value_of(target: str, known: Mapping[str, Mapping[str, Any]]) -> str | None:
    """What a reference is, where that is known.

    Args:
        target: of `referred`.
        known: attributes by address.
    """
    address, _, attribute = target.rpartition(".")
    value = known.get(address, {}).get(attribute)
    return str(value) if isinstance(value, str | int) and value != "" else None
