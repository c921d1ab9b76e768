"""Safety plans on their way through a roll-out: within the transaction that moves it, after what a person said.

a plan that nobody may approve      its target is halted, and with it the roll-out
a plan that waits for persons       stays planned, and says what is new
a plan that is covered              by an approval of this release: confirmed, by those who gave that approval; in a
                                    phase with approval only by one that was given for this target
a person discards a plan            whatever approved it is taken back
a person approves a plan            that is written down for the release; it is confirmed once enough persons did
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy.orm import Session

from scheduler import halts, safety_approvals, safety_plans
from scheduler.context import SchedulerContext
from scheduler.rollback import consents
from scheduler.rollout.events import with_targets
from scheduler.rows import find_run
from shared.rollouts import MAX_REASON, Rollout, RolloutStatus, RolloutTarget, Stage
from shared.safety.verdict import Decision, Verdict

MAX_NAMES = 256


def gate(context: SchedulerContext, session: Session, *, before: Rollout, recorded: Rollout, after: Rollout) -> Rollout:
    """Let the safety rules decide about the plans of a roll-out. Calling it again without news changes nothing.

    Args:
        context: the scheduler.
        session: of the transaction that moves the roll-out.
        before: as it was stored.
        recorded: with what its runs have done.
        after: with what a person said.

    Raises `ApiError` 409 `forbidden` when a person approved what nobody can.
    """
    if after.status not in (RolloutStatus.RUNNING, RolloutStatus.PAUSED):
        return after
    changes: dict[str, RolloutTarget] = {}
    waiting = []
    retried = {target.id: target.retried_after for target in after.targets if target.retried_after is not None}
    for stored, said, target in zip(before.targets, recorded.targets, after.targets, strict=True):
        if target.plan_run_id is None:
            continue
        if said.stage is Stage.PLANNED and target.stage is Stage.CONFIRMED:
            changes[target.id] = _approved(context, session, target, retried)
        elif said.stage.has_plan and target.stage is Stage.DISCARDED:
            safety_approvals.withdraw(session, target.plan_run_id)
            consents.withdraw(session, find_run(session, target.plan_run_id))
        elif target.stage is Stage.PLANNED:
            waiting.append((target, stored.stage is not Stage.PLANNED))
    if waiting:
        given = safety_approvals.given_of(session, after.release_digest)
        for target, is_new in waiting:
            # What was looked at before is looked at again only where an approval could have changed the answer.
            if is_new or given:
                changes[target.id] = _judged(context, session, target, given, retried)
    return with_targets(after, {name: new for name, new in changes.items() if new != after.target(name)})


def _approved(
    context: SchedulerContext, session: Session, target: RolloutTarget, retried: Mapping[str, str]
) -> RolloutTarget:
    run = find_run(session, str(target.plan_run_id))
    verdict = safety_plans.approve_within(context, session, run, actor=target.confirmed_by, retried=retried)
    # A run that delivered none: what was looked at is its plan file, by its digest.
    return target.model_copy(update={"held": False}) if verdict is None else _decided(target, verdict)


def _judged(
    context: SchedulerContext,
    session: Session,
    target: RolloutTarget,
    given: list[safety_approvals.Given],
    retried: Mapping[str, str],
) -> RolloutTarget:
    run = find_run(session, str(target.plan_run_id))
    verdict = safety_plans.judge_run(session, run, given, retried=retried)
    if verdict.decision is Decision.FORBIDDEN:
        halts.tell(session, run, at=context.clock.wall(), reason=verdict.why, verdict=verdict)
    return _decided(target, verdict)


def _decided(target: RolloutTarget, verdict: Verdict) -> RolloutTarget:
    why = verdict.why[:MAX_REASON]
    match verdict.decision:
        case Decision.ACCEPTED if verdict.needed:
            names = ", ".join(verdict.approvers)[:MAX_NAMES]
            changed = {"stage": Stage.CONFIRMED, "confirmed_by": names, "held": False, "reason": ""}
        case Decision.ACCEPTED:
            # Nobody has to approve it: whether it goes on by itself is its phase's matter.
            changed = {"held": False}
        case Decision.HELD:
            changed = {"stage": Stage.PLANNED, "confirmed_by": "", "held": True, "reason": why}
        case _:
            changed = {"stage": Stage.ERRORED, "halted": True, "held": False, "reason": why}
    return target.model_copy(update=changed)
