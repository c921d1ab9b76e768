"""When is a run over? The rules, pure; then the transaction that writes the answer down.

A run is over in the database only after Redis answered that its lease ended (released, severed, expired) or that its
epoch can never be granted any more. Until then its target stays taken: that is what keeps a second holder out.

    Redis shows for the run's epoch                the run
    -----------------------------------------      ----------------------------------------------------------
    held, releasing, revoking                      goes on
    severed, expired                               ends: as reported, else lost
    released                                       ends: as reported; its holder has some time to report
    nothing, and it was never acquired             ends once its holder vanished, after the epoch was fenced off
    nothing, though it was acquired                (Redis lost it) ends after the embargo, after being fenced off
    a higher epoch, and it was acquired            ends: lost
    a higher epoch, and it was never acquired      (database restored) waits for raise_epoch until its holder vanished

To fence off an epoch the scheduler acquires and releases it itself: from then on a late ACQUIRE of it is refused.
"""

import secrets
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy.orm import Session

from scheduler import halts, notifications, turns
from scheduler.context import SchedulerContext
from scheduler.drift import outcome as drift
from scheduler.pending import pending_run
from scheduler.rollback import ending
from scheduler.rows import lock_run, told_of
from scheduler.tables import ACTIVE_STATUSES, RunRow
from shared import exit_codes
from shared.lease.commands import Refused
from shared.lease.machine import State
from shared.lease.view import LeaseView
from shared.models import MAX_REASON, RunKind, RunStatus

#: The holder's name under which the scheduler takes an epoch in order to fence it off.
FENCE_HOLDER = "interlock-scheduler"
#: Kinds that are tried again after a loss: they converge. An exec's command may not be repeated unasked.
_RETRIED = (RunKind.APPLY, RunKind.DESTROY, RunKind.RECOVER)


@dataclass(frozen=True, kw_only=True)
class ActiveRun:
    """What the rules need to know of an active run."""

    id: str
    """The run."""
    target: str
    """Its target."""
    epoch: int
    """The epoch it claimed."""
    node: str
    """The host it was claimed for."""
    acquired: bool
    """Whether its epoch is known to have been granted in Redis."""
    reported: bool
    """Whether its holder said how it ended."""
    revoked: bool
    """Whether an operator wants it gone."""


@dataclass(frozen=True, kw_only=True)
class Waited:
    """How long a condition has been observed without interruption, by the boot clock of this observer."""

    holder_vanished: bool
    """The node is gone, or does not attempt the run, or the claim timed out, for as long as the settings say."""
    report_overdue: bool
    """The lease has been released for so long that no report will come."""


class Step(StrEnum):
    """What to do about an active run."""

    WAIT = "wait"
    MARK_ACQUIRED = "mark_acquired"
    FENCE = "fence"
    END = "end"


@dataclass(frozen=True, kw_only=True)
class Decision:
    """A step and its reason."""

    step: Step
    """What to do."""
    reason: str
    """Why; becomes the run's reason when it ends without a report."""


def decide(run: ActiveRun, view: LeaseView, waited: Waited) -> Decision:
    """The table above, as code."""
    if view.state is not None and view.lease_epoch == run.epoch:
        return _own_lease(run, view.state, view, waited)
    if max(view.lease_epoch, view.epoch) > run.epoch or (view.state is not None and view.epoch == run.epoch):
        if run.acquired:
            return Decision(step=Step.END, reason=f"Redis is past epoch {run.epoch} of {run.target}")
        if run.reported or run.revoked or waited.holder_vanished:
            return Decision(step=Step.END, reason="its epoch can no longer be granted and its holder is gone")
        return Decision(step=Step.WAIT, reason="its holder may raise the epoch")
    if run.acquired:
        return _fence_unless_embargoed(view, "Redis lost the lease")
    if run.reported:
        return _fence_unless_embargoed(view, "its holder gave up before it acquired the lease")
    if run.revoked:
        return _fence_unless_embargoed(view, "revoked before it began")
    if waited.holder_vanished:
        return _fence_unless_embargoed(view, "its holder vanished before it acquired the lease")
    return Decision(step=Step.WAIT, reason="claimed, not yet acquired")


def _own_lease(run: ActiveRun, state: State, view: LeaseView, waited: Waited) -> Decision:
    match state:
        case State.SEVERED:
            return Decision(step=Step.END, reason=f"its lease was severed: {view.reason or 'no reason given'}")
        case State.EXPIRED:
            return Decision(step=Step.END, reason="its lease expired without a sign of life")
        case State.RELEASED if view.holder == FENCE_HOLDER:
            return Decision(step=Step.END, reason="its epoch was fenced off before its holder acquired it")
        case State.RELEASED if run.reported or waited.report_overdue:
            return Decision(step=Step.END, reason="its holder released the lease and did not report")
        case _ if not run.acquired:
            return Decision(step=Step.MARK_ACQUIRED, reason=f"lease {state}")
        case _:
            return Decision(step=Step.WAIT, reason=f"lease {state}")


def _fence_unless_embargoed(view: LeaseView, reason: str) -> Decision:
    if view.embargoed:
        return Decision(step=Step.WAIT, reason=f"{reason}; waiting for the embargo to end")
    return Decision(step=Step.FENCE, reason=reason)


