"""What a worker is told: where to go back to, and when. And whether that can still be done."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.orm import Session

from scheduler.context import SchedulerContext
from scheduler.problems import conflict
from scheduler.rollback import rows
from scheduler.rollback.first_state import first_of, has_begun, settings_of, tries_of, verify
from scheduler.rows import find_run
from scheduler.state_versions import current_identity
from scheduler.tables import FirstStateRow, RollbackRow, RunRow, SafetyPlanRow, StateVersionRow
from shared.models import RunKind
from shared.rollback.bounds import REPLACES
from shared.rollback.rearranging import combined
from shared.rollback.records import MAX_TRIES, MAX_WHY, FirstState, Rearrangement, RollbackOrder
from shared.rollback.settings import Trigger
from shared.safety.entries import Entry, Operation, SafetyPlan
from shared.safety.verdict import Decision

_MADE_OR_ENDED = REPLACES | {Operation.CREATE, Operation.DELETE, Operation.REPLACE_FORGET}


def order_for(session: Session, run: RunRow) -> RollbackOrder | None:
    """For an apply whose first state was recorded, and for a ROLLBACK run; None for any other run."""
    row = rows.carried_out_by(session, run.id) if run.kind == RunKind.ROLLBACK else None
    first = session.get(FirstStateRow, row.run_id if row is not None else run.id)
    if first is None or (deployment := find_run(session, first.run_id)).release_digest is None:
        return None
    settings = settings_of(session, deployment)
    if settings is None:
        return None
    tries = tries_of(session, first.run_id)
    return RollbackOrder(
        settings=settings,
        first=first_of(first).model_copy(update={"epoch": deployment.epoch or 1}),
        undoes=first.run_id,
        release_digest=deployment.release_digest,
        tries=tuple(one.run_id for one in tries[:-1][-MAX_TRIES:]),
        rollback_only=row is not None,
        trigger=Trigger(row.trigger) if row is not None else None,
        reason=row.reason[:MAX_WHY] if row is not None else "",
        # Of the run itself, if it is a deployment, the worker has the plan at hand.
        rearranged=rearranged(tries if row is not None else tries[:-1]),
    )


def rearranged(tries: list[FirstStateRow]) -> Rearrangement:
    """What their plans did that has to be turned around, one after the other."""
    parts = [Rearrangement.model_validate(row.rearranged) for row in tries if row.rearranged is not None]
    return combined(parts)


def touched(session: Session, tries: list[FirstStateRow]) -> frozenset[str]:
    """The addresses that their accepted plans named: only what was applied is taken back."""
    return frozenset(entry.address for entry in _entries(session, tries))


def replaced(session: Session, tries: list[FirstStateRow]) -> frozenset[str]:
    """The addresses whose objects those plans replaced: what is there now need not be what was, under the same name."""
    accepted = SafetyPlanRow.verdict["decision"].as_string() == Decision.ACCEPTED.value
    return frozenset(entry.address for entry in _entries(session, tries, accepted) if entry.operation in REPLACES)


def made_or_ended(session: Session, tries: list[FirstStateRow]) -> frozenset[str]:
    """The addresses at which those plans make, replace or delete an object."""
    return frozenset(entry.address for entry in _entries(session, tries) if entry.operation in _MADE_OR_ENDED)


def _entries(session: Session, tries: list[FirstStateRow], *which: ColumnElement[bool]) -> Iterator[Entry]:
    query = select(SafetyPlanRow.document).where(SafetyPlanRow.run_id.in_([row.run_id for row in tries]), *which)
    for document in session.scalars(query):
        yield from SafetyPlan.model_validate(document).entries


def superseded_by(session: Session, deployment: RunRow) -> RunRow | None:
    """The run that deployed or destroyed something since; None: the deployment is the target's last.

    An exec run counts where it wrote state: what it took in would seem to have been made by the deployment.
    """
    wrote = exists().where(StateVersionRow.run_id == RunRow.id)
    query = (
        select(RunRow)
        .where(
            RunRow.target == deployment.target,
            RunRow.epoch > deployment.epoch,
            or_(
                and_(RunRow.kind.in_((RunKind.APPLY, RunKind.DESTROY)), has_begun()),
                and_(RunRow.kind == RunKind.EXEC, wrote),
            ),
        )
        .order_by(RunRow.epoch.desc())
        .limit(1)
    )
    return session.scalars(query).one_or_none()


def require_possible(context: SchedulerContext, session: Session, row: RollbackRow) -> FirstState:
    """Look once more, before anything is done, whether the rollback can lead where it should; returns that.

    Raises `ApiError` 409 `superseded` when another deployment came later, `no_first_state` for what is gone or damaged,
    `lineage_differs` for a state that somebody put in the place of the deployment's.
    """
    if (later := superseded_by(session, find_run(session, row.run_id))) is not None:
        raise conflict(
            "superseded",
            f"{later.id} ({later.kind}) came after {row.run_id}: going back would undo it as well",
            "take that one back, or deploy an earlier release; `interlock rollback skip` leaves everything as it is",
        )
    first = rows.first_state_of(session, row)
    verify(context, session, first)
    if settings_of(session, find_run(session, row.run_id)) is None:
        raise conflict(
            "no_first_state",
            f"the release that {row.run_id} deployed cannot be read any more",
            "publish it again: what it made can only be told by its configuration",
        )
    require_descent(session, row, first)
    return first


def require_descent(session: Session, row: RollbackRow, first: FirstState) -> None:
    """Refuse (409 `lineage_differs`) to plan against a state that does not descend from the first one."""
    expected = first.state.lineage if first.state is not None else _made_by(session, row)
    current = current_identity(session, row.target)
    if expected is None or (current is None and first.state is None):
        return
    if current is None or current.lineage != expected:
        now = "there is none any more" if current is None else f"the stored one has {current.lineage}"
        raise conflict(
            "lineage_differs",
            f"the state of {row.target} had lineage {expected}, and {now}: it was replaced by hand",
            "put the right state back, then `interlock rollback retry`; or `skip`, which leaves everything as it is",
        )


def _made_by(session: Session, row: RollbackRow) -> str | None:
    """The lineage of the state that the deployment began, where there was none before."""
    tries = [one.run_id for one in tries_of(session, row.run_id)]
    query = select(StateVersionRow.lineage).where(
        StateVersionRow.target == row.target, StateVersionRow.run_id.in_(tries), StateVersionRow.deleted.is_(False)
    )
    return session.scalars(query.order_by(StateVersionRow.id.desc()).limit(1)).one_or_none()
