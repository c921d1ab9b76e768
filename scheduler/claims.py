"""The claim: one transaction turns a pending run into an epoch.

Whoever asks first wins; the partial unique index on active runs is the judge of last resort. A broker delivers twice,
so a hint for a run that is no longer pending leads to whichever run has its turn, or is a no-op that is counted. The
same execution (the same holder nonce) asking again gets the same answer: its first may have been lost on the way.
"""

import logging

from sqlalchemy import or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from scheduler import plans, turns
from scheduler.cipher import password_hash
from scheduler.context import SchedulerContext
from scheduler.problems import conflict, invalid
from scheduler.recovery import run_to_recover
from scheduler.releases import get_manifest
from scheduler.rollback import at_work, first_state
from scheduler.rollback.existing import precedents
from scheduler.rollback.order import order_for
from scheduler.rollback.reservation import reserving
from scheduler.rows import find_run, find_target, lock_run, lock_target, require_holder, run_record, target_record
from scheduler.settlement import FENCE_HOLDER
from scheduler.tables import ACTIVE_STATUSES, LIVE_STATUSES, RolloutRow, RunRow, TargetRow
from shared.errors import ApiError, ConfigurationError, PeerError, Unavailable
from shared.log import log_event
from shared.models import MAX_REASON, Assignment, RunKind, RunStatus

log = logging.getLogger(__name__)

#: Looks at a region that changes under one's eyes before the hint is dropped; the reconciler sends it again.
MAX_TRIES = 8


def claim(
    context: SchedulerContext, run_id: str, *, node: str, holder: str, regions: tuple[str, ...] | None = None
) -> Assignment:
    """Answer the hint `run_id`: give the run whose turn it is in its region to `holder` on `node`, under the next epoch
    of its target. That may be another run than the hint names: see `turns`.

    `regions` are those that the node serves: a hint that went astray does not carry a run out of its region.

    Raises `ApiError` 404 for an unknown run and 409 `not_claimable` when there is nothing to be had.
    """
    if holder == FENCE_HOLDER:
        raise invalid(f"{FENCE_HOLDER} is not a holder's name", "use a random nonce per execution")
    require_agreement(context)
    if regions is not None:
        _require_region(context, run_id, node, regions)
    for _ in range(MAX_TRIES):
        candidate = _candidate(context, run_id)
        clear_untouched(context, candidate)
        try:
            with context.database.write() as session:
                assignment = _repeated(context, session, run_id, holder)
                if assignment is not None:
                    return assignment
                assignment = _claim_next(context, session, run_id, candidate, node=node, holder=holder)
        except IntegrityError:
            # Only reachable should somebody write runs without the target's lock; the index still lets one win.
            context.metrics.refusals.inc()
            raise _not_claimable(run_id, "another claim of the same target was faster") from None
        if assignment is not None:
            context.metrics.grants.inc()
            return assignment
    context.metrics.refusals.inc()
    raise _not_claimable(run_id, f"others were faster {MAX_TRIES} times")


def _require_region(context: SchedulerContext, run_id: str, node: str, regions: tuple[str, ...]) -> None:
    with context.database.read() as session:
        run = find_run(session, run_id)
    if run.region not in regions:
        context.metrics.refusals.inc()
        served = ", ".join(regions[:20]) or "none"
        raise _not_claimable(run_id, f"{run.target} is in region {run.region}, {node} serves {served}")


def _candidate(context: SchedulerContext, run_id: str) -> str:
    """The run that would be claimed now, without a lock; the named one where there is none. Raises a 404."""
    with context.database.read() as session:
        region = find_run(session, run_id).region
        best = turns.next_run(session, context.settings, region)
    return best[0] if best is not None else run_id


def _repeated(context: SchedulerContext, session: Session, run_id: str, holder: str) -> Assignment | None:
    """The answer that this execution got to the same question, if it was answered: it may have been lost on the way.

    Once the holder has reported it is answered no more.
    """
    query = select(RunRow.id).where(
        RunRow.holder == holder,
        RunRow.status.in_(LIVE_STATUSES),
        or_(RunRow.id == run_id, RunRow.hint == run_id),
    )
    answered = session.scalars(query).first()
    if answered is None:
        return None
    run, target = lock_run(context.database, session, answered)
    if run.holder != holder or run.status not in LIVE_STATUSES:
        return None
    return _assignment(context, session, run, target)


def _claim_next(
    context: SchedulerContext, session: Session, run_id: str, candidate: str, *, node: str, holder: str
) -> Assignment | None:
    """Claim whose turn it is; None: look again, something changed. Locks region, flock, target, always in this order.

    No row of a run is loaded before its target is locked: what the session has read once it would not read again.
    """
    region = session.scalars(select(RunRow.region).where(RunRow.id == run_id)).one()
    count = turns.lock_region(session, region)
    best = turns.next_run(session, context.settings, region)
    if best is None:
        raise _refusal(context, session, run_id)
    chosen, target_id = best
    turns.lock_flock(session, context.settings, target_id)
    run, target = lock_run(context.database, session, chosen)
    changed = run.status != RunStatus.PENDING or active_run(session, run.target) is not None
    uncleared = chosen != candidate and target.epoch == 0
    # Asked again: now that the flock is locked too, nobody else takes the place that was counted as free.
    if changed or uncleared or turns.next_run(session, context.settings, region) != best:
        return None
    if (stale := plans.why_stale(session, run)) is not None:
        run.status = RunStatus.DISCARDED
        run.reason = f"{stale}; its roll-out plans anew"
        run.finished_at = context.clock.wall()
        context.metrics.settled.labels(status=run.status).inc()
        return None
    try:
        first_state.take(context, session, run, epoch=target.epoch + 1)
        at_work.claimed(context, session, run)
    except ApiError as error:
        _end_unbegun(context, session, run, error)
        return None
    target.epoch += 1
    run.status = RunStatus.CLAIMED
    run.epoch = target.epoch
    run.node = node
    run.holder = holder
    run.hint = run_id
    run.claimed_at = context.clock.wall()
    run.recovers = run_to_recover(session, run.target, before_epoch=target.epoch)
    session.flush()
    turns.served(session, run, target, count + 1)
    return _assignment(context, session, run, target)


