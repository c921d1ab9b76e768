"""What becomes of creates that only mean something inside of another thing: a group's rules, a table's associations."""

from __future__ import annotations

from typing import Any

import pytest

from shared.recovery.reconciling import Reconciliation, reconcile
from shared.recovery.views import Candidate
from tests.unit.shared.recovery.test_reconciling import imports_of, planned, view
from tests.unit.worker.support import record


def test_a_security_group_rule_is_told_by_its_place_in_the_group_that_the_run_made() -> None:
    group = record("ec2", "CreateSecurityGroup", {"GroupName": "g"}, {"groupId": "sg-1"})
    made = record("ec2", "AuthorizeSecurityGroupIngress", {"GroupId": "sg-1"})
    held = (planned("aws_security_group.g", id="sg-1", name="g"),)
    plan = view(
        planned(
            "aws_vpc_security_group_ingress_rule.https", security_group_id="sg-1", from_port=443, ip_protocol="tcp"
        ),
        held=held,
    )
    exists = [Candidate(id="sgr-1", attributes={"security_group_id": "sg-1", "from_port": "443", "ip_protocol": "tcp"})]
    found = {"aws_vpc_security_group_ingress_rule": exists}
    assert imports_of(reconcile([group, made], plan, found)) == [("aws_vpc_security_group_ingress_rule.https", "sgr-1")]
    assert len(reconcile([made], plan, found).unimportable) == 1, (
        "in a group that was there before it may have been too"
    )


RULE = "aws_vpc_security_group_ingress_rule"
OPEN = {"security_group_id": "sg-1", "ip_protocol": "tcp", "from_port": 443, "to_port": 443, "cidr_ipv4": "0.0.0.0/0"}


@pytest.mark.parametrize(
    ("there", "restoring", "kept"),
    [
        (OPEN, [f"{RULE}.https"], True),
        ({**OPEN, "from_port": 0}, [f"{RULE}.https"], False),
        (OPEN, [], False),
        (OPEN, [f"{RULE}.other"], False),
        ({**OPEN, "description": "by hand"}, [f"{RULE}.https"], False),
        ({**OPEN, "cidr_ipv4": None, "prefix_list_id": "pl-1"}, [f"{RULE}.https"], False),
    ],
    ids=[
        "the same",
        "another port",
        "was not there before",
        "was there elsewhere",
        "described otherwise",
        "for others",
    ],
)
def test_the_very_rule_that_was_in_a_group_before_is_kept_where_it_is_made_again(
    there: dict[str, Any], restoring: list[str], kept: bool
) -> None:
    lost = record("ec2", "AuthorizeSecurityGroupIngress", {"GroupId": "sg-1"})
    plan = view(planned(f"{RULE}.https", **OPEN), held=(planned("aws_security_group.g", id="sg-1", name="g"),))
    exists = Candidate(id="sgr-1", attributes={name: str(value) for name, value in there.items() if value is not None})
    result = reconcile([lost], plan, {RULE: [exists]}, restoring=restoring, destroying=True)
    assert [(item.address, item.id, item.ours) for item in result.imports] == (
        [(f"{RULE}.https", "sgr-1", True)] if kept else []
    )
    assert len((*result.unimportable, *result.deferred)) == (0 if kept else 1)


def test_a_rule_from_port_zero_is_kept_as_well() -> None:
    lost = record("ec2", "AuthorizeSecurityGroupIngress", {"GroupId": "sg-1"})
    wanted = {**OPEN, "from_port": 0, "to_port": 65535}
    exists = Candidate(id="sgr-1", attributes={name: str(value) for name, value in wanted.items()})
    plan = view(planned(f"{RULE}.all", **wanted))
    assert imports_of(reconcile([lost], plan, {RULE: [exists]}, restoring=[f"{RULE}.all"])) == [
        (f"{RULE}.all", "sgr-1")
    ]


