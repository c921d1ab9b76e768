"""Queues checks: those that are due, as a tick, and those that somebody asks for.

At most `drift_checks` of them are queued or at work at the same time; those that somebody asks for are counted and not
held back. A target that waits for anything else, or is taken, is not checked: its check would only be in the way.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from scheduler.context import SchedulerContext
from scheduler.database import insert_into
from scheduler.dispatch import publish
from scheduler.drift.rules import settings_in
from scheduler.drift.schedule import corrected, next_due
from scheduler.pending import pending_run
from scheduler.problems import conflict, invalid
from scheduler.rows import lock_target, run_record
from scheduler.tables import UNFINISHED_STATUSES, DriftStandingRow, MetaRow, RunRow, TargetRow
from shared.drift.records import MAX_CHECKED
from shared.drift.settings import DriftSettings
from shared.log import log_event
from shared.models import Run, RunKind, RunStatus

log = logging.getLogger(__name__)

ACTOR: Final = "interlock drift"
"""Who asks for the checks that nobody asked for."""
#: The row under whose lock checks are queued, so that two beats do not both use the same room.
_TURNSTILE: Final = "drift checks"


def queue_due(context: SchedulerContext) -> int:
    """Queue what is due, as far as there is room. Returns how many checks that was; raises `Unavailable`."""
    with context.database.read() as session:
        due = _due(session, context.clock.wall())
        room = _room(context, session) if due else 0
    if room <= 0:
        return 0
    queued = []
    with context.database.write() as session:
        context.database.hold_releases(session)
        _enter(session)
        room = _room(context, session)
        # One order for everybody who locks several targets.
        for name in sorted(due[: max(room, 0)]):
            if (run := _queue_if_due(context, session, name)) is not None:
                queued.append((run.id, run.region))
    for run_id, region in queued:
        publish(context, run_id, region)
    return len(queued)


def schedule(context: SchedulerContext) -> int:
    """Give every target of a flock with a schedule its time, and correct times that lie too far ahead.

    Returns how many times were set; raises `Unavailable`.
    """
    now = context.clock.wall()
    with context.database.read() as session:
        wrong = [name for name, due, right in _times(session, now) if due != right]
    for name in wrong:
        with context.database.write() as session:
            target = lock_target(context.database, session, name)
            standing = standing_of(session, target)
            settings = settings_in(session, target.release_digest)
            every_s = settings.every_s if settings is not None and standing.deployed else None
            standing.due_at = corrected(standing.due_at, name, every_s=every_s, now=now)
    return len(wrong)


def check_now(context: SchedulerContext, names: Collection[str], *, actor: str) -> list[Run]:
    """Queue a check of each target; one of its release that is queued or at work already is the answer for it.

    Raises `ApiError` 404 for an unknown target, 409 `no_release` for one without a release; then nothing is queued.
    """
    if not 0 < len(names) <= MAX_CHECKED:
        raise invalid(f"{len(names)} targets cannot be checked at once", f"name 1 to {MAX_CHECKED}")
    found: dict[str, Run] = {}
    fresh = []
    with context.database.write() as session:
        context.database.hold_releases(session)
        for name in sorted(set(names)):
            target = lock_target(context.database, session, name)
            if target.release_digest is None:
                raise conflict(
                    "no_release", f"{name} has no release to be compared with", "`interlock flock register FILE`"
                )
            if (known := unfinished(session, target)) is None:
                known = new_check(context, session, target, actor=actor)
                fresh.append((known.id, known.region))
            found[name] = run_record(known)
    for run_id, region in fresh:
        publish(context, run_id, region)
    return [found[name] for name in dict.fromkeys(names)]


def new_check(
    context: SchedulerContext, session: Session, target: TargetRow, *, actor: str = ACTOR, reason: str = ""
) -> RunRow:
    """A check of a target that the caller has locked, and that has a release."""
    run = pending_run(
        context,
        RunKind.DRIFT,
        target=target.id,
        region=target.region,
        actor=actor,
        release_digest=target.release_digest,
        reason=reason,
    )
    session.add(run)
    session.flush()
    return run


def unfinished(session: Session, target: TargetRow) -> RunRow | None:
    """The target's check that is queued or at work and counts: it goes on and is of the release that the target has."""
    query = (
        select(RunRow)
        .where(
            RunRow.target == target.id,
            RunRow.kind == RunKind.DRIFT,
            RunRow.release_digest == target.release_digest,
            RunRow.status.in_(UNFINISHED_STATUSES),
            RunRow.cancel_requested.is_(False),
            RunRow.revoke_requested.is_(False),
        )
        .order_by(RunRow.sequence)
        .limit(1)
    )
    return session.scalars(query).one_or_none()


