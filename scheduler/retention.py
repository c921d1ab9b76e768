"""Which releases are let go, and when.

Of each flock the newest `keep` stay, and whatever else somebody still refers to:

* what a target deploys when a run names none, and what its last two successful applies deployed: the one before is
  where a rollback leads; the same of its destroys and its plans;
* what its newest apply and destroy had, however they ended: one that is held waits for its approval;
* what a run deploys, or looks at, that is not over;
* where a rollback of a target's last deployments leads, and what a rollback takes back that is not over;
* what a run that was cut deployed, while something is left of it to take over;
* what any roll-out took or takes.

A file goes once no release has it. Publishing, submitting and starting hold the releases together with other such
transactions, letting go holds them alone: nothing is deleted under somebody who has just looked at it.
"""

from __future__ import annotations

import logging
import re
from itertools import batched
from typing import Final

from sqlalchemy import ColumnElement, Select, delete, func, select
from sqlalchemy.orm import Session

from scheduler.context import SchedulerContext
from scheduler.drift.rules import drop_unused
from scheduler.releases import summary
from scheduler.tables import (
    UNFINISHED_STATUSES,
    BlobRow,
    FirstStateRow,
    OrphanReportRow,
    ReleaseRow,
    RollbackRow,
    RolloutRow,
    RunRow,
    TargetRow,
)
from shared.log import log_event
from shared.models import Pruned, RunKind, RunStatus

log = logging.getLogger(__name__)

#: Releases and files that are let go at once; what is left goes with the next request.
MAX_RELEASES: Final = 1000
MAX_BLOBS: Final = 10_000
#: Successful runs of each kind of a target whose releases stay.
APPLIES_KEPT: Final = 2
_BATCH: Final = 500
#: A superset of the files that a manifest names; also of one that was damaged, which is no reason to lose its files.
_DIGEST: Final = re.compile(rb"sha256:[0-9a-f]{64}")


def prune(context: SchedulerContext, *, keep: int, flock: str | None = None, dry_run: bool = False) -> Pruned:
    """Let releases go that nobody refers to, and files that no release has.

    Args:
        context: the scheduler.
        keep: newest releases of each flock that stay in any case; at least 1.
        flock: only its releases; None: all flocks'.
        dry_run: delete nothing, say what would be.
    """
    with context.database.write() as session:
        context.database.hold_releases(session, alone=True)
        victims = _victims(session, keep, flock)
        chosen = victims[:MAX_RELEASES]
        gone = {row.digest for row in chosen}
        unused = _unused(session, gone)
        chosen_files = dict(sorted(unused.items())[:MAX_BLOBS])
        if not dry_run:
            for part in batched(sorted(gone), _BATCH, strict=False):
                session.execute(delete(ReleaseRow).where(ReleaseRow.digest.in_(part)))
            for part in batched(chosen_files, _BATCH, strict=False):
                session.execute(delete(BlobRow).where(BlobRow.digest.in_(part)))
        found = Pruned(
            releases=tuple(summary(row) for row in chosen),
            files=len(chosen_files),
            size=sum(chosen_files.values()),
            more=len(victims) > len(chosen) or len(unused) > len(chosen_files),
            dry_run=dry_run,
        )
    if not dry_run and (found.releases or found.files):
        log_event(log, "releases_pruned", releases=len(found.releases), files=found.files, size=found.size)
    return found


def prune_by_settings(context: SchedulerContext) -> None:
    """The same by the installation's settings, nothing where they keep everything; then hits of rules that are gone."""
    if context.settings.keep_releases is not None:
        prune(context, keep=context.settings.keep_releases)
    drop_unused(context)


def _victims(session: Session, keep: int, flock: str | None) -> list[ReleaseRow]:
    """What may go, the oldest first."""
    age = func.row_number().over(partition_by=ReleaseRow.flock, order_by=ReleaseRow.sequence.desc()).label("age")
    ranked = select(ReleaseRow.sequence, age).subquery()
    query = (
        select(ReleaseRow)
        .join(ranked, ranked.c.sequence == ReleaseRow.sequence)
        .where(ranked.c.age > max(keep, 1))
        .order_by(ReleaseRow.sequence)
    )
    if flock is not None:
        query = query.where(ReleaseRow.flock == flock)
    wanted = _referred(session)
    return [row for row in session.scalars(query) if row.digest not in wanted]


def _referred(session: Session) -> set[str | None]:
    writes = RunRow.kind.in_((RunKind.APPLY, RunKind.DESTROY))
    planned = (RunRow.kind == RunKind.PLAN) & (RunRow.status == RunStatus.PLANNED)
    return {
        digest
        # A run may end meanwhile: what it was comes before what it became, and what it left at its target comes last.
        for query in (
            select(RunRow.release_digest).where(RunRow.status.in_(UNFINISHED_STATUSES)),
            _newest(writes & RunRow.epoch.is_not(None), 1),
            _newest((writes & (RunRow.status == RunStatus.APPLIED)) | planned, APPLIES_KEPT),
            _ways_back(),
            select(RunRow.release_digest)
            .join(RollbackRow, RollbackRow.run_id == RunRow.id)
            .where(RollbackRow.reserved.is_(True)),
            select(RunRow.release_digest)
            .join(OrphanReportRow, OrphanReportRow.run_id == RunRow.id)
            .where(OrphanReportRow.open.is_(True)),
            select(RolloutRow.release_digest),
            select(TargetRow.release_digest),
        )
        for digest in session.scalars(query)
    }


def _newest(which: ColumnElement[bool], count: int) -> Select[tuple[str | None]]:
    """What so many runs of each target and kind deployed, the newest of those."""
    order = func.row_number().over(partition_by=(RunRow.target, RunRow.kind), order_by=RunRow.epoch.desc())
    found = select(RunRow.release_digest, order.label("nth")).where(which).subquery()
    return select(found.c.release_digest).where(found.c.nth <= count)


def _ways_back() -> Select[tuple[str | None]]:
    """Where the last deployments of each target would go back to."""
    order = func.row_number().over(partition_by=RunRow.target, order_by=RunRow.epoch.desc())
    found = (
        select(FirstStateRow.release_digest, order.label("nth"))
        .join(RunRow, RunRow.id == FirstStateRow.run_id)
        .subquery()
    )
    return select(found.c.release_digest).where(found.c.nth <= APPLIES_KEPT)


def _unused(session: Session, gone: set[str]) -> dict[str, int]:
    """Sizes of the files that no release has once these are gone."""
    used: set[str] = set()
    # One manifest in memory after the other.
    query = select(ReleaseRow.digest, ReleaseRow.manifest).execution_options(yield_per=20)
    for digest, manifest in session.execute(query):
        if digest not in gone:
            used.update(match.decode() for match in _DIGEST.findall(manifest))
    stored = session.execute(select(BlobRow.digest, BlobRow.size))
    return {digest: size for digest, size in stored if digest not in used}
