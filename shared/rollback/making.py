"""A plan of the first configuration -> a rollback plan; one that should be empty -> what is left. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from shared.rollback.importing import import_name
from shared.rollback.records import (
    MAX_ID,
    MAX_WHY,
    FirstResource,
    Residue,
    ResidueKind,
    RollbackPlan,
    RollbackPlanItem,
)
from shared.rollback.states import id_of
from shared.safety.entries import Operation, in_order
from shared.safety.making import OPERATIONS, REST, safety_plan
from shared.safety.plan_document import SENSITIVE, Change, PlanDocument

#: What it means that the first configuration still wants an operation. A provisioner goes with its resource.
_LEFT: Final[Mapping[Operation, ResidueKind | None]] = {
    Operation.CREATE: ResidueKind.MISSING,
    Operation.IMPORT: ResidueKind.MISSING,
    Operation.DELETE: ResidueKind.LEFT,
    Operation.FORGET: ResidueKind.LEFT,
    Operation.UPDATE: ResidueKind.CHANGED,
    Operation.REPLACE_DELETE_FIRST: ResidueKind.CHANGED,
    Operation.REPLACE_CREATE_FIRST: ResidueKind.CHANGED,
    Operation.REPLACE_FORGET: ResidueKind.CHANGED,
    Operation.MOVE: ResidueKind.CHANGED,
    Operation.OUTPUT: ResidueKind.CHANGED,
    Operation.DEFERRED: ResidueKind.UNKNOWN,
    Operation.ACTION: ResidueKind.UNKNOWN,
    Operation.UNKNOWN: ResidueKind.UNKNOWN,
    Operation.READ: None,
    Operation.PROVISIONER: None,
}
#: What a plan does beside changing resources.
_BESIDE: Final = frozenset({Operation.OUTPUT, Operation.ACTION, Operation.DEFERRED, Operation.PROVISIONER})
#: By which what is at an address ceases to be; what a replacement left there Terraform itself does not guard.
_ENDS: Final = frozenset({Operation.DELETE, Operation.REPLACE_DELETE_FIRST, Operation.REPLACE_CREATE_FIRST})


def rollback_plan(document: PlanDocument, guarded: Callable[[str], bool] = lambda _: False) -> RollbackPlan:
    """Everything that applying this plan of the first configuration does, with the ids of the objects that are there.

    Args:
        document: the plan.
        guarded: whether the configuration of what is at an address has `prevent_destroy`.

    Raises ConfigurationError for a plan that ended with an error, or that does more than can be handled at once.
    """
    items = [item for change in document.resource_changes for item in _of_resource(change, guarded)]
    entries = safety_plan(document).entries
    items += [
        RollbackPlanItem(address=entry.address.removesuffix(" (deposed)"), type=entry.type, operation=entry.operation)
        for entry in in_order(entries)
        if entry.operation in _BESIDE
    ]
    return RollbackPlan(items=tuple(items), complete=document.complete)


def residue(plan: RollbackPlan, reasons: Mapping[str, str], first: Iterable[FirstResource] = ()) -> tuple[Residue, ...]:
    """What is left, by a plan of the first configuration that was made after the rollback; empty: nothing.

    Args:
        plan: that plan.
        reasons: why, by address.
        first: what existed before the deployment.
    """
    existed = {(one.type, one.id) for one in first if one.id is not None}
    kept = {item.address for item in plan.items if item.deposed is not None and (item.type, item.id) in existed}
    found: dict[tuple[str, str | None], Residue] = {}
    for item in plan.items:
        kind = _LEFT[item.operation]
        if kind is None:
            continue
        if item.address in kept and item.id is not None:
            # What existed is there, as what a replacement left; what has its address is what is too much.
            kind = ResidueKind.CHANGED if (item.type, item.id) in existed else ResidueKind.LEFT
        why = reasons.get(item.address) or f"the first configuration wants: {item.operation}"
        left = Residue(kind=kind, address=item.address, type=item.type, id=item.id, reason=why[:MAX_WHY])
        # A move, or an import, comes with what else is done to its object, and says less.
        if item.operation not in (Operation.MOVE, Operation.IMPORT):
            found[item.address, item.deposed] = left
        else:
            found.setdefault((item.address, item.deposed), left)
    if not plan.complete and not any(left.kind is ResidueKind.UNKNOWN for left in found.values()):
        why = "the plan put something off, and does not say what"
        found[REST, None] = Residue(kind=ResidueKind.UNKNOWN, address=REST, type="", reason=why)
    return tuple(found.values())


def _of_resource(change: Change, guarded: Callable[[str], bool]) -> Iterator[RollbackPlanItem]:
    operation = OPERATIONS.get(change.actions, Operation.UNKNOWN)
    moved = change.previous_address is not None and change.previous_address != change.address
    wanted = (operation, Operation.IMPORT if change.importing else None, Operation.MOVE if moved else None)
    before = change.before if isinstance(change.before, dict) else {}
    shown = {name: value for name, value in before.items() if value != SENSITIVE}
    name = id_of(shown)
    taken_by = import_name(change.type, name, shown)
    for one in wanted:
        if one is not None:
            yield RollbackPlanItem(
                address=change.address,
                type=change.type,
                operation=one,
                id=name,
                deposed=change.deposed and change.deposed[:64],
                previous_address=change.previous_address if moved else None,
                import_id=taken_by if taken_by is not None and len(taken_by) <= MAX_ID else None,
                guarded=one in _ENDS and change.deposed is None and guarded(change.address),
            )
