"""Rules of security groups in the older type."""

from __future__ import annotations

from typing import Any

import pytest

from shared.recovery.older_rules import older_rule_id, older_rule_is

INGRESS, EGRESS = "aws_vpc_security_group_ingress_rule", "aws_vpc_security_group_egress_rule"
SSH = {
    "type": "ingress",
    "security_group_id": "sg-1",
    "protocol": "tcp",
    "from_port": 22,
    "to_port": 22,
    "cidr_blocks": ["10.0.0.0/8", "192.168.0.0/16"],
}
ACTUAL = {
    "security_group_id": "sg-1",
    "ip_protocol": "tcp",
    "from_port": "22",
    "to_port": "22",
    "cidr_ipv4": "192.168.0.0/16",
}


def test_each_source_of_it_is_a_rule_of_the_clouds() -> None:
    assert older_rule_is(SSH, INGRESS, ACTUAL)
    assert older_rule_is(SSH, INGRESS, {**ACTUAL, "cidr_ipv4": "10.0.0.0/8"})


@pytest.mark.parametrize(
    "other",
    [
        {"cidr_ipv4": "0.0.0.0/0"},
        {"security_group_id": "sg-2"},
        {"from_port": "23"},
        {"ip_protocol": "udp"},
        {"cidr_ipv4": ""},
    ],
)
def test_another_rule_is_not_taken_for_it(other: dict[str, str]) -> None:
    assert not older_rule_is(SSH, INGRESS, {**ACTUAL, **other})


def test_the_other_direction_is_not_and_neither_is_one_of_a_group_that_is_not_known_yet() -> None:
    assert not older_rule_is(SSH, EGRESS, ACTUAL)
    assert not older_rule_is({**SSH, "security_group_id": None}, INGRESS, ACTUAL)


def test_a_rule_for_everything_has_no_ports() -> None:
    everything: dict[str, Any] = {**SSH, "protocol": "-1", "from_port": 0, "to_port": 0, "cidr_blocks": ["0.0.0.0/0"]}
    actual = {"security_group_id": "sg-1", "ip_protocol": "-1", "cidr_ipv4": "0.0.0.0/0"}
    assert older_rule_is(everything, INGRESS, actual)
    assert older_rule_id(everything) == "sg-1_ingress_all_0_0_0.0.0.0/0"


def test_a_group_may_be_the_source_itself_or_another_one() -> None:
    itself: dict[str, Any] = {**SSH, "cidr_blocks": None, "self": True}
    actual = {name: value for name, value in ACTUAL.items() if name != "cidr_ipv4"}
    assert older_rule_is(itself, INGRESS, {**actual, "referenced_security_group_id": "sg-1"})
    assert not older_rule_is(itself, INGRESS, {**actual, "referenced_security_group_id": "sg-2"})
    assert older_rule_id(itself) == "sg-1_ingress_tcp_22_22_self"
    other = {**SSH, "cidr_blocks": None, "source_security_group_id": "sg-2"}
    assert older_rule_is(other, INGRESS, {**actual, "referenced_security_group_id": "sg-2"})
    assert older_rule_id(other) == "sg-1_ingress_tcp_22_22_sg-2"


def test_its_import_names_all_its_sources() -> None:
    assert older_rule_id(SSH) == "sg-1_ingress_tcp_22_22_10.0.0.0/8_192.168.0.0/16"
