"""The claim: one transaction turns a pending run into an epoch.

Whoever asks first wins; the partial unique index on active runs is the judge of last resort. A broker delivers twice,
so a claim of a run that is no longer pending is a no-op that is counted. The same execution (the same holder nonce)
asking again gets the same answer: its first answer may have been lost on the way.
"""

import logging

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from scheduler.cipher import password_hash
from scheduler.context import SchedulerContext
from scheduler.problems import conflict, invalid
from scheduler.recovery import run_to_recover
from scheduler.rows import find_run, find_target, lock_run, lock_target, require_holder, run_record, target_record
from scheduler.settlement import FENCE_HOLDER
from scheduler.tables import ACTIVE_STATUSES, RunRow, TargetRow
from shared.errors import ApiError, Unavailable
from shared.log import log_event
from shared.models import Assignment, RunStatus

log = logging.getLogger(__name__)

#: The statuses in which a repeated claim is still answered: the holder may be at work, but has not reported.
_REPEATABLE = ("claimed", "planning", "applying")


def claim(context: SchedulerContext, run_id: str, *, node: str, holder: str) -> Assignment:
    """Give the run to `holder` on `node` under the target's next epoch.

    Raises `ApiError` 404 for an unknown run and 409 `not_claimable` when the run is not pending any more or another run
    has the target.
    """
    if holder == FENCE_HOLDER:
        raise invalid(f"{FENCE_HOLDER} is not a holder's name", "use a random nonce per execution")
    clear_untouched(context, run_id)
    try:
        with context.database.write() as session:
            run, target = lock_run(context.database, session, run_id)
            if run.holder == holder and run.status in _REPEATABLE:
                return _assignment(context, run, target)
            if run.status != RunStatus.PENDING:
                context.metrics.duplicates.inc()
                raise _not_claimable(run_id, f"it is {run.status}")
            if (other := active_run(session, run.target)) is not None:
                context.metrics.refusals.inc()
                raise _not_claimable(run_id, f"{run.target} is taken by {other.id}")
            target.epoch += 1
            run.status = RunStatus.CLAIMED
            run.epoch = target.epoch
            run.node = node
            run.holder = holder
            run.claimed_at = context.clock.wall()
            run.recovers = run_to_recover(session, run.target, before_epoch=target.epoch)
            session.flush()
            assignment = _assignment(context, run, target)
    except IntegrityError:
        # Only reachable should somebody write runs without the target's lock; the index still lets one win.
        context.metrics.refusals.inc()
        raise _not_claimable(run_id, "another claim of the same target was faster") from None
    context.metrics.grants.inc()
    return assignment


def raise_epoch(context: SchedulerContext, run_id: str, *, holder: str, above: int) -> Assignment:
    """After a restore of the database: move a claim above the epoch for which Redis refused it.

    `above` is the last epoch that Redis named. It is believed only as far as Redis confirms it, so that a worker cannot
    burn epochs. Raises `ApiError` 409 when the claim is not the holder's, has already begun, or needs no raising.
    """
    with context.database.read() as session:
        target_id = find_run(session, run_id).target
    last = context.store.view(target_id).epoch
    with context.database.write() as session:
        run, target = lock_run(context.database, session, run_id)
        require_holder(run, holder)
        if run.status != RunStatus.CLAIMED or run.acquired:
            raise conflict("not_raisable", f"run {run_id} has begun under epoch {run.epoch}")
        if run.epoch is not None and run.epoch > max(above, last):
            return _assignment(context, run, target)
        if above > last or last < target.epoch:
            raise conflict(
                "not_raisable",
                f"Redis gave {run.target} at most epoch {last}; there is no reason to go above {above}",
                "acquire again with the epoch of the claim",
            )
        target.epoch = last + 1
        run.epoch = target.epoch
        session.flush()
        log_event(log, "epoch_raised", level=logging.WARNING, target=run.target, run=run_id, epoch=target.epoch)
        return _assignment(context, run, target)


def active_run(session: Session, target: str) -> RunRow | None:
    """The run that has the target now, if any."""
    query = select(RunRow).where(RunRow.target == target, RunRow.status.in_(ACTIVE_STATUSES))
    return session.scalars(query).one_or_none()


def clear_untouched(context: SchedulerContext, run_id: str) -> None:
    """End the embargo of a target on which nothing was ever granted, so that its first run need not wait for it.

    Done under the target's lock and only at epoch 0: from the first claim on only an observer may end an embargo.
    Redis being away is no error here: then the observer ends it.
    """
    with context.database.read() as session:
        run = find_run(session, run_id)
        if find_target(session, run.target).epoch != 0:
            return
    try:
        with context.database.write() as session:
            if lock_target(context.database, session, run.target).epoch != 0:
                return
            view = context.store.view(run.target)
            # An epoch in Redis above ours means that the database was restored: then something was granted.
            if view.embargoed and view.epoch == 0:
                context.store.clear(run.target, view.incarnation, 0)
    except Unavailable as error:
        log_event(log, "first_clear_failed", level=logging.WARNING, target=run.target, error=error)


def _assignment(context: SchedulerContext, run: RunRow, target: TargetRow) -> Assignment:
    if run.epoch is None or run.holder is None:
        raise AssertionError(f"run {run.id} is {run.status} without epoch or holder")
    password = context.cipher.state_password(run_id=run.id, holder=run.holder, epoch=run.epoch)
    run.state_password_hash = password_hash(password)
    return Assignment(
        run=run_record(run),
        target=target_record(target),
        epoch=run.epoch,
        holder=run.holder,
        timing=context.settings.timing,
        state_username=run.id,
        state_password=password,
        recovers=run.recovers,
    )


def _not_claimable(run_id: str, why: str) -> ApiError:
    return conflict("not_claimable", f"run {run_id} cannot be claimed: {why}", "drop the hint; nothing was changed")
