"""What may happen to a roll-out. Pure: every function takes one and returns the next, or raises and changes nothing.

    status      pause      resume     cancel       its phase fails   the last run ends / the last phase is done
    -------     -------    -------    ---------    ---------------   ------------------------------------------
    running     paused     (same)     canceling    halting           succeeded
    paused      (same)     running    canceling    halting
    halting     refused    refused    canceling                      failed
    canceling   refused    refused    (same)                         canceled
    succeeded, failed: as long as a target has failed, `retry` makes it running again; all else is refused
    canceled: refused, for good

A report about a run that is not the target's present one comes late or twice; it changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from shared.errors import IllegalTransition
from shared.rollouts import MAX_REASON, PhaseStatus, Rollout, RolloutPhase, RolloutStatus, RolloutTarget, Stage


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
class RunHalted(RunEvent):
    """It would have done, or tried to do, what nobody approved."""

    reason: str
    """What."""


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
class RunUnserved(RunEvent):
    """It could not do its work because Redis, the scheduler or a proxy did not answer, and it changed nothing."""

    reason: str
    """What was away."""
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
        case RunHalted():
            return _to(target, Stage.ERRORED, reason=event.reason, halted=True)
        case RunCanceled():
            return _to(target, Stage.CANCELED, reason=event.reason)
        case RunLost() | RunUnserved() if event.final:
            return _to(target, Stage.ERRORED, reason=event.reason, losses=target.losses + 1)
        case RunUnserved() if target.stage is Stage.APPLYING:
            # The plan is as good as before, and so is its approval.
            return _to(target, Stage.CONFIRMED, reason=event.reason, losses=target.losses + 1)
        case RunLost() | RunUnserved():
            return _anew(target, event.reason, losses=target.losses + 1)
        case PlanStale() if target.stage is Stage.APPLYING:
            return _anew(target, event.reason, losses=target.losses)
    raise IllegalTransition(f"{target.id} is {target.stage} and cannot take {type(event).__name__}")


def _anew(target: RolloutTarget, reason: str, *, losses: int) -> RolloutTarget:
    """Back to the start: the next plan is another one. It needs an approval of its own unless it does no more."""
    nothing = {"plan_run_id": None, "plan_digest": None, "confirmed_by": "", "held": False}
    return _to(target, Stage.PENDING, losses=losses, reason=reason, **nothing)


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
            changes[name] = _to(target, Stage.CONFIRMED, confirmed_by=actor)
    return with_targets(rollout, changes)


def discard(rollout: Rollout, plans: Mapping[str, str], *, actor: str) -> Rollout:
    """Turn plans down, which takes back what approved them (`safety_gate`). A target without its change counts against
    its phase's failure tolerance.

    Raises `IllegalTransition` when a plan is not the one in hand any more; then none is discarded.
    """
    changes = {}
    for name, digest in plans.items():
        target = _with_plan(rollout, name, digest, done=(Stage.DISCARDED,))
        if target.stage.has_plan:
            changes[name] = _to(target, Stage.DISCARDED, reason=f"discarded by {actor or 'somebody'}")
    return with_targets(rollout, changes)


def retry(rollout: Rollout, names: Collection[str]) -> Rollout:
    """Give targets that failed another try, from a new plan on: these, or all where none is named.

    Their phases are opened again, and so are those that were frozen. Whatever was approved before counts for them no
    more, and neither does what is approved for other targets. Raises `IllegalTransition` for a roll-out that
    stops or was stopped, for a target that did not fail, where a phase would still have too many that did, and for one
    whose phase is done while later ones may be at work: the order of phases would be broken.
    """
    if rollout.status in (RolloutStatus.HALTING, RolloutStatus.CANCELING, RolloutStatus.CANCELED):
        raise IllegalTransition(f"{rollout.id} is {rollout.status}: its targets cannot be tried again")
    failed = {target.id: target for target in rollout.targets if target.stage.failed}
    for name in names:
        if name not in failed:
            known = rollout.target(name)
            stands = f"is {known.stage}" if known else f"is no target of {rollout.id}"
            raise IllegalTransition(f"{name} {stands}: only what failed can be tried again")
    wanted = set(names) or set(failed)
    if not wanted:
        raise IllegalTransition(f"no target of {rollout.id} has failed")
    left = [target for name, target in failed.items() if name not in wanted]
    changes = {
        name: _anew(failed[name], "", losses=0).model_copy(
            update={"halted": False, "run_id": None, "retried_after": failed[name].run_id, "rollback": None}
        )
        for name in wanted
    }
    return with_targets(rollout, changes).model_copy(
        update={
            "status": RolloutStatus.PAUSED if rollout.status is RolloutStatus.PAUSED else RolloutStatus.RUNNING,
            "reason": "",
            "phases": tuple(
                _reopened(
                    phase,
                    wanted=[failed[name] for name in wanted if failed[name].phase == phase.name],
                    left=[target for target in left if target.phase == phase.name],
                    over=rollout.status.over,
                )
                for phase in rollout.phases
            ),
        }
    )


def _reopened(
    phase: RolloutPhase, *, wanted: list[RolloutTarget], left: list[RolloutTarget], over: bool
) -> RolloutPhase:
    if len(left) > phase.failure_tolerance or any(target.halted for target in left):
        shown = ", ".join(target.id for target in left[:5])
        raise IllegalTransition(
            f"phase {phase.name} tolerates {phase.failure_tolerance} failed targets and would still have {shown}: "
            "try these again too"
        )
    if phase.status is PhaseStatus.DONE and wanted and not over:
        raise IllegalTransition(
            f"phase {phase.name} is done: {wanted[0].id} can be tried again when the roll-out is over"
        )
    stopped = phase.status in (PhaseStatus.FAILED, PhaseStatus.FROZEN)
    if stopped or (phase.status in (PhaseStatus.BAKING, PhaseStatus.DONE) and wanted):
        return phase.model_copy(update={"status": PhaseStatus.WAITING, "bake_until": None})
    return phase


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
