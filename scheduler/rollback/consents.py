"""Who consents, by name, to what cannot be undone. It counts for one target of one release: its data is its own.

What was named for the rollback of a deployment counts for that rollback alone: the next deployment of the same release
asks again. Whether it was named there the run says that it was named at: a deployment that is taken back.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from scheduler import persons
from scheduler.context import SchedulerContext
from scheduler.tables import ConsentRow, RollbackRow, RunRow

_FOR_A_ROLLBACK = exists().where(RollbackRow.run_id == ConsentRow.run_id)


def consents_of(session: Session, release_digest: str | None, target: str) -> frozenset[str]:
    """The addresses that somebody named for a plan."""
    query = select(ConsentRow.address).where(
        ConsentRow.release_digest == (release_digest or ""), ConsentRow.target == target, ~_FOR_A_ROLLBACK
    )
    return frozenset(session.scalars(query))


def to_destroy(
    session: Session, release_digest: str | None, target: str, *, deployments: Collection[str], planned: Container[str]
) -> frozenset[str]:
    """The addresses whose objects somebody agreed to lose.

    Consent to a plan names an operation that a person saw: only where the plan makes, replaces or deletes the object
    (`planned`) is it consent to the end of that object. What was named for this rollback itself (`retry`) always is.
    """
    query = select(ConsentRow.address, ConsentRow.run_id, _FOR_A_ROLLBACK).where(
        ConsentRow.release_digest == (release_digest or ""), ConsentRow.target == target
    )
    return frozenset(
        address
        for address, run_id, for_a_rollback in session.execute(query)
        if run_id in deployments or (address in planned and not for_a_rollback)
    )


def give(context: SchedulerContext, session: Session, run: RunRow, addresses: Iterable[str], *, actor: str) -> None:
    """Write consents down for the target and the release of a run, once for each person and run. The target is locked.

    Raises `ApiError` 400 for a consent by nobody.
    """
    approver = persons.named(actor)
    release = run.release_digest or ""
    query = select(ConsentRow.address).where(
        ConsentRow.run_id == run.id, ConsentRow.release_digest == release, ConsentRow.approver == approver
    )
    known = set(session.scalars(query))
    session.add_all(
        ConsentRow(
            release_digest=release,
            target=run.target,
            address=address,
            approver=approver,
            run_id=run.id,
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
