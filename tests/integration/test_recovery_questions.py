"""The questions of a take-over, asked of a real (simulated) cloud in its real formats."""

from __future__ import annotations

import http.client
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from shared.recovery.building import Call
from shared.recovery.questions import Answer, query_candidates
from shared.recovery.reconciling import reconcile
from shared.recovery.views import PlanView, Resource
from tests.unit.worker.support import record
from worker.signed_call import sign

REGION = "eu-west-1"
TAGS = {"Name": "orders"}
TAG_SPEC = [{"Key": "Name", "Value": "orders"}]


class Cloud:
    """moto behind a transport, and a client for each service."""

    def __init__(self) -> None:
        self.server = ThreadedMotoServer(port=0)
        self.server.start()
        _, self.port = self.server.get_host_and_port()

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=f"http://127.0.0.1:{self.port}",
            aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
            aws_secret_access_key="secret",
        )

    def transport(self, calls: Sequence[Call]) -> list[Answer]:
        answers = []
        for call in calls:
            headers = sign(asdict(call), key_id="AKIAIOSFODNN7EXAMPLE", secret="secret", at="20260101T000000Z")
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            target = call.path + (f"?{call.query}" if call.query else "")
            connection.request(call.method, target, body=call.body, headers=headers)
            reply = connection.getresponse()
            answers.append(Answer(status=reply.status, body=reply.read().decode()))
            connection.close()
        return answers


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    cloud = Cloud()
    yield cloud
    cloud.server.stop()


def planned(address: str, **values: object) -> Resource:
    return Resource(address=address, type=address.split(".")[0], values=values)


def spec(kind: str) -> list[dict[str, object]]:
    return [{"ResourceType": kind, "Tags": TAG_SPEC}]


