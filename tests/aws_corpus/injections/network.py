"""VPCs and what is in them."""

from __future__ import annotations

from collections.abc import Iterator

from tests.aws_corpus.injections.row import GONE, Injection, one, policy


def network() -> Iterator[Injection]:
    """The rows."""
    yield one(
        "aws_vpc.this",
        "enable_dns_hostnames",
        "ec2.modify_vpc_attribute",
        lambda r, of: {"VpcId": r["id"], "EnableDnsHostnames": {"Value": False}},
    )
    yield one(
        "aws_vpc.this",
        "enable_dns_support",
        "ec2.modify_vpc_attribute",
        lambda r, of: {"VpcId": r["id"], "EnableDnsSupport": {"Value": False}},
    )
    yield one(
        'aws_subnet.this["a"]',
        "map_public_ip_on_launch",
        "ec2.modify_subnet_attribute",
        lambda r, of: {"SubnetId": r["id"], "MapPublicIpOnLaunch": {"Value": False}},
    )
    yield one(
        "aws_route_table.this",
        "route[1]",
        "ec2.create_route",
        lambda r, of: {
            "RouteTableId": r["id"],
            "DestinationCidrBlock": "192.0.2.0/24",
            "GatewayId": of("aws_internet_gateway.this")["id"],
        },
    )
    yield one(
        "aws_route.out",
        "gateway_id nat_gateway_id",
        "ec2.replace_route",
        lambda r, of: {
            "RouteTableId": r["route_table_id"],
            "DestinationCidrBlock": r["destination_cidr_block"],
            "NatGatewayId": of("aws_nat_gateway.this")["id"],
        },
    )
    yield one(
        "aws_route_table_association.a",
        GONE,
        "ec2.disassociate_route_table",
        lambda r, of: {"AssociationId": r["id"]},
    )
    yield one(
        "aws_vpc_dhcp_options_association.this",
        GONE,
        "ec2.associate_dhcp_options",
        lambda r, of: {"DhcpOptionsId": "default", "VpcId": r["vpc_id"]},
    )
    yield one(
        "aws_security_group.inline",
        "ingress[0]",
        "ec2.authorize_security_group_ingress",
        lambda r, of: {
            "GroupId": r["id"],
            "IpPermissions": [
                {"IpProtocol": "tcp", "FromPort": 77, "ToPort": 77, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
            ],
        },
    )
    yield one(
        "aws_security_group_rule.ssh",
        "description",
        "ec2.update_security_group_rule_descriptions_ingress",
        lambda r, of: {
            "GroupId": r["security_group_id"],
            "IpPermissions": [
                {
                    "IpProtocol": "tcp",
                    "FromPort": 22,
                    "ToPort": 22,
                    "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "injected"}],
                }
            ],
        },
    )
    yield one(
        "aws_vpc_security_group_ingress_rule.https",
        "description to_port cidr_ipv4",
        "ec2.modify_security_group_rules",
        lambda r, of: {
            "GroupId": r["security_group_id"],
            "SecurityGroupRules": [
                {
                    "SecurityGroupRuleId": r["id"],
                    "SecurityGroupRule": {
                        "IpProtocol": "tcp",
                        "FromPort": 443,
                        "ToPort": 777,
                        "CidrIpv4": "192.0.2.0/24",
                        "Description": "injected",
                    },
                }
            ],
        },
    )
    yield one(
        "aws_network_acl_rule.in",
        "cidr_block rule_action to_port",
        "ec2.replace_network_acl_entry",
        lambda r, of: {
            "NetworkAclId": r["network_acl_id"],
            "RuleNumber": 100,
            "Protocol": "6",
            "RuleAction": "deny",
            "Egress": False,
            "CidrBlock": "192.0.2.0/24",
            "PortRange": {"From": 443, "To": 777},
        },
    )
    interface = "aws_network_interface.this"
    yield one(
        interface,
        "description",
        "ec2.modify_network_interface_attribute",
        lambda r, of: {"NetworkInterfaceId": r["id"], "Description": {"Value": "injected"}},
    )
    yield one(
        interface,
        "source_dest_check",
        "ec2.modify_network_interface_attribute",
        lambda r, of: {"NetworkInterfaceId": r["id"], "SourceDestCheck": {"Value": False}},
    )
    yield one(
        "aws_vpc_endpoint.s3",
        "policy",
        "ec2.modify_vpc_endpoint",
        lambda r, of: {
            "VpcEndpointId": r["id"],
            "PolicyDocument": policy("Injected", Action="s3:*"),
        },
    )
    yield one(
        "aws_ec2_managed_prefix_list.this",
        "name entry[0]",
        "ec2.modify_managed_prefix_list",
        lambda r, of: {
            "PrefixListId": r["id"],
            "PrefixListName": "injected",
            "AddEntries": [{"Cidr": "192.0.2.0/24", "Description": "injected"}],
        },
    )
