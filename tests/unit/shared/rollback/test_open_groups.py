"""Security groups that let everything out since they were made again."""

from __future__ import annotations

from typing import Any

import pytest

from shared.rollback.open_groups import opened
from shared.rollback.states import Instance

EVERYTHING = {"protocol": "-1", "cidr_blocks": ["0.0.0.0/0"], "from_port": 0, "to_port": 0}
NARROW = {"protocol": "tcp", "cidr_blocks": ["0.0.0.0/0"], "from_port": 443, "to_port": 443}


def one(address: str, **attributes: Any) -> Instance:
    deposed = attributes.pop("deposed", None)
    return Instance(
        address=address,
        type=address.split(".")[0],
        managed=True,
        deposed=deposed,
        attributes=attributes,
        sensitive=(),
    )


def group(name: str, egress: Any, **more: Any) -> Instance:
    return one("aws_security_group.g", id=name, egress=egress, **more)


def found(first: list[Instance], *final: Instance) -> list[tuple[str, str | None]]:
    return [(it.address, it.id) for it in opened(first, final)]


@pytest.mark.parametrize("before", [[], None, [NARROW]], ids=["nothing", "not known", "something"])
@pytest.mark.parametrize("now", [[EVERYTHING], [EVERYTHING, NARROW], [NARROW, EVERYTHING]])
def test_one_that_was_made_again_and_lets_everything_out_is_told(before: Any, now: Any) -> None:
    assert found([group("sg-1", before)], group("sg-2", now)) == [("aws_security_group.g", "sg-2")]


@pytest.mark.parametrize(
    "beside",
    [
        one("aws_vpc_security_group_egress_rule.r", security_group_id="sg-2", ip_protocol="tcp", cidr_ipv4="0.0.0.0/0"),
        one("aws_vpc_security_group_egress_rule.r", security_group_id="sg-2", ip_protocol="-1", cidr_ipv4="10.0.0.0/8"),
        one("aws_vpc_security_group_egress_rule.r", security_group_id="sg-9", ip_protocol="-1", cidr_ipv4="0.0.0.0/0"),
        one("aws_security_group_rule.r", type="ingress", security_group_id="sg-2", **EVERYTHING),
        one("aws_security_group_rule.r", type="egress", security_group_id="sg-2", **NARROW),
        one("aws_security_group_rule.r", type="egress", security_group_id={"x": 1}, protocol="-1", cidr_blocks=5),
    ],
    ids=["narrow", "inside", "of another group", "in", "older and narrow", "nonsense"],
)
def test_another_rule_is_no_reason_for_it(beside: Instance) -> None:
    assert found([group("sg-1", [])], group("sg-2", [EVERYTHING]), beside)


@pytest.mark.parametrize(
    "beside",
    [
        one("aws_vpc_security_group_egress_rule.r", security_group_id="sg-2", ip_protocol="-1", cidr_ipv4="0.0.0.0/0"),
        one("aws_security_group_rule.r", type="egress", security_group_id="sg-2", **EVERYTHING),
        one("aws_security_group_rule.r", type="egress", security_group_id="sg-2", **{**EVERYTHING, "protocol": "all"}),
    ],
)
def test_one_whose_configuration_says_so_in_a_rule_of_its_own_is_as_it_should_be(beside: Instance) -> None:
    assert not found([group("sg-1", [])], group("sg-2", [EVERYTHING]), beside)


@pytest.mark.parametrize(
    ("first", "final"),
    [
        ([group("sg-1", [])], group("sg-1", [EVERYTHING])),
        ([group("sg-1", [])], group("sg-2", [])),
        ([group("sg-1", [])], group("sg-2", [NARROW])),
        ([group("sg-1", [])], group("sg-2", [{**EVERYTHING, "cidr_blocks": ["10.0.0.0/8"]}])),
        ([group("sg-1", [EVERYTHING])], group("sg-2", [NARROW, EVERYTHING])),
        ([], group("sg-2", [EVERYTHING])),
        ([group("sg-1", [])], group("sg-2", [EVERYTHING], deposed="0a1b2c3d")),
        ([group("sg-1", [])], group("sg-2", "nonsense")),
        ([group("sg-1", [])], one("aws_security_group.g", id=7, egress=[EVERYTHING])),
    ],
    ids=["never made again", "closed", "narrow", "inside", "before, too", "new", "left", "nonsense", "no id"],
)
def test_any_other_is_not(first: list[Instance], final: Instance) -> None:
    assert not found(first, final)