def is_wanted(session: Session, target: str) -> bool:
    """Whether anything of the target is queued or at work."""
    query = select(RunRow.id).where(RunRow.target == target, RunRow.status.in_(UNFINISHED_STATUSES)).limit(1)
    return session.scalars(query).one_or_none() is not None


def standing_of(session: Session, target: TargetRow) -> DriftStandingRow:
    """The row of a target that the caller has locked; made where there is none."""
    query = select(DriftStandingRow).where(DriftStandingRow.target == target.id).with_for_update()
    row = session.scalars(query).one_or_none()
    if row is None:
        row = DriftStandingRow(target=target.id, deployed=_is_deployed(session, target.id))
        session.add(row)
        session.flush()
    return row


def _is_deployed(session: Session, target: str) -> bool:
    query = (
        select(RunRow.kind)
        .where(
            RunRow.target == target,
            RunRow.kind.in_((RunKind.APPLY, RunKind.DESTROY)),
            RunRow.status == RunStatus.APPLIED,
        )
        .order_by(RunRow.epoch.desc())
        .limit(1)
    )
    return session.scalars(query).one_or_none() == RunKind.APPLY


def _enter(session: Session) -> None:
    missing = insert_into(session, MetaRow).values(name=_TURNSTILE, value="")
    session.execute(missing.on_conflict_do_nothing())
    session.execute(select(MetaRow.name).where(MetaRow.name == _TURNSTILE).with_for_update())


def _room(context: SchedulerContext, session: Session) -> int:
    query = select(func.count()).where(RunRow.kind == RunKind.DRIFT, RunRow.status.in_(UNFINISHED_STATUSES))
    return context.settings.drift_checks - (session.scalar(query) or 0)


def _due(session: Session, now: datetime) -> list[str]:
    """Targets that are due and free, those first that wait longest."""
    busy = select(RunRow.target).where(RunRow.status.in_(UNFINISHED_STATUSES))
    query = (
        select(DriftStandingRow.target)
        .join(TargetRow, TargetRow.id == DriftStandingRow.target)
        .where(
            DriftStandingRow.due_at <= now,
            TargetRow.release_digest.is_not(None),
            DriftStandingRow.target.not_in(busy),
        )
        .order_by(DriftStandingRow.due_at, DriftStandingRow.target)
        .limit(MAX_CHECKED)
    )
    return list(session.scalars(query))


def _queue_if_due(context: SchedulerContext, session: Session, name: str) -> RunRow | None:
    """Queue it unless another beat has, or something else came for the target meanwhile."""
    now = context.clock.wall()
    target = lock_target(context.database, session, name)
    standing = standing_of(session, target)
    if standing.due_at is None or standing.due_at > now or target.release_digest is None or is_wanted(session, name):
        return None
    settings = settings_in(session, target.release_digest)
    every_s = settings.every_s if settings is not None and standing.deployed else None
    # Until its end says better: were the run taken back by a person, the next one comes a period later.
    standing.due_at = next_due(name, every_s=every_s, now=now) if every_s is not None else None
    run = new_check(context, session, target)
    log_event(log, "drift_check_queued", target=name, run=run.id)
    return run


def _times(session: Session, now: datetime) -> Iterable[tuple[str, datetime | None, datetime | None]]:
    """Each target with when it is due by its row, and in truth."""
    query = (
        select(TargetRow.id, TargetRow.release_digest, DriftStandingRow.deployed, DriftStandingRow.due_at)
        .outerjoin(DriftStandingRow, DriftStandingRow.target == TargetRow.id)
        .where(TargetRow.release_digest.is_not(None))
        .order_by(TargetRow.id)
    )
    known: dict[str | None, DriftSettings | None] = {}
    for name, digest, has, due in session.execute(query).all():
        deployed: bool | None = has  # None where there is no row yet
        if digest not in known:
            known[digest] = settings_in(session, digest)
        settings = known[digest]
        if settings is None or settings.every_s is None or deployed is False:
            continue
        if deployed is None and not _is_deployed(session, name):
            # Nothing to compare with; and no row, so that looking costs no write.
            continue
        yield name, due, corrected(due, name, every_s=settings.every_s, now=now)
