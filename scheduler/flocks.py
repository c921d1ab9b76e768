"""Flocks and targets: what can be deployed, and from which release unless a run says otherwise."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from scheduler.context import SchedulerContext
from scheduler.rows import find_target, target_record
from scheduler.tables import FlockRow, TargetRow
from shared.models import Flock, Target
from shared.release_manifest import Manifest


def declare_targets(
    context: SchedulerContext, session: Session, manifest: Manifest, *, release_digest: str | None = None
) -> list[TargetRow]:
    """Create the flock and the targets of a release where they are new; with `release_digest` it becomes theirs.

    A target that the release does not name stays as it is: its resources are still in the cloud, and its epoch must
    outlive every call that could still be made for it.
    """
    flock = session.get(FlockRow, manifest.flock) or FlockRow(name=manifest.flock)
    flock.updated_at = context.clock.wall()
    session.add(flock)
    session.flush()
    rows = []
    for name, target in sorted(manifest.targets.items()):
        row = context.database.lock_target(session, name) or TargetRow(
            id=name, flock=manifest.flock, region=target.region, provider_region=target.provider_region, epoch=0
        )
        if release_digest is not None:
            row.provider_region = target.provider_region
            row.release_digest = release_digest
        session.add(row)
        rows.append(row)
    session.flush()
    return rows


def flocks(context: SchedulerContext) -> list[Flock]:
    """All flocks with their targets."""
    by_flock: dict[str, list[Target]] = {}
    with context.database.read() as session:
        for row in session.scalars(select(TargetRow).order_by(TargetRow.id)):
            by_flock.setdefault(row.flock, []).append(target_record(row))
        return [
            Flock(name=row.name, targets=tuple(by_flock.get(row.name, ())))
            for row in session.scalars(select(FlockRow).order_by(FlockRow.name))
        ]


def targets(context: SchedulerContext) -> list[Target]:
    """All targets."""
    with context.database.read() as session:
        return [target_record(row) for row in session.scalars(select(TargetRow).order_by(TargetRow.id))]


def target(context: SchedulerContext, name: str) -> Target:
    """One target. Raises a 404."""
    with context.database.read() as session:
        return target_record(find_target(session, name))
