"""What of a rollback plan may be carried out. Pure, and closed: what no line below allows is refused.

    read, output    always: they change nothing in the cloud
    move            always: the object is the same
    import          of what existed before, and was forgotten
    forget          of what existed before outside of the state, and was taken in
    create          where something was before
    update          of what the deployment touched
    delete          of what the deployment made; of a type that holds data, or of which a delete takes nothing back, or
                    whose configuration guards it (prevent_destroy), only with consent to its address
    replace         as a delete and a create, both
    provisioner     with what it belongs to
    anything else   never

So nothing that existed before is destroyed, unless somebody consented to it by name. What existed is told by the ids in
the first state, not by addresses: a resource may have been replaced at its address. Where an object has no id, or one
that another object had before (a role that was made anew under its old name), it counts as one that existed.

What a create of the deployment took over, since something of its name was there outside of every state, existed too.

With one exception: the deployment's own accepted plan replaced it, and its type holds nothing but settings. Then what
is there under the old name is the new one, or the old one is left behind (deposed) and was to go anyway. Of a type that
loses something this takes consent by name, as the deployment did.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final

from shared.rollback.guarding import keeps_data
from shared.rollback.lasting import STAYS
from shared.rollback.rebuilt import is_rebuilt
from shared.rollback.records import (
    MAX_WHY,
    FirstState,
    Rearrangement,
    Refusal,
    RollbackPlan,
    RollbackPlanItem,
    RollbackVerdict,
)
from shared.safety.entries import Existing, Operation

#: Operations by which an object gives way to a new one.
REPLACES: Final = frozenset({Operation.REPLACE_DELETE_FIRST, Operation.REPLACE_CREATE_FIRST})
#: Operations that run a resource's provisioners.
_PROVISIONED: Final = REPLACES | {Operation.CREATE, Operation.DELETE}


@dataclass(frozen=True, kw_only=True)
class _Known:
    """What the items are held against."""

    ids: Mapping[tuple[str, str], frozenset[str | None]]
    addresses: frozenset[str]
    nameless: frozenset[str]
    led_to: frozenset[str]
    touched: frozenset[str]
    replaced: frozenset[str]
    forgotten: frozenset[str]
    taken_in: frozenset[str]
    taken_ids: frozenset[tuple[str, str]]
    adopted: frozenset[str]
    adopted_ids: frozenset[tuple[str, str]]
    consents: frozenset[str]

    def existed(self, item: RollbackPlanItem) -> bool:
        """Whether the object that is there now was there before, or nobody can tell."""
        names = {*_names(item)}
        if names & (self.taken_in | self.nameless):
            return True
        if item.id is None:
            return bool(names & (self.addresses | self.led_to))
        named = (item.type, item.id)
        if named in self.taken_ids:
            return True
        # Some ids are unique only within something else; what an import takes is unique everywhere.
        others = self.ids.get(named, frozenset())
        return bool(others) and (item.import_id is None or None in others or item.import_id in others)

    def was_adopted(self, item: RollbackPlanItem) -> bool:
        """Whether the deployment's create took over what was there outside of every state, or may have."""
        return bool({*_names(item)} & self.adopted) or (item.type, item.id) in self.adopted_ids

    def was_to_go(self, item: RollbackPlanItem) -> bool:
        """Whether the deployment itself destroyed what existed here, and nothing but settings was lost by it."""
        kept = item.operation is Operation.DELETE and item.deposed is None
        names = {*_names(item)}
        return not kept and is_rebuilt(item.type) and bool(names & self.replaced) and not names & self.taken_in

    def was_touched(self, item: RollbackPlanItem) -> bool:
        """Whether the deployment planned anything for the object."""
        return bool({*_names(item)} & self.touched)

    def consented(self, item: RollbackPlanItem) -> bool:
        """Whether somebody named it."""
        return bool({*_names(item)} & self.consents)


