"""Runs that wait to be claimed: what every one of them has in common, whoever asks for it."""

from __future__ import annotations

from typing import Any

from scheduler import turns
from scheduler.context import SchedulerContext
from scheduler.rows import new_run_id
from scheduler.tables import RunRow
from shared.models import RunKind, RunStatus


def pending_run(context: SchedulerContext, kind: RunKind, **columns: Any) -> RunRow:
    """A run that is not in a session yet.

    Args:
        context: has the time.
        kind: what it does; also its priority, where `columns` names none.
        columns: at least target, region, actor and release_digest, and what else it does not have in common.
    """
    common = {
        "id": new_run_id(),
        "status": RunStatus.PENDING,
        "argv": [],
        "reason": "",
        "attempt": 1,
        "priority": turns.rank_of(kind),
        "created_at": context.clock.wall(),
    }
    return RunRow(kind=kind, **{**common, **columns})
