"""What the cloud's log and the journal say about one run. Pure.

All instants are ms of the machine's own wall clock, which no fault touches (only the Redis hosts' clocks are set).

- overlap: a mutating call of an older epoch that arrived after one of a newer epoch of the same target
- after deadline: any call, reads too, that arrived for an epoch whose run was over already (the scheduler writes that
  down only after the lease was released, severed or expired); a mutating call that arrived without an intent in the
  journal; or one that the journal says was refused, that is, never sent
- lost state: a state write that was acknowledged to the run and is in no version; a version of an older epoch after one
  of a newer epoch; or one that was written after its epoch's run was over
- stuck: a target whose next run did not get the lease and sign within the bound, or a run that never ended (this comes
  from the harness, which did the waiting)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from shared.judge import SignedCall, after_end, overlaps

ACKNOWLEDGED = "/chaos/acknowledged/"


@dataclass(frozen=True, kw_only=True)
class Intent:
    """A mutating call as the journal has it."""

    target: str
    """Whose lease."""
    epoch: int
    """Which epoch."""
    path: str
    """Unique to the call."""
    outcome: str | None
    """answered, refused, unknown; None: nothing was written down."""


@dataclass(frozen=True, kw_only=True)
class Version:
    """A stored state; the order in which they are listed is the order in which they were stored."""

    target: str
    """Whose."""
    epoch: int
    """Written under this epoch."""
    serial: int
    """The state's serial."""
    stored_ms: float
    """When."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """All that the verdict is computed from, of one run's targets."""

    calls: Sequence[SignedCall]
    """What arrived at the cloud with a good signature, in the order of arrival; `what` is the path."""
    ended_ms: Mapping[tuple[str, int], float]
    """When the run of (target, epoch) was over."""
    intents: Sequence[Intent]
    """The journal's mutating calls."""
    versions: Sequence[Version]
    """The state history."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Each promise that was broken, for people; all empty is what is wanted."""

    overlaps: tuple[str, ...] = ()
    """See above."""
    after_deadline: tuple[str, ...] = ()
    """See above."""
    lost_states: tuple[str, ...] = ()
    """See above."""
    stuck: tuple[str, ...] = field(default=())
    """See above."""

    @property
    def passed(self) -> bool:
        """Whether nothing was broken."""
        return not (self.overlaps or self.after_deadline or self.lost_states or self.stuck)


def judge(evidence: Evidence, stuck: Sequence[str] = ()) -> Verdict:
    """The verdict on one run."""
    return Verdict(
        overlaps=tuple(
            f"{_named(found.older)} arrived {found.older.arrived_ms - found.newer.arrived_ms:.0f} ms after the first "
            f"of epoch {found.newer.epoch}"
            for found in overlaps(evidence.calls)
        ),
        after_deadline=(*_late(evidence), *_unwritten(evidence)),
        lost_states=(*_missing(evidence), *_turned_round(evidence), *_written_late(evidence)),
        stuck=tuple(stuck),
    )


def _late(evidence: Evidence) -> list[str]:
    found = []
    for call in after_end(evidence.calls, evidence.ended_ms):
        late_ms = call.arrived_ms - evidence.ended_ms[call.target, call.epoch]
        found.append(f"{_named(call)} arrived {late_ms:.0f} ms after its run was over")
    return found


def _unwritten(evidence: Evidence) -> list[str]:
    known = {(intent.target, intent.epoch, intent.path): intent.outcome for intent in evidence.intents}
    found = []
    for call in evidence.calls:
        if not call.mutating:
            continue
        key = (call.target, call.epoch, call.what)
        if key not in known:
            found.append(f"{_named(call)} arrived without an intent in the journal")
        elif known[key] == "refused":
            found.append(f"{_named(call)} arrived although the journal says that it was never sent")
    return found


def _missing(evidence: Evidence) -> list[str]:
    stored = {(version.target, version.epoch, version.serial) for version in evidence.versions}
    found = []
    for call in evidence.calls:
        if call.what.startswith(ACKNOWLEDGED):
            target, serial, _ = call.what.removeprefix(ACKNOWLEDGED).split("/")
            if (target, call.epoch, int(serial)) not in stored:
                found.append(f"state {serial} of {target}, epoch {call.epoch}, was acknowledged and is in no version")
    return found


def _turned_round(evidence: Evidence) -> list[str]:
    newest: dict[str, int] = {}
    found = []
    for version in evidence.versions:
        if version.epoch < newest.get(version.target, 0):
            found.append(
                f"state {version.serial} of {version.target}, epoch {version.epoch}, was stored over one of epoch "
                f"{newest[version.target]}"
            )
        newest[version.target] = max(version.epoch, newest.get(version.target, 0))
    return found


def _written_late(evidence: Evidence) -> list[str]:
    return [
        f"state {version.serial} of {version.target}, epoch {version.epoch}, was stored after its run was over"
        for version in evidence.versions
        if version.stored_ms > evidence.ended_ms.get((version.target, version.epoch), float("inf"))
    ]


def _named(call: SignedCall) -> str:
    return f"{'write' if call.mutating else 'read'} {call.what} of {call.target}, epoch {call.epoch},"