def _end_unbegun(context: SchedulerContext, session: Session, run: RunRow, why: ApiError) -> None:
    """It has no way back, or cannot lead there: it ends before anything of it is executed."""
    run.status = RunStatus.ERRORED
    run.reason = f"nothing was executed: {why} ({why.hint})"[:MAX_REASON]
    run.finished_at = context.clock.wall()
    context.metrics.settled.labels(status=run.status).inc()
    at_work.not_begun(context, session, run)


def _refusal(context: SchedulerContext, session: Session, run_id: str) -> ApiError:
    """Why a hint leads to nothing."""
    run = find_run(session, run_id)
    if run.status != RunStatus.PENDING:
        context.metrics.duplicates.inc()
        return _not_claimable(run_id, f"it is {run.status}")
    context.metrics.refusals.inc()
    if (other := active_run(session, run.target)) is not None:
        return _not_claimable(run_id, f"{run.target} is taken by {other.id}")
    if (rollback := reserving(session, run.target)) is not None and rollback.current_run_id != run_id:
        return _not_claimable(run_id, f"{run.target} is kept for {rollback.id}, which is {rollback.status}")
    held_back = session.scalars(
        select(RolloutRow.status).where(RolloutRow.id == run.rollout_id, RolloutRow.status != "running")
    ).one_or_none()
    if held_back is not None:
        return _not_claimable(run_id, f"{run.rollout_id} is {held_back}")
    return _not_claimable(run_id, "its flock or its region has as many runs at work as the settings allow")


def raise_epoch(context: SchedulerContext, run_id: str, *, holder: str, above: int) -> Assignment:
    """After a restore of the database: move a claim above the epoch for which Redis refused it.

    `above` is the last epoch that Redis named. It is believed only as far as Redis confirms it, so that a worker cannot
    burn epochs. A run that applies a plan is discarded instead: somebody whom this database does not know was at work
    on the target since the plan was made.

    Raises `ApiError` 409 when the claim is not the holder's, has already begun, needs no raising, or is discarded.
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
            return _assignment(context, session, run, target)
        if above > last or last < target.epoch:
            raise conflict(
                "not_raisable",
                f"Redis gave {run.target} at most epoch {last}; there is no reason to go above {above}",
                "acquire again with the epoch of the claim",
            )
        if run.plan_run_id is None:
            target.epoch = last + 1
            run.epoch = target.epoch
            session.flush()
            log_event(log, "epoch_raised", level=logging.WARNING, target=run.target, run=run_id, epoch=target.epoch)
            return _assignment(context, session, run, target)
        # Over as soon as Redis is seen to be past its epoch, like any run that its holder gave up.
        run.status = RunStatus.SETTLING
        run.reported_status = RunStatus.DISCARDED
        run.reason = f"epoch {last} of {run.target} was at work since the plan was made; its roll-out plans anew"
        why = run.reason
    raise conflict("plan_stale", f"the plan of {run_id} is void: {why}")


def active_run(session: Session, target: str) -> RunRow | None:
    """The run that has the target now, if any."""
    query = select(RunRow).where(RunRow.target == target, RunRow.status.in_(ACTIVE_STATUSES))
    return session.scalars(query).one_or_none()


def require_agreement(context: SchedulerContext) -> None:
    """No lease gets durations that the observers do not wait by. Redis being away is no error: nothing is granted then.

    Raises `ApiError` 409 `timing_differs`.
    """
    try:
        context.store.agree(context.settings.timing)
    except ConfigurationError as error:
        raise conflict("timing_differs", error.message, error.hint) from error
    except Unavailable as error:
        log_event(log, "durations_not_compared", level=logging.WARNING, error=error)


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


def _assignment(context: SchedulerContext, session: Session, run: RunRow, target: TargetRow) -> Assignment:
    if run.epoch is None or run.holder is None:
        raise AssertionError(f"run {run.id} is {run.status} without epoch or holder")
    password = context.cipher.state_password(run_id=run.id, holder=run.holder, epoch=run.epoch)
    run.state_password_hash = password_hash(password)
    return Assignment(
        run=run_record(run),
        target=target_record(target).model_copy(update={"provider_region": _provider_region(session, run, target)}),
        epoch=run.epoch,
        holder=run.holder,
        timing=context.settings.timing,
        state_username=run.id,
        state_password=password,
        recovers=run.recovers,
        plan=plans.saved_plan(session, run),
        rollback=order_for(session, run),
        precedents=precedents(session, run),
        keep_plan=run.kind == RunKind.PLAN and run.rollout_id is not None,
    )


def _provider_region(session: Session, run: RunRow, target: TargetRow) -> str:
    """The release's word, not the target's present one: another release may have been registered meanwhile."""
    if run.release_digest is None:
        return target.provider_region
    try:
        return get_manifest(session, run.release_digest).targets[run.target].provider_region
    except (ApiError, PeerError, KeyError) as error:
        # The worker will refuse the release and say why; failing here would hold up the whole region.
        log_event(log, "release_unreadable", level=logging.WARNING, run=run.id, error=repr(error))
        return target.provider_region


def _not_claimable(run_id: str, why: str) -> ApiError:
    return conflict("not_claimable", f"run {run_id} cannot be claimed: {why}", "drop the hint; nothing was changed")
