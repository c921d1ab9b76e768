"""Networks: VPC and what is in it."""

from typing import Any

from deploy.demo.offline.aws import tag_list, tag_map, unless_absent
from deploy.demo.offline.base import BOOL, NUMBER, TAGS, AwsResource, State, computed, given, optional, required


class _Ec2(AwsResource):
    """A thing of EC2 with tags."""

    KIND: str
    """Its name in a tag specification."""

    @property
    def ec2(self) -> Any:
        return self.aws.client("ec2")

    def tagged(self, planned: State) -> State:
        """The argument that tags a thing as it is made."""
        if not planned["tags"]:
            return {}
        return {"TagSpecifications": [{"ResourceType": self.KIND, "Tags": tag_list(planned["tags"])}]}

    def change(self, current: State, planned: State) -> None:
        if planned["tags"]:
            self.ec2.create_tags(Resources=[current["id"]], Tags=tag_list(planned["tags"]))

    def one(self, operation: str, key: str, gone: str, **arguments: Any) -> dict[str, Any] | None:
        """The only thing that a describe operation returns, or None."""
        found = unless_absent(getattr(self.ec2, operation), gone, **arguments)
        things = (found or {}).get(key) or []
        return things[0] if things else None


class Vpc(_Ec2):
    TYPE = "vpc"
    KIND = "vpc"
    ATTRIBUTES = (
        required("cidr_block", replace=True),
        optional("enable_dns_support", BOOL),
        optional("enable_dns_hostnames", BOOL),
        computed("arn"),
        optional("tags", TAGS),
    )

    def make(self, planned: State) -> State:
        vpc = self.ec2.create_vpc(CidrBlock=planned["cidr_block"], **self.tagged(planned))["Vpc"]
        self._set_dns(vpc["VpcId"], planned)
        return {"id": vpc["VpcId"]}

    def observe(self, state: State) -> State | None:
        vpc = self.one("describe_vpcs", "Vpcs", "InvalidVpcID.NotFound", VpcIds=[state["id"]])
        if vpc is None:
            return None
        answers = {
            name: self.ec2.describe_vpc_attribute(VpcId=state["id"], Attribute=name)
            for name in ("enableDnsSupport", "enableDnsHostnames")
        }
        return {
            "id": vpc["VpcId"],
            "cidr_block": vpc["CidrBlock"],
            "enable_dns_support": answers["enableDnsSupport"]["EnableDnsSupport"]["Value"],
            "enable_dns_hostnames": answers["enableDnsHostnames"]["EnableDnsHostnames"]["Value"],
            "arn": f"arn:aws:ec2:{self.aws.region}:{vpc['OwnerId']}:vpc/{vpc['VpcId']}",
            "tags": tag_map(vpc.get("Tags")),
        }

    def change(self, current: State, planned: State) -> None:
        super().change(current, planned)
        self._set_dns(current["id"], planned)

    def remove(self, current: State) -> None:
        self.ec2.delete_vpc(VpcId=current["id"])

    def _set_dns(self, vpc_id: str, planned: State) -> None:
        # One attribute a call, as the API wants it.
        for argument, name in (
            ("EnableDnsSupport", "enable_dns_support"),
            ("EnableDnsHostnames", "enable_dns_hostnames"),
        ):
            if planned[name] is not None:
                self.ec2.modify_vpc_attribute(VpcId=vpc_id, **{argument: {"Value": planned[name]}})


class Subnet(_Ec2):
    TYPE = "subnet"
    KIND = "subnet"
    ATTRIBUTES = (
        required("vpc_id", replace=True),
        required("cidr_block", replace=True),
        optional("availability_zone", replace=True),
        computed("arn"),
        optional("tags", TAGS),
    )

    def make(self, planned: State) -> State:
        answer = self.ec2.create_subnet(
            VpcId=planned["vpc_id"],
            CidrBlock=planned["cidr_block"],
            **given(planned, AvailabilityZone="availability_zone"),
            **self.tagged(planned),
        )
        return {"id": answer["Subnet"]["SubnetId"]}

    def observe(self, state: State) -> State | None:
        subnet = self.one("describe_subnets", "Subnets", "InvalidSubnetID.NotFound", SubnetIds=[state["id"]])
        if subnet is None:
            return None
        return {
            "id": subnet["SubnetId"],
            "vpc_id": subnet["VpcId"],
            "cidr_block": subnet["CidrBlock"],
            "availability_zone": subnet["AvailabilityZone"],
            "arn": subnet.get("SubnetArn"),
            "tags": tag_map(subnet.get("Tags")),
        }

    def remove(self, current: State) -> None:
        self.ec2.delete_subnet(SubnetId=current["id"])


