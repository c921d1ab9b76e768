"""What people do with roll-outs."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Collection, Mapping

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from scheduler.context import SchedulerContext
from scheduler.problems import conflict, not_found
from scheduler.releases import get_release
from scheduler.rollout import events
from scheduler.rollout.drive import UNFINISHED, change, wake
from scheduler.tables import RolloutRow, TargetRow
from shared.errors import ApiError
from shared.log import log_event
from shared.models import Release
from shared.rollouts import Rollout, RolloutPhase, RolloutSummary, RolloutTarget

log = logging.getLogger(__name__)

MAX_LISTED = 1000
_NAMED = 5


def start(context: SchedulerContext, release_digest: str, *, actor: str) -> Rollout:
    """Roll a release out, from its first phase on.

    Raises `ApiError` 404 for an unknown release and 409 when another roll-out of the flock is not over or a target is
    not registered; then nothing is begun.
    """
    try:
        with context.database.write() as session:
            context.database.hold_releases(session)
            release = get_release(session, release_digest)
            if (other := _unfinished(session, release.flock)) is not None:
                raise _taken(release.flock, other)
            _require_registered(session, release)
            rollout = first_value(release, actor=actor, rollout_id=f"rollout-{secrets.token_hex(8)}", context=context)
            session.add(
                RolloutRow(
                    id=rollout.id,
                    flock=rollout.flock,
                    release_digest=rollout.release_digest,
                    status=rollout.status,
                    document=rollout.model_dump(mode="json"),
                    created_at=rollout.created_at,
                )
            )
    except IntegrityError:
        raise _taken(release.flock, "another one that was started in this moment") from None
    return change(context, rollout.id)


def first_value(release: Release, *, actor: str, rollout_id: str, context: SchedulerContext) -> Rollout:
    """The roll-out of a release before anything happened."""
    return Rollout(
        id=rollout_id,
        flock=release.flock,
        release_digest=release.digest,
        actor=actor,
        phases=tuple(
            RolloutPhase(
                name=phase.name,
                after=phase.after,
                max_concurrent=phase.max_concurrent,
                failure_tolerance=phase.failure_tolerance,
                bake_s=phase.bake_s,
                approval=phase.approval,
            )
            for phase in release.phases
        ),
        targets=tuple(RolloutTarget(id=name, phase=phase.name) for phase in release.phases for name in phase.targets),
        created_at=context.clock.wall(),
    )


def get(context: SchedulerContext, rollout_id: str) -> Rollout:
    """One roll-out. Raises a 404."""
    with context.database.read() as session:
        row = session.scalars(select(RolloutRow).where(RolloutRow.id == rollout_id)).one_or_none()
        if row is None:
            raise not_found("rollout", rollout_id, "`interlock rollout list` shows all")
        return Rollout.model_validate(row.document)


def listed(context: SchedulerContext, *, flock: str | None, limit: int) -> list[RolloutSummary]:
    """Roll-outs, the newest first."""
    query = select(RolloutRow).order_by(RolloutRow.sequence.desc()).limit(min(limit, MAX_LISTED))
    if flock is not None:
        query = query.where(RolloutRow.flock == flock)
    with context.database.read() as session:
        return [
            RolloutSummary.model_validate({name: row.document.get(name) for name in RolloutSummary.model_fields})
            for row in session.scalars(query)
        ]


def pause(context: SchedulerContext, rollout_id: str) -> Rollout:
    """Start nothing any more. What waits in a queue stays there: no worker gets it."""
    return change(context, rollout_id, events.pause)


def resume(context: SchedulerContext, rollout_id: str) -> Rollout:
    """Go on."""
    rollout = change(context, rollout_id, events.resume)
    wake(context, rollout_id)
    return rollout


def cancel(context: SchedulerContext, rollout_id: str, *, actor: str) -> Rollout:
    """Stop for good, asking what is at work to stop as well."""
    return change(context, rollout_id, lambda rollout: events.cancel(rollout, actor=actor))


def retry(context: SchedulerContext, rollout_id: str, targets: Collection[str], *, actor: str) -> Rollout:
    """Try failed targets again: those that are named, or all.

    Raises `ApiError` 409 `rollout_superseded` where the flock had another roll-out since: that would be undone.
    """
    with context.database.read() as session:
        mine, other = aliased(RolloutRow), aliased(RolloutRow)
        query = select(other.id).join(mine, (mine.flock == other.flock) & (mine.sequence < other.sequence))
        later = session.scalars(query.where(mine.id == rollout_id).limit(1)).one_or_none()
    if later is not None:
        raise _superseded(rollout_id, later)
    try:
        rollout = change(context, rollout_id, lambda rollout: events.retry(rollout, targets))
    except IntegrityError:
        raise _superseded(rollout_id, "one that was started in this moment") from None
    log_event(log, "rollout_retried", rollout=rollout_id, actor=actor, targets=len(targets))
    return rollout


def approve(context: SchedulerContext, rollout_id: str, plans: Mapping[str, str], *, actor: str) -> Rollout:
    """Confirm plans, each by target and digest."""
    return change(context, rollout_id, lambda rollout: events.approve(rollout, plans, actor=actor))


def discard(context: SchedulerContext, rollout_id: str, plans: Mapping[str, str], *, actor: str) -> Rollout:
    """Turn plans down, each by target and digest."""
    return change(context, rollout_id, lambda rollout: events.discard(rollout, plans, actor=actor))


def _unfinished(session: Session, flock: str) -> str | None:
    query = select(RolloutRow.id).where(RolloutRow.flock == flock, RolloutRow.status.in_(UNFINISHED))
    return session.scalars(query).one_or_none()


def _taken(flock: str, other: str) -> ApiError:
    return conflict(
        "rollout_unfinished",
        f"flock {flock} has a roll-out that is not over: {other}",
        "wait for it, or `interlock rollout cancel` it",
    )


def _superseded(rollout_id: str, later: str) -> ApiError:
    return conflict(
        "rollout_superseded",
        f"{rollout_id} is not the flock's last roll-out any more: {later} came later",
        "start a new one of the release that you want",
    )


def _require_registered(session: Session, release: Release) -> None:
    known = {
        row[0]: (row[1], row[2])
        for row in session.execute(
            select(TargetRow.id, TargetRow.flock, TargetRow.region).where(TargetRow.flock == release.flock)
        )
    }
    missing = sorted(
        name for name, target in release.targets.items() if known.get(name) != (release.flock, target.region)
    )
    if missing:
        shown = ", ".join(missing[:_NAMED]) + (f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else "")
        raise conflict(
            "target_not_registered", f"the release names targets that are not registered: {shown}", "publish it again"
        )
