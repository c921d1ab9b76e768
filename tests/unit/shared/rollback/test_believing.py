"""What a rollback's result is worth beside the two states."""

from __future__ import annotations

import pytest

from shared.rollback.believing import believed
from shared.rollback.records import (
    AttributeDifference,
    Presence,
    ResidueKind,
    ResourceDifference,
    RollbackResult,
    RollbackState,
    StateComparison,
)
from shared.rollback.settings import Trigger

WHOLE = [RollbackState.ROLLED_BACK, RollbackState.NOT_NEEDED]


def result(state: RollbackState) -> RollbackResult:
    return RollbackResult(state=state, trigger=Trigger.HEALTH)


def compared(*differences: tuple[str, Presence]) -> StateComparison:
    resources = tuple(ResourceDifference(address=address, type="a_t", presence=one) for address, one in differences)
    return StateComparison(same_lineage=True, resources=resources, compared=9)


@pytest.mark.parametrize("state", WHOLE)
@pytest.mark.parametrize(
    ("presence", "kind"), [(Presence.ONLY_FINAL, ResidueKind.LEFT), (Presence.ONLY_FIRST, ResidueKind.MISSING)]
)
def test_whoever_claims_to_be_whole_while_the_states_differ_is_partial_and_names_it(
    state: RollbackState, presence: Presence, kind: ResidueKind
) -> None:
    found = believed(result(state), compared(("a_t.one", presence)))
    assert found.state is RollbackState.PARTIAL
    assert [(one.kind, one.address) for one in found.residue] == [(kind, "a_t.one")]


@pytest.mark.parametrize("state", WHOLE)
def test_attributes_that_differ_and_what_a_replacement_left_change_nothing(state: RollbackState) -> None:
    differing = compared(("a_t.one", Presence.BOTH), ("a_t.two (deposed 0a1b2c3d)", Presence.ONLY_FIRST))
    found = believed(result(state), differing)
    assert (found.state, found.residue, found.comparison) == (state, (), differing)


EVERYTHING = '{"cidr_blocks": ["0.0.0.0/0"], "from_port": 0, "protocol": "-1", "to_port": 0}'
MADE = AttributeDifference(path="id", first='"sg-1"', final='"sg-2"')
OPEN = AttributeDifference(path="egress[0]", first=None, final=EVERYTHING)


def group(*attributes: AttributeDifference, rule: str | None = None) -> StateComparison:
    """A security group, and perhaps a resource of its own for one of its rules."""
    of = ResourceDifference(
        address="aws_security_group.g", type="aws_security_group", presence=Presence.BOTH, attributes=attributes
    )
    place = AttributeDifference(path="security_group_id", first='"sg-1"', final='"sg-2"')
    rules = [
        ResourceDifference(address=f"{kind}.r", type=kind, presence=Presence.BOTH, attributes=(place,))
        for kind in [rule]
        if kind
    ]
    return StateComparison(same_lineage=True, resources=(of, *rules), compared=9)


@pytest.mark.parametrize("state", WHOLE)
def test_a_group_that_was_made_again_and_lets_everything_out_is_not_as_it_was(state: RollbackState) -> None:
    found = believed(result(state), group(MADE, OPEN))
    assert found.state is RollbackState.PARTIAL
    assert [(one.kind, one.address, one.id) for one in found.residue] == [
        (ResidueKind.CHANGED, "aws_security_group.g", "sg-2")
    ]


@pytest.mark.parametrize(
    "comparison",
    [
        group(OPEN),
        group(MADE),
        group(MADE, OPEN, rule="aws_vpc_security_group_egress_rule"),
        group(MADE, OPEN, rule="aws_security_group_rule"),
        group(MADE, AttributeDifference(path="ingress[0]", first=None, final=EVERYTHING)),
        group(MADE, AttributeDifference(path="egress[0]", first=EVERYTHING, final=EVERYTHING)),
        group(MADE, AttributeDifference(path="egress[0]", first=None, final=EVERYTHING.replace("-1", "tcp"))),
        group(MADE, AttributeDifference(path="egress[0]", first=None, final=EVERYTHING.replace("0.0.0.0/0", "10/8"))),
        group(MADE, AttributeDifference(path="egress[0]", first=None, final=EVERYTHING[:20] + "…")),
    ],
    ids=[
        "the same group",
        "closed",
        "a rule",
        "an older rule",
        "in",
        "before, too",
        "one protocol",
        "not to all",
        "cut",
    ],
)
def test_a_group_that_is_what_its_configuration_says_is_as_it_was(comparison: StateComparison) -> None:
    assert believed(result(RollbackState.ROLLED_BACK), comparison).state is RollbackState.ROLLED_BACK


def test_where_an_earlier_try_has_begun_and_nothing_is_left_to_do_it_was_rolled_back() -> None:
    assert believed(result(RollbackState.NOT_NEEDED), compared(), begun=True).state is RollbackState.ROLLED_BACK
    assert believed(result(RollbackState.NOT_NEEDED), compared(), begun=False).state is RollbackState.NOT_NEEDED
    differing = compared(("a_t.one", Presence.ONLY_FINAL))
    assert believed(result(RollbackState.NOT_NEEDED), differing, begun=True).state is RollbackState.PARTIAL


@pytest.mark.parametrize("state", [RollbackState.PARTIAL, RollbackState.FAILED])
def test_who_claims_less_is_believed(state: RollbackState) -> None:
    assert believed(result(state), compared(("a_t.one", Presence.ONLY_FINAL))).state is state


@pytest.mark.parametrize("state", list(RollbackState))
def test_without_a_comparison_it_stands_alone(state: RollbackState) -> None:
    assert believed(result(state), None) == result(state)
