"""The table of rules."""

from __future__ import annotations

from collections import Counter

from shared.recovery.table import TABLE


def test_one_call_makes_one_type() -> None:
    assert max(Counter((rule.service, rule.operation) for rule in TABLE).values()) == 1
    assert max(Counter(rule.type for rule in TABLE).values()) == 1


def test_a_name_is_written_with_its_attribute() -> None:
    for rule in TABLE:
        assert rule.type.startswith("aws_")
        assert all(name and attribute for name, attribute in rule.same), rule


def test_what_is_part_of_something_else_is_answered_the_same_twice() -> None:
    assert all(rule.adopts for rule in TABLE if rule.part)
    assert not any(rule.adopts for rule in TABLE if rule.anonymous)
