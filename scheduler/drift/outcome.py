"""A run is over: what that means for drift. Everything here is part of the transaction that ends the run.

a check said what it found        where its target stands follows from it (`transitions`)
a check failed, or was halted     its target is not checked, which takes a second one like anything else
it was lost, or could not begin   nothing follows; it is made again, later each time
it gave way to something else     the same
a person canceled it              nothing follows; the next one comes when it is due
the target has another release    nothing follows; it is made again at once
a deployment succeeded            what one check alone had found is forgotten; what stood as drifted is checked anew
a deployment failed for good      the target is checked, where its flock says anything about drift
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from scheduler.context import SchedulerContext
from scheduler.drift.intake import in_common_with
from scheduler.drift.queueing import is_wanted, new_check, standing_of
from scheduler.drift.rules import count_hits, settings_in
from scheduler.drift.schedule import SOON_S, next_due, retry_due
from scheduler.drift.transitions import CALM_S, Finding, Standing, Step, after_check, after_deployment
from scheduler.tables import DriftCheckRow, DriftStandingRow, RunRow, TargetRow
from shared import exit_codes
from shared.drift.report import MAX_REASON, RollUp
from shared.drift.settings import DriftSettings, RemediationMode
from shared.log import log_event
from shared.models import RunKind, RunStatus

log = logging.getLogger(__name__)

MAX_REMEDIES: Final = 3
"""Changes in a row up to which a remedy is begun: what drifts again and again is a person's matter."""
_DEPLOYMENTS: Final = (RunKind.APPLY, RunKind.DESTROY, RunKind.ROLLBACK)
_FAILED: Final = (RunStatus.ERRORED, RunStatus.HALTED, RunStatus.LOST)
_EXIT_CODES: Final = {
    RollUp.IN_SYNC: exit_codes.OK,
    RollUp.DRIFTED: exit_codes.CHANGES,
    RollUp.NOT_CHECKED: exit_codes.ERROR,
}


def correct(session: Session, run: RunRow) -> None:
    """A check counts by its report, not by its word: the exit code follows from it, and without one it has failed."""
    if run.kind != RunKind.DRIFT or run.status != RunStatus.CHECKED:
        return
    check = session.get(DriftCheckRow, run.id)
    if check is None:
        run.status, run.exit_code = RunStatus.ERRORED, exit_codes.ERROR
        run.reason = "it ended without delivering what it found"
    else:
        run.exit_code = _EXIT_CODES[RollUp(check.roll_up)]


def is_news(session: Session, run: RunRow) -> bool:
    """Whether people hear that the run was halted: of a check that is halted each time they hear once."""
    if run.kind != RunKind.DRIFT:
        return True
    standing = session.get(DriftStandingRow, run.target)
    return standing is None or standing.last_status != RunStatus.HALTED


def ended(context: SchedulerContext, session: Session, run: RunRow, target: TargetRow, *, followed: bool) -> None:
    """Write down what follows, and queue the second check where one is to be made at once.

    Args:
        context: the scheduler.
        session: of the transaction that ends the run.
        run: it; terminal already.
        target: its target, locked.
        followed: whether another run takes up what it did not do.
    """
    try:
        with session.begin_nested():
            if run.kind == RunKind.DRIFT:
                _check_ended(context, session, run, target)
            elif run.kind in _DEPLOYMENTS:
                _deployment_ended(context, session, run, target, followed=followed)
    except SQLAlchemyError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever is wrong with drift here, the run has ended and frees its target
        log_event(log, "drift_not_settled", level=logging.ERROR, run=run.id, target=run.target, error=repr(error))


def gave_way(standing: DriftStandingRow, *, every_s: int | None, now: datetime) -> None:
    """The target's check did not come to its end, which is nobody's wish: it is due again."""
    standing.failures += 1
    standing.due_at = retry_due(every_s=every_s, failures=standing.failures, now=now)


def _check_ended(context: SchedulerContext, session: Session, run: RunRow, target: TargetRow) -> None:
    now = context.clock.wall()
    standing = standing_of(session, target)
    settings = settings_in(session, target.release_digest)
    every_s = settings.every_s if settings is not None and standing.deployed else None
    standing.last_run_id, standing.last_status = run.id, run.status
    standing.last_reason = run.reason[:MAX_REASON] if run.status != RunStatus.CHECKED else ""
    found = _found(session, run)
    context.metrics.drift_checks.labels(outcome=found.roll_up.value if found else _lost_to(run)).inc()
    if found is None or run.release_digest != target.release_digest:
        if found is not None:
            standing.due_at = now
        elif not run.cancel_requested or standing.given_way == run.id:
            gave_way(standing, every_s=every_s, now=now)
        elif every_s is not None:
            standing.due_at = next_due(target.id, every_s=every_s, now=now)
        return
    standing.failures = 0 if run.status == RunStatus.CHECKED else standing.failures + 1
    standing.due_at = next_due(target.id, every_s=every_s, now=now) if every_s is not None else None
    before = _read(standing)
    common = in_common_with(session, run, standing.checked_run_id) if before.wavers else None
    _note_report(session, run, target, standing, now)
    confirm = settings.confirm if settings is not None else True
    step = after_check(before, found, at=now, confirm=confirm, common=common)
    _write(standing, step, run.id)
    if step.changed:
        _want_remedy(standing, settings, found)
    if step.again and is_wanted(session, target.id):
        # Something else waits for the target, and comes first.
        standing.due_at = now
    elif step.again:
        new_check(context, session, target, reason=f"a second look at what {run.id} found")


