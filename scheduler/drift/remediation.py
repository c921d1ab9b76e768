"""The tick that puts drift right where the flock wants that: by a roll-out of what the targets have, and nothing else.

    plan     its plans wait for a person, whatever the rules say
    apply    a plan is applied that the flock's safety rules, or an approval of this release, cover
             (`rollout.safety_gate`), and any other waits. The same as `plan` in a flock without such rules, and for a
             target that was given another release and not deployed since: that would be a deployment

What is wanted was written down when the drift was confirmed, and begins once people were told. The transaction that
starts the roll-out settles it. One roll-out takes all targets of a flock that have the same release. It waits while the
flock has another roll-out, and a person's roll-out cancels it: it must never stand in the way of a deployment.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from scheduler.context import SchedulerContext
from scheduler.drift.queueing import ACTOR
from scheduler.problems import conflict
from scheduler.releases import get_manifest
from scheduler.rollout import service
from scheduler.rollout.drive import UNFINISHED, change
from scheduler.tables import DriftStandingRow, PlanRow, ReleaseRow, RolloutRow, RunRow, TargetRow
from shared.drift.settings import RemediationMode
from shared.errors import ApiError, PeerError
from shared.log import log_event
from shared.models import RunKind, RunStatus
from shared.rollouts import Rollout, Stage

log = logging.getLogger(__name__)


def remedy(context: SchedulerContext) -> int:
    """Start the roll-outs that are wanted. Returns how many; raises `Unavailable`."""
    with context.database.read() as session:
        busy = select(RolloutRow.flock).where(RolloutRow.status.in_(UNFINISHED))
        query = (
            select(TargetRow.flock, TargetRow.release_digest, DriftStandingRow.remedy, DriftStandingRow.target)
            .join(TargetRow, TargetRow.id == DriftStandingRow.target)
            .where(
                DriftStandingRow.remedy.is_not(None),
                # People hear of it first: what is put right at once would never be told.
                DriftStandingRow.told_roll_up == DriftStandingRow.roll_up,
                DriftStandingRow.told_shape == DriftStandingRow.shape,
                TargetRow.release_digest.is_not(None),
                TargetRow.flock.not_in(busy),
            )
            .order_by(TargetRow.flock, DriftStandingRow.target)
        )
        wanted: dict[str, tuple[str, str, list[str]]] = {}
        for flock, digest, mode, target in session.execute(query):
            if mode == RemediationMode.APPLY and not _is_there(session, target, str(digest)):
                mode = RemediationMode.PLAN.value
            # The others of the flock have their turn once this one is over.
            first = wanted.setdefault(flock, (str(digest), str(mode), []))
            if first[:2] == (digest, mode):
                first[2].append(target)
    started = 0
    for flock, (digest, mode, targets) in wanted.items():
        try:
            rollout = _start(context, digest, RemediationMode(mode), targets)
        except (ApiError, PeerError) as error:
            # Somebody was faster, or the release is gone: looked at again with the next tick.
            log_event(log, "drift_not_remedied", level=logging.WARNING, flock=flock, error=error)
        else:
            started += 1
            log_event(log, "drift_remedied", flock=flock, rollout=rollout.id, mode=mode, targets=len(targets))
    return started


def step_aside(context: SchedulerContext, release_digest: str) -> None:
    """Somebody rolls a release out: cancel its flock's roll-out that only puts drift right, if there is one.

    One that is applying is left alone, and one that is planning ends once that does: until then the start says that the
    flock has another roll-out.
    """
    with context.database.read() as session:
        flock = session.scalar(select(ReleaseRow.flock).where(ReleaseRow.digest == release_digest))
        query = select(RolloutRow.id).where(
            RolloutRow.flock == flock,
            RolloutRow.status.in_(UNFINISHED),
            RolloutRow.id.in_(select(DriftStandingRow.rollout_id).where(DriftStandingRow.rollout_id.is_not(None))),
        )
        found = session.scalars(query).one_or_none()
    if found is None or any(one.stage is Stage.APPLYING for one in service.get(context, found).targets):
        return
    service.cancel(context, found, actor="a roll-out that somebody started")
    # What was queued is taken back by now, so this is its end.
    change(context, found)


def _is_there(session: Session, target: str, digest: str) -> bool:
    """Whether the release is what was deployed last: applied, or planned by a roll-out and found to change nothing."""
    query = (
        select(RunRow.release_digest)
        .outerjoin(PlanRow, PlanRow.run_id == RunRow.id)
        .where(
            RunRow.target == target,
            or_(
                (RunRow.kind == RunKind.APPLY) & (RunRow.status == RunStatus.APPLIED),
                (RunRow.kind == RunKind.PLAN) & (RunRow.status == RunStatus.PLANNED) & PlanRow.changes.is_(False),
            ),
        )
        .order_by(RunRow.epoch.desc())
        .limit(1)
    )
    return session.scalars(query).one_or_none() == digest


def _start(context: SchedulerContext, digest: str, mode: RemediationMode, targets: Sequence[str]) -> Rollout:
    with context.database.read() as session:
        rules = get_manifest(session, digest).safety
    ask = mode is RemediationMode.PLAN or rules is None

    def settle(session: Session, rollout: Rollout) -> None:
        names = [target.id for target in rollout.targets]
        given = select(TargetRow.id).where(TargetRow.id.in_(names), TargetRow.release_digest != digest)
        if (other := session.scalars(given.limit(1)).one_or_none()) is not None:
            # An older release must not be put back over one that somebody gave the target in this moment.
            raise conflict("rollout_superseded", f"{other} has another release than {digest} by now")
        query = (
            select(DriftStandingRow)
            .where(DriftStandingRow.target.in_(names))
            .order_by(DriftStandingRow.target)
            .with_for_update()
        )
        for row in session.scalars(query):
            row.remedy, row.rollout_id = None, rollout.id
            row.remediation = f"{mode.value}: {rollout.id}"

    return service.start(context, digest, actor=ACTOR, targets=targets, ask=ask, noting=settle)
