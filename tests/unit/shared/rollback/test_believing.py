"""What a rollback's result is worth beside the two states."""

from __future__ import annotations

import pytest

from shared.rollback.believing import believed
from shared.rollback.records import (
    AttributeDifference,
    FirstResource,
    Kept,
    Presence,
    Residue,
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


GROUP = FirstResource(address="aws_security_group.g", type="aws_security_group", id="sg-2")
OPENED = StateComparison(same_lineage=True, compared=9, opened=(GROUP,))


@pytest.mark.parametrize("state", list(RollbackState))
def test_a_group_that_lets_everything_out_since_is_named_whatever_else_is_left(state: RollbackState) -> None:
    found = believed(result(state), OPENED)
    assert found.state is (RollbackState.PARTIAL if state in WHOLE else state)
    assert [(one.kind, one.address, one.id) for one in found.residue] == [
        (ResidueKind.CHANGED, "aws_security_group.g", "sg-2")
    ]


def test_what_the_worker_has_named_is_not_named_twice() -> None:
    said = Residue(kind=ResidueKind.LEFT, address="aws_security_group.g", type="aws_security_group", reason="refused")
    partial = result(RollbackState.PARTIAL).model_copy(update={"residue": (said,)})
    assert believed(partial, OPENED).residue == (said,)


def test_where_an_earlier_try_has_begun_and_nothing_is_left_to_do_it_was_rolled_back() -> None:
    assert believed(result(RollbackState.NOT_NEEDED), compared(), begun=True).state is RollbackState.ROLLED_BACK
    assert believed(result(RollbackState.NOT_NEEDED), compared(), begun=False).state is RollbackState.NOT_NEEDED
    differing = compared(("a_t.one", Presence.ONLY_FINAL))
    assert believed(result(RollbackState.NOT_NEEDED), differing, begun=True).state is RollbackState.PARTIAL


@pytest.mark.parametrize("state", [RollbackState.PARTIAL, RollbackState.FAILED])
def test_who_claims_less_is_believed(state: RollbackState) -> None:
    assert believed(result(state), compared(("a_t.one", Presence.ONLY_FINAL))).state is state


@pytest.mark.parametrize("state", WHOLE)
@pytest.mark.parametrize("begun", [True, False])
def test_without_a_comparison_nothing_is_whole(state: RollbackState, begun: bool) -> None:
    found = believed(result(state), None, begun=begun)
    assert (found.state, [one.kind for one in found.residue]) == (RollbackState.PARTIAL, [ResidueKind.UNKNOWN])


def test_without_a_comparison_what_is_partial_stands_alone() -> None:
    state = RollbackState.PARTIAL
    assert believed(result(state), None) == result(state)


def test_one_that_failed_names_what_differs_though_no_plan_was_made() -> None:
    of_both = ResourceDifference(
        address="a_t.both",
        type="a_t",
        presence=Presence.BOTH,
        attributes=(AttributeDifference(path="rate"), AttributeDifference(path="tags.a")),
    )
    found = compared(("a_t.new", Presence.ONLY_FINAL), ("a_t.old", Presence.ONLY_FIRST), ("a_t.said", Presence.BOTH))
    said = Residue(kind=ResidueKind.LEFT, address="a_t.said", type="a_t", reason="the journal")
    failed = result(RollbackState.FAILED).model_copy(update={"residue": (said,)})
    left = believed(failed, found.model_copy(update={"resources": (*found.resources, of_both)})).residue
    assert [(one.kind, one.address) for one in left] == [
        (ResidueKind.LEFT, "a_t.said"),
        (ResidueKind.LEFT, "a_t.new"),
        (ResidueKind.MISSING, "a_t.old"),
        (ResidueKind.CHANGED, "a_t.both"),
    ]
    assert "rate, tags.a" in left[-1].reason


@pytest.mark.parametrize("comparison", [None, compared(), compared().model_copy(update={"more": 1})])
def test_one_that_failed_never_names_nothing(comparison: StateComparison | None) -> None:
    assert [one.kind for one in believed(result(RollbackState.FAILED), comparison).residue] == [ResidueKind.UNKNOWN]


def test_what_was_set_is_called_unplannable_only_where_a_plan_was_made() -> None:
    one = Kept(address="a_t.q", type="a_t", attributes=("rate",))
    both = StateComparison(same_lineage=True, compared=9, kept=(one,))
    said = {
        state: believed(result(state), both).residue[0].reason
        for state in (RollbackState.FAILED, RollbackState.PARTIAL)
    }
    assert said[RollbackState.FAILED] == "the deployment set rate, and it is not as it was"
    assert "no plan of the first configuration takes that back" in said[RollbackState.PARTIAL]


@pytest.mark.parametrize("state", list(RollbackState))
def test_what_the_deployment_set_and_nothing_took_back_is_named(state: RollbackState) -> None:
    one = Kept(address="aws_sqs_queue.q", type="aws_sqs_queue", id="q", attributes=("policy", "delay"))
    found = believed(result(state), StateComparison(same_lineage=True, compared=9, kept=(one,)))
    assert found.state is (RollbackState.PARTIAL if state in WHOLE else state)
    (left,) = found.residue
    assert (left.kind, left.address, left.id) == (ResidueKind.CHANGED, "aws_sqs_queue.q", "q")
    assert "policy, delay" in left.reason
