"""A run is over: is its deployment taken back, and who does it? In the transaction that ends the run.

    the run                                       its deployment
    --------------------------------------------  ---------------------------------------------------------------
    said what came of its rollback                that is what came of it
    a ROLLBACK run, ended without that            the next one is queued, `max_attempts` times; then it has failed
    a ROLLBACK run, canceled or revoked           it has failed: a person decides
    an apply that began to take back, likewise    the same
    an apply that was asked to be taken back      a ROLLBACK run is queued, however the apply ended; nothing where
                                                  neither it nor an earlier try, whose first state it has, ever began
    an apply that ended badly after it began      a ROLLBACK run is queued if its flock takes back for that; also if it
                                                  was watched by checks, or is a test, and nobody will watch it again
    an apply that a person canceled or revoked    nothing: the person decides
    any other                                     nothing

An apply began once its safety plan was accepted; before that nothing was signed for it.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from scheduler.context import SchedulerContext
from scheduler.rollback import rows
from scheduler.rollback.first_state import has_begun, settings_of, tries_of
from scheduler.tables import FirstStateRow, RollbackRow, RunRow
from shared import exit_codes
from shared.models import MAX_REASON, RunKind, RunStatus
from shared.rollback.records import RollbackResult, RollbackState
from shared.rollback.settings import Trigger
from shared.rollback.standing import RollbackStatus

_TRIGGERS = {
    RunStatus.ERRORED: Trigger.APPLY_ERROR,
    RunStatus.HALTED: Trigger.HALTED,
    RunStatus.LOST: Trigger.LOST,
    RunStatus.APPLIED: Trigger.PREPRODUCTION_TEST,
}


@dataclass(frozen=True, kw_only=True)
class Ended:
    """What the end of a run means for a rollback."""

    successor: RunRow | None
    """The ROLLBACK run that goes on; already in the session."""


def owed(context: SchedulerContext, session: Session, run: RunRow, trigger: Trigger, reason: str) -> None:
    """The holder of a deployment ends, and could not say before that it is to be taken back: it is asked for now."""
    if rows.carried_out_by(session, run.id) is None and _may_be_taken_back(session, run):
        settings = settings_of(session, run)
        if settings is not None and settings.takes_back(trigger) and _began(session, run):
            rows.opened(context, session, run, trigger, reason)


def ended(context: SchedulerContext, session: Session, run: RunRow, *, tried_again: bool = False) -> Ended | None:
    """Take the end of a run in; its status and reason are the final ones. None: no rollback has to do with it.

    Args:
        context: the scheduler.
        session: of the transaction that ends the run.
        run: which is over.
        tried_again: whether a lost deployment that stays as it is has a follow-up, which is watched in its turn.

    The run's status is put right where the rollback's result says more than its lease: a deployment whose first state
    is back is rolled back, though its holder was lost before it could say so.
    """
    row = rows.carried_out_by(session, run.id)
    if run.status == RunStatus.ROLLED_BACK and not _is_back(row, run):
        run.status = RunStatus.ERRORED
        said = row is not None and row.result_of == run.id
        why = "the stored state says otherwise" if said else "it did not say what came of that"
        run.reason = f"it said that it is rolled back, and {why} ({run.reason})"[:MAX_REASON]
    if row is None:
        trigger = _trigger(session, run, tried_again=tried_again)
        if trigger is None:
            return None
        row = rows.opened(context, session, run, trigger, f"{run.id} is {run.status}: {run.reason}")
        return Ended(successor=rows.queued(context, session, row, after=run))
    if row.result_of == run.id and (result := rows.result_of(row)) is not None:
        return _concluded(context, session, row, run, result)
    return _given_up(context, session, row, run)


def canceled(context: SchedulerContext, session: Session, run: RunRow) -> None:
    """A run was canceled before it began: if it was to take back, a person decides what becomes of that."""
    row = rows.carried_out_by(session, run.id)
    if row is not None and row.status == RollbackStatus.QUEUED:
        rows.over(context, session, row, RollbackStatus.FAILED, f"{run.id} was canceled before it began", run=run)


def _is_back(row: RollbackRow | None, run: RunRow) -> bool:
    if row is None or row.result_of != run.id or (result := rows.result_of(row)) is None:
        return False
    return result.state in (RollbackState.ROLLED_BACK, RollbackState.NOT_NEEDED)


def _concluded(
    context: SchedulerContext, session: Session, row: RollbackRow, run: RunRow, result: RollbackResult
) -> Ended:
    if _is_back(row, run) and run.reported_status is None and run.status == RunStatus.LOST:
        run.status = RunStatus.ROLLED_BACK
    status = RollbackStatus(result.state.value)
    left = rows.left_over(len(result.residue))
    reason = "; ".join(part for part in (result.reason or row.reason, left) if part)
    rows.over(context, session, row, status, reason, run=run)
    return Ended(successor=None)


def _given_up(context: SchedulerContext, session: Session, row: RollbackRow, run: RunRow) -> Ended:
    """It ended without saying what came of it."""
    began = row.status == RollbackStatus.RUNNING
    by_hand = "canceled" if run.cancel_requested else "revoked" if run.revoke_requested else ""
    if by_hand and (began or run.kind == RunKind.ROLLBACK):
        reason = f"{run.id} was {by_hand} while it took {row.run_id} back"
        rows.over(context, session, row, RollbackStatus.FAILED, reason, run=run)
        return Ended(successor=None)
    if run.kind == RunKind.APPLY and not began and not _anything_began(session, run):
        # Asked for, and there is nothing to take back.
        rows.over(context, session, row, RollbackStatus.NOT_NEEDED, f"{run.id} applied nothing: {run.reason}", run=run)
        return Ended(successor=None)
    if row.attempts >= context.settings.max_attempts:
        reason = f"{run.id} is {run.status}: {run.reason} (attempt {row.attempts}: not tried again)"
        rows.over(context, session, row, RollbackStatus.FAILED, reason, run=run)
        return Ended(successor=None)
    return Ended(successor=rows.queued(context, session, row, after=run))


def _trigger(session: Session, run: RunRow, *, tried_again: bool) -> Trigger | None:
    """Why an apply that nobody takes back yet is to be, by how it ended."""
    trigger = _TRIGGERS.get(RunStatus(run.status))
    if trigger is None or not _may_be_taken_back(session, run):
        return None
    if run.status == RunStatus.ERRORED and run.exit_code == exit_codes.UNAVAILABLE:
        # By its holder's word it never began to apply.
        return None
    settings = settings_of(session, run)
    if settings is None:
        return None
    if not settings.takes_back(trigger):
        seen_again = run.status == RunStatus.APPLIED or (run.status == RunStatus.LOST and tried_again)
        watched = session.get_one(FirstStateRow, run.id).watched
        trigger = settings.unwatched() if watched and not seen_again else None
    return trigger if _began(session, run) else None


def _may_be_taken_back(session: Session, run: RunRow) -> bool:
    """Whether it is a deployment with a way back, and no person stopped it."""
    stopped = run.cancel_requested or run.revoke_requested
    return run.kind == RunKind.APPLY and not stopped and session.get(FirstStateRow, run.id) is not None


def _began(session: Session, run: RunRow) -> bool:
    return session.scalars(select(RunRow.id).where(RunRow.id == run.id, has_begun())).one_or_none() is not None


def _anything_began(session: Session, run: RunRow) -> bool:
    tries = [one.run_id for one in tries_of(session, run.id)]
    return session.scalars(select(RunRow.id).where(RunRow.id.in_(tries), has_begun()).limit(1)).first() is not None
