"""Which release was applied on a target last: what is there, as far as anybody knows. Not merely registered."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from scheduler.tables import FirstStateRow, PlanRow, RollbackRow, RunRow
from shared.models import RunKind, RunStatus


@dataclass(frozen=True, kw_only=True)
class LastRelease:
    """What the last run did that left the target as a release says."""

    digest: str | None
    """The release; None: nothing is to be there."""
    epoch: int
    """The epoch of the run that made it so; 0: no run ever did."""
    known: bool = True
    """Whether the run said which release it had; those of versions before there were any did not."""


def last_release(session: Session, target: str, *, before_epoch: int) -> LastRelease:
    """What the newest of these left, of epochs below `before_epoch`:

    an apply that ended as applied; a destroy; a roll-out's plan without changes; a rollback to its first state.
    """
    unchanged = exists().where(PlanRow.run_id == RunRow.id, PlanRow.changes.is_(False))
    query = (
        select(RunRow)
        .where(
            RunRow.target == target,
            RunRow.epoch < before_epoch,
            or_(
                (RunRow.status == RunStatus.APPLIED) & RunRow.kind.in_((RunKind.APPLY, RunKind.DESTROY)),
                RunRow.status == RunStatus.ROLLED_BACK,
                (RunRow.status == RunStatus.PLANNED) & (RunRow.kind == RunKind.PLAN) & unchanged,
            ),
        )
        .order_by(RunRow.epoch.desc())
        .limit(1)
    )
    run = session.scalars(query).one_or_none()
    if run is None or run.epoch is None:
        return LastRelease(digest=None, epoch=0)
    if run.kind == RunKind.DESTROY:
        return LastRelease(digest=None, epoch=run.epoch)
    if run.status == RunStatus.ROLLED_BACK:
        return _led_to(session, run, run.epoch)
    return LastRelease(digest=run.release_digest, epoch=run.epoch, known=run.release_digest is not None)


def _led_to(session: Session, run: RunRow, epoch: int) -> LastRelease:
    deployment = run.id
    if run.kind == RunKind.ROLLBACK:
        query = select(RollbackRow.run_id).where(RollbackRow.result_of == run.id)
        deployment = session.scalars(query).one_or_none() or run.id
    first = session.get(FirstStateRow, deployment)
    if first is None:
        return LastRelease(digest=None, epoch=epoch, known=False)
    return LastRelease(digest=first.release_digest, epoch=epoch)
