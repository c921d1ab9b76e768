"""Which journaled calls may have left something behind. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from shared.models import JournalRecord
from shared.recovery.rules import RULES, leaf, makes_something, names_of

#: First words of operations that make nothing. Any other write may have made something, an unknown one too.
_MAKES_NOTHING = frozenset(
    {"Delete", "Remove", "Update", "Modify", "Tag", "Untag", "Detach", "Disassociate", "Revoke", "Deregister"}
    | {"Terminate", "Stop", "Cancel", "Disable", "Release", "Unsubscribe", "Reset", "Send", "Set", "Abort", "Change"}
    | {"Reboot", "Purge", "Schedule"}
)
_UNMAKES = frozenset(
    {"Delete", "Remove", "Terminate", "Deregister", "Release", "Detach", "Disassociate", "Revoke", "Unsubscribe"}
)
#: Deletes that are named after another thing than their creates.
_UNMAKING = {
    ("kms", "ScheduleKeyDeletion"): "CreateKey",
    ("monitoring", "DeleteAlarms"): "PutMetricAlarm",
    ("acm", "DeleteCertificate"): "RequestCertificate",
}
_FIRST_WORD = re.compile(r"[A-Z][a-z0-9]*")


def may_make(write: JournalRecord) -> bool:
    """Whether the operation could create something, by its first word; what is unknown could.

    Args:
        write: a call that changes something.
    """
    if not write.operation:
        return write.method != "DELETE"
    return (write.service, write.operation) in RULES or _verb(write.operation) not in _MAKES_NOTHING


def may_have_happened(write: JournalRecord) -> bool:
    """Whether the cloud may have carried the call out: not when we or the cloud refused it.

    Args:
        write: a call that changes something.
    """
    if write.outcome == "refused":
        return False
    refused_by_cloud = write.http_status is not None and 400 <= write.http_status < 500
    return not (write.outcome == "answered" and refused_by_cloud)


def was_answered(record: JournalRecord) -> bool:
    """Whether the cloud said that it did it.

    Args:
        record: a call.
    """
    return record.outcome == "answered" and record.http_status is not None and record.http_status < 300


def unsettled(writes: Iterable[JournalRecord]) -> list[JournalRecord]:
    """The creates that may have made something that is still there: those that no later delete undid.

    Args:
        writes: calls that change something, oldest first.
    """
    kept: list[JournalRecord] = []
    for write in writes:
        if write.access != "write" or not may_have_happened(write):
            continue
        if may_make(write):
            kept.append(write)
        elif was_answered(write) and _unmakes_anything(write):
            kept = [create for create in kept if not _unmakes(write, create)]
    return kept


def to_account_for(records: Iterable[JournalRecord]) -> list[JournalRecord]:
    """Of what `unsettled` returns, the calls that make something of its own, or that a rule knows.

    Args:
        records: as the recovery endpoint returns them.
    """
    return [record for record in unsettled(records) if makes_something(record.service, record.operation)]


def _unmakes_anything(write: JournalRecord) -> bool:
    return _verb(write.operation) in _UNMAKES or (write.service, write.operation) in _UNMAKING


def _unmakes(delete: JournalRecord, create: JournalRecord) -> bool:
    """Whether a delete that succeeded removed what `create` made: same service, same noun, same identifiers."""
    if not delete.resource or delete.service != create.service:
        return False
    wanted = _UNMAKING.get((delete.service, delete.operation))
    if create.operation != wanted if wanted else _noun(delete.operation) != _noun(create.operation):
        return False
    made = names_of(create)
    values = set(made.values())
    return all(
        made[leaf(name)] == value if leaf(name) in made else value in values
        for name, value in delete.resource.items()
    )  # fmt: skip


def _verb(operation: str) -> str:
    first = _FIRST_WORD.match(operation)
    return first.group() if first else operation


def _noun(operation: str) -> str:
    return operation.removeprefix(_verb(operation)).rstrip("s")