def verdict(
    plan: RollbackPlan,
    first: FirstState,
    *,
    consents: Collection[str],
    touched: Collection[str],
    new: Rearrangement,
    replaced: Collection[str] = (),
    existing: Collection[Existing] = (),
) -> RollbackVerdict:
    """Decide about each item of a plan of the first configuration, made against the current state.

    Args:
        plan: what it would do.
        first: what was there before the deployment.
        consents: addresses that somebody named.
        touched: addresses for which the deployment planned anything; they may end with `(deposed)`.
        new: what the deployment did with addresses.
        replaced: addresses whose objects its accepted plan replaced.
        existing: what it made although something of that name was there, or may have been.
    """
    before = {move.after: move.before for move in new.moved}
    ids: dict[tuple[str, str], frozenset[str | None]] = {}
    for one in first.resources:
        if one.id is not None:
            ids[one.type, one.id] = ids.get((one.type, one.id), frozenset()) | {one.import_id}

    def both(addresses: Collection[str]) -> frozenset[str]:
        """Whoever moved an object means it under both of its names."""
        plain = {address.removesuffix(" (deposed)") for address in addresses}
        return frozenset(plain | {before[name] for name in plain if name in before})

    known = _Known(
        ids=ids,
        addresses=frozenset(one.address for one in first.resources),
        nameless=frozenset(one.address for one in first.resources if one.id is None and one.deposed is None),
        led_to=frozenset(before),
        touched=both(touched),
        replaced=both(replaced),
        forgotten=frozenset(new.forgotten),
        # What the same plan replaced is another object by now, if it got there: its id tells.
        taken_in=frozenset(one.address for one in new.imported if one.also != "replace" or one.object_id is None),
        taken_ids=frozenset((one.type, name) for one in new.imported for name in (one.id, one.object_id) if name),
        adopted=both([one.address for one in existing]),
        adopted_ids=frozenset((one.type, one.id) for one in existing if one.id is not None),
        consents=frozenset(consents),
    )
    reasons = {item: _refusal(item, known) for item in plan.items if item.operation is not Operation.PROVISIONER}
    fine = {item.address for item, why in reasons.items() if why is None and item.operation in _PROVISIONED}
    for item in plan.items:
        if item.operation is Operation.PROVISIONER:
            reasons[item] = None if item.address in fine else "what it belongs to is not done"
    return RollbackVerdict(
        allowed=tuple(item for item in plan.items if reasons[item] is None),
        refused=tuple(
            Refusal(item=item, reason=why[:MAX_WHY]) for item in plan.items if (why := reasons[item]) is not None
        ),
    )


def _refusal(item: RollbackPlanItem, known: _Known) -> str | None:
    """Why an item must not be carried out; None: it may."""
    rule = _RULES.get(item.operation)
    return f"a rollback never does this: {item.operation}" if rule is None else rule(item, known)


def _allowed(item: RollbackPlanItem, known: _Known) -> str | None:
    return None


def _import(item: RollbackPlanItem, known: _Known) -> str | None:
    # The id that it has after an import need not be the one that it had: some providers draw it anew.
    if item.address in known.forgotten & known.addresses:
        return None
    if item.id is not None and (item.type, item.id) in known.ids:
        return None
    return "only what was in the first state is taken back into it"


def _forget(item: RollbackPlanItem, known: _Known) -> str | None:
    if {*_names(item)} & known.taken_in:
        return None
    return "the deployment did not take it into the state: it would be left behind, and nobody would know of it"


def _create(item: RollbackPlanItem, known: _Known) -> str | None:
    if item.address in known.forgotten:
        return "the deployment only took it out of the state: a second one would be made beside it"
    return _again(item, known)


def _again(item: RollbackPlanItem, known: _Known) -> str | None:
    if {*_names(item)} & known.addresses:
        return None
    return "it was not there before the deployment"


def _update(item: RollbackPlanItem, known: _Known) -> str | None:
    return None if known.was_touched(item) else "the deployment did not touch it"


def _delete(item: RollbackPlanItem, known: _Known) -> str | None:
    if known.consented(item):
        return None
    if item.guarded:
        return "its configuration has prevent_destroy: it is destroyed only with consent to its address"
    if known.was_adopted(item):
        return "something of its name was there, or may have been: it is destroyed only with consent for this rollback"
    if known.existed(item) and not known.was_to_go(item):
        return "it existed before the deployment, and is destroyed only with consent to its address"
    if not known.was_touched(item):
        return "the deployment did not make it"
    if why := STAYS.get(item.type):
        return f"{why}: a delete does not take that back, and is done only with consent to its address"
    if why := keeps_data(item.type):
        return f"{why}: it is destroyed only with consent to its address"
    return None


def _replace(item: RollbackPlanItem, known: _Known) -> str | None:
    return _delete(item, known) or _again(item, known)


_RULES: Final[Mapping[Operation, Callable[[RollbackPlanItem, _Known], str | None]]] = {
    Operation.READ: _allowed,
    Operation.OUTPUT: _allowed,
    Operation.MOVE: _allowed,
    Operation.IMPORT: _import,
    Operation.FORGET: _forget,
    Operation.CREATE: _create,
    Operation.UPDATE: _update,
    Operation.DELETE: _delete,
    Operation.REPLACE_DELETE_FIRST: _replace,
    Operation.REPLACE_CREATE_FIRST: _replace,
}


def _names(item: RollbackPlanItem) -> tuple[str, ...]:
    return (item.address,) if item.previous_address is None else (item.address, item.previous_address)