def test_a_network_is_found_by_tags_and_ids_and_all_of_it_is_imported(cloud: Cloud) -> None:
    ec2 = cloud.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.7.0.0/16", TagSpecifications=spec("vpc"))["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(
            VpcId=vpc, CidrBlock=f"10.7.{n}.0/24", AvailabilityZone=f"{REGION}{zone}", TagSpecifications=spec("subnet")
        )["Subnet"]["SubnetId"]
        for n, zone in enumerate("ab")
    ]
    gateway = ec2.create_internet_gateway(TagSpecifications=spec("internet-gateway"))
    gateway_id = gateway["InternetGateway"]["InternetGatewayId"]
    table = ec2.create_route_table(VpcId=vpc, TagSpecifications=spec("route-table"))
    table_id = table["RouteTable"]["RouteTableId"]
    group = ec2.create_security_group(
        GroupName="orders", Description="The order service", VpcId=vpc, TagSpecifications=spec("security-group")
    )["GroupId"]
    rule = ec2.authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}],
    )["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    ec2.create_vpc(CidrBlock="10.7.0.0/16")  # somebody else's
    view = PlanView(
        creates=(
            planned("aws_vpc.main", cidr_block="10.7.0.0/16", tags=TAGS),
            planned("aws_subnet.a", cidr_block="10.7.0.0/24", availability_zone=f"{REGION}a", tags=TAGS),
            planned("aws_subnet.b", cidr_block="10.7.1.0/24", availability_zone=f"{REGION}b", tags=TAGS),
            planned("aws_internet_gateway.main", tags=TAGS),
            planned("aws_route_table.main", tags=TAGS),
            planned("aws_security_group.main", name="orders", description="The order service", tags=TAGS),
            planned(
                "aws_vpc_security_group_ingress_rule.https",
                security_group_id=group,
                ip_protocol="tcp",
                from_port=443,
                to_port=443,
                cidr_ipv4="0.0.0.0/0",
            ),
        ),
        held=(),
    )
    # Of what lies in the network every second answer was lost.
    records = [
        record("ec2", "CreateVpc", {}, {"vpcId": vpc}),
        record("ec2", "CreateSubnet", {"VpcId": vpc}, {"subnetId": subnets[1], "vpcId": vpc}),
        record("ec2", "CreateSubnet", {"VpcId": vpc}),
        record("ec2", "CreateInternetGateway", {}, {"internetGatewayId": gateway_id}),
        record("ec2", "CreateRouteTable", {"VpcId": vpc}),
        record("ec2", "CreateSecurityGroup", {"GroupName": "orders", "VpcId": vpc}, {"groupId": group}),
        record("ec2", "AuthorizeSecurityGroupIngress", {"GroupId": group}),
    ]
    found = query_candidates(records, view, region=REGION, transport=cloud.transport)
    result = reconcile(records, view, found)
    assert (result.unimportable, result.deferred) == ((), ())
    assert {item.address: item.id for item in result.imports} == {
        "aws_vpc.main": vpc,
        "aws_subnet.a": subnets[0],
        "aws_subnet.b": subnets[1],
        "aws_internet_gateway.main": gateway_id,
        "aws_route_table.main": table_id,
        "aws_security_group.main": group,
        "aws_vpc_security_group_ingress_rule.https": rule,
    }
    # Without the network's own answer nothing says that it was not there before.
    lost = [record("ec2", "CreateVpc"), *records[1:]]
    result = reconcile(lost, view, query_candidates(lost, view, region=REGION, transport=cloud.transport))
    assert "aws_vpc.main" not in {item.address for item in result.imports}
    assert vpc in str(result.unimportable[0])


def test_a_key_whose_answer_was_lost_is_found_by_its_description_and_tags(cloud: Cloud) -> None:
    kms = cloud.client("kms")
    tags = [{"TagKey": "Name", "TagValue": "orders"}]
    key = kms.create_key(Description="Encrypts orders", Tags=tags)["KeyMetadata"]["KeyId"]
    kms.create_key(Description="Something else")
    view = PlanView(creates=(planned("aws_kms_key.k", description="Encrypts orders", tags=TAGS),), held=())
    records = [record("kms", "CreateKey")]
    found = query_candidates(records, view, region=REGION, transport=cloud.transport)
    (item,) = reconcile(records, view, found).imports
    assert (item.address, item.id) == ("aws_kms_key.k", key)


def test_a_key_about_to_be_deleted_is_not_imported(cloud: Cloud) -> None:
    kms = cloud.client("kms")
    key = kms.create_key(Description="Doomed")["KeyMetadata"]["KeyId"]
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    records = [record("kms", "CreateKey", {}, {"KeyId": key})]
    found = query_candidates(records, PlanView(creates=(), held=()), region=REGION, transport=cloud.transport)
    assert found["aws_kms_key"] == ()


def test_a_zone_is_found_by_its_name_and_listed(cloud: Cloud) -> None:
    route53 = cloud.client("route53")
    zone = route53.create_hosted_zone(Name="orders.example", CallerReference="1")["HostedZone"]["Id"]
    route53.change_tags_for_resource(ResourceType="hostedzone", ResourceId=zone.rpartition("/")[2], AddTags=TAG_SPEC)
    view = PlanView(creates=(planned("aws_route53_zone.z", name="orders.example", tags=TAGS),), held=())
    records = [record("route53", "CreateHostedZone", {"Name": "orders.example."})]
    found = query_candidates(records, view, region=REGION, transport=cloud.transport)
    (left,) = reconcile(records, view, found).unimportable
    assert zone.rpartition("/")[2] in str(left)


def test_a_policy_and_a_secret_whose_answers_were_lost_are_found_by_name(cloud: Cloud) -> None:
    statement = '{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}'
    document = f'{{"Version": "2012-10-17", "Statement": [{statement}]}}'
    iam, secrets = cloud.client("iam"), cloud.client("secretsmanager")
    arn = iam.create_policy(PolicyName="documents", PolicyDocument=document)["Policy"]["Arn"]
    secret = secrets.create_secret(Name="orders/payments")["ARN"]
    view = PlanView(
        creates=(
            planned("aws_iam_policy.p", name="documents", path="/"),
            planned("aws_iam_policy.never", name="never-made", path="/"),
            planned("aws_secretsmanager_secret.s", name="orders/payments"),
            planned("aws_secretsmanager_secret.never", name="never-made"),
        ),
        held=(),
    )
    records = [
        record("iam", "CreatePolicy", {"PolicyName": "documents"}),
        record("iam", "CreatePolicy", {"PolicyName": "never-made"}),
        record("secretsmanager", "CreateSecret", {"Name": "orders/payments"}),
        record("secretsmanager", "CreateSecret", {"Name": "never-made"}),
    ]
    found = query_candidates(records, view, region=REGION, transport=cloud.transport)
    result = reconcile(records, view, found)
    assert (result.unimportable, result.deferred) == ((), ())
    assert {item.address: item.id for item in result.imports} == {
        "aws_iam_policy.p": arn,
        "aws_secretsmanager_secret.s": secret,
    }


def test_which_associations_of_a_route_table_are_left_is_asked_whatever_their_creates_were_answered(
    cloud: Cloud,
) -> None:
    ec2 = cloud.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.9.{number}.0/24")["Subnet"]["SubnetId"] for number in range(2)
    ]
    ids = [ec2.associate_route_table(RouteTableId=table, SubnetId=one)["AssociationId"] for one in subnets]
    records = [
        record("ec2", "AssociateRouteTable", {"RouteTableId": table, "SubnetId": one}, {"associationId": name})
        for one, name in zip(subnets, ids, strict=True)
    ]
    ec2.disassociate_route_table(AssociationId=ids[0])
    nothing = PlanView(creates=(), held=())
    found = query_candidates(records, nothing, region=REGION, transport=cloud.transport)
    assert [item.id for item in found["aws_route_table_association"]] == [f"{subnets[1]}/{table}"]
    assert [item.record for item in reconcile(records, nothing, found, destroying=True).deferred] == records[1:]