class InternetGateway(_Ec2):
    TYPE = "internet_gateway"
    KIND = "internet-gateway"
    ATTRIBUTES = (optional("vpc_id"), computed("arn"), optional("tags", TAGS))

    def make(self, planned: State) -> State:
        made = self.ec2.create_internet_gateway(**self.tagged(planned))["InternetGateway"]
        if planned["vpc_id"]:
            self.ec2.attach_internet_gateway(InternetGatewayId=made["InternetGatewayId"], VpcId=planned["vpc_id"])
        return {"id": made["InternetGatewayId"]}

    def observe(self, state: State) -> State | None:
        gateway = self.one(
            "describe_internet_gateways",
            "InternetGateways",
            "InvalidInternetGatewayID.NotFound",
            InternetGatewayIds=[state["id"]],
        )
        if gateway is None:
            return None
        attachments = gateway.get("Attachments") or [{}]
        return {
            "id": gateway["InternetGatewayId"],
            # Empty and not null: an optional attribute of an unattached gateway must differ from the wanted one.
            "vpc_id": attachments[0].get("VpcId", ""),
            "arn": f"arn:aws:ec2:{self.aws.region}:{gateway['OwnerId']}:internet-gateway/{state['id']}",
            "tags": tag_map(gateway.get("Tags")),
        }

    def change(self, current: State, planned: State) -> None:
        super().change(current, planned)
        if current["vpc_id"] != planned["vpc_id"]:
            if current["vpc_id"]:
                self.ec2.detach_internet_gateway(InternetGatewayId=current["id"], VpcId=current["vpc_id"])
            self.ec2.attach_internet_gateway(InternetGatewayId=current["id"], VpcId=planned["vpc_id"])

    def remove(self, current: State) -> None:
        if current["vpc_id"]:
            self.ec2.detach_internet_gateway(InternetGatewayId=current["id"], VpcId=current["vpc_id"])
        self.ec2.delete_internet_gateway(InternetGatewayId=current["id"])


class RouteTable(_Ec2):
    TYPE = "route_table"
    KIND = "route-table"
    ATTRIBUTES = (required("vpc_id", replace=True), computed("arn"), optional("tags", TAGS))

    def make(self, planned: State) -> State:
        answer = self.ec2.create_route_table(VpcId=planned["vpc_id"], **self.tagged(planned))
        return {"id": answer["RouteTable"]["RouteTableId"]}

    def observe(self, state: State) -> State | None:
        table = self.one(
            "describe_route_tables", "RouteTables", "InvalidRouteTableID.NotFound", RouteTableIds=[state["id"]]
        )
        if table is None:
            return None
        return {
            "id": table["RouteTableId"],
            "vpc_id": table["VpcId"],
            "arn": f"arn:aws:ec2:{self.aws.region}:{table['OwnerId']}:route-table/{table['RouteTableId']}",
            "tags": tag_map(table.get("Tags")),
        }

    def remove(self, current: State) -> None:
        self.ec2.delete_route_table(RouteTableId=current["id"])


class RouteTableAssociation(_Ec2):
    TYPE = "route_table_association"
    KIND = ""
    ATTRIBUTES = (required("subnet_id", replace=True), required("route_table_id", replace=True))

    def make(self, planned: State) -> State:
        answer = self.ec2.associate_route_table(SubnetId=planned["subnet_id"], RouteTableId=planned["route_table_id"])
        return {"id": answer["AssociationId"]}

    def observe(self, state: State) -> State | None:
        table = self.one(
            "describe_route_tables",
            "RouteTables",
            "InvalidRouteTableID.NotFound",
            RouteTableIds=[state["route_table_id"]],
        )
        for association in (table or {}).get("Associations", []):
            if association.get("SubnetId") == state["subnet_id"]:
                return {
                    "id": association["RouteTableAssociationId"],
                    "subnet_id": association["SubnetId"],
                    "route_table_id": association["RouteTableId"],
                }
        return None

    def change(self, current: State, planned: State) -> None:
        """Either attribute forces a replacement."""

    def remove(self, current: State) -> None:
        self.ec2.disassociate_route_table(AssociationId=current["id"])

    def found_by(self, import_id: str) -> State:
        subnet, _, table = import_id.partition("/")
        return {"subnet_id": subnet, "route_table_id": table}


