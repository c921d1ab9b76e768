"""The table of attributes that show other resources. That all of it exists: the schemas of hashicorp/aws 5.100.0."""

from __future__ import annotations

from shared.drift.shown import TABLE


def test_it_names_types_of_one_provider_and_something_for_each_attribute() -> None:
    types = {*TABLE, *(shown.type for kinds in TABLE.values() for one in kinds.values() for shown in one)}
    assert all(one.startswith("aws_") for one in types)
    assert all(shown for kinds in TABLE.values() for shown in kinds.values())


def test_what_decides_all_of_an_attribute_stands_beside_nothing_that_accounts_for_elements() -> None:
    mixed = [
        (kind, attribute)
        for kind, attributes in TABLE.items()
        for attribute, shown in attributes.items()
        if len({one.whole for one in shown}) > 1
    ]
    assert mixed == []


def test_rules_of_one_direction_are_told_from_those_of_the_other() -> None:
    for kind in ("aws_security_group", "aws_network_acl"):
        inwards, outwards = (
            {(one.type, *one.where.values()) for one in TABLE[kind][name]} for name in ("ingress", "egress")
        )
        assert not inwards & outwards
