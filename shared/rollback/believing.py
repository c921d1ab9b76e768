"""What a rollback's result is worth beside the two states that the scheduler keeps. Pure.

The result comes from a plan that was made inside the sandbox. The states are the scheduler's own: a provider that says
of everything that it is gone makes an empty plan, and what it made is still in the state.
"""

from __future__ import annotations

from shared.rollback.records import Presence, Residue, ResidueKind, RollbackResult, RollbackState, StateComparison

_WHOLE = (RollbackState.ROLLED_BACK, RollbackState.NOT_NEEDED)
_KINDS = {Presence.ONLY_FINAL: ResidueKind.LEFT, Presence.ONLY_FIRST: ResidueKind.MISSING}
_WHY = {
    Presence.ONLY_FINAL: "the last plan had nothing to do with it, and the stored state still holds it: was it deleted "
    "by hand?",
    Presence.ONLY_FIRST: "the last plan had nothing to do with it, and the stored state does not hold it",
}


def believed(result: RollbackResult, comparison: StateComparison | None, *, begun: bool = False) -> RollbackResult:
    """The result with the comparison; one that claims to be whole while objects of one state are not in the other is
    partial, and names them. Objects that a replacement left (deposed) are no part of what was there.

    Args:
        result: what the worker says.
        comparison: of the two states; None: there is none.
        begun: an earlier try was allowed to change something. Where nothing is left to do, it did that.
    """
    result = result.model_copy(update={"comparison": comparison})
    if begun and result.state is RollbackState.NOT_NEEDED:
        result = result.model_copy(update={"state": RollbackState.ROLLED_BACK})
    if comparison is None or result.state not in _WHOLE:
        return result
    residue = tuple(
        Residue(kind=_KINDS[one.presence], address=one.address, type=one.type, reason=_WHY[one.presence])
        for one in comparison.resources
        if one.presence in _KINDS and " (deposed " not in one.address
    )
    if not residue:
        return result
    return result.model_copy(update={"state": RollbackState.PARTIAL, "residue": residue})
