"""Is this plan within that one? Pure."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from shared.record import Record
from shared.safety.entries import Entry, SafetyPlan, in_order


class Difference(Record):
    """Two safety plans side by side."""

    only_left: tuple[Entry, ...] = Field(description="what only the first one does")
    only_right: tuple[Entry, ...] = Field(description="what only the second one does")
    both: tuple[Entry, ...] = Field(description="what both do")

    @property
    def same(self) -> bool:
        """Whether they do the same."""
        return not self.only_left and not self.only_right


def outside(fresh: SafetyPlan, approved: SafetyPlan) -> tuple[Entry, ...]:
    """What `fresh` does that `approved` does not hold, in order; empty: it is within."""
    return tuple(in_order(fresh.entries - approved.entries))


def compare(left: SafetyPlan, right: SafetyPlan) -> Difference:
    """Both ways at once."""
    return Difference(
        only_left=outside(left, right),
        only_right=outside(right, left),
        both=tuple(in_order(left.entries & right.entries)),
    )


def named(entries: Iterable[Entry], *, at_most: int = 5) -> str:
    """Entries in one line, for a reason: `delete aws_sqs_queue.a, create aws_sqs_queue.b and 3 more`."""
    listed = in_order(entries)
    more = f" and {len(listed) - at_most} more" if len(listed) > at_most else ""
    return ", ".join(str(entry) for entry in listed[:at_most]) + more
