"""What people do with roll-outs."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Collection, Mapping

from sqlalchemy import or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from scheduler import persons
from scheduler.context import SchedulerContext
from scheduler.problems import conflict, invalid, not_found
from scheduler.releases import get_manifest, get_release
from scheduler.rollout import events
from scheduler.rollout.drive import UNFINISHED, change, wake
from scheduler.tables import RollbackRow, RolloutRow, RunRow, TargetRow
from shared.errors import ApiError
from shared.log import log_event
from shared.models import Release, RunKind, RunStatus
from shared.rollouts import Rollout, RolloutPhase, RolloutSummary, RolloutTarget

log = logging.getLogger(__name__)

MAX_LISTED = 1000
_NAMED = 5


def start(
    context: SchedulerContext,
    release_digest: str,
    *,
    actor: str,
    targets: Collection[str] | None = None,
    ask: bool = False,
    noting: Callable[[Session, Rollout], None] | None = None,
) -> Rollout:
    """Roll a release out, from its first phase on.

    Args:
        context: the scheduler.
        release_digest: what.
        actor: who asks for it.
        targets: to these of its targets only; None: to all.
        ask: whether a person approves each plan, whatever its phase says.
        noting: called in the transaction that starts it.

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
            rollout = narrowed(
                first_value(release, actor=actor, rollout_id=f"rollout-{secrets.token_hex(8)}", context=context),
                targets,
                ask=ask,
            ).model_copy(update={"phases_done": _takes_phases_back(session, release.digest)})
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
            if noting is not None:
                noting(session, rollout)
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


def narrowed(rollout: Rollout, targets: Collection[str] | None, *, ask: bool) -> Rollout:
    """The roll-out with these targets only (None: all). Phases without any are done at once; their order stays.

    Raises `ApiError` 400 where none is left.
    """
    kept = tuple(one for one in rollout.targets if targets is None or one.id in targets)
    if not kept:
        raise invalid(f"{rollout.release_digest} has none of these targets", "`interlock release show` lists its own")
    phases = tuple(phase.model_copy(update={"approval": phase.approval or ask}) for phase in rollout.phases)
    return rollout.model_copy(update={"targets": kept, "phases": phases})


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

    Raises `ApiError` 409 `rollout_superseded` where the flock had another roll-out since, or one of the targets another
    release or an apply or destroy of its own: that would be undone.
    """
    with context.database.read() as session:
        mine, other = aliased(RolloutRow), aliased(RolloutRow)
        query = select(other.id).join(mine, (mine.flock == other.flock) & (mine.sequence < other.sequence))
        later = session.scalars(query.where(mine.id == rollout_id).limit(1)).one_or_none()
        if later is not None:
            raise _superseded(rollout_id, later)
        _require_as_it_failed(session, rollout_id, targets)
        _require_free(session, rollout_id, targets)
    try:
        rollout = change(context, rollout_id, lambda rollout: events.retry(rollout, targets))
    except IntegrityError:
        raise _superseded(rollout_id, "one that was started in this moment") from None
    log_event(log, "rollout_retried", rollout=rollout_id, actor=actor, targets=len(targets))
    return rollout


def approve(context: SchedulerContext, rollout_id: str, plans: Mapping[str, str], *, actor: str) -> Rollout:
    """Confirm plans, each by target and digest. Raises `ApiError` 400 where no name is given."""

    def confirm(rollout: Rollout) -> Rollout:
        return events.approve(rollout, plans, actor=persons.named(actor))

    return change(context, rollout_id, confirm)


def discard(context: SchedulerContext, rollout_id: str, plans: Mapping[str, str], *, actor: str) -> Rollout:
    """Turn plans down, each by target and digest."""
    return change(context, rollout_id, lambda rollout: events.discard(rollout, plans, actor=actor))


def _takes_phases_back(session: Session, release_digest: str) -> bool:
    """Whether a phase that fails by a rollback takes those back that were done before it."""
    rollback = get_manifest(session, release_digest).rollback
    return rollback is not None and rollback.phases_done


def _require_free(session: Session, rollout_id: str, names: Collection[str]) -> None:
    """A target that a rollback keeps is not deployed anew: its run would wait for a person to decide about that."""
    query = select(RollbackRow).where(RollbackRow.rollout_id == rollout_id, RollbackRow.reserved.is_(True))
    for row in session.scalars(query.order_by(RollbackRow.target)):
        if not names or row.target in names:
            raise conflict(
                "target_reserved",
                f"{row.target} is kept for {row.id}, which is {row.status}",
                f"wait for it; or `interlock rollback retry {row.id}`, or `skip`",
            )


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


def _require_as_it_failed(session: Session, rollout_id: str, names: Collection[str]) -> None:
    document = session.scalar(select(RolloutRow.document).where(RolloutRow.id == rollout_id))
    if document is None:
        return
    rollout = Rollout.model_validate(document)
    wanted = {one.id: one for one in rollout.targets if (one.id in names if names else one.stage.failed)}
    last, later = aliased(RunRow), aliased(RunRow)
    # Epochs order what was at work. What never began has none, and is as old as it looks by its number or its end.
    since = or_(
        later.epoch > last.epoch,
        last.epoch.is_(None) & or_(later.sequence > last.sequence, later.finished_at > last.finished_at),
    )
    query = (
        select(later)
        .join(last, (last.target == later.target) & since)
        .where(
            last.id.in_([one.run_id for one in wanted.values()]),
            later.kind.in_((RunKind.APPLY, RunKind.DESTROY)),
            later.status == RunStatus.APPLIED,
        )
        .limit(1)
    )
    if (run := session.scalars(query).one_or_none()) is not None:
        raise _undone(run.target, f"the {run.kind} {run.id} since it failed")
    stand = session.execute(select(TargetRow.id, TargetRow.release_digest).where(TargetRow.id.in_(wanted)))
    for name, release in stand:
        failed_with = wanted[name].failed_with
        if failed_with is not None and (release or "") not in (failed_with, rollout.release_digest):
            raise _undone(name, f"the release {release} since it failed")


def _undone(target: str, what: str) -> ApiError:
    return conflict(
        "rollout_superseded",
        f"{target} had {what}, which another try would undo",
        "start a new roll-out of the release that you want",
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
