"""Who consents, by name, to what cannot be undone. It counts for one target of one release: its data is its own.

What a consent was given for is written down with it:

    for a plan           the operation that a person saw there; until a rollback of what was deployed begins, which
                         takes it over: a plan that would do the same again after that is asked about again
    for a rollback       the end of the object, in that rollback alone
"""

from __future__ import annotations

from collections.abc import Container, Iterable

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from scheduler import persons
from scheduler.context import SchedulerContext
from scheduler.tables import ConsentRow, RollbackRow, RunRow


def consents_of(session: Session, release_digest: str | None, target: str) -> frozenset[str]:
    """The addresses that somebody named for a plan, and no rollback took over since."""
    query = select(ConsentRow.address).where(
        ConsentRow.release_digest == (release_digest or ""),
        ConsentRow.target == target,
        ConsentRow.rollback_id.is_(None),
    )
    return frozenset(session.scalars(query))


def take_over(session: Session, row: RollbackRow, run: RunRow) -> None:
    """A rollback begins, in `run`: what was named for the plan of its release counts there, and for no later plan."""
    query = update(ConsentRow).where(
        ConsentRow.release_digest == (run.release_digest or ""),
        ConsentRow.target == run.target,
        ConsentRow.rollback_id.is_(None),
    )
    session.execute(query.values(rollback_id=row.id))


def to_destroy(session: Session, rollback_id: str, *, planned: Container[str]) -> frozenset[str]:
    """The addresses whose objects somebody agreed to lose in a rollback.

    Consent to a plan names an operation that a person saw: only where the plan makes, replaces or deletes the object
    (`planned`) is it consent to the end of that object. What was named for the rollback itself (`retry`) always is.
    """
    query = select(ConsentRow.address, ConsentRow.for_the_end).where(ConsentRow.rollback_id == rollback_id)
    return frozenset(address for address, for_the_end in session.execute(query) if for_the_end or address in planned)


def give(
    context: SchedulerContext,
    session: Session,
    run: RunRow,
    addresses: Iterable[str],
    *,
    actor: str,
    rollback: RollbackRow | None = None,
) -> None:
    """Write consents down for the target and the release of a run, once for each person, run and purpose. The target
    is locked.

    Args:
        context: has the time.
        session: of the caller's transaction.
        run: whose plan was looked at, or the deployment that is taken back.
        addresses: what is consented to.
        actor: who consents.
        rollback: in which the objects may come to their end; None: the consent is to what the run's plan does.

    Raises:
        ApiError: 400, a consent by nobody.
    """
    approver = persons.named(actor)
    release = run.release_digest or ""
    # What a rollback took over counts for no plan any more: named again it is given again.
    same = ConsentRow.rollback_id == rollback.id if rollback is not None else ConsentRow.rollback_id.is_(None)
    query = select(ConsentRow.address).where(
        ConsentRow.run_id == run.id,
        ConsentRow.release_digest == release,
        ConsentRow.approver == approver,
        ConsentRow.for_the_end.is_(rollback is not None),
        same,
    )
    known = set(session.scalars(query))
    session.add_all(
        ConsentRow(
            release_digest=release,
            target=run.target,
            address=address,
            approver=approver,
            run_id=run.id,
            for_the_end=rollback is not None,
            rollback_id=rollback.id if rollback is not None else None,
            given_at=context.clock.wall(),
        )
        for address in sorted(set(addresses) - known)
    )
    session.flush()


def withdraw(session: Session, run: RunRow) -> None:
    """Somebody discards the plan of a run: what was consented to for its target counts no more."""
    session.query(ConsentRow).filter(
        ConsentRow.release_digest == (run.release_digest or ""), ConsentRow.target == run.target
    ).delete(synchronize_session="fetch")
