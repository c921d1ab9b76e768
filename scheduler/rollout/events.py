"""What may happen to a roll-out. Pure: every function takes one and returns the next, or raises and changes nothing.

    status      pause      resume     cancel       its phase fails   the last run ends / the last phase is done
    -------     -------    -------    ---------    ---------------   ------------------------------------------
    running     paused     (same)     canceling    halting           succeeded
    paused      (same)     running    canceling    halting
    halting     refused    refused    canceling                      failed
    canceling   refused    refused    (same)                         canceled
    succeeded, failed, canceled: refused, for good

A report about a run that is not the target's present one comes late or twice; it changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shared.errors import IllegalTransition
from shared.rollouts import MAX_REASON, Rollout, RolloutStatus, RolloutTarget, Stage


@dataclass(frozen=True, kw_only=True)
class RunEvent:
    """A run of a roll-out is over."""

    target: str
    """Its target."""
    run_id: str
    """The run."""


@dataclass(frozen=True, kw_only=True)
class PlanReady(RunEvent):
    """It made a plan, which is stored."""

    digest: str
    """sha256 of the plan file."""
    changes: bool
    """Whether there is anything to apply."""


@dataclass(frozen=True, kw_only=True)
class RunApplied(RunEvent):
    """It applied its plan."""


@dataclass(frozen=True, kw_only=True)
class RunFailed(RunEvent):
    """It ended with an error."""

    reason: str
    """Why."""


@dataclass(frozen=True, kw_only=True)
class RunCanceled(RunEvent):
    """Somebody canceled it, or it was taken back before it began."""

    reason: str
    """Why."""


@dataclass(frozen=True, kw_only=True)
class RunLost(RunEvent):
    """It lost its lease: what it did is unknown, so whatever plan there was is void."""

    reason: str
    """Why."""
    final: bool
    """Whether it was tried as often as may be."""


@dataclass(frozen=True, kw_only=True)
class PlanStale(RunEvent):
    """The state moved since the plan was made, so the plan was discarded instead of being applied."""

    reason: str
    """What moved."""


def record(rollout: Rollout, event: RunEvent) -> Rollout:
    """Write down how a run ended. Late and repeated reports change nothing."""
    target = rollout.target(event.target)
    if target is None or target.run_id != event.run_id or not target.stage.in_flight or rollout.status.over:
        return rollout
    return with_targets(rollout, {target.id: _after(target, event)})


def _after(target: RolloutTarget, event: RunEvent) -> RolloutTarget:
    match event:
        case PlanReady() if target.stage is Stage.PLANNING and event.changes:
            return _to(target, Stage.PLANNED, plan_run_id=event.run_id, plan_digest=event.digest, reason="")
        case PlanReady() if target.stage is Stage.PLANNING:
            return _to(target, Stage.APPLIED, plan_run_id=event.run_id, plan_digest=event.digest, reason="no changes")
        case RunApplied() if target.stage is Stage.APPLYING:
            return _to(target, Stage.APPLIED, reason="")
        case RunFailed():
            return _to(target, Stage.ERRORED, reason=event.reason)
        case RunCanceled():
            return _to(target, Stage.CANCELED, reason=event.reason)
        case RunLost() if event.final:
            return _to(target, Stage.ERRORED, reason=event.reason, losses=target.losses + 1)
        case RunLost():
            return _anew(target, event.reason, losses=target.losses + 1)
        case PlanStale() if target.stage is Stage.APPLYING:
            return _anew(target, event.reason, losses=target.losses)
    raise IllegalTransition(f"{target.id} is {target.stage} and cannot take {type(event).__name__}")


def _anew(target: RolloutTarget, reason: str, *, losses: int) -> RolloutTarget:
    """Back to the start: the next plan is another one and has to be approved anew where approval is demanded."""
    return _to(target, Stage.PENDING, plan_run_id=None, plan_digest=None, confirmed_by="", losses=losses, reason=reason)


def pause(rollout: Rollout) -> Rollout:
    """From now on nothing is started. What is at work goes on to its end."""
    return _command(rollout, "paused", {RolloutStatus.RUNNING: RolloutStatus.PAUSED}, same=RolloutStatus.PAUSED)


def resume(rollout: Rollout) -> Rollout:
    """Go on where it was paused."""
    return _command(rollout, "resumed", {RolloutStatus.PAUSED: RolloutStatus.RUNNING}, same=RolloutStatus.RUNNING)


def cancel(rollout: Rollout, *, actor: str) -> Rollout:
    """Stop for good: what is at work is asked to stop, everything else does not begin."""
    stopping = dict.fromkeys((RolloutStatus.RUNNING, RolloutStatus.PAUSED, RolloutStatus.HALTING))
    moves = dict.fromkeys(stopping, RolloutStatus.CANCELING)
    changed = _command(rollout, "canceled", moves, same=RolloutStatus.CANCELING)
    if changed is rollout:
        return rollout
    return changed.model_copy(update={"reason": f"canceled by {actor or 'somebody'}"[:MAX_REASON]})


def approve(rollout: Rollout, plans: Mapping[str, str], *, actor: str) -> Rollout:
    """Confirm plans, each named by its target and its digest: what was looked at is what is applied.

    Raises `IllegalTransition` when a plan is not the one in hand any more; then none is confirmed. Confirming what is
    confirmed already changes nothing.
    """
    changes = {}
    for name, digest in plans.items():
        target = _with_plan(rollout, name, digest, done=(Stage.CONFIRMED, Stage.APPLYING, Stage.APPLIED))
        if target.stage is Stage.PLANNED:
            changes[name] = _to(target, Stage.CONFIRMED, confirmed_by=actor or "somebody")
    return with_targets(rollout, changes)


def discard(rollout: Rollout, plans: Mapping[str, str], *, actor: str) -> Rollout:
    """Turn plans down. A target without its change counts against its phase's failure tolerance.

    Raises `IllegalTransition` when a plan is not the one in hand any more; then none is discarded.
    """
    changes = {}
    for name, digest in plans.items():
        target = _with_plan(rollout, name, digest, done=(Stage.DISCARDED,))
        if target.stage.has_plan:
            changes[name] = _to(target, Stage.DISCARDED, reason=f"discarded by {actor or 'somebody'}")
    return with_targets(rollout, changes)


def with_targets(rollout: Rollout, changes: Mapping[str, RolloutTarget]) -> Rollout:
    """The roll-out with some targets replaced."""
    if not changes:
        return rollout
    return rollout.model_copy(update={"targets": tuple(changes.get(one.id, one) for one in rollout.targets)})


def _to(target: RolloutTarget, stage: Stage, **fields: object) -> RolloutTarget:
    if "reason" in fields:
        fields["reason"] = str(fields["reason"])[:MAX_REASON]
    return target.model_copy(update={"stage": stage, **fields})


def _with_plan(rollout: Rollout, name: str, digest: str, *, done: tuple[Stage, ...]) -> RolloutTarget:
    if rollout.status not in (RolloutStatus.RUNNING, RolloutStatus.PAUSED):
        raise IllegalTransition(
            f"{rollout.id} is {rollout.status}: its plans are neither applied nor discarded by hand"
        )
    target = rollout.target(name)
    if target is None:
        raise IllegalTransition(f"{rollout.id} has no target {name}")
    if target.plan_digest != digest:
        raise IllegalTransition(f"the plan of {name} is not {digest} any more: look at the new one")
    if not target.stage.has_plan and target.stage not in done:
        raise IllegalTransition(f"{name} is {target.stage}: there is no plan to decide about")
    return target


def _command(
    rollout: Rollout, what: str, moves: Mapping[RolloutStatus, RolloutStatus], *, same: RolloutStatus
) -> Rollout:
    if rollout.status is same:
        return rollout
    if rollout.status not in moves:
        raise IllegalTransition(f"{rollout.id} is {rollout.status} and cannot be {what}")
    return rollout.model_copy(update={"status": moves[rollout.status]})
