"""How far an operation can be undone, and why. Pure: an entry of a plan in, a label out.

    create, update, read, output, import, move, forget
                     reversible: undone by a delete, by the former values, or by the inverse; but by the resource type,
                     `lasting` says what no delete takes back, of a replacement as well
    delete, replace  by the resource type: `stateful` says what is lost, `rebuilt` what is only made again; of any other
                     type nobody knows, so its data counts as lost
    replace, the old one forgotten
                     data loss: the old one stays behind, outside of every state
    provisioner, action, deferred, unknown
                     irreversible: nobody knows what it does
    create, replace, where something of that name exists already
                     irreversible: what it was, no state has

A plan tells more than its entries do (`Change`): what forces a replacement, why something is deleted, and updates that
nothing turns around (`one_way`). A safety plan names those. What is told makes the label stricter, never milder.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from shared.rollback import lasting
from shared.rollback.guarding import keeps_data
from shared.rollback.one_way import one_way
from shared.rollback.rebuilt import is_rebuilt
from shared.rollback.records import MAX_WHY, Reversibility, ReversibilityLabel
from shared.rollback.stateful import LOSSES, Holds
from shared.safety.entries import Entry, Operation
from shared.safety.making import OPERATIONS
from shared.safety.plan_document import Change, PlanDocument

_DESTROYS: Final[Mapping[Operation, str]] = {
    Operation.DELETE: "deleted",
    Operation.REPLACE_DELETE_FIRST: "replaced",
    Operation.REPLACE_CREATE_FIRST: "replaced",
}
_MAKES: Final = frozenset({Operation.CREATE, Operation.REPLACE_FORGET, *(_DESTROYS.keys() - {Operation.DELETE})})
_TAKES_OVER: Final = (
    "something of that name exists already, or may: making it takes that over or overwrites it, and a rollback cannot "
    "give it back"
)
_SIMPLE: Final[Mapping[Operation, tuple[Reversibility, str]]] = {
    Operation.CREATE: (Reversibility.REVERSIBLE, "a rollback deletes it"),
    Operation.UPDATE: (Reversibility.REVERSIBLE, "a rollback sets the former values"),
    Operation.READ: (Reversibility.REVERSIBLE, "nothing is changed"),
    Operation.OUTPUT: (Reversibility.REVERSIBLE, "only what the state says is changed"),
    Operation.IMPORT: (Reversibility.REVERSIBLE, "a rollback forgets it, and it stays in the cloud"),
    Operation.MOVE: (Reversibility.REVERSIBLE, "a rollback moves it back"),
    Operation.FORGET: (Reversibility.REVERSIBLE, "a rollback takes it into the state again"),
    Operation.REPLACE_FORGET: (
        Reversibility.DATA_LOSS,
        "the one that is there stays behind outside of the state, and a rollback makes a third one",
    ),
    Operation.PROVISIONER: (Reversibility.IRREVERSIBLE, "nobody knows what its command does"),
    Operation.ACTION: (Reversibility.IRREVERSIBLE, "nothing undoes what a provider's action did"),
    Operation.DEFERRED: (Reversibility.IRREVERSIBLE, "what it will be, nobody can say yet"),
    Operation.UNKNOWN: (Reversibility.IRREVERSIBLE, "this version does not know it"),
}
_ORDER: Final = list(Reversibility)


def label(
    entry: Entry, change: Change | None = None, *, one_way_only: bool = False, existing: bool = False
) -> ReversibilityLabel:
    """How far an entry can be undone.

    Args:
        entry: of a safety plan.
        change: the same in the plan itself, where that is at hand.
        one_way_only: whether the safety plan names it among what nothing turns around.
        existing: whether the safety plan names it among what something of that name may be already.
    """
    if existing and entry.operation in _MAKES:
        return ReversibilityLabel(reversibility=Reversibility.IRREVERSIBLE, why=_TAKES_OVER)
    if one_way_only and entry.operation in _MAKES | {Operation.UPDATE} and change is None:
        why = "what it does cannot be turned around; the run's log says why"
        return ReversibilityLabel(reversibility=Reversibility.IRREVERSIBLE, why=why)
    word = _DESTROYS.get(entry.operation)
    if word is not None:
        found = _destroyed(entry.type, word)
    else:
        found = ReversibilityLabel(reversibility=_SIMPLE[entry.operation][0], why=_SIMPLE[entry.operation][1])
        if entry.operation is Operation.CREATE and (held := keeps_data(entry.type)):
            why = f"a rollback deletes it only with consent to its address, for what it holds by then: {held}"
            found = ReversibilityLabel(reversibility=Reversibility.REVERSIBLE, why=why)
    if entry.operation in _MAKES:
        found = _lasting(found, entry.type)
    return found if change is None else _with_context(found, entry, change)


def labels(document: PlanDocument) -> dict[Entry, ReversibilityLabel]:
    """The label of each operation on a resource in a plan, with all that the plan tells."""
    found = {}
    lasts = lasting.outlasts(document)
    for change in document.resource_changes:
        operation = OPERATIONS.get(change.actions, Operation.UNKNOWN)
        if operation is not None:
            address = f"{change.address} (deposed)" if change.deposed else change.address
            entry = Entry(address=address, type=change.type, operation=operation)
            found[entry] = label(entry, change)
            if why := lasts.get(change.address):
                more = ReversibilityLabel(reversibility=Reversibility.IRREVERSIBLE, why=why)
                found[entry] = stricter(found[entry], more)
    return found


def stricter(one: ReversibilityLabel, other: ReversibilityLabel) -> ReversibilityLabel:
    """The one of two labels that promises less; the first where they promise the same."""
    return max(one, other, key=lambda label: _ORDER.index(label.reversibility))


def _lasting(found: ReversibilityLabel, kind: str) -> ReversibilityLabel:
    for table, degree in ((lasting.STAYS, Reversibility.IRREVERSIBLE), (lasting.LOSES, Reversibility.DATA_LOSS)):
        if kind in table:
            found = stricter(found, ReversibilityLabel(reversibility=degree, why=f"made: {table[kind]}"))
    return found


def _destroyed(kind: str, word: str) -> ReversibilityLabel:
    loss = LOSSES.get(kind)
    if loss is not None:
        degree = Reversibility.IRREVERSIBLE if loss.holds is Holds.GONE else Reversibility.DATA_LOSS
        return ReversibilityLabel(reversibility=degree, why=f"{word}: {loss.why}")
    if is_rebuilt(kind):
        why = f"{word}: it is made again from the configuration, under another id where its service draws one"
        return ReversibilityLabel(reversibility=Reversibility.REVERSIBLE, why=why)
    why = f"{word}: whether {kind or 'it'} holds data is not known, so it counts as lost"
    return ReversibilityLabel(reversibility=Reversibility.DATA_LOSS, why=why[:MAX_WHY])


def _with_context(found: ReversibilityLabel, entry: Entry, change: Change) -> ReversibilityLabel:
    if entry.operation is Operation.UPDATE and (why := one_way(change)):
        found = stricter(found, ReversibilityLabel(reversibility=Reversibility.IRREVERSIBLE, why=why))
    notes = [_REASONS[change.action_reason]] if change.action_reason in _REASONS else []
    if change.replace_paths:
        shown = ", ".join(change.replace_paths[:5]) + (", …" if len(change.replace_paths) > 5 else "")
        notes.append(f"forced by {shown}")
    if not notes or found.reversibility is Reversibility.REVERSIBLE:
        return found
    return ReversibilityLabel(reversibility=found.reversibility, why=f"{found.why} ({'; '.join(notes)})"[:MAX_WHY])


#: What Terraform says of a deletion or a replacement (its JSON output format, `action_reason`).
_REASONS: Final[Mapping[str | None, str]] = {
    "replace_because_tainted": "its creation failed",
    "replace_because_cannot_update": "it cannot be changed in place",
    "replace_by_request": "-replace asks for it",
    "replace_by_triggers": "replace_triggered_by asks for it",
    "delete_because_no_resource_config": "it is not in the configuration any more",
    "delete_because_no_module": "its module is not in the configuration any more",
    "delete_because_wrong_repetition": "count or for_each came or went",
    "delete_because_count_index": "count is smaller",
    "delete_because_each_key": "for_each has no such key any more",
    "delete_because_no_move_target": "it is moved to what is not in the configuration",
}