def _found(session: Session, run: RunRow) -> Finding | None:
    """What the check came to; None: it says nothing about the target."""
    match RunStatus(run.status):
        case RunStatus.CHECKED:
            check = session.get_one(DriftCheckRow, run.id)
            return Finding(roll_up=RollUp(check.roll_up), shape=check.shape)
        case RunStatus.HALTED:
            return Finding(roll_up=RollUp.NOT_CHECKED)
        case _ if run.cancel_requested or run.revoke_requested:
            return None
        case RunStatus.ERRORED if run.exit_code != exit_codes.UNAVAILABLE:
            return Finding(roll_up=RollUp.NOT_CHECKED)
        case _:
            return None


def _lost_to(run: RunRow) -> str:
    return "canceled" if run.cancel_requested or run.status == RunStatus.CANCELED else "lost"


def _forget(standing: DriftStandingRow) -> None:
    """Nothing is there any more that could have drifted."""
    standing.roll_up, standing.shape, standing.since, standing.run_id, standing.changes = None, "", None, None, 0
    standing.told_roll_up, standing.told_shape = RollUp.IN_SYNC, ""
    standing.remedy, standing.remediation, standing.due_at = None, "", None


def _note_report(session: Session, run: RunRow, target: TargetRow, standing: DriftStandingRow, now: datetime) -> None:
    if run.status != RunStatus.CHECKED:
        return
    standing.checked_run_id, standing.checked_at = run.id, now
    count_hits(session, target.flock, session.get_one(DriftCheckRow, run.id).hits, run_id=run.id, at=now)


def _read(row: DriftStandingRow) -> Standing:
    return Standing(
        confirmed=Finding(roll_up=RollUp(row.roll_up), shape=row.shape) if row.roll_up is not None else None,
        pending=(
            Finding(roll_up=RollUp(row.pending_roll_up), shape=row.pending_shape)
            if row.pending_roll_up is not None
            else None
        ),
        repeats=row.repeats,
        since=row.since,
        changes=row.changes,
    )


def _write(row: DriftStandingRow, step: Step, run_id: str | None = None) -> None:
    after, before = step.standing, _read(row)
    if after.confirmed is not None:
        row.roll_up, row.shape = after.confirmed.roll_up, after.confirmed.shape
    row.pending_roll_up = after.pending.roll_up if after.pending is not None else None
    row.pending_shape = after.pending.shape if after.pending is not None else ""
    row.repeats, row.since, row.changes = after.repeats, after.since, after.changes
    if run_id is not None and after.confirmed != before.confirmed:
        row.run_id = run_id


def _want_remedy(row: DriftStandingRow, settings: DriftSettings | None, found: Finding) -> None:
    mode = settings.remediation.mode if settings is not None else RemediationMode.REPORT
    row.remedy, row.remediation = None, ""
    if found.roll_up is not RollUp.DRIFTED or mode is RemediationMode.REPORT:
        return
    if row.changes > MAX_REMEDIES:
        row.remediation = f"none: it changed {row.changes} times without {CALM_S // 3600} quiet hours in between"
        return
    row.remedy = mode
    row.remediation = "waits for its roll-out"


def _deployment_ended(
    context: SchedulerContext, session: Session, run: RunRow, target: TargetRow, *, followed: bool
) -> None:
    now = context.clock.wall()
    succeeded = run.status in (RunStatus.APPLIED, RunStatus.ROLLED_BACK)
    failed = run.status in _FAILED and not followed
    if not succeeded and not failed:
        return
    if failed and not (settings_in(session, target.release_digest) or settings_in(session, run.release_digest)):
        return
    standing = standing_of(session, target)
    if failed:
        standing.due_at = now + timedelta(seconds=SOON_S)
        return
    if run.status == RunStatus.APPLIED:
        standing.deployed = run.kind != RunKind.DESTROY
    _write(standing, Step(standing=after_deployment(_read(standing))))
    if not standing.deployed:
        _forget(standing)
    elif standing.roll_up not in (None, RollUp.IN_SYNC):
        standing.due_at = now