class SecurityGroup(_Ec2):
    TYPE = "security_group"
    KIND = "security-group"
    ATTRIBUTES = (
        required("name", replace=True),
        optional("description", replace=True),
        required("vpc_id", replace=True),
        computed("arn"),
        optional("tags", TAGS),
    )

    def make(self, planned: State) -> State:
        group = self.ec2.create_security_group(
            GroupName=planned["name"],
            Description=planned["description"] or planned["name"],
            VpcId=planned["vpc_id"],
            **self.tagged(planned),
        )["GroupId"]
        # Like the real provider: the rule that lets everything out is the configuration's to write.
        made = self.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]
        if made["IpPermissionsEgress"]:
            self.ec2.revoke_security_group_egress(GroupId=group, IpPermissions=made["IpPermissionsEgress"])
        return {"id": group}

    def observe(self, state: State) -> State | None:
        group = self.one("describe_security_groups", "SecurityGroups", "InvalidGroup.NotFound", GroupIds=[state["id"]])
        if group is None:
            return None
        return {
            "id": group["GroupId"],
            "name": group["GroupName"],
            "description": group["Description"],
            "vpc_id": group["VpcId"],
            "arn": f"arn:aws:ec2:{self.aws.region}:{group['OwnerId']}:security-group/{group['GroupId']}",
            "tags": tag_map(group.get("Tags")),
        }

    def remove(self, current: State) -> None:
        self.ec2.delete_security_group(GroupId=current["id"])


class _Rule(_Ec2):
    KIND = "security-group-rule"
    DIRECTION: str
    ATTRIBUTES = (
        required("security_group_id", replace=True),
        required("ip_protocol", replace=True),
        optional("cidr_ipv4", replace=True),
        optional("from_port", NUMBER, replace=True),
        optional("to_port", NUMBER, replace=True),
        optional("description", replace=True),
        computed("arn"),
        computed("security_group_rule_id"),
    )

    def make(self, planned: State) -> State:
        permission = {
            "IpProtocol": planned["ip_protocol"],
            "IpRanges": [given(planned, CidrIp="cidr_ipv4", Description="description")],
            **given(planned, FromPort="from_port", ToPort="to_port"),
        }
        answer = getattr(self.ec2, f"authorize_security_group_{self.DIRECTION}")(
            GroupId=planned["security_group_id"], IpPermissions=[permission]
        )
        return {"id": answer["SecurityGroupRules"][0]["SecurityGroupRuleId"]}

    def observe(self, state: State) -> State | None:
        rule = self.one(
            "describe_security_group_rules",
            "SecurityGroupRules",
            "InvalidSecurityGroupRuleId.NotFound",
            SecurityGroupRuleIds=[state["id"]],
        )
        if rule is None:
            return None
        ports = {"from_port": rule.get("FromPort"), "to_port": rule.get("ToPort")}
        everything = rule["IpProtocol"] == "-1"
        return {
            "id": rule["SecurityGroupRuleId"],
            "security_group_rule_id": rule["SecurityGroupRuleId"],
            "security_group_id": rule["GroupId"],
            "ip_protocol": rule["IpProtocol"],
            "cidr_ipv4": rule.get("CidrIpv4"),
            "description": rule.get("Description"),
            # A rule for all protocols has no ports, whatever number the API shows for them.
            **(dict.fromkeys(ports) if everything else ports),
            "arn": rule.get("SecurityGroupRuleArn"),
        }

    def change(self, current: State, planned: State) -> None:
        """Every attribute forces a replacement."""

    def remove(self, current: State) -> None:
        getattr(self.ec2, f"revoke_security_group_{self.DIRECTION}")(
            GroupId=current["security_group_id"], SecurityGroupRuleIds=[current["id"]]
        )


class IngressRule(_Rule):
    TYPE = "vpc_security_group_ingress_rule"
    DIRECTION = "ingress"


class EgressRule(_Rule):
    TYPE = "vpc_security_group_egress_rule"
    DIRECTION = "egress"


TYPES = (
    Vpc,
    Subnet,
    InternetGateway,
    RouteTable,
    RouteTableAssociation,
    SecurityGroup,
    IngressRule,
    EgressRule,
)
