"""Lease views, and revocations that outlive a Redis that is away."""

from sqlalchemy import select, update

from scheduler.context import SchedulerContext
from scheduler.rows import find_target, lock_target
from scheduler.tables import ACTIVE_STATUSES, RevocationRow, RunRow, TargetRow
from shared.errors import InterlockError, Unavailable
from shared.lease.machine import State
from shared.lease.view import LeaseView

#: Characters; Redis takes 1024 bytes.
MAX_REASON = 250
#: Targets looked at in one round trip.
BATCH = 500


def all_views(context: SchedulerContext) -> list[LeaseView]:
    """The leases of all targets. Raises `Unavailable`."""
    with context.database.read() as session:
        names = list(session.scalars(select(TargetRow.id).order_by(TargetRow.id)))
    seen = views_of(context, names)
    return [
        view if isinstance(view, LeaseView) else LeaseView.unreadable(name, view)
        for name, view in zip(names, seen, strict=True)
    ]


def views_of(context: SchedulerContext, targets: list[str]) -> list[LeaseView | InterlockError]:
    """The leases of these targets, a bounded number to a round trip; an error where one cannot be seen.

    Raises `Unavailable` when no server answers.
    """
    found: list[LeaseView | InterlockError] = []
    for start in range(0, len(targets), BATCH):
        found.extend(context.store.views(targets[start : start + BATCH]))
    return found


def view_of(context: SchedulerContext, target: str) -> LeaseView:
    """One target's lease. Raises a 404 and `Unavailable`."""
    with context.database.read() as session:
        find_target(session, target)
    return context.store.view(target)


def revoke(context: SchedulerContext, target: str, *, reason: str, only_run: str | None = None) -> LeaseView:
    """Revoke whatever holds the target now; with `only_run` nothing unless that is this run.

    The wish is committed first and carried out after that; should Redis be away, the observer repeats it until it took.
    A lease granted later is not touched. Raises a 404, and `Unavailable` when Redis could not be asked (the revocation
    stands nevertheless).
    """
    with context.database.write() as session:
        row = lock_target(context.database, session, target)
        active = RunRow.target == target, RunRow.status.in_(ACTIVE_STATUSES)
        if only_run is not None and session.scalar(select(RunRow.id).where(*active)) != only_run:
            return context.store.view(target)
        revocation = RevocationRow(
            target=target, epoch=row.epoch, reason=reason[:MAX_REASON], requested_at=context.clock.wall()
        )
        session.add(revocation)
        session.execute(update(RunRow).where(*active).values(revoke_requested=True))
        session.flush()
        number = revocation.id
    try:
        view = context.store.view(target)
        epoch = row.epoch
        if view.lease_epoch > epoch and _widen(context, target, number, view.lease_epoch):
            epoch = view.lease_epoch
        carry_out(context, target, reason=reason[:MAX_REASON], epoch=epoch, view=view)
        return context.store.view(target)
    except Unavailable as error:
        raise Unavailable(
            f"the revocation of {target} is recorded, but Redis could not be asked: {error}",
            hint="the scheduler repeats it until it took",
        ) from error


def carry_out(context: SchedulerContext, target: str, *, reason: str, epoch: int, view: LeaseView) -> None:
    """Send the revocation if the view shows a held lease that it means. Repeating it is harmless."""
    if view.state is State.HELD and view.lease_epoch <= epoch:
        context.store.revoke(target, view.lease_id, reason)


def took(view: LeaseView, *, epoch: int, active: bool) -> bool:
    """Whether a revocation up to `epoch` needs no repetition: what it meant is cut, over, or can no longer begin.

    While the run of that epoch is active but has no lease yet, its ACQUIRE may still come.
    """
    if view.lease_epoch > epoch:
        return True
    return view.state is not State.HELD and (not active or view.lease_epoch == epoch)


def _widen(context: SchedulerContext, target: str, number: int, epoch: int) -> bool:
    """Let the revocation mean this lease too if the database does not know its epoch, hence was restored.

    An epoch that the database does know was claimed since the wish: the younger lease is not meant.
    """
    with context.database.write() as session:
        if epoch <= lock_target(context.database, session, target).epoch:
            return False
        session.execute(update(RevocationRow).where(RevocationRow.id == number).values(epoch=epoch))
        return True
