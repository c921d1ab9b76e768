"""Whether a thing that was found by its name is the run's own, or was there before. Pure.

A create whose answer was lost may have been refused because the name was taken. The import of what has that name then
succeeds, and would make somebody else's resource ours; a rollback would then delete it. So an import of a lost answer
is kept only where something says that the run made it: what it lies in (`ownership`), the time at which it was made,
or, where that is not known, the tags that its configuration gives it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from shared.models import JournalRecord
from shared.recovery.calls import was_answered
from shared.recovery.imports import Import
from shared.recovery.lookups import instant
from shared.recovery.ownership import SKEW
from shared.recovery.reconciling import Unimportable
from shared.recovery.views import tags_of

#: Where resources of hashicorp/aws say when they were made.
_CREATED = ("create_date", "created_date", "creation_date", "created_at", "create_time", "creation_time")
WHY = "its answer was lost, and nothing says whether the run made what has its name, or it was there before"


def doubtful(
    plan: Mapping[str, Any], imports: Sequence[Import], records: Iterable[JournalRecord]
) -> dict[str, Unimportable]:
    """The imports of a plan that nothing vouches for, by call id.

    Args:
        plan: `terraform show -json` of a plan with the imports in it.
        imports: of that plan.
        records: the calls.
    """
    calls = {record.call_id: record for record in records}
    changes = {change.get("address"): change for change in plan.get("resource_changes", [])}
    found: dict[str, Unimportable] = {}
    for item in imports:
        record = calls.get(item.call_id)
        if not item.ours and record is not None and not _vouched(record, changes.get(item.address, {})):
            why = f"{WHY} ({item.address}, {item.id})"
            # A client repeats a call that got no answer: what is not ours by the one is not by the other.
            found |= {
                other.call_id: Unimportable(record=other, why=why)
                for other in calls.values()
                if not was_answered(other) and _asked(other) == _asked(record)
            }
    return found


def _asked(record: JournalRecord) -> tuple[str, str, Mapping[str, str]]:
    return record.service, record.operation, record.resource


def _vouched(record: JournalRecord, change: Mapping[str, Any]) -> bool:
    detail = change.get("change", {})
    is_there = detail.get("before") or {}
    made = next((at for name in _CREATED if (at := instant(is_there.get(name))) is not None), None)
    if made is not None:
        return made >= record.at_wall - SKEW
    wanted, actual = tags_of(detail.get("after") or {}), tags_of(is_there)
    return bool(wanted) and all(actual.get(key) == value for key, value in wanted.items())
