"""Networks and what is in them: a whole life each."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.demo.offline import network
from deploy.demo.offline.aws import Aws
from tests.unit.deploy.demo.offline.lifecycle import TAGS, change, create, find, lives, read


@pytest.fixture
def vpc(aws: Aws) -> str:
    return str(create(network.Vpc, aws, cidr_block="10.20.0.0/16", tags=TAGS)["id"])


@pytest.fixture
def group(aws: Aws, vpc: str) -> str:
    return str(create(network.SecurityGroup, aws, name="service", description="d", vpc_id=vpc, tags=None)["id"])


def test_a_vpc_lives(aws: Aws) -> None:
    made = lives(network.Vpc, aws, cidr_block="10.20.0.0/16", enable_dns_hostnames=True, tags=TAGS)
    assert made["enable_dns_support"] is True


def test_a_vpc_changes_its_tags_and_names(aws: Aws) -> None:
    made = create(network.Vpc, aws, cidr_block="10.20.0.0/16", tags={"a": "b"})
    change(network.Vpc, aws, made, tags=TAGS | {"a": "b"}, enable_dns_hostnames=True)


def test_a_subnet_lives(aws: Aws, vpc: str) -> None:
    lives(network.Subnet, aws, vpc_id=vpc, cidr_block="10.20.1.0/24", availability_zone="eu-west-1b", tags=TAGS)


def test_an_internet_gateway_lives(aws: Aws, vpc: str) -> None:
    lives(network.InternetGateway, aws, vpc_id=vpc, tags=TAGS)


def test_a_gateway_that_was_cut_off_before_it_was_attached_is_attached(aws: Aws, vpc: str) -> None:
    alone = aws.client("ec2").create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    found = find(network.InternetGateway, aws, alone)
    assert found is not None
    assert found["vpc_id"] == ""
    change(network.InternetGateway, aws, found, vpc_id=vpc)


def test_a_route_table_and_its_association_live(aws: Aws, vpc: str) -> None:
    subnet = create(network.Subnet, aws, vpc_id=vpc, cidr_block="10.20.1.0/24", tags=None)
    table = create(network.RouteTable, aws, vpc_id=vpc, tags=TAGS)
    lives(
        network.RouteTableAssociation,
        aws,
        import_id=f"{subnet['id']}/{table['id']}",
        subnet_id=subnet["id"],
        route_table_id=table["id"],
    )
    lives(network.RouteTable, aws, vpc_id=vpc, tags=None)


def test_a_security_group_lives_and_lets_nothing_out_by_itself(aws: Aws, vpc: str) -> None:
    wanted: dict[str, Any] = {"name": "service", "description": "d", "vpc_id": vpc, "tags": TAGS}
    lives(network.SecurityGroup, aws, **wanted)
    made = create(network.SecurityGroup, aws, **wanted)
    (group,) = aws.client("ec2").describe_security_groups(GroupIds=[made["id"]])["SecurityGroups"]
    assert group["IpPermissionsEgress"] == []


def test_a_rule_in_lives(aws: Aws, group: str) -> None:
    lives(
        network.IngressRule,
        aws,
        security_group_id=group,
        ip_protocol="tcp",
        cidr_ipv4="0.0.0.0/0",
        from_port=443,
        to_port=443,
        description="HTTPS",
    )


def test_a_rule_out_for_everything_has_no_ports(aws: Aws, group: str) -> None:
    made = lives(
        network.EgressRule,
        aws,
        security_group_id=group,
        ip_protocol="-1",
        cidr_ipv4="0.0.0.0/0",
        description="Anywhere",
    )
    assert made["from_port"] is None


def test_a_vpc_that_somebody_deleted_is_gone(aws: Aws, vpc: str) -> None:
    aws.client("ec2").delete_vpc(VpcId=vpc)
    assert read(network.Vpc, aws, {"id": vpc}) is None
    assert find(network.Vpc, aws, vpc) is None
