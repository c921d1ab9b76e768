"""Did two epochs of one target act at once? The one answer that the demo, the fault suite and chaos days share. Pure.

    what was signed, in order  +  when leases ended  ->  the calls that break the promise

The calls come from whoever saw them: a cloud's own log, or the journal. A log that shows no call of both epochs of a
hand-over proves nothing about it, so a verdict also asks `shown`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class SignedCall:
    """One call that was signed for an epoch of a target. All instants are on one clock, whichever it is."""

    target: str
    """The target whose lease it was signed for."""
    epoch: int
    """The epoch of that lease."""
    mutating: bool
    """False only for what is known to be a read."""
    arrived_ms: float
    """When it arrived at whoever wrote the log, in ms."""
    answered_ms: float | None
    """When it was answered, in ms; None: never, or nobody knows."""
    what: str = ""
    """What it was, for people."""


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """The promise broken once: an older epoch mutated after a newer one had begun to."""

    older: SignedCall
    """The call that should not have been."""
    newer: SignedCall
    """The first call of the newest epoch that had arrived before it."""


def overlaps(calls: Iterable[SignedCall]) -> list[Overlap]:
    """Mutating calls of an older epoch that arrived after one of a newer epoch of the same target.

    Args:
        calls: in the order of arrival; this order is believed, not `arrived_ms`, because whoever wrote the log may
            have a better order than its clocks (the journal's comes from one database, its instants from many hosts).
    """
    newest: dict[str, SignedCall] = {}
    found = []
    for call in calls:
        if not call.mutating:
            continue
        newer = newest.get(call.target)
        if newer is not None and call.epoch < newer.epoch:
            found.append(Overlap(older=call, newer=newer))
        elif newer is None or call.epoch > newer.epoch:
            newest[call.target] = call
    return found


def still_running(calls: Iterable[SignedCall]) -> list[SignedCall]:
    """Mutating calls that were not answered yet when a later call of a newer epoch of their target arrived.

    Args:
        calls: in the order of arrival. Arrivals and answers are compared by their instants.
    """
    first_ms: dict[str, dict[int, float]] = {}
    found = []
    for call in reversed([call for call in calls if call.mutating]):
        later_ms = first_ms.setdefault(call.target, {})
        newer_ms = min((at_ms for epoch, at_ms in later_ms.items() if epoch > call.epoch), default=None)
        if newer_ms is not None and (call.answered_ms is None or call.answered_ms > newer_ms):
            found.append(call)
        later_ms[call.epoch] = min(call.arrived_ms, later_ms.get(call.epoch, call.arrived_ms))
    return found[::-1]


def after_end(calls: Iterable[SignedCall], ended_ms: Mapping[tuple[str, int], float]) -> list[SignedCall]:
    """Calls, reads as well, that arrived for an epoch after its lease had ended.

    Args:
        calls: in any order.
        ended_ms: by (target, epoch), on the calls' clock; a lease that is not in it has not ended.
    """
    return [call for call in calls if call.arrived_ms > ended_ms.get((call.target, call.epoch), float("inf"))]


def shown(calls: Iterable[SignedCall], target: str, epoch: int) -> tuple[bool, bool]:
    """Whether mutating calls of the target were seen (of this epoch, of a newer one); else zero is no proof."""
    epochs = {call.epoch for call in calls if call.mutating and call.target == target}
    return epoch in epochs, any(seen > epoch for seen in epochs)
