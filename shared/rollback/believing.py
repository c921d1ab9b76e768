"""What a rollback's result is worth beside the two states that the scheduler keeps. Pure.

The result comes from a plan that was made inside the sandbox. The states are the scheduler's own: a provider that says
of everything that it is gone makes an empty plan, and what it made is still in the state.

And a plan does not see what a configuration leaves out. One such thing says who may do what: EC2 lets everything out of
a new security group, and hashicorp/aws takes that away as the second step of its creation ("NOTE on Egress rules" of
aws_security_group). Of a creation that was cut in between the group stays open, whatever is planned later.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from shared.rollback.records import (
    AttributeDifference,
    Presence,
    Residue,
    ResidueKind,
    ResourceDifference,
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
_GROUP = "aws_security_group"
_RULES = ("aws_security_group_rule", "aws_vpc_security_group_egress_rule")
_OPEN = (
    "it was made again, and lets everything out (egress), which it did not before: its creation was cut before the "
    "provider took that away, and no plan sees it. Revoke that rule, then retry"
)


def believed(result: RollbackResult, comparison: StateComparison | None, *, begun: bool = False) -> RollbackResult:
    """The result with the comparison; one that claims to be whole while objects of one state are not in the other is
    partial, and names them; so is one with a security group that lets everything out since. Objects that a replacement
    left (deposed) are no part of what was there.

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
    residue += tuple(_opened(comparison))
    if not residue:
        return result
    return result.model_copy(update={"state": RollbackState.PARTIAL, "residue": residue})


def _opened(comparison: StateComparison) -> Iterator[Residue]:
    """Security groups that were made again, and that let everything out by no resource's doing."""
    ruled = {_values(one).get("security_group_id") for one in comparison.resources if one.type in _RULES}
    for one in comparison.resources:
        made = _values(one).get("id")
        if one.type == _GROUP and isinstance(made, str) and made not in ruled and any(map(_lets_out, one.attributes)):
            yield Residue(kind=ResidueKind.CHANGED, address=one.address, type=one.type, id=made, reason=_OPEN)


def _values(one: ResourceDifference) -> dict[str, object]:
    """What the final state has otherwise than the first, as far as it is shown whole."""
    return {attribute.path: _value(attribute.final) for attribute in one.attributes}


def _lets_out(attribute: AttributeDifference) -> bool:
    rule = _value(attribute.final) if attribute.path.startswith("egress[") and attribute.first is None else None
    return isinstance(rule, dict) and rule.get("protocol") == "-1" and "0.0.0.0/0" in (rule.get("cidr_blocks") or ())


def _value(shown: str | None) -> object:
    try:
        return None if shown is None else json.loads(shown)
    except ValueError:
        return None  # cut, or hidden
