"""What a rollback's result is worth beside the two states that the scheduler keeps. Pure.

The result comes from a plan that was made inside the sandbox. The states are the scheduler's own: a provider that says
of everything that it is gone makes an empty plan, and what it made is still in the state.

A plan does not see what a configuration leaves out either: see `open_groups` and `keeping`. Where a rollback failed
there may be no plan at all; then the states say what differs.
"""

from __future__ import annotations

from shared.rollback.records import (
    MAX_WHY,
    Presence,
    Residue,
    ResidueKind,
    RollbackResult,
    RollbackState,
    StateComparison,
)
from shared.safety.making import REST

_WHOLE = (RollbackState.ROLLED_BACK, RollbackState.NOT_NEEDED)
_KINDS = {Presence.ONLY_FINAL: ResidueKind.LEFT, Presence.ONLY_FIRST: ResidueKind.MISSING}
_WHY = {
    Presence.ONLY_FINAL: "the last plan had nothing to do with it, and the stored state still holds it: was it deleted "
    "by hand?",
    Presence.ONLY_FIRST: "the last plan had nothing to do with it, and the stored state does not hold it",
}
_OPEN = (
    "it was made again, and lets everything out (egress), which it did not before: its creation was cut before the "
    "provider took that away, and no plan takes it. Revoke that rule, then retry; or skip"
)
_KEPT = (
    "the deployment set {names}, and no plan of the first configuration takes that back: it says nothing of it, or is "
    "to ignore it. Set it back, then retry; or skip"
)
#: Of a rollback that failed: nobody has planned what would take it back.
_SET = "the deployment set {names}, and it is not as it was"
_DIFFERS = {
    Presence.ONLY_FINAL: "the stored state holds it, and the first one did not",
    Presence.ONLY_FIRST: "the first state holds it, and the stored one does not",
    Presence.BOTH: "the stored state has other values than the first one: {names}",
}
_NOT_COMPARED = Residue(
    kind=ResidueKind.UNKNOWN,
    address=REST,
    type="",
    reason="the first and the final state could not be compared, and without that nobody vouches for what the last "
    "plan said: see the scheduler's log. Compare them by hand, then skip",
)
_NOBODY_KNOWS = Residue(
    kind=ResidueKind.UNKNOWN,
    address=REST,
    type="",
    reason="no plan said what is left, and the states do not tell all of it",
)


def believed(result: RollbackResult, comparison: StateComparison | None, *, begun: bool = False) -> RollbackResult:
    """The result with the comparison; one that claims to be whole while objects of one state are not in the other is
    partial, and names them; so is one with a security group that lets everything out since, or with values that the
    deployment set and that stay. Objects that a replacement left (deposed) are no part of what was there. One that
    failed names all that differs, and never nothing.

    Args:
        result: what the worker says.
        comparison: of the two states; None: they could not be compared, so nothing is whole.
        begun: an earlier try was allowed to change something. Where nothing is left to do, it did that.
    """
    result = result.model_copy(update={"comparison": comparison})
    failed = result.state is RollbackState.FAILED
    if begun and result.state is RollbackState.NOT_NEEDED:
        result = result.model_copy(update={"state": RollbackState.ROLLED_BACK})
    if comparison is None:
        if failed:
            return result.model_copy(update={"residue": result.residue or (_NOBODY_KNOWS,)})
        if result.state not in _WHOLE:
            return result
        return result.model_copy(update={"state": RollbackState.PARTIAL, "residue": (_NOT_COMPARED,)})
    residue = tuple(
        Residue(kind=ResidueKind.CHANGED, address=one.address, type=one.type, id=one.id, reason=_OPEN)
        for one in comparison.opened
    )
    residue += tuple(
        Residue(
            kind=ResidueKind.CHANGED,
            address=one.address,
            type=one.type,
            id=one.id,
            reason=(_SET if failed else _KEPT).format(names=", ".join(one.attributes))[:MAX_WHY],
        )
        for one in comparison.kept
    )
    if result.state not in _WHOLE:
        named = {one.address for one in result.residue}
        left = (*result.residue, *(one for one in residue if one.address not in named))
        return result.model_copy(update={"residue": _with_differences(left, comparison) if failed else left})
    residue += tuple(
        Residue(kind=_KINDS[one.presence], address=one.address, type=one.type, reason=_WHY[one.presence])
        for one in comparison.resources
        if one.presence in _KINDS and " (deposed " not in one.address
    )
    if not residue:
        return result
    return result.model_copy(update={"state": RollbackState.PARTIAL, "residue": residue})


def _with_differences(left: tuple[Residue, ...], comparison: StateComparison) -> tuple[Residue, ...]:
    """And every other object that is not in the one state as it is in the other; never nothing."""
    named = {one.address for one in left}
    found = tuple(
        Residue(
            kind=_KINDS.get(one.presence, ResidueKind.CHANGED),
            address=one.address,
            type=one.type,
            reason=_DIFFERS[one.presence].format(names=", ".join(item.path for item in one.attributes))[:MAX_WHY],
        )
        for one in comparison.resources
        if one.address not in named
    )
    unsaid = comparison.more > 0 or not (left or found)
    return (*left, *found, *((_NOBODY_KNOWS,) if unsaid else ()))
