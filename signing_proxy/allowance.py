"""A run's allowance as bounds that a call is held against: operations by name, and classes of operations by service.

Pure. Whatever is not within the bounds is refused; what changes nothing always is within them.
"""

from dataclasses import dataclass

from shared.safety.allowance import Allowance
from signing_proxy.access import OperationClass
from signing_proxy.classify import UNKNOWN_OPERATION, Operation
from signing_proxy.needs import Needs, needs_of


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """What may be signed, compiled once from the allowance."""

    allowance: Allowance
    """What it was compiled from."""
    operations: frozenset[tuple[str, str]]
    """(service, operation) that an entry needs."""
    classes: frozenset[tuple[str, OperationClass]]
    """(service, class) that an entry of a type without a map needs."""


def bounds_of(allowance: Allowance) -> Bounds:
    """Compile an allowance."""
    needs: list[Needs] = [needs_of(entry.type, entry.operation) for entry in allowance.entries]
    return Bounds(
        allowance=allowance,
        operations=frozenset(operation for need in needs for operation in need.operations),
        classes=frozenset(kind for need in needs for kind in need.classes),
    )


def objection(operation: Operation, bounds: Bounds) -> str | None:
    """Why this call is outside the bounds; None when it is within."""
    if operation.kind.reads or bounds.allowance.mode == "unbounded":
        return None
    name = f"{operation.service}:{operation.operation}"
    if operation.operation == UNKNOWN_OPERATION or operation.kind is OperationClass.UNKNOWN:
        return f"{name} is not known, so it counts as a write, and this run may do {_summary(bounds)}"
    within = (operation.service, operation.operation) in bounds.operations
    if within or (operation.service, operation.kind) in bounds.classes:
        return None
    return f"{name} ({operation.kind.value}) is outside of what this run may do: {_summary(bounds)}"


def _summary(bounds: Bounds) -> str:
    why = f" ({bounds.allowance.why})" if bounds.allowance.why else ""
    return f"{bounds.allowance.summary}{why}"
