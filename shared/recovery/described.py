"""How EC2 describes what only an id tells apart: one table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Described:
    """How one EC2 type is described."""

    action: str
    """The operation."""
    items: str
    """Path of the items in the answer, without the `item` of the last list."""
    id: str
    """Its id, in an item and in the journal's answers."""
    id_filter: str
    """The filter that takes ids; empty: `id_parameter` does."""
    id_parameter: str = ""
    """The parameter that takes ids where no filter does."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """Terraform's name -> path in an item."""
    state: str = ""
    """Path of what says that it is gone, or about to go."""
    tags: str = "tagSet"
    """Path of its tags."""
    created: str = ""
    """Path of the time at which it was made. An instance says when it was last started, which is another thing."""


#: What `Described.state` may say of something that is not there any more.
GONE = frozenset({"terminated", "shutting-down", "deleting", "deleted", "delete-complete", "error_deleting"})


def _of(action: str, items: str, id_name: str, id_filter: str, **more: str) -> Described:
    own = ("state", "tags", "id_parameter", "created")
    attributes = {name: path for name, path in more.items() if name not in own}
    return Described(
        action=action,
        items=items,
        id=id_name,
        id_filter=id_filter,
        id_parameter=more.get("id_parameter", ""),
        attributes=attributes,
        state=more.get("state", ""),
        tags=more.get("tags", "tagSet"),
        created=more.get("created", ""),
    )


EC2: dict[str, Described] = {
    "aws_customer_gateway": _of(
        "DescribeCustomerGateways", "customerGatewaySet", "customerGatewayId", "customer-gateway-id",
        bgp_asn="bgpAsn", ip_address="ipAddress", type="type", state="state",
    ),
    "aws_ebs_snapshot": _of(
        "DescribeSnapshots", "snapshotSet", "snapshotId", "snapshot-id", volume_id="volumeId", created="startTime"
    ),
    "aws_ebs_volume": _of(
        "DescribeVolumes", "volumeSet", "volumeId", "volume-id",
        availability_zone="availabilityZone", size="size", state="status", created="createTime",
    ),
    "aws_ec2_managed_prefix_list": _of(
        "DescribeManagedPrefixLists", "prefixListSet", "prefixListId", "prefix-list-id",
        name="prefixListName", state="state",
    ),
    "aws_egress_only_internet_gateway": _of(
        "DescribeEgressOnlyInternetGateways", "egressOnlyInternetGatewaySet", "egressOnlyInternetGatewayId", "",
        id_parameter="EgressOnlyInternetGatewayId", vpc_id="attachmentSet/item/vpcId",
    ),
    "aws_eip": _of("DescribeAddresses", "addressesSet", "allocationId", "allocation-id"),
    "aws_flow_log": _of(
        "DescribeFlowLogs", "flowLogSet", "flowLogId", "flow-log-id",
        vpc_id="resourceId", log_destination="logDestination", traffic_type="trafficType",
        created="creationTime",
    ),
    "aws_instance": _of(
        "DescribeInstances", "reservationSet/item/instancesSet", "instanceId", "instance-id",
        ami="imageId", instance_type="instanceType", subnet_id="subnetId", state="instanceState/name",
    ),
    "aws_internet_gateway": _of(
        "DescribeInternetGateways", "internetGatewaySet", "internetGatewayId", "internet-gateway-id",
        vpc_id="attachmentSet/item/vpcId",
    ),
    "aws_nat_gateway": _of(
        "DescribeNatGateways", "natGatewaySet", "natGatewayId", "nat-gateway-id",
        subnet_id="subnetId", state="state", created="createTime",
    ),
    "aws_network_acl": _of(
        "DescribeNetworkAcls", "networkAclSet", "networkAclId", "", id_parameter="NetworkAclId", vpc_id="vpcId"
    ),
    "aws_network_interface": _of(
        "DescribeNetworkInterfaces", "networkInterfaceSet", "networkInterfaceId", "network-interface-id",
        subnet_id="subnetId", description="description",
    ),
    "aws_route_table": _of(
        "DescribeRouteTables", "routeTableSet", "routeTableId", "route-table-id", vpc_id="vpcId"
    ),
    "aws_security_group": _of(
        "DescribeSecurityGroups", "securityGroupInfo", "groupId", "group-id",
        name="groupName", vpc_id="vpcId", description="groupDescription",
    ),
    "aws_subnet": _of(
        "DescribeSubnets", "subnetSet", "subnetId", "subnet-id",
        cidr_block="cidrBlock", vpc_id="vpcId", availability_zone="availabilityZone",
    ),
    "aws_vpc": _of("DescribeVpcs", "vpcSet", "vpcId", "vpc-id", cidr_block="cidrBlock"),
    "aws_vpc_dhcp_options": _of("DescribeDhcpOptions", "dhcpOptionsSet", "dhcpOptionsId", "dhcp-options-id"),
    "aws_vpc_endpoint": _of(
        "DescribeVpcEndpoints", "vpcEndpointSet", "vpcEndpointId", "",
        id_parameter="VpcEndpointId", vpc_id="vpcId", service_name="serviceName", state="state",
        created="creationTimestamp",
    ),
    "aws_vpn_gateway": _of("DescribeVpnGateways", "vpnGatewaySet", "vpnGatewayId", "vpn-gateway-id", state="state"),
}  # fmt: skip

#: Attributes of a security group's rule: Terraform's name -> path.
RULE_ATTRIBUTES = {
    "security_group_id": "groupId",
    "ip_protocol": "ipProtocol",
    "from_port": "fromPort",
    "to_port": "toPort",
    "cidr_ipv4": "cidrIpv4",
    "cidr_ipv6": "cidrIpv6",
    "prefix_list_id": "prefixListId",
    "referenced_security_group_id": "referencedGroupInfo/groupId",
    "description": "description",
}
#: Type of a rule -> what `isEgress` says of it.
RULE_DIRECTIONS = {"aws_vpc_security_group_ingress_rule": "false", "aws_vpc_security_group_egress_rule": "true"}

#: Attributes of a route table's association: Terraform's name -> path.
ASSOCIATION_ATTRIBUTES = {"route_table_id": "routeTableId", "subnet_id": "subnetId", "gateway_id": "gatewayId"}
