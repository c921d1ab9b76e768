"""What a rollback's result is worth beside the two states that the scheduler keeps. Pure.

The result comes from a plan that was made inside the sandbox. The states are the scheduler's own: a provider that says
of everything that it is gone makes an empty plan, and what it made is still in the state.

A plan does not see what a configuration leaves out either: see `open_groups` and `keeping`.
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

_WHOLE = (RollbackState.ROLLED_BACK, RollbackState.NOT_NEEDED)
_KINDS = {Presence.ONLY_FINAL: ResidueKind.LEFT, Presence.ONLY_FIRST: ResidueKind.MISSING}
_WHY = {
    Presence.ONLY_FINAL: "the last plan had nothing to do with it, and the stored state still holds it: was it deleted "
    "by hand?",
    Presence.ONLY_FIRST: "the last plan had nothing to do with it, and the stored state does not hold it",
}
_NOT_COMPARED = (
    "the first and the final state could not be compared, and without that nobody vouches for what the last plan said: "
    "see the scheduler's log. Compare them by hand, then skip"
)
_OPEN = (
    "it was made again, and lets everything out (egress), which it did not before: its creation was cut before the "
    "provider took that away, and no plan takes it. Revoke that rule, then retry; or skip"
)
_KEPT = (
    "the deployment set {names}, and no plan of the first configuration takes that back: it says nothing of it, or is "
    "to ignore it. Set it back, then retry; or skip"
)


def believed(result: RollbackResult, comparison: StateComparison | None, *, begun: bool = False) -> RollbackResult:
    """The result with the comparison; one that claims to be whole while objects of one state are not in the other is
    partial, and names them; so is one with a security group that lets everything out since, or with values that the
    deployment set and that stay. Objects that a replacement left (deposed) are no part of what was there.

    Args:
        result: what the worker says.
        comparison: of the two states; None: they could not be compared, so nothing is whole.
        begun: an earlier try was allowed to change something. Where nothing is left to do, it did that.
    """
    result = result.model_copy(update={"comparison": comparison})
    if begun and result.state is RollbackState.NOT_NEEDED:
        result = result.model_copy(update={"state": RollbackState.ROLLED_BACK})
    if comparison is None:
        if result.state not in _WHOLE:
            return result
        unknown = Residue(kind=ResidueKind.UNKNOWN, address="(state)", type="(state)", reason=_NOT_COMPARED)
        return result.model_copy(update={"state": RollbackState.PARTIAL, "residue": (unknown,)})
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
            reason=_KEPT.format(names=", ".join(one.attributes))[:MAX_WHY],
        )
        for one in comparison.kept
    )
    if result.state not in _WHOLE:
        named = {one.address for one in result.residue}
        more = tuple(one for one in residue if one.address not in named)
        return result.model_copy(update={"residue": (*result.residue, *more)})
    residue += tuple(
        Residue(kind=_KINDS[one.presence], address=one.address, type=one.type, reason=_WHY[one.presence])
        for one in comparison.resources
        if one.presence in _KINDS and " (deposed " not in one.address
    )
    if not residue:
        return result
    return result.model_copy(update={"state": RollbackState.PARTIAL, "residue": residue})
