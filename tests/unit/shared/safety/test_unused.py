"""What was approved and not done."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.safety.entries import SafetyPlan
from shared.safety.unused import unused
from tests.unit.shared.safety.support import entry, plan
from tests.unit.shared.safety.test_entries import plans

CREATE, DELETE = entry("create", "aws_x.a"), entry("delete", "aws_x.b")


def test_what_no_deployment_needed_is_unused_and_the_rest_is_suggested() -> None:
    left, smaller = unused(plan(CREATE, DELETE), [plan(CREATE)])
    assert (left, smaller) == ((DELETE,), plan(CREATE))


def test_what_one_of_several_targets_needed_is_used() -> None:
    assert unused(plan(CREATE, DELETE), [plan(CREATE), plan(DELETE)])[0] == ()


@given(plans, st.lists(plans, max_size=3))
def test_unused_and_suggested_make_up_what_was_approved(approved: SafetyPlan, done: list[SafetyPlan]) -> None:
    left, smaller = unused(approved, done)
    assert frozenset(left) | smaller.entries == approved.entries
    assert not frozenset(left) & smaller.entries
