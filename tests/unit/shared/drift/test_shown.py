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
    # A load balancer has its addresses, and says of the association no more than that.
    assert {kind for kind, _ in mixed} == {"aws_eip"}


def test_what_is_named_by_its_parent_says_by_which_attribute() -> None:
    anything = {
        (kind, one.type) for kind, names in TABLE.items() for all_of in names.values() for one in all_of if not one.link
    }
    assert anything == {
        ("aws_network_interface", "aws_instance"),
        ("aws_instance", "aws_network_interface_sg_attachment"),
        ("aws_eip", "aws_lb"),
        ("aws_lb_target_group", "aws_lb_listener"),
        ("aws_lb_target_group", "aws_lb_listener_rule"),
        ("aws_lb_target_group", "aws_lb"),
    }


def test_rules_of_one_direction_are_told_from_those_of_the_other() -> None:
    for kind in ("aws_security_group", "aws_network_acl"):
        inwards, outwards = (
            {(one.type, *one.where.values()) for one in TABLE[kind][name]} for name in ("ingress", "egress")
        )
        assert not inwards & outwards
