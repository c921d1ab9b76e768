"""When a roll-out begins to wait for a person. Pure: two values of it in, events out.

A phase is told about twice at most for one round of plans: when its first plan begins to wait, so that nobody waits in
vain for the others, and when all its plans are there. A plan that was made anew is a new round.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Final

from scheduler.notifications.events import Event, Kind
from shared.rollouts import Rollout, RolloutPhase, RolloutStatus, RolloutTarget, Stage

_COMING: Final = (Stage.PENDING, Stage.PLANNING)


def approvals_wanted(before: Rollout, after: Rollout, *, at: datetime) -> list[Event]:
    """The events of the step from `before` to `after`, which is the value that is written down."""
    events = []
    for phase in after.phases:
        waiting = _waiting(after, phase)
        coming = any(target.stage in _COMING for target in _of(after, phase))
        were_coming = any(target.stage in _COMING for target in _of(before, phase))
        if waiting and (not _waiting(before, phase) or (were_coming and not coming)):
            events.append(_event(after, phase, waiting, at=at))
    return events


def _waiting(rollout: Rollout, phase: RolloutPhase) -> list[RolloutTarget]:
    """Plans of the phase that nothing but a person moves on.

    In a phase that asks nobody a plan goes on by itself, unless the roll-out is paused; one that stays where it is
    while the roll-out runs is held for another reason, which is a person's business as well.
    """
    if rollout.status is not RolloutStatus.RUNNING and not (rollout.status is RolloutStatus.PAUSED and phase.approval):
        return []
    return [target for target in _of(rollout, phase) if target.stage is Stage.PLANNED]


def _of(rollout: Rollout, phase: RolloutPhase) -> list[RolloutTarget]:
    return [target for target in rollout.targets if target.phase == phase.name]


def _event(rollout: Rollout, phase: RolloutPhase, waiting: list[RolloutTarget], *, at: datetime) -> Event:
    round_of_plans = "\n".join(f"{target.id} {target.plan_digest}" for target in waiting)
    one = waiting[0] if len(waiting) == 1 else None
    reasons = sorted({target.reason for target in waiting if target.reason})
    return Event(
        kind=Kind.APPROVAL_WANTED,
        key=f"{rollout.id} {phase.name} {hashlib.sha256(round_of_plans.encode()).hexdigest()}",
        at=at,
        flock=rollout.flock,
        target=one.id if one else None,
        run_id=one.plan_run_id if one else None,
        rollout_id=rollout.id,
        phase=phase.name,
        release_digest=rollout.release_digest,
        reason="; ".join(reasons),
        items=tuple(f"{target.id}  plan {target.plan_digest} of {target.plan_run_id}" for target in waiting),
    )
