"""Which questions are asked, and that no answer is not taken for a no.

The formats of a real cloud: tests/integration/test_recovery_questions.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import parse_qs

import pytest

from shared.models import JournalRecord
from shared.recovery.building import Call
from shared.recovery.questions import Answer, NotAnswered, query_candidates
from shared.recovery.views import Candidate, PlanView, Resource
from tests.unit.worker.support import record

VPC = Resource(address="aws_vpc.main", type="aws_vpc", values={"cidr_block": "10.0.0.0/16", "tags": {"Name": "o"}})
VIEW = PlanView(creates=(VPC,), held=())
FOUND = (
    '<DescribeVpcsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><vpcSet><item><vpcId>vpc-1</vpcId>'
    "<cidrBlock>10.0.0.0/16</cidrBlock><tagSet><item><key>Name</key><value>o</value></item></tagSet></item></vpcSet>"
    "</DescribeVpcsResponse>"
)


class Cloud:
    """Answers everything alike."""

    def __init__(self, status: int = 200, body: str = FOUND) -> None:
        self.answer = Answer(status=status, body=body)
        self.calls: list[Call] = []

    def __call__(self, calls: Sequence[Call]) -> list[Answer]:
        self.calls += calls
        return [self.answer for _ in calls]


def ask(cloud: Cloud, *records: JournalRecord, region: str = "eu-west-1") -> dict[str, tuple[Candidate, ...]]:
    return query_candidates(records, VIEW, region=region, transport=cloud)


def test_an_answered_create_is_asked_for_by_id_alone() -> None:
    cloud = Cloud()
    found = ask(cloud, record("ec2", "CreateVpc", {}, {"vpcId": "vpc-1"}))
    (call,) = cloud.calls
    assert call.host == "ec2.eu-west-1.amazonaws.com"
    asked = parse_qs(call.body)
    assert asked["Filter.1.Name"] == ["vpc-id"]
    assert asked["Filter.1.Value.1"] == ["vpc-1"]
    assert [item.id for item in found["aws_vpc"]] == ["vpc-1"]
    assert found["aws_vpc"][0].tags == {"Name": "o"}


def test_a_lost_answer_is_asked_for_by_the_tags_of_what_is_planned() -> None:
    cloud = Cloud()
    ask(cloud, record("ec2", "CreateVpc"))
    assert parse_qs(cloud.calls[0].body)["Filter.1.Name"] == ["tag:Name"]


def test_an_answered_name_needs_no_question() -> None:
    cloud = Cloud()
    assert ask(cloud, record("s3", "CreateBucket", {"Bucket": "b"}, {}), record("x", "CreateThing")) == {}
    assert cloud.calls == []


def test_china_has_hosts_of_its_own() -> None:
    cloud = Cloud()
    ask(cloud, record("ec2", "CreateVpc", region="cn-north-1"), region="cn-north-1")
    assert cloud.calls[0].host == "ec2.cn-north-1.amazonaws.com.cn"


@pytest.mark.parametrize(
    "cloud",
    [
        Cloud(status=403, body="<Error/>"),
        Cloud(status=0, body="ConnectionRefusedError"),
        Cloud(body="no xml"),
        Cloud(body=FOUND.replace("</vpcSet>", "</vpcSet><nextToken>more</nextToken>")),
    ],
    ids=["refused", "no answer", "nonsense", "only a part"],
)
def test_no_whole_answer_means_not_knowing(cloud: Cloud) -> None:
    assert ask(cloud, record("ec2", "CreateVpc")) == {}


def test_an_empty_answer_means_that_there_is_nothing() -> None:
    assert ask(Cloud(body="<R><vpcSet/></R>"), record("ec2", "CreateVpc")) == {"aws_vpc": ()}


def test_a_transport_that_fails_means_not_knowing() -> None:
    def broken(_: Sequence[Call]) -> list[Answer]:
        raise NotAnswered("the script died")

    assert query_candidates([record("ec2", "CreateVpc")], VIEW, region="eu-west-1", transport=broken) == {}


def test_a_main_route_table_is_nobodys_create() -> None:
    body = (
        "<R><routeTableSet><item><routeTableId>rtb-1</routeTableId><associationSet><item><main>true</main></item>"
        "</associationSet></item></routeTableSet></R>"
    )
    made = record("ec2", "CreateRouteTable", {}, {"routeTableId": "rtb-2"})
    assert ask(Cloud(body=body), made) == {"aws_route_table": ()}


ASSOCIATIONS = (
    "<DescribeRouteTablesResponse><routeTableSet><item><associationSet>{}</associationSet></item></routeTableSet>"
    "</DescribeRouteTablesResponse>"
)
ASSOCIATION = (
    "<item><routeTableAssociationId>rtbassoc-1</routeTableAssociationId><routeTableId>rtb-1</routeTableId>{}"
    "<associationState><state>{}</state></associationState></item>"
)


def test_which_associations_a_route_table_still_has_is_asked_although_the_create_was_answered() -> None:
    held = [ASSOCIATION.format(f"<subnetId>subnet-{name}</subnetId>", "associated") for name in "ab"]
    leaving = ASSOCIATION.format("<subnetId>subnet-c</subnetId>", "disassociating")
    gateway, main = ASSOCIATION.format("<gatewayId>igw-1</gatewayId>", "associated"), ASSOCIATION.format("", "")
    cloud = Cloud(body=ASSOCIATIONS.format("".join((*held, leaving, gateway, main))))
    named = {"RouteTableId": "rtb-1", "SubnetId": "subnet-x"}
    found = ask(cloud, record("ec2", "AssociateRouteTable", named, {"associationId": "rtbassoc-9"}))
    asked = parse_qs(cloud.calls[0].body)
    assert (asked["Filter.1.Name"], asked["Filter.1.Value.1"]) == (["route-table-id"], ["rtb-1"])
    assert [item.id for item in found["aws_route_table_association"]] == [
        "subnet-a/rtb-1",
        "subnet-b/rtb-1",
        "igw-1/rtb-1",
    ]
    assert [item.attributes["subnet_id"] for item in found["aws_route_table_association"]] == [
        "subnet-a",
        "subnet-b",
        "",
    ]


@pytest.mark.parametrize(
    "made",
    [
        record("ec2", "CreateVpc", {}, {"vpcId": "vpc-1"}),
        record("ec2", "AuthorizeSecurityGroupIngress", {"GroupId": "sg-1"}),
        record("ec2", "AssociateRouteTable", {"RouteTableId": "rtb-1", "SubnetId": "subnet-x"}),
        record("dynamodb", "CreateTable", {"TableName": "t"}),
        record("kms", "CreateKey", {}, {"KeyId": "k"}),
    ],
    ids=lambda made: made.operation,
)
def test_what_was_made_in_another_region_is_not_asked_for_in_this_one(made: JournalRecord) -> None:
    """It would seem to be gone."""
    cloud = Cloud()
    assert ask(cloud, made, made.model_copy(update={"region": "us-east-1"})) == {}
    assert cloud.calls == []


def test_more_than_a_filter_takes_means_not_knowing() -> None:
    cloud = Cloud(body=ASSOCIATIONS.format(""))
    made = [record("ec2", "AssociateRouteTable", {"RouteTableId": f"rtb-{number}"}) for number in range(201)]
    assert ask(cloud, *made) == {}
    assert ask(cloud, *made[:200]) == {"aws_route_table_association": ()}


def test_a_rule_for_all_ports_has_none() -> None:
    body = (
        "<R><securityGroupRuleSet><item><securityGroupRuleId>sgr-1</securityGroupRuleId><groupId>sg-1</groupId>"
        "<isEgress>true</isEgress><ipProtocol>-1</ipProtocol><fromPort>-1</fromPort><toPort>-1</toPort>"
        "</item></securityGroupRuleSet></R>"
    )
    found = ask(Cloud(body=body), record("ec2", "AuthorizeSecurityGroupEgress", {"GroupId": "sg-1"}))
    (rule,) = found["aws_vpc_security_group_egress_rule"]
    assert rule.attributes == {"security_group_id": "sg-1", "ip_protocol": "-1"}


BUCKETS = (
    "<ListAllMyBucketsResult><Buckets><Bucket><Name>b</Name><CreationDate>2025-01-01T00:00:00Z</CreationDate></Bucket>"
    "<Bucket><Name>bb</Name><CreationDate>2025-01-01T00:00:00Z</CreationDate></Bucket></Buckets>"
    "</ListAllMyBucketsResult>"
)


def test_a_name_whose_answer_was_lost_is_looked_up_with_the_time_it_was_made() -> None:
    cloud = Cloud(body=BUCKETS)
    (bucket,) = ask(cloud, record("s3", "CreateBucket", {"Bucket": "b"}))["aws_s3_bucket"]
    assert (bucket.id, bucket.created_at) == ("b", datetime(2025, 1, 1, tzinfo=UTC))
    assert (cloud.calls[0].method, cloud.calls[0].host) == ("GET", "s3.eu-west-1.amazonaws.com")


def test_a_table_that_is_not_there_was_never_made() -> None:
    cloud = Cloud(status=400, body='{"__type":"ResourceNotFoundException"}')
    assert ask(cloud, record("dynamodb", "CreateTable", {"TableName": "t"})) == {"aws_dynamodb_table": ()}
    assert cloud.calls[0].body == '{"TableName": "t"}'


def test_a_list_that_was_cut_short_means_not_knowing() -> None:
    cloud = Cloud(body='{"Aliases": [], "Truncated": true}')
    assert ask(cloud, record("kms", "CreateAlias", {"AliasName": "alias/a"})) == {}
