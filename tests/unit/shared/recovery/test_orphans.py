"""The report about one run."""

from __future__ import annotations

from typing import Any

from shared.recovery.orphans import PlannedResources, find_orphans, planned_of
from shared.recovery.views import Resource
from tests.unit.worker.support import record


def resource(address: str, **values: Any) -> Resource:
    return Resource(address=address, type=address.split(".")[0].split("[")[0], values=values)


def planned(*creates: Resource, refers: dict[str, dict[str, str]] | None = None) -> PlannedResources:
    changes = [
        {
            "address": item.address,
            "mode": "managed",
            "type": item.type,
            "change": {"actions": ["create"], "after": item.values},
        }
        for item in creates
    ]
    resources = [
        {
            "address": address,
            "expressions": {name: {"references": [to, to.rpartition(".")[0]]} for name, to in found.items()},
        }
        for address, found in (refers or {}).items()
    ]
    return planned_of({"resource_changes": changes, "configuration": {"root_module": {"resources": resources}}})


BUCKET = record("s3", "CreateBucket", {"Bucket": "orders"}, {})


def test_only_names_are_kept_of_what_is_planned_and_only_of_types_with_a_rule() -> None:
    kept = planned(
        resource("aws_ssm_parameter.p", name="/orders/password", value="secret", type="SecureString"),
        resource("aws_subnet.a", vpc_id=None, cidr_block="10.0.0.0/24", tags={"a": "b"}),
        resource("random_password.x", length=3),
    )
    assert {item.address: item.names for item in kept.resources} == {
        "aws_ssm_parameter.p": {"name": "/orders/password"},
        "aws_subnet.a": {"cidr_block": "10.0.0.0/24"},
    }


def test_an_orphan_has_the_address_that_the_plan_gave_it() -> None:
    plan = planned(resource("aws_s3_bucket.orders", bucket="orders"), resource("aws_s3_bucket.other", bucket="other"))
    (orphan,) = find_orphans([BUCKET], [], plan)
    assert (orphan.address, orphan.id, orphan.outcome) == ("aws_s3_bucket.orders", "orders", "made")
    assert orphan.import_block is not None


def test_two_subnets_are_told_apart_by_what_the_journal_knows() -> None:
    plan = planned(
        resource("aws_subnet.a", cidr_block="10.0.0.0/24"), resource("aws_subnet.b", cidr_block="10.0.1.0/24")
    )
    made = record("ec2", "CreateSubnet", {"VpcId": "vpc-1"}, {"subnetId": "subnet-1", "cidrBlock": "10.0.1.0/24"})
    (orphan,) = find_orphans([made], [], plan)
    assert (orphan.address, orphan.id) == ("aws_subnet.b", "subnet-1")
    vague = record("ec2", "CreateSubnet", {"VpcId": "vpc-1"}, {"subnetId": "subnet-2"})
    (orphan,) = find_orphans([vague], [], plan)
    assert (orphan.address, orphan.id) == (None, "subnet-2")
    assert "2 planned resources" in orphan.why


def test_without_a_plan_everything_but_the_address_is_named() -> None:
    (orphan,) = find_orphans([BUCKET], [], None)
    assert (orphan.type, orphan.id, orphan.address, orphan.import_block) == ("aws_s3_bucket", "orders", None, None)


def test_what_a_state_since_holds_is_accounted_for_also_by_an_earlier_one() -> None:
    held = (resource("aws_s3_bucket.orders", bucket="orders", id="orders"),)
    assert find_orphans([BUCKET], [held], None) == []
    assert find_orphans([BUCKET], [(), held], None) == []
    assert len(find_orphans([BUCKET], [(), ()], None)) == 1


def test_an_address_that_the_state_holds_is_not_given_to_another() -> None:
    held = (resource("aws_s3_bucket.orders", bucket="another", id="another"),)
    (orphan,) = find_orphans([BUCKET], [held], planned(resource("aws_s3_bucket.orders", bucket="orders")))
    assert orphan.address is None


def test_what_no_rule_knows_is_reported_with_its_names() -> None:
    made = record("apigateway", "CreateRestApi", {"name": "orders"}, {"id": "r1"})
    (orphan,) = find_orphans([made], [], planned())
    assert (orphan.type, orphan.id, orphan.names) == (None, None, {"name": "orders", "id": "r1"})
    assert "no rule" in orphan.why


def test_a_lost_answer_is_unknown_and_a_name_is_enough_for_its_block() -> None:
    lost = record("s3", "CreateBucket", {"Bucket": "orders"})
    (orphan,) = find_orphans([lost], [], planned(resource("aws_s3_bucket.orders", bucket="orders")))
    assert (orphan.outcome, orphan.address) == ("unknown", "aws_s3_bucket.orders")


def test_a_part_of_something_else_is_an_orphan_only_where_the_plan_had_it() -> None:
    made = record("iam", "PutRolePolicy", {"RoleName": "r", "PolicyName": "p"}, {})
    assert find_orphans([made], [], planned()) == []
    plan = planned(resource("aws_iam_role_policy.x", role="r", name="p"))
    for states in ([], [()], [(resource("aws_iam_role.r", name="r", id="r"),)]):
        (orphan,) = find_orphans([made], states, plan)
        assert orphan.id == "r:p"
    assert find_orphans([made], [(resource("aws_iam_role_policy.x", role="r", name="p", id="r:p"),)], plan) == []


def test_what_refers_to_something_that_was_made_in_the_same_run_gets_its_place_from_it() -> None:
    plan = planned(
        resource("aws_route_table.t", vpc_id=None),
        resource("aws_subnet.a", cidr_block="10.0.0.0/24"),
        resource("aws_route_table_association.a", route_table_id=None, subnet_id=None),
        refers={
            "aws_route_table_association.a": {"route_table_id": "aws_route_table.t.id", "subnet_id": "aws_subnet.a.id"}
        },
    )
    records = [
        record("ec2", "AssociateRouteTable", {"RouteTableId": "rtb-1", "SubnetId": "subnet-1"}, {}),
        record("ec2", "CreateRouteTable", {}, {"routeTableId": "rtb-1"}),
        record("ec2", "CreateSubnet", {}, {"subnetId": "subnet-1", "cidrBlock": "10.0.0.0/24"}),
    ]
    found = {orphan.address: orphan.id for orphan in find_orphans(records, [], plan)}
    assert found["aws_route_table_association.a"] == "subnet-1/rtb-1"
    without = planned(*(resource(item.address, **item.names) for item in plan.resources))
    assert "aws_route_table_association.a" not in {orphan.address for orphan in find_orphans(records, [], without)}


def test_what_refers_to_something_that_the_state_holds_does_too() -> None:
    held = (resource("aws_security_group.g", id="sg-1", name="g"),)
    plan = planned(
        resource("aws_vpc_security_group_ingress_rule.a", from_port=443, cidr_ipv4="10.0.0.0/8"),
        resource("aws_vpc_security_group_ingress_rule.b", from_port=80, cidr_ipv4="10.0.0.0/8"),
        refers={
            f"aws_vpc_security_group_ingress_rule.{name}": {"security_group_id": "aws_security_group.g.id"}
            for name in "ab"
        },
    )
    made = record(
        "ec2",
        "AuthorizeSecurityGroupIngress",
        {"GroupId": "sg-1"},
        {"securityGroupRuleId": "sgr-1", "groupId": "sg-1", "fromPort": "80", "cidrIpv4": "10.0.0.0/8"},
    )
    (orphan,) = find_orphans([made], [held], plan)
    assert (orphan.address, orphan.id) == ("aws_vpc_security_group_ingress_rule.b", "sgr-1")
