"""What follows from the fields of the records, and that they are closed and bounded."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from shared.rollback.records import (
    NextStep,
    Refusal,
    Residue,
    ResidueKind,
    Reversibility,
    ReversibilityLabel,
    RollbackResult,
    RollbackState,
    RollbackVerdict,
    StateComparison,
)
from shared.rollback.settings import Trigger
from tests.unit.shared.rollback.support import first_state, item, plan_of, was


def test_a_plan_is_empty_when_it_only_reads_and_puts_nothing_off() -> None:
    assert plan_of().empty
    assert plan_of(item("read", "data.aws_ami.a")).empty
    assert not plan_of(item("update", "aws_vpc.a")).empty
    assert not plan_of(item("output", "output.a")).empty
    assert not plan_of(complete=False).empty


def test_a_label_wants_consent_unless_it_is_reversible() -> None:
    assert [one for one in Reversibility if ReversibilityLabel(reversibility=one, why="").needs_consent] == [
        Reversibility.DATA_LOSS,
        Reversibility.IRREVERSIBLE,
    ]


def test_a_verdict_is_whole_without_refusals() -> None:
    one = item("delete", "aws_vpc.a")
    assert RollbackVerdict(allowed=(one,)).whole
    assert not RollbackVerdict(allowed=(one,), refused=(Refusal(item=one, reason="no"),)).whole


@pytest.mark.parametrize("state", RollbackState)
@pytest.mark.parametrize("refused", [False, True])
def test_only_what_is_not_whole_leaves_a_choice(state: RollbackState, refused: bool) -> None:
    refusals = (Refusal(item=item("delete", "aws_vpc.a"), reason="no"),) if refused else ()
    options = RollbackResult(state=state, trigger=Trigger.HEALTH, refused=refusals).options
    if state in (RollbackState.ROLLED_BACK, RollbackState.NOT_NEEDED):
        assert options == ()
    else:
        assert set(options) == {NextStep.RETRY, NextStep.SKIP} | ({NextStep.CONTINUE} if refused else set())


def test_a_comparison_is_equal_only_with_nothing_left_out() -> None:
    assert StateComparison(same_lineage=True, compared=3).equal
    assert not StateComparison(same_lineage=True, compared=3, more=1).equal


def test_they_are_told_in_one_line() -> None:
    assert str(item("delete", "aws_vpc.a", deposed="00c0ffee")) == "delete aws_vpc.a (deposed)"
    left = Residue(kind=ResidueKind.LEFT, address="aws_vpc.a", type="aws_vpc", id="vpc-1", reason="refused")
    assert str(left) == "left aws_vpc.a (vpc-1): refused"
    assert str(left.model_copy(update={"id": None})) == "left aws_vpc.a: refused"


def test_what_was_written_is_read_back_and_nothing_else_is_taken() -> None:
    first = first_state(was("aws_vpc.a"), was("aws_vpc.b", None), outputs=("x",))
    assert type(first).model_validate_json(first.model_dump_json()) == first
    with pytest.raises(ValidationError):
        type(first).model_validate({**first.model_dump(), "more": 1})
    with pytest.raises(ValidationError):
        was("aws_vpc.a", "x" * 4097)
    with pytest.raises(ValidationError):
        first.epoch = 2
