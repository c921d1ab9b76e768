"""What the cloud's log says about a demo: did Interlock keep its promises? Pure.

    log of the cloud + instants of strikes, cuts and grants + what exists and what is in a state  ->  Verdict

`overlaps`, `after_cut` and `arrivals` come from the cloud's log alone, counted by `shared.judge`; nothing
that Interlock wrote is asked who called what. The instants come from the demo, which struck and watched
on the same machine's boot clock. A demo that showed nothing has not passed: calls of both epochs must
have arrived.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass
from typing import Any, Literal

from deploy.demo.arrivals import Call
from shared.judge import SignedCall, after_end, shown
from shared.judge import overlaps as overlaps_of
from shared.judge import still_running as still_running_of

GRANT_AFTER_KILL_S = 1.0
GRANT_MARGIN_S = 1.0


@dataclass(frozen=True, kw_only=True)
class Handover:
    """One worker that was struck in the middle of an apply, and what followed. Instants are boot-clock ms."""

    target: str
    """The target that it worked on."""
    how: Literal["kill", "freeze"]
    """SIGKILL, or SIGSTOP with the provisioner left running."""
    epoch: int
    """The epoch that the struck worker held."""
    struck_ms: float
    """When the signal was sent."""
    granted_ms: float | None
    """When a later epoch of the target was first seen held; None: never."""
    in_flight_at_cut: int
    """Mutating calls that were sent and not answered when the proxy cut."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """All that the verdict is computed from."""

    calls: Sequence[Call]
    """The cloud's log, in the order of arrival."""
    ended_ms: Mapping[tuple[str, int], float]
    """When the lease (target, epoch) was first seen not held any more; boot-clock ms."""
    handovers: Sequence[Handover]
    """The strikes, in the order in which they fell."""
    plans: Mapping[str, bool]
    """By target: whether a fresh plan at the end was empty."""
    cloud: Mapping[str, str]
    """What exists in the cloud and did not before the demo: identity -> what it is, for people."""
    held: AbstractSet[str]
    """Identities of everything in some target's state."""
    ttl_ms: int
    """The leases' time to live."""
    unknown_ms: int
    """Q: what is added when calls were in flight at the cut."""
    provider: str
    """Which provider ran, for people."""
    expected: tuple[str, ...] = ("freeze", "kill")
    """The strikes without which the demo showed nothing."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The numbers, and whether they keep the promises."""

    passed: bool
    """Whether there is no reason against it."""
    reasons: tuple[str, ...]
    """Each promise that was not kept, for people."""
    overlaps: int
    """Mutating calls of an older epoch that arrived after one of a newer epoch of the same target."""
    still_running: int
    """Mutating calls of an older epoch that were not answered yet when a newer epoch's first arrived."""
    after_cut: int
    """Calls that arrived for an epoch after its lease had ended."""
    unattributed: int
    """Mutating calls that name no target and epoch: somebody got past the proxies."""
    rejected: int
    """Calls whose signature the cloud did not accept."""
    converged: bool
    """Whether a fresh plan of every target was empty."""
    orphans: tuple[str, ...]
    """What is in the cloud and in no state."""
    grant_after_kill_s: float | None
    """The longest time from a kill to the next grant; None: no grant."""
    grant_after_freeze_s: float | None
    """The longest time from a freeze to the next grant; None: no grant."""
    in_flight_at_cut: int
    """Mutating calls in flight at the cuts that followed a freeze."""
    provider: str
    """Which provider ran."""
    arrivals: int
    """Calls that the cloud saw."""
    mutating: Mapping[str, Mapping[str, int]]
    """Mutating calls by target and epoch."""

    def as_json(self) -> dict[str, Any]:
        """The verdict as one JSON object."""
        return asdict(self)


def judge(evidence: Evidence) -> Verdict:
    """The verdict on one demo."""
    accepted = [call for call in evidence.calls if call.arrived.accepted]
    mutating = [call for call in accepted if call.arrived.mutating]
    signed = signed_calls(accepted)
    overlaps = len(overlaps_of(signed))
    still_running = len(still_running_of(signed))
    after_cut = len(after_end(signed, evidence.ended_ms))
    unattributed = sum(call.arrived.target is None or call.arrived.epoch is None for call in mutating)
    rejected = len(evidence.calls) - len(accepted)
    orphans = tuple(sorted(what for identity, what in evidence.cloud.items() if identity not in evidence.held))
    converged = bool(evidence.plans) and all(evidence.plans.values())
    reasons = [
        *_counted(overlaps, "mutating calls of an older epoch arrived after one of a newer epoch"),
        *_counted(still_running, "mutating calls of an older epoch were unanswered when a newer epoch began"),
        *_counted(after_cut, "calls arrived for an epoch after its lease had ended"),
        *_counted(unattributed, "mutating calls name no target and epoch"),
        *_counted(rejected, "calls were not signed as the cloud wants it"),
        *_counted(len(orphans), "resources in the cloud are in no state"),
        *(f"a fresh plan of {target} is not empty" for target, empty in sorted(evidence.plans.items()) if not empty),
        *_not_shown(evidence, signed),
        *(reason for handover in evidence.handovers for reason in _too_late(handover, evidence)),
    ]
    return Verdict(
        passed=not reasons,
        reasons=tuple(reasons),
        overlaps=overlaps,
        still_running=still_running,
        after_cut=after_cut,
        unattributed=unattributed,
        rejected=rejected,
        converged=converged,
        orphans=orphans,
        grant_after_kill_s=_longest(evidence.handovers, "kill"),
        grant_after_freeze_s=_longest(evidence.handovers, "freeze"),
        in_flight_at_cut=sum(handover.in_flight_at_cut for handover in evidence.handovers if handover.how == "freeze"),
        provider=evidence.provider,
        arrivals=len(evidence.calls),
        mutating=_by_epoch(mutating),
    )