def test_an_association_that_the_cloud_has_no_more_is_settled_although_its_create_was_answered() -> None:
    names = {"RouteTableId": "rtb-1", "SubnetId": "subnet-1"}
    made = record("ec2", "AssociateRouteTable", names, {"associationId": "rtbassoc-1"})
    kind = "aws_route_table_association"
    other = Candidate(id="subnet-2/rtb-1", attributes={"route_table_id": "rtb-1", "subnet_id": "subnet-2"})
    assert imports_of(reconcile([made], view(), {kind: [other]}, destroying=True)) == []
    still = Candidate(id="subnet-1/rtb-1", attributes={"route_table_id": "rtb-1", "subnet_id": "subnet-1"})
    assert len(reconcile([made], view(), {kind: [other, still]}, destroying=True).deferred) == 1


def test_a_gateways_association_is_not_taken_for_a_subnets_of_the_same_table() -> None:
    kind = "aws_route_table_association"
    subnet = record("ec2", "AssociateRouteTable", {"RouteTableId": "rtb-1", "SubnetId": "subnet-1"}, {})
    gateway = record("ec2", "AssociateRouteTable", {"RouteTableId": "rtb-1", "GatewayId": "igw-1"}, {})
    plan = view(
        planned(f"{kind}.s", route_table_id="rtb-1", subnet_id="subnet-1"),
        planned(f"{kind}.g", route_table_id="rtb-1", gateway_id="igw-1"),
    )
    of_gateway = Candidate(
        id="igw-1/rtb-1", attributes={"route_table_id": "rtb-1", "subnet_id": "", "gateway_id": "igw-1"}
    )
    of_subnet = Candidate(
        id="subnet-1/rtb-1", attributes={"route_table_id": "rtb-1", "subnet_id": "subnet-1", "gateway_id": ""}
    )
    for exists in ([of_gateway, of_subnet], [of_subnet, of_gateway]):
        found = imports_of(reconcile([subnet, gateway], plan, {kind: exists}))
        assert sorted(found) == [(f"{kind}.g", "igw-1/rtb-1"), (f"{kind}.s", "subnet-1/rtb-1")]
    assert imports_of(reconcile([subnet], plan, {kind: [of_gateway]})) == []
    assert imports_of(reconcile([gateway], plan, {kind: [of_subnet]})) == []


def test_a_rule_that_nobody_holds_stays_named_whatever_else_is_kept() -> None:
    """Its call does not say for whom it was: two lost answers on one port look alike."""
    lost = [record("ec2", "AuthorizeSecurityGroupIngress", {"GroupId": "sg-1", "n": str(number)}) for number in (1, 2)]
    ours = Candidate(id="sgr-9", attributes={name: str(value) for name, value in OPEN.items()})
    other = Candidate(id="sgr-8", attributes={**ours.attributes, "cidr_ipv4": "10.0.0.0/8"})
    group = planned("aws_security_group.g", id="sg-1", name="g")
    words: dict[str, Any] = {"restoring": [f"{RULE}.https"], "destroying": True}
    first = reconcile(lost, view(planned(f"{RULE}.https", **OPEN), held=(group,)), {RULE: [other, ours]}, **words)
    assert [item.id for item in first.imports] == ["sgr-9"]
    held = (group, planned(f"{RULE}.https", **OPEN, id="sgr-9"))
    for records in (lost, lost[:1]):
        then = reconcile(records, view(held=held), {RULE: [other, ours]}, **words)
        assert {item.record.call_id for item in then.deferred} == {one.call_id for one in records}


def test_a_rule_that_is_gone_or_that_the_state_holds_is_settled() -> None:
    lost = record("ec2", "AuthorizeSecurityGroupIngress", {"GroupId": "sg-1"})
    held = (planned("aws_security_group.g", id="sg-1"), planned(f"{RULE}.https", **OPEN, id="sgr-9"))
    exists = Candidate(id="sgr-9", attributes={name: str(value) for name, value in OPEN.items()})
    assert imports_of(reconcile([lost], view(held=held), {RULE: [exists]})) == []
    assert imports_of(reconcile([lost], view(held=held[:1]), {RULE: []})) == []


