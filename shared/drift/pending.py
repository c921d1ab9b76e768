"""What an apply would do, beside what was found: what it would put back, and what is only not applied yet. Pure.

A change that the plan proper holds has one of these causes, the first that fits:

    it puts back what was changed outside   -> said of that attribute
    the provider writes it otherwise        -> normalisation
    it depends on something that drifted    -> consequence
    it depends on a data source that changed-> data source
    anything else                           -> not applied
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from shared.drift.changes import Difference, differences
from shared.drift.finding import Finding
from shared.drift.instances import Instance, Key, label
from shared.drift.meaning import same
from shared.drift.observed import Observed
from shared.drift.report import Cause, ResourceStatus
from shared.drift.schemas import UNKNOWN, Shape
from shared.safety.making import OPERATIONS
from shared.safety.plan_document import Change, PlanDocument

_WOULD: Final = {
    Cause.CONSEQUENCE: "an apply would {what} it too: it depends on what drifted",
    Cause.DATA_SOURCE: "an apply would {what} it: it depends on a data source that says something new",
    Cause.NOT_APPLIED: "an apply would {what} it: the configuration is not applied",
    Cause.NORMALISATION: "an apply would {what} it, only to write the same otherwise",
}
_CREATE: Final = ("create",)
_NOTHING: Final = ("no-op",)


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What may be behind a change that is planned."""

    held: Mapping[Key, Instance]
    """Managed objects, as they were read."""
    observed: Mapping[Key, Observed]
    """Those that differ from the state."""
    drifted: frozenset[str]
    """Addresses, without keys, of what was changed outside."""
    data: frozenset[str]
    """The same of data sources that say something new."""
    shapes: Mapping[str, Shape]
    """Of resource types."""

    def cause(self, key: Key) -> Cause:
        """Why a resource would be changed whose own drift does not say it."""
        instance = self.held.get(key)
        depends_on = instance.depends_on if instance is not None else frozenset()
        if depends_on & self.drifted:
            return Cause.CONSEQUENCE
        return Cause.DATA_SOURCE if depends_on & self.data else Cause.NOT_APPLIED


def add_pending(
    findings: dict[Key, Finding], document: PlanDocument, plan: Mapping[str, Any], around: Surroundings
) -> None:
    """Add what the plan proper would do.

    Args:
        findings: so far; resources that do not exist yet are added.
        document: the plan proper, read strictly.
        plan: the same as JSON.
        around: what may be behind it.
    """
    for change, raw in zip(document.resource_changes, plan.get("resource_changes") or (), strict=True):
        if change.mode != "managed" or change.actions == _NOTHING:
            continue
        key = change.address, change.deposed
        finding = findings.get(key)
        if finding is None:
            made = Finding(
                address=label(*key), type=change.type, reason="not created yet: the configuration is not applied"
            )
            made.causes.add(Cause.NOT_APPLIED)
            findings[key] = made
        elif finding.status is ResourceStatus.DELETED:
            if change.actions == _CREATE:
                finding.also("an apply would create it again")
        elif finding.status.checked:
            _add(finding, key, change, raw["change"], around)


def _take_back_excuses(finding: Finding) -> None:
    """What an apply puts back is the configuration's own: it is no mere reflection of another resource."""
    for place, (one, cause) in enumerate(finding.attributes):
        if cause is Cause.REFLECTION and one.top in finding.restored:
            finding.attributes[place] = (one, Cause.CHANGED_OUTSIDE)
            finding.status = ResourceStatus.MODIFIED


def _add(finding: Finding, key: Key, change: Change, detail: Mapping[str, Any], around: Surroundings) -> None:
    seen = around.observed.get(key)
    planned = _planned(detail, around.shapes.get(change.type, UNKNOWN))
    after = detail.get("after") or {}
    if seen is not None:
        touched = {one.top for one in seen.differences}
        finding.restored |= {name for name in touched if name in after and same(seen.before.get(name), after[name])}
        _take_back_excuses(finding)
    rest = [one for one in planned if one.top not in finding.restored]
    if planned and not rest:
        return
    cause = around.cause(key)
    for one in rest:
        finding.attributes.append((one, Cause.NORMALISATION if one.same else cause))
    if rest and all(one.same for one in rest):
        cause = Cause.NORMALISATION
    if not rest:
        # Nothing that is known differs: a replacement of something damaged, a deletion, or values not known yet.
        if finding.status.drifted and change.actions == ("update",):
            return
        finding.causes.add(cause)
    finding.also(_WOULD[cause].format(what=_word(change.actions)) + _why(change))


def _planned(detail: Mapping[str, Any], shape: Shape) -> list[Difference]:
    """The attributes that an apply would change; none for what it would delete."""
    if detail.get("after") is None:
        return []
    return differences(
        detail.get("before"),
        _known(detail["after"], detail.get("after_unknown"), detail.get("before")),
        before_mask=detail.get("before_sensitive"),
        after_mask=detail.get("after_sensitive"),
        shape=shape,
    )


def _known(after: Any, unknown: Any, before: Any) -> Any:
    """`after` with what is known only later left as it is now: that it will change is not what changes it."""
    if unknown is True:
        return before
    if isinstance(after, dict) and isinstance(unknown, dict):
        now = before if isinstance(before, dict) else {}
        keys = after.keys() | {key for key, one in unknown.items() if one is True and key in now}
        return {key: _known(after.get(key), unknown.get(key, False), now.get(key)) for key in keys}
    if isinstance(after, list) and isinstance(unknown, list):
        was = before if isinstance(before, list) else []
        return [
            _known(one, unknown[at] if at < len(unknown) else False, was[at] if at < len(was) else None)
            for at, one in enumerate(after)
        ]
    return after


def _word(actions: tuple[str, ...]) -> str:
    operation = OPERATIONS.get(actions)
    if operation is None:
        return "/".join(actions)
    return "replace" if len(actions) > 1 else operation.value


def _why(change: Change) -> str:
    return f" ({change.action_reason.replace('_', ' ')})" if change.action_reason else ""
