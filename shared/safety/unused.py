"""What was approved and not done, and the smaller plan that would have done. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from shared.safety.comparison import outside
from shared.safety.entries import Entry, SafetyPlan


def unused(approved: SafetyPlan, done: Iterable[SafetyPlan]) -> tuple[tuple[Entry, ...], SafetyPlan]:
    """Entries of `approved` that none of the plans needed, in order, and `approved` without them.

    Args:
        approved: normalised.
        done: what the deployments of the release still had to do when they began, normalised.
    """
    needed = SafetyPlan(entries=frozenset(entry for plan in done for entry in plan.entries))
    return outside(approved, needed), SafetyPlan(entries=approved.entries & needed.entries)
