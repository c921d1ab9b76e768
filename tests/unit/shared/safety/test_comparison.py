"""Is this plan within that one?"""

from __future__ import annotations

from hypothesis import given

from shared.safety.comparison import compare, named, outside
from shared.safety.entries import SafetyPlan
from tests.unit.shared.safety.support import entry, plan
from tests.unit.shared.safety.test_entries import plans

CREATE, DELETE = entry("create", "aws_sqs_queue.a"), entry("delete", "aws_sqs_queue.a")


def test_one_more_operation_is_outside() -> None:
    assert outside(plan(CREATE, DELETE), plan(CREATE)) == (DELETE,)


def test_the_other_order_of_a_replacement_is_outside() -> None:
    fresh = plan(entry("replace_create_first", "a.b"))
    assert len(outside(fresh, plan(entry("replace_delete_first", "a.b")))) == 1


@given(plans, plans)
def test_nothing_is_outside_exactly_when_it_is_a_subset(one: SafetyPlan, other: SafetyPlan) -> None:
    assert (not outside(one, other)) == (one.entries <= other.entries)


@given(plans, plans)
def test_side_by_side_every_entry_is_in_one_place(one: SafetyPlan, other: SafetyPlan) -> None:
    difference = compare(one, other)
    parts = [difference.only_left, difference.only_right, difference.both]
    assert sum(len(part) for part in parts) == len(one.entries | other.entries)
    assert difference.same == (one == other)


def test_many_entries_are_named_in_one_line() -> None:
    many = [entry("create", f"a.b{number}") for number in range(7)]
    assert named(many, at_most=2) == "create a.b0, create a.b1 and 5 more"
    assert "more" not in named(many, at_most=7)
    assert named([CREATE]) == "create aws_sqs_queue.a"
