"""Did the deployment keep its promise under a blow? From its own journal and leases. Pure.

Instants are those at which this command saw something, on its own boot clock. The journal's own instants come from the
wall clocks of several hosts and decide nothing here. What can be believed is order: the database counts intents as it
takes them, and a mutating call is signed only after its intent was taken. So what is looked for is

- an intent of an older epoch after one of a newer epoch, and
- an intent that was not in the journal yet when the lease had been seen to have ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from shared.judge import SignedCall, after_end, overlaps, shown


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What was seen of one scenario."""

    scenario: str
    """Its name."""
    target: str
    """The target that was worked on."""
    epoch: int
    """The epoch that was struck."""
    node: str
    """The host that held it."""
    calls: Sequence[SignedCall]
    """Calls of the target from this epoch on that were signed, in the journal's order; `arrived_ms`: first seen."""
    complete: bool
    """Whether the journal could be read as far back as the struck epoch's first call."""
    struck_ms: float
    """When the blow fell."""
    ended_ms: float | None
    """When the struck lease was first seen to have ended; None: never."""
    granted_ms: float | None
    """When a newer epoch was first seen held; None: never."""
    first_call_ms: float | None
    """When a newer epoch's first mutating call was first seen in the journal; None: never."""
    healed_ms: float | None
    """When the blow was undone; None where nothing was to be undone, or it could not be."""
    unknown: int
    """Mutating calls of the struck epoch without a known outcome."""
    limit_s: float
    """How long recovery was waited for."""
    survived: bool = False
    """Whether the struck lease lived on until its run was canceled."""
    failed_over: bool | None = None
    """Whether Redis was seen as another incarnation; None where that was not the point."""
    left: tuple[str, ...] = ()
    """What did not end afterwards, for people."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One scenario's outcome."""

    scenario: str
    """Its name."""
    passed: bool
    """Whether the promise was kept and something was shown."""
    shown: bool
    """Whether mutating calls of the struck epoch and of a newer one are in the journal, and a failover took place."""
    reasons: tuple[str, ...]
    """What speaks against it, for people."""
    target: str
    """The target that was worked on."""
    node: str
    """The host that held the struck epoch."""
    epoch: int
    """The struck epoch."""
    overlaps: int
    """Intents of an older epoch after one of a newer epoch."""
    after_end: int
    """Intents that were recorded after the lease had been seen to have ended."""
    stuck: int
    """1 when the target was not granted anew, or something did not end."""
    survived: bool
    """Whether the struck lease lived on, as it may after a failover."""
    unknown: int
    """Calls of the struck epoch whose outcome nobody knows; they were waited out (Q)."""
    calls: int
    """Mutating calls that were judged."""
    ended_after_s: float | None
    """From the blow to the end of the lease, as seen."""
    granted_after_s: float | None
    """From the blow to the next grant, as seen."""
    first_call_after_s: float | None
    """From the blow to the next holder's first call, as seen."""
    healed_after_s: float | None
    """From the blow to its remedy; a grant before it was made while the blow lasted."""

    def as_json(self) -> dict[str, Any]:
        """The verdict as one JSON object."""
        return asdict(self)


def judge(evidence: Evidence) -> Verdict:
    """The verdict on one scenario."""
    ended = {} if evidence.ended_ms is None else {(evidence.target, evidence.epoch): evidence.ended_ms}
    overlapping = overlaps(evidence.calls)
    late = [call for call in after_end(evidence.calls, ended) if call.mutating]
    older, newer = shown(evidence.calls, evidence.target, evidence.epoch)
    stuck = [*_stuck(evidence), *evidence.left]
    reasons = [
        *(f"{one.older.what} of epoch {one.older.epoch} came after epoch {one.newer.epoch}" for one in overlapping[:1]),
        *([f"{len(overlapping)} such overlaps"] if len(overlapping) > 1 else []),
        *([f"{len(late)} calls were journaled after the lease had ended"] if late else []),
        *stuck,
        *([] if older else [f"shown nothing: no mutating call of epoch {evidence.epoch} is in the journal"]),
        *([] if newer else [f"shown nothing: no mutating call after epoch {evidence.epoch} is in the journal"]),
        *(["shown nothing: Redis was the same incarnation all the time"] if evidence.failed_over is False else []),
        *([] if evidence.complete else ["more calls than the journal lists at once: the oldest could not be judged"]),
    ]
    return Verdict(
        scenario=evidence.scenario,
        passed=not reasons,
        shown=older and newer and evidence.failed_over is not False,
        reasons=tuple(reasons),
        target=evidence.target,
        node=evidence.node,
        epoch=evidence.epoch,
        overlaps=len(overlapping),
        after_end=len(late),
        stuck=int(bool(stuck)),
        survived=evidence.survived,
        unknown=evidence.unknown,
        calls=sum(call.mutating for call in evidence.calls),
        ended_after_s=_since(evidence, evidence.ended_ms),
        granted_after_s=_since(evidence, evidence.granted_ms),
        first_call_after_s=_since(evidence, evidence.first_call_ms),
        healed_after_s=_since(evidence, evidence.healed_ms),
    )


def _stuck(evidence: Evidence) -> list[str]:
    if evidence.ended_ms is None:
        return [f"the lease of epoch {evidence.epoch} had not ended {evidence.limit_s:.0f} s after the blow"]
    if evidence.granted_ms is None:
        return [f"{evidence.target} was granted to nobody within {evidence.limit_s:.0f} s of the blow"]
    return []


def _since(evidence: Evidence, at_ms: float | None) -> float | None:
    return None if at_ms is None else round((at_ms - evidence.struck_ms) / 1000, 2)
