"""The database's tables: one schema for SQLite and PostgreSQL.

Rules that live in the schema rather than in code, so that no code path can forget them:

* at most one active run per target (`uq_runs_active_target`, a partial unique index);
* at most one run per (target, epoch), so that an epoch names exactly one holder (`uq_runs_target_epoch`);
* at most one follow-up per run (`uq_runs_retry_of`), so that two observers settle the same loss once;
* at most one unfinished roll-out per flock (`uq_rollouts_unfinished_flock`), so that two never mix their phases;
* at most one rollback per deployment, and one that reserves a target (`uq_rollbacks_reserved_target`);
* one row per (schedule, due) of a tick, so that of two beats one does the work.

A target is never deleted: its epoch must outlive everything that could still act under an older one.
"""

from scheduler.tables.base import Base, UtcDateTime
from scheduler.tables.drift import DriftCheckRow, DriftHitRow, DriftStandingRow
from scheduler.tables.installation import MetaRow, TickRow, TokenRow
from scheduler.tables.notifications import DeliveryRow, NotificationRow
from scheduler.tables.releases import BlobRow, FlockRow, ReleaseRow, TargetRow
from scheduler.tables.rollback import ConsentRow, FirstStateRow, OrphanReportRow, PlannedResourcesRow, RollbackRow
from scheduler.tables.rollouts import PlanRow, RolloutRow, SafetyApprovalRow, SafetyPlanRow
from scheduler.tables.runs import (
    ACTIVE_STATUSES,
    LIVE_STATUSES,
    UNFINISHED_STATUSES,
    JournalRow,
    RevocationRow,
    RunLogRow,
    RunRow,
    TurnRow,
)
from scheduler.tables.states import QuarantineRow, StateLockRow, StateVersionRow

__all__ = [
    "ACTIVE_STATUSES",
    "LIVE_STATUSES",
    "UNFINISHED_STATUSES",
    "Base",
    "BlobRow",
    "ConsentRow",
    "DeliveryRow",
    "DriftCheckRow",
    "DriftHitRow",
    "DriftStandingRow",
    "FirstStateRow",
    "FlockRow",
    "JournalRow",
    "MetaRow",
    "NotificationRow",
    "OrphanReportRow",
    "PlanRow",
    "PlannedResourcesRow",
    "QuarantineRow",
    "ReleaseRow",
    "RevocationRow",
    "RollbackRow",
    "RolloutRow",
    "RunLogRow",
    "RunRow",
    "SafetyApprovalRow",
    "SafetyPlanRow",
    "StateLockRow",
    "StateVersionRow",
    "TargetRow",
    "TickRow",
    "TokenRow",
    "TurnRow",
    "UtcDateTime",
]