def effective_report(reported: RunStatus, view: LeaseView, epoch: int) -> RunStatus:
    """What a report is worth given the lease: a failure after the cut is the cut's doing, hence `lost`."""
    own = view.state if view.lease_epoch == epoch else None
    cut = own in (State.REVOKING, State.SEVERED, State.EXPIRED)
    return RunStatus.LOST if cut and reported is RunStatus.ERRORED else reported


def fence(context: SchedulerContext, run: ActiveRun) -> bool:
    """Take the run's epoch and give it back, so that nobody else can take it. False when Redis refused or was unsure.

    Refused means that the epoch's state changed since the look: look again. Raises `Unavailable`.
    """
    timing = context.settings.timing
    granted = context.store.acquire(
        run.target,
        epoch=run.epoch,
        acquire_id=secrets.token_hex(16),
        ttl_ms=timing.ttl_ms,
        holder=FENCE_HOLDER,
        run_id=run.id,
        node="scheduler",
    )
    if isinstance(granted, Refused):
        return False
    # Not durable: a failover might forget the fence and let the late ACQUIRE in. The released lease tells the next
    # pass.
    released = context.store.release(run.target, granted.lease_id)
    done = (
        released is State.RELEASED
        and context.store.durable(run.target, timing.renew_ms)
        # Asked again: after a failover in between another server was durable, which knows nothing of this.
        and context.store.release(run.target, granted.lease_id) is State.RELEASED
    )
    if done:
        context.metrics.fences.inc()
    return done


def mark_acquired(context: SchedulerContext, run: ActiveRun) -> None:
    """Remember that the epoch was granted: should Redis lose it, the run is over rather than not yet begun."""
    with context.database.write() as session:
        row, _ = lock_run(context.database, session, run.id)
        if row.epoch == run.epoch:
            row.acquired = True


def end_run(context: SchedulerContext, run_id: str, *, epoch: int, reason: str) -> list[tuple[str, str]]:
    """Make the run terminal, and give a lost apply or destroy its follow-up. One that the proxy halted is `halted`.
    A deployment that is to be taken back gets a ROLLBACK run instead (`rollback.ending`).

    Returns (run id, region) of what should be published now. Doing it twice, or for a run that went on to another
    epoch, changes nothing. The caller has seen Redis's answer that this epoch's lease ended.
    """
    with context.database.write() as session:
        run, target = lock_run(context.database, session, run_id)
        if run.status not in ACTIVE_STATUSES or run.epoch != epoch:
            return []
        run.status = run.reported_status or RunStatus.LOST
        run.reason = run.reason if run.reported_status else reason[:MAX_REASON]
        run.finished_at = context.clock.wall()
        _halt_if_latched(session, run)
        drift.correct(session, run)
        if run.status == RunStatus.APPLIED and run.kind != RunKind.RECOVER and run.release_digest is not None:
            # Whoever asks for this target without naming a release means what is there.
            target.release_digest = run.release_digest
        session.flush()
        taken_back = ending.ended(context, session, run, tried_again=_is_tried_again(context, run))
        successor = taken_back.successor if taken_back is not None else _follow_up(context, run)
        context.metrics.settled.labels(status=run.status).inc()
        if run.status == RunStatus.HALTED and drift.is_news(session, run):
            halts.tell(session, run, at=run.finished_at, reason=run.reason)
        if run.status == RunStatus.LOST and run.kind != RunKind.DRIFT:
            # A check does nothing that could be lost: it is made again.
            loss = notifications.Event(
                kind=notifications.Kind.LOST_LEASE,
                at=run.finished_at,
                next_run_id=successor.id if successor else None,
                reason=run.reason,
                **told_of(run, target),
            )
            notifications.record(session, loss)
        if successor is not None:
            session.add(successor)
            session.flush()
        drift.ended(context, session, run, target, followed=successor is not None)
        if successor is not None:
            return [(successor.id, successor.region)]
        return turns.to_wake(session, context.settings, run)


def _halt_if_latched(session: Session, run: RunRow) -> None:
    # A halt outlives whatever came after it: a lease that was lost may not make the run begin again without its latch.
    if run.status == RunStatus.HALTED or (why := halts.journaled_halt(session, run)) is None:
        return
    said = f"{run.status}: {run.reason}" if run.reason else run.status
    run.reason = f"{why} (without that: {said})"[:MAX_REASON]
    run.status, run.exit_code = RunStatus.HALTED, exit_codes.REFUSED


def _is_tried_again(context: SchedulerContext, run: RunRow) -> bool:
    """Whether a lost apply or destroy has a follow-up.

    In a roll-out its plan is void now: the roll-out makes another, which takes over what this run left, and has it
    approved.
    """
    return run.rollout_id is None and run.attempt < context.settings.max_attempts


def _follow_up(context: SchedulerContext, run: RunRow) -> RunRow | None:
    unwanted = run.cancel_requested or run.revoke_requested
    if run.status != RunStatus.LOST or unwanted or run.kind not in _RETRIED:
        return None
    if not _is_tried_again(context, run):
        if run.rollout_id is not None:
            return None
        tries = f" (attempt {run.attempt} of {context.settings.max_attempts}: not tried again)"
        run.reason = run.reason[: MAX_REASON - len(tries)] + tries
        return None
    return pending_run(
        context,
        RunKind(run.kind),
        target=run.target,
        region=run.region,
        actor=run.actor,
        argv=list(run.argv),
        release_digest=run.release_digest,
        reason=f"follows {run.id}, which was lost: {run.reason}"[:MAX_REASON],
        attempt=run.attempt + 1,
        retry_of=run.id,
        priority=run.priority,
    )