def test_a_rule_of_the_older_type_is_imported_by_its_values() -> None:
    made = record("ec2", "AuthorizeSecurityGroupIngress", {"GroupId": "sg-1"}, {"securityGroupRuleId": "sgr-1"})
    plan = view(
        planned(
            "aws_security_group_rule.ssh",
            type="ingress",
            security_group_id="sg-1",
            protocol="tcp",
            from_port=22,
            to_port=22,
            cidr_blocks=["10.0.0.0/8"],
        )
    )
    exists = Candidate(
        id="sgr-1",
        attributes={
            "security_group_id": "sg-1",
            "ip_protocol": "tcp",
            "from_port": "22",
            "to_port": "22",
            "cidr_ipv4": "10.0.0.0/8",
        },
    )
    listed = planned("aws_security_group.g", id="sg-1", ingress=[{"from_port": 22}])
    another = planned("aws_security_group_rule.https", security_group_id="sg-1", from_port=443)
    for held in ((), (listed,), (listed, another)):
        result = reconcile([made], view(*plan.creates, held=held), {"aws_vpc_security_group_ingress_rule": [exists]})
        assert imports_of(result) == [("aws_security_group_rule.ssh", "sg-1_ingress_tcp_22_22_10.0.0.0/8")]
    assert (
        reconcile([made], view(held=(listed,)), {"aws_vpc_security_group_ingress_rule": [exists]}) == Reconciliation()
    )
    lost = record("ec2", "AuthorizeSecurityGroupIngress", {"GroupId": "sg-1"})
    assert len(reconcile([lost], plan, {"aws_vpc_security_group_ingress_rule": [exists]}).unimportable) == 1


def test_the_only_rule_that_is_left_to_make_is_not_taken_for_one_without_asking() -> None:
    made = record("ec2", "AuthorizeSecurityGroupIngress", {"GroupId": "sg-1"}, {"securityGroupRuleId": "sgr-1"})
    plan = view(planned("aws_vpc_security_group_ingress_rule.https", security_group_id=None, from_port=443))
    assert "0 planned resources" in str(reconcile([made], plan, {}).deferred[0])


def test_rules_beside_one_that_is_still_to_be_made_are_settled_by_who_holds_them() -> None:
    made = record("ec2", "AuthorizeSecurityGroupIngress", {"GroupId": "sg-1"}, {"securityGroupRuleId": "sgr-1"})
    exists = Candidate(id="sgr-1", attributes={name: str(value) for name, value in OPEN.items()})
    older = {"type": "ingress", "security_group_id": "sg-1", "protocol": "tcp", "cidr_blocks": ["0.0.0.0/0"]}
    held = planned("aws_security_group_rule.https", **older, from_port=443, to_port=443, id="sgrule-1")
    to_make = planned("aws_security_group_rule.http", **older, from_port=80, to_port=80)
    assert reconcile([made], view(to_make, held=(held,)), {RULE: [exists]}) == Reconciliation()
    lists = planned("aws_security_group.g", id="sg-1", ingress=[{"from_port": 443}])
    elsewhere = planned(
        "aws_security_group_rule.http", **{**older, "security_group_id": "sg-2"}, from_port=80, to_port=80
    )
    assert reconcile([made], view(elsewhere, held=(lists,)), {RULE: [exists]}) == Reconciliation()
    assert reconcile([made], view(to_make, held=(lists,)), {RULE: [exists]}).deferred, "it may be told by another value"


def test_a_rule_of_a_group_that_is_still_to_be_made_is_another_one() -> None:
    made = record("ec2", "AuthorizeSecurityGroupIngress", {"GroupId": "sg-1"}, {"securityGroupRuleId": "sgr-1"})
    exists = Candidate(id="sgr-1", attributes={name: str(value) for name, value in OPEN.items()})
    of_new = planned(f"{RULE}.new", **{**OPEN, "security_group_id": None})
    found = reconcile([made], view(of_new), {RULE: [exists]})
    assert (found.imports, len(found.deferred)) == ((), 1)
