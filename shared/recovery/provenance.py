"""Whether a thing that was found by its name is the run's own, or was there before. Pure.

A create whose answer was lost may have been refused because the name was taken. The import of what has that name then
succeeds, and would make somebody else's resource ours. So an import of a lost answer is kept only where something says
that the run made it: the tags that its configuration gives it, or the time at which it was made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from shared.models import JournalRecord
from shared.recovery.imports import Import
from shared.recovery.lookups import instant
from shared.recovery.reconciling import SKEW, Unimportable
from shared.recovery.rules import RULES
from shared.recovery.views import tags_of

#: Where resources of hashicorp/aws say when they were made.
_CREATED = ("create_date", "created_date", "creation_date", "created_at", "create_time", "creation_time", "launch_time")
WHY = "its answer was lost, and nothing says whether the run made what has its name, or it was there before"


def doubtful(
    plan: Mapping[str, Any], imports: Sequence[Import], records: Iterable[JournalRecord]
) -> dict[str, Unimportable]:
    """The uncertain imports of a plan that nothing vouches for, by call id.

    Args:
        plan: `terraform show -json` of a plan with the imports in it.
        imports: of that plan.
        records: the calls.
    """
    calls = {record.call_id: record for record in records}
    changes = {change.get("address"): change.get("change", {}) for change in plan.get("resource_changes", [])}
    found = {}
    for item in imports:
        change, record = changes.get(item.address), calls.get(item.call_id)
        rule = RULES.get((record.service, record.operation)) if record is not None else None
        if rule is None or rule.adopts or all(attribute.endswith("_id") for _, attribute in rule.same):
            continue  # what a repeated call is answered with, or lies in what is ours
        if not item.certain and change is not None and record is not None and not _ours(record, change):
            found[item.call_id] = Unimportable(record=record, why=f"{WHY} ({item.address}, {item.id})")
    return found


def _ours(record: JournalRecord, change: Mapping[str, Any]) -> bool:
    is_there = change.get("before") or {}
    wanted, actual = tags_of(change.get("after") or {}), tags_of(is_there)
    if wanted and all(actual.get(key) == value for key, value in wanted.items()):
        return True
    made = next((at for name in _CREATED if (at := instant(is_there.get(name))) is not None), None)
    return made is not None and made >= record.at_wall - SKEW