def signed_calls(calls: Iterable[Call]) -> list[SignedCall]:
    """The calls that name their target and epoch, as the judge wants them, on the boot clock."""
    signed = []
    for call in calls:
        arrived = call.arrived
        if arrived.target is None or arrived.epoch is None:
            continue
        took_ms = None if call.done is None else (call.done.done_ns - arrived.arrived_ns) / 1e6
        signed.append(
            SignedCall(
                target=arrived.target,
                epoch=arrived.epoch,
                mutating=arrived.mutating,
                arrived_ms=arrived.arrived_boot_ms,
                answered_ms=None if took_ms is None else arrived.arrived_boot_ms + took_ms,
                what=f"{arrived.service} {arrived.operation}",
            )
        )
    return signed


def in_flight_at(calls: Iterable[Call], target: str, epoch: int, at_ms: float | None) -> int:
    """Mutating calls of an epoch that had arrived and were not answered at an instant (boot clock, ms)."""
    if at_ms is None:
        return 0
    return sum(
        (call.target, call.epoch) == (target, epoch)
        and call.mutating
        and call.arrived_ms <= at_ms
        and (call.answered_ms is None or call.answered_ms > at_ms)
        for call in signed_calls(call for call in calls if call.arrived.accepted)
    )


def grant_bound_s(handover: Handover, *, ttl_ms: int, unknown_ms: int) -> float:
    """Until when after a strike the next grant must have been made, in seconds."""
    if handover.how == "kill":
        return GRANT_AFTER_KILL_S
    waited_ms = ttl_ms + (unknown_ms if handover.in_flight_at_cut else 0)
    return waited_ms / 1000 + GRANT_MARGIN_S


def _too_late(handover: Handover, evidence: Evidence) -> list[str]:
    verb = "killed" if handover.how == "kill" else "frozen"
    if (handover.target, handover.epoch) not in evidence.ended_ms:
        return [f"epoch {handover.epoch} of {handover.target} was never cut although its worker was {verb}"]
    if handover.granted_ms is None:
        return [f"{handover.target} was granted to nobody after its worker was {verb}"]
    took_s = (handover.granted_ms - handover.struck_ms) / 1000
    bound_s = grant_bound_s(handover, ttl_ms=evidence.ttl_ms, unknown_ms=evidence.unknown_ms)
    if took_s > bound_s:
        return [f"{handover.target} was granted {took_s:.2f} s after its worker was {verb}; {bound_s:g} s is the bound"]
    return []


def _not_shown(evidence: Evidence, signed: Sequence[SignedCall]) -> list[str]:
    """What the demo did not show at all; without it the zeros above mean nothing."""
    reasons = [
        f"the demo did not {how} a worker"
        for how in evidence.expected
        if not any(handover.how == how for handover in evidence.handovers)
    ]
    for handover in evidence.handovers:
        older, newer = shown(signed, handover.target, handover.epoch)
        if not older:
            reasons.append(f"no mutating call of {handover.target}'s epoch {handover.epoch} reached the cloud")
        if not newer:
            reasons.append(f"no mutating call of {handover.target} after epoch {handover.epoch} reached the cloud")
    if not evidence.plans:
        reasons.append("no fresh plan was made")
    return reasons


def _longest(handovers: Iterable[Handover], how: str) -> float | None:
    taken = [
        None if handover.granted_ms is None else (handover.granted_ms - handover.struck_ms) / 1000
        for handover in handovers
        if handover.how == how
    ]
    if not taken or None in taken:
        return None
    return round(max(seconds for seconds in taken if seconds is not None), 3)


def _by_epoch(mutating: Iterable[Call]) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = {}
    for call in mutating:
        of_target = counts.setdefault(call.arrived.target or "?", {})
        epoch = str(call.arrived.epoch or "?")
        of_target[epoch] = of_target.get(epoch, 0) + 1
    return counts


def _counted(count: int, what: str) -> list[str]:
    return [f"{count} {what}"] if count else []
