"""A flock's settings about drift, and how often its ignore rules were used."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy.orm import Session

from scheduler.database import insert_into
from scheduler.releases import get_manifest
from scheduler.tables import DriftHitRow
from shared.drift.ignoring import IgnoreRule
from shared.drift.settings import DriftSettings
from shared.errors import ApiError, PeerError


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
