"""What earlier cuts left behind, for the next holder of a target.

A run that did not end cleanly may have created resources that no state holds. All its creates count as unsettled until
a later apply or destroy on the target succeeded: that one looked at them, imported what it could and stopped for the
rest. It would not do to go by the newest state version alone: a recovering run that writes one version and is cut in
its turn would hide what its predecessor left.
"""

import re

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from scheduler.context import SchedulerContext
from scheduler.journal import journal_record
from scheduler.problems import conflict
from scheduler.quarantine import newest_acceptable
from scheduler.rows import find_run, find_target, require_holder
from scheduler.tables import JournalRow, QuarantineRow, RunRow
from shared.models import JournalRecord, Recovery, RunKind, RunStatus

#: More than this many unsettled writes are a refusal, not a truncated list: what is left out would be ignored.
MAX_RECORDS = 20_000

_UNCLEAN = (RunStatus.LOST, RunStatus.ERRORED, RunStatus.CANCELED, RunStatus.HALTED)
#: First words of operations that make nothing. Any other write may have made something, an unknown one too.
_MAKES_NOTHING = frozenset(
    {"Delete", "Remove", "Update", "Modify", "Tag", "Untag", "Detach", "Disassociate", "Revoke", "Deregister"}
    | {"Terminate", "Stop", "Cancel", "Disable", "Release", "Unsubscribe", "Reset", "Send", "Set", "Abort", "Change"}
    | {"Reboot", "Purge", "Schedule"}
)
_UNMAKES = frozenset({"Delete", "Remove", "Terminate", "Deregister", "Release"})
_FIRST_WORD = re.compile(r"[A-Z][a-z0-9]*")


def recovery(context: SchedulerContext, target: str, *, run_id: str, holder: str) -> Recovery:
    """The quarantined state that may be accepted and the creates that no successful run has settled.

    Only for the live holder: raises `ApiError` 409 `lease_lost` for anybody else, 404 for an unknown target.
    """
    with context.database.read() as session:
        row = find_target(session, target)
        run = find_run(session, run_id)
        require_holder(run, holder)
        if run.target != target or run.epoch != row.epoch:
            raise conflict("lease_lost", f"run {run_id} is not the live holder of {target}")
        return Recovery(
            quarantine=newest_acceptable(context, session, target, before_epoch=row.epoch),
            creates=tuple(_unsettled_creates(session, target, before_epoch=row.epoch)),
        )


def run_to_recover(session: Session, target: str, *, before_epoch: int) -> str | None:
    """The newest run on the target that was lost, or that ended uncleanly and left something, since the last
    success.
    """
    clean = _last_success(session, target, before_epoch)
    wrote = exists().where(JournalRow.run_id == RunRow.id, JournalRow.access == "write")
    kept = exists().where(QuarantineRow.run_id == RunRow.id, QuarantineRow.accepted_by.is_(None))
    query = (
        select(RunRow.id)
        .where(
            RunRow.target == target,
            RunRow.epoch > clean,
            RunRow.epoch < before_epoch,
            RunRow.status.in_(_UNCLEAN),
            (RunRow.status == RunStatus.LOST) | wrote | kept,
        )
        .order_by(RunRow.epoch.desc())
        .limit(1)
    )
    return session.scalars(query).one_or_none()


def _last_success(session: Session, target: str, before_epoch: int) -> int:
    query = select(func.max(RunRow.epoch)).where(
        RunRow.target == target,
        RunRow.epoch < before_epoch,
        RunRow.status == RunStatus.APPLIED,
        RunRow.kind.in_((RunKind.APPLY, RunKind.DESTROY)),
    )
    return session.scalar(query) or 0


def _unsettled_creates(session: Session, target: str, *, before_epoch: int) -> list[JournalRecord]:
    query = (
        select(JournalRow)
        .join(RunRow, RunRow.id == JournalRow.run_id)
        .where(
            JournalRow.target == target,
            JournalRow.access == "write",
            JournalRow.epoch > _last_success(session, target, before_epoch),
            JournalRow.epoch < before_epoch,
            RunRow.status.in_(_UNCLEAN),
        )
        .order_by(JournalRow.id)
        .limit(MAX_RECORDS + 1)
    )
    writes = [journal_record(row) for row in session.scalars(query)]
    if len(writes) > MAX_RECORDS:
        raise conflict(
            "too_much_to_recover",
            f"more than {MAX_RECORDS} calls on {target} are unsettled",
            "compare `interlock run logs` of its lost runs with the cloud by hand",
        )
    return unsettled(writes)


def unsettled(writes: list[JournalRecord]) -> list[JournalRecord]:
    """The creates among `writes` (oldest first) that may have made something that is still there. Pure."""
    kept: list[JournalRecord] = []
    for write in writes:
        if not may_have_happened(write):
            continue
        if may_make(write):
            kept.append(write)
        elif _succeeded(write) and _verb(write.operation) in _UNMAKES:
            kept = [create for create in kept if not _unmakes(write, create)]
    return kept


def may_make(write: JournalRecord) -> bool:
    """Whether the operation could create something, by its first word; what is unknown could."""
    if not write.operation:
        return write.method != "DELETE"
    return _verb(write.operation) not in _MAKES_NOTHING


def may_have_happened(write: JournalRecord) -> bool:
    """Whether the cloud may have carried the call out: not when we or the cloud refused it."""
    if write.outcome == "refused":
        return False
    refused_by_cloud = write.http_status is not None and 400 <= write.http_status < 500
    return not (write.outcome == "answered" and refused_by_cloud)


def _succeeded(write: JournalRecord) -> bool:
    return write.outcome == "answered" and write.http_status is not None and write.http_status < 300


def _unmakes(delete: JournalRecord, create: JournalRecord) -> bool:
    """Whether a delete that succeeded removed what `create` made: same service, same noun, same identifiers."""
    made = {**create.resource, **create.outcome_resource}
    return (
        bool(delete.resource)
        and delete.service == create.service
        and _noun(delete.operation) == _noun(create.operation)
        and all(made.get(name) == value for name, value in delete.resource.items())
    )


def _verb(operation: str) -> str:
    first = _FIRST_WORD.match(operation)
    return first.group() if first else operation


def _noun(operation: str) -> str:
    return operation.removeprefix(_verb(operation)).rstrip("s")
