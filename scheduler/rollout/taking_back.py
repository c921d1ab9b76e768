"""Rollbacks of a roll-out's targets: what they mean for it, and which come next. Pure.

a deployment that is taken back    has failed, whoever asked for it: its phase may fail with it, also when it was done
a phase that fails by that         freezes the later ones; with `phases_done` what was applied is taken back, the last
                                   phase first, each phase once the later ones are as they were
a rollback that is not whole       holds up those of earlier phases, until a person tried again or left it so
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from scheduler.rollout.events import with_targets
from shared.rollback.standing import RollbackStatus, TargetRollback
from shared.rollouts import MAX_REASON, Rollout, RolloutPhase, RolloutTarget, Stage


@dataclass(frozen=True, kw_only=True)
class TakeBack:
    """A deployment to take back."""

    rollback_id: str
    """The id that the rollback gets."""
    target: str
    """Where."""
    run_id: str
    """The run that applied."""


@dataclass(frozen=True, kw_only=True)
class Going:
    """What is taken back now, and whether the roll-out waits for rollbacks."""

    back: tuple[TakeBack, ...] = ()
    """To begin now; their targets have their rollbacks already."""
    targets: Mapping[str, RolloutTarget] | None = None
    """Those targets, as they are from now on."""
    waits: bool = False
    """Whether something of it is not over."""


def stands(rollout: Rollout, name: str, run_id: str, rollback: TargetRollback) -> Rollout:
    """The rollback of what a run deployed stands like this. Of an earlier try of the target it changes nothing."""
    target = rollout.target(name)
    if target is None or target.run_id != run_id or target.rollback == rollback:
        return rollout
    changes: dict[str, object] = {"rollback": rollback}
    if target.stage is Stage.APPLIED:
        # One that is still at work has failed once its run is over.
        changes |= {"stage": Stage.ERRORED, "reason": f"taken back: {rollback.reason}"[:MAX_REASON]}
    return with_targets(rollout, {name: target.model_copy(update=changes)})


def going(
    phases: Sequence[RolloutPhase],
    members: Mapping[str, Sequence[RolloutTarget]],
    *,
    phases_done: bool,
    reason: str,
    new_run_id: Callable[[], str],
) -> Going:
    """What a roll-out that halts takes back now.

    Args:
        phases: in an order in which they can begin.
        members: their targets.
        phases_done: whether it takes back what was applied before.
        reason: why it halts.
        new_run_id: where ids come from.
    """
    rollbacks = [target.rollback for one in phases for target in members[one.name] if target.rollback is not None]
    if not phases_done or not rollbacks:
        return Going(waits=any(one.status.at_work for one in rollbacks))
    stuck = False
    for phase in reversed(phases):
        targets = members[phase.name]
        at_work = sum(one.rollback is not None and one.rollback.status.at_work for one in targets)
        todo = [one for one in targets if _applied(one)]
        if todo and not stuck:
            begun = {one.id: one for one in todo[: max(phase.max_concurrent - at_work, 0)]}
            back = tuple(_back(one, new_run_id()) for one in begun.values())
            changed = {one.target: _taken(begun[one.target], one, reason) for one in back}
            return Going(back=back, targets=changed, waits=True)
        if at_work or todo:
            return Going(waits=True)
        stuck = stuck or any(one.rollback is not None and one.rollback.reserved for one in targets)
    return Going()


def _applied(target: RolloutTarget) -> bool:
    """Whether it has what the roll-out brought. Where its plan changed nothing there is nothing to take back."""
    return target.stage is Stage.APPLIED and target.rollback is None and target.run_id != target.plan_run_id


def _back(target: RolloutTarget, fresh_run_id: str) -> TakeBack:
    rollback_id = "rollback-" + fresh_run_id.removeprefix("run-")
    return TakeBack(rollback_id=rollback_id, target=target.id, run_id=str(target.run_id))


def _taken(target: RolloutTarget, back: TakeBack, reason: str) -> RolloutTarget:
    why = f"a later phase failed: {reason}"[:MAX_REASON]
    rollback = TargetRollback(id=back.rollback_id, status=RollbackStatus.QUEUED, reserved=True, reason=why)
    reason = f"taken back: {why}"[:MAX_REASON]
    return target.model_copy(update={"stage": Stage.ERRORED, "rollback": rollback, "reason": reason})
