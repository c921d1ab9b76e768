"""What a check's finding changes about where its target stands, and when people hear of it. Pure.

    nothing known, found in sync       confirmed at once: there is nothing to tell
    found what is confirmed            nothing happens; a finding that waited for a second check is dropped
    found something else               it waits, and a second check is made at once
    found the same a second time       confirmed: the target has changed
    found something else each time     after so many checks in a row the next one is made when it is due; and where they
                                       say that it has drifted, what the last two have in common is confirmed

A finding is what has drifted and in which attributes, not to which values: a number that moves all the time is one
finding, not a new one with each check. Something that drifts in another way each time must not hide what stays: hence
what two checks have in common. Where that is nothing, the target is confirmed to have drifted all the same, once; after
that only what two checks agree in is another change.

People hear of a change once it has stood for a while: a minute the first time, each time within a quiet day four times
as long, up to six hours. What has changed back by then is not told. So a target that flaps is told a few times and then
as it settles, and what is told last is always how it stands.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from shared.drift.report import Cause, DriftReport, ResourceStatus, RollUp
from shared.safety.entries import Place

MAX_REPEATS: Final = 3
"""Checks that are made at once after another, as long as each finds something else, until two agree."""
SETTLE_S: Final = 60
"""Seconds that a change has stood before it is told; also what groups targets that change at the same time."""
SETTLE_FACTOR: Final = 4
MAX_SETTLE_S: Final = 6 * 3600
CALM_S: Final = 24 * 3600
"""A change after so long a time without one is the first again."""
_UNSUPPORTED: Final = "unsupported"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a check came to."""

    roll_up: RollUp
    """In sync, drifted, or not checked."""
    shape: str = ""
    """`sha256:…` of which resources drifted how, without values and without what is particular to the target's place;
    empty: nothing drifted; `unsupported`: no more than what can never be looked at was not."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where a target stands."""

    confirmed: Finding | None = None
    """What counts; None: nothing is known."""
    pending: Finding | None = None
    """What one check found, and no second one yet."""
    repeats: int = 0
    """Checks that were made at once after another to confirm something, since two last agreed."""

    @property
    def wavers(self) -> bool:
        """Whether so many checks in a row have found something else that a further one is not made at once."""
        return self.pending is not None and self.repeats >= MAX_REPEATS

    since: datetime | None = None
    """When what counts began to count."""
    changes: int = 0
    """Changes without a calm time in between."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """What a finding leads to."""

    standing: Standing
    """Where the target stands now."""
    changed: bool = False
    """Whether something else counts than before, which people may have to hear of."""
    again: bool = False
    """Whether a second check is to be made at once."""


IN_SYNC: Final = Finding(roll_up=RollUp.IN_SYNC)


def after_check(
    standing: Standing, found: Finding, *, at: datetime, confirm: bool, common: Finding | None = None
) -> Step:
    """The table above.

    Args:
        standing: where the target stood.
        found: by this check.
        at: now.
        confirm: whether it takes a second check.
        common: of a target that wavers: what this check and the one whose finding waits have both found to have
            drifted; None: nothing, or that is not known.
    """
    if found == standing.confirmed:
        return Step(standing=replace(standing, pending=None, repeats=0))
    if standing.confirmed is None and found == IN_SYNC:
        return Step(standing=replace(standing, confirmed=found, pending=None, repeats=0, since=at))
    if found == standing.pending or not confirm:
        return Step(standing=_changed(standing, found, at), changed=True)
    if not standing.wavers:
        return Step(standing=replace(standing, pending=found, repeats=standing.repeats + 1), again=True)
    certain = _certain(standing, found, common)
    if certain is None or certain == standing.confirmed:
        return Step(standing=replace(standing, pending=found))
    return Step(standing=_changed(standing, certain, at), changed=True)


def after_deployment(standing: Standing) -> Standing:
    """Something was deployed: what only one check found before says nothing about what is there now."""
    return replace(standing, pending=None, repeats=0)


def settles_s(changes: int) -> int:
    """Seconds that the `changes`th change in a row stands before it is told."""
    return int(min(SETTLE_S * SETTLE_FACTOR ** min(max(changes - 1, 0), 16), MAX_SETTLE_S))


def is_to_be_told(standing: Standing, told: Finding, *, now: datetime) -> bool:
    """Whether people have to hear of how the target stands; `told` is what they heard last.

    A clock that was set back must not keep it from them: what is confirmed in the future is told.
    """
    if standing.confirmed is None or standing.confirmed == told or standing.since is None:
        return False
    stood = now - standing.since
    return not timedelta(0) <= stood < timedelta(seconds=settles_s(standing.changes))


def shape_of(report: DriftReport, place: Place) -> str:
    """The shape of what drifted; empty where nothing did. Equal in two regions where the same happened."""
    return _shape(_drifted(report, place))


def in_common(one: DriftReport, other: DriftReport, place: Place) -> Finding | None:
    """What two reports of a target have both found to have drifted, and in which attributes; None: nothing."""
    first, second = ({(address, how): set(paths) for address, how, paths in _drifted(it, place)} for it in (one, other))
    shape = _shape(
        (*key, tuple(sorted(first[key] & second[key])))
        for key in first.keys() & second.keys()
        # What was changed in other attributes each time is not the same.
        if first[key] & second[key] or first[key] == second[key]
    )
    return Finding(roll_up=RollUp.DRIFTED, shape=shape) if shape else None


def finding_of(report: DriftReport, place: Place) -> Finding:
    """What a report comes to. What nobody can ever look at is one thing, that nothing could be looked at today another:
    the first must not stand before the second.
    """
    never = not report.gaps and all(one.status is ResourceStatus.UNSUPPORTED for one in report.not_checked)
    if never and report.roll_up is RollUp.NOT_CHECKED:
        return Finding(roll_up=report.roll_up, shape=_UNSUPPORTED)
    return Finding(roll_up=report.roll_up, shape=shape_of(report, place))


def _changed(standing: Standing, found: Finding, at: datetime) -> Standing:
    calm = standing.changes == 0 or standing.since is None or at - standing.since >= timedelta(seconds=CALM_S)
    return Standing(confirmed=found, since=at, changes=1 if calm else standing.changes + 1)


def _certain(standing: Standing, found: Finding, common: Finding | None) -> Finding | None:
    """What is certain although no two checks in a row have found the same; None: nothing is.

    Of checks in a row that all differ from the one before, and none of which was in sync, at least every second one
    has found drift: those in between could not look.
    """
    if found.roll_up is not RollUp.DRIFTED or standing.pending is None:
        return None
    confirmed = standing.confirmed.roll_up if standing.confirmed is not None else RollUp.IN_SYNC
    if standing.pending.roll_up is RollUp.DRIFTED:
        return common or (found if confirmed is not RollUp.DRIFTED else None)
    return found if standing.pending.roll_up is RollUp.NOT_CHECKED and confirmed is RollUp.IN_SYNC else None


def _drifted(report: DriftReport, place: Place) -> list[tuple[str, str, tuple[str, ...]]]:
    """Address, status and attributes of everything that drifted."""
    return [
        (
            place.normalised(resource.address),
            resource.status.value,
            tuple(
                sorted(
                    {
                        change.path
                        for change in resource.attributes
                        if change.cause is Cause.CHANGED_OUTSIDE and not change.ignored
                    }
                )
            ),
        )
        for resource in report.drifted
    ]


def _shape(drifted: Iterable[tuple[str, str, tuple[str, ...]]]) -> str:
    found = sorted(drifted)
    if not found:
        return ""
    content = json.dumps(found, separators=(",", ":"), ensure_ascii=False)
    return f"sha256:{hashlib.sha256(content.encode()).hexdigest()}"
