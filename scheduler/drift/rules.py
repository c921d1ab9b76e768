"""A flock's settings about drift, and how often its ignore rules were used."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import batched
from typing import Final

from sqlalchemy import Select, delete, select, tuple_
from sqlalchemy.orm import Session

from scheduler.context import SchedulerContext
from scheduler.database import insert_into
from scheduler.releases import get_manifest
from scheduler.tables import DriftHitRow, ReleaseRow, TargetRow
from shared.drift.ignoring import IgnoreRule
from shared.drift.settings import DriftSettings
from shared.errors import ApiError, PeerError

UNUSED_S: Final = 90 * 86_400
"""Seconds without a hit after which a rule that is gone is forgotten."""
_BATCH: Final = 500


def settings_in(session: Session, release_digest: str | None) -> DriftSettings | None:
    """The `drift` section of the flock that a release was made of; None: it has none.

    Also None where the release is gone or damaged: nothing follows from it.
    """
    if release_digest is None:
        return None
    try:
        return get_manifest(session, release_digest).drift
    except (ApiError, PeerError):
        return None


def rule_digest(rule: IgnoreRule) -> str:
    """The name under which a rule's hits are counted: a rule that is changed is another one."""
    content = json.dumps(rule.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(content.encode()).hexdigest()}"


def drop_unused(context: SchedulerContext) -> int:
    """Forget the hits of rules that no target's release has any more, and that took nothing off for `UNUSED_S`.

    Returns how many rules that was; raises `Unavailable`.
    """
    before = context.clock.wall() - timedelta(seconds=UNUSED_S)
    with context.database.read() as session:
        query = select(DriftHitRow.flock, DriftHitRow.rule).where(DriftHitRow.last_hit_at < before)
        stale = [(flock, rule) for flock, rule in session.execute(query)]
        flocks = {flock for flock, _ in stale if _all_readable(session, flock)}
        named = {flock: rules_of(session, flock).keys() for flock in flocks}
    dropped = sorted({(flock, rule) for flock, rule in stale if flock in flocks and rule not in named[flock]})
    for some in batched(dropped, _BATCH, strict=False):
        with context.database.write() as session:
            session.execute(
                # Once more by its time: it may have been hit just now.
                delete(DriftHitRow).where(
                    tuple_(DriftHitRow.flock, DriftHitRow.rule).in_(some), DriftHitRow.last_hit_at < before
                )
            )
    return len(dropped)


def rules_of(session: Session, flock: str) -> dict[str, IgnoreRule]:
    """The ignore rules of the releases that targets of a flock have, by digest."""
    found: dict[str, IgnoreRule] = {}
    for digest in session.scalars(_releases_of(flock)):
        settings = settings_in(session, digest)
        found |= {rule_digest(rule): rule for rule in (settings.ignore if settings is not None else ())}
    return found


def _all_readable(session: Session, flock: str) -> bool:
    """Whether what `rules_of` does not name is gone, and not merely in a release that is damaged."""
    try:
        for digest in session.scalars(_releases_of(flock)):
            get_manifest(session, digest)
    except (ApiError, PeerError):
        return False
    return True


def _releases_of(flock: str) -> Select[str]:
    digest = TargetRow.release_digest
    return (
        select(ReleaseRow.digest)
        .where(ReleaseRow.digest.in_(select(digest).where(TargetRow.flock == flock, digest.is_not(None))))
        .order_by(ReleaseRow.digest)
    )


def count_hits(session: Session, flock: str, hits: Mapping[str, int], *, run_id: str, at: datetime) -> None:
    """Add what a check's rules took off; `hits` are by rule digest."""
    # In one order, so that two checks of a flock that end together do not wait for one another in a circle.
    for rule, count in sorted(hits.items()):
        added = insert_into(session, DriftHitRow).values(
            flock=flock, rule=rule, hits=count, last_hit_at=at, last_run_id=run_id
        )
        changed = {
            "hits": DriftHitRow.hits + added.excluded.hits,
            "last_hit_at": added.excluded.last_hit_at,
            "last_run_id": added.excluded.last_run_id,
        }
        session.execute(added.on_conflict_do_update(index_elements=["flock", "rule"], set_=changed))
