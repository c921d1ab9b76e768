"""The table of rules."""

from __future__ import annotations

from collections import Counter

from shared.recovery.table import TABLE


def test_one_call_makes_one_type_unless_its_names_tell_which_or_what_is_planned_does() -> None:
    calls = Counter((rule.service, rule.operation, rule.where) for rule in TABLE)
    assert [call for call, count in calls.items() if count > 1] == [("iam", "AddUserToGroup", ())]
    types = Counter(rule.type for rule in TABLE)
    assert [kind for kind, count in types.items() if count > 1] == ["aws_s3_object"], "put whole, or in parts"


def test_a_name_is_written_with_its_attribute() -> None:
    for rule in TABLE:
        assert rule.type.startswith("aws_")
        assert rule.same or rule.alone or rule.anonymous
        assert all(name and attribute for name, attribute in rule.same), rule


def test_what_is_part_of_something_else_is_set_again_or_refused_a_second_time() -> None:
    refused = {rule.type for rule in TABLE if rule.part and not rule.adopts}
    assert refused == {"aws_network_acl_rule", "aws_route", "aws_route53_record"}
    assert not any(rule.adopts or rule.part for rule in TABLE if rule.anonymous)
