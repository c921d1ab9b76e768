"""What becomes of each create of a run that was cut."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shared.recovery.reconciling import reconcile
from shared.recovery.views import Candidate, PlanView, Resource
from tests.unit.worker.support import record

TAGS = {"Name": "orders", "service": "orders"}


def planned(address: str, **values: Any) -> Resource:
    return Resource(address=address, type=address.split(".")[0], values=values)


def view(*creates: Resource, held: tuple[Resource, ...] = ()) -> PlanView:
    return PlanView(creates=creates, held=held)


def imports_of(result: Any) -> list[tuple[str, str]]:
    assert result.unimportable == ()
    assert result.deferred == ()
    return [(item.address, item.id) for item in result.imports]


NAMED = [
    ("s3", "CreateBucket", {"Bucket": "b"}, {}, "aws_s3_bucket", {"bucket": "b"}, "b"),
    ("dynamodb", "CreateTable", {"TableName": "t"}, {"TableArn": "arn:t"}, "aws_dynamodb_table", {"name": "t"}, "t"),
    ("iam", "CreateRole", {"RoleName": "r"}, {"Arn": "arn:r"}, "aws_iam_role", {"name": "r"}, "r"),
    ("iam", "CreatePolicy", {"PolicyName": "p"}, {"Arn": "arn:p"}, "aws_iam_policy", {"name": "p"}, "arn:p"),
    (
        "iam",
        "CreateInstanceProfile",
        {"InstanceProfileName": "i"},
        {},
        "aws_iam_instance_profile",
        {"name": "i"},
        "i",
    ),
    ("iam", "CreateUser", {"UserName": "u"}, {}, "aws_iam_user", {"name": "u"}, "u"),
    ("iam", "CreateGroup", {"GroupName": "g"}, {}, "aws_iam_group", {"name": "g"}, "g"),
    ("ssm", "PutParameter", {"Name": "/a/b"}, {}, "aws_ssm_parameter", {"name": "/a/b"}, "/a/b"),
    ("kms", "CreateAlias", {"AliasName": "alias/a"}, {}, "aws_kms_alias", {"name": "alias/a"}, "alias/a"),
    ("logs", "CreateLogGroup", {"logGroupName": "/l"}, {}, "aws_cloudwatch_log_group", {"name": "/l"}, "/l"),
    (
        "secretsmanager",
        "CreateSecret",
        {"Name": "s"},
        {"ARN": "arn:s-AbC"},
        "aws_secretsmanager_secret",
        {"name": "s"},
        "arn:s-AbC",
    ),
    ("ecr", "CreateRepository", {"repositoryName": "e/r"}, {}, "aws_ecr_repository", {"name": "e/r"}, "e/r"),
    (
        "ec2",
        "AssociateRouteTable",
        {"SubnetId": "subnet-1", "RouteTableId": "rtb-1"},
        {"associationId": "rtbassoc-1"},
        "aws_route_table_association",
        {"subnet_id": "subnet-1", "route_table_id": "rtb-1"},
        "subnet-1/rtb-1",
    ),
]


@pytest.mark.parametrize(("service", "operation", "request_", "answer", "kind", "values", "identifier"), NAMED)
def test_a_named_resource_that_the_plan_would_make_again_is_imported(
    service: str,
    operation: str,
    request_: dict[str, str],
    answer: dict[str, str],
    kind: str,
    values: dict[str, str],
    identifier: str,
) -> None:
    made = record(service, operation, request_, answer)
    assert imports_of(reconcile([made], view(planned(f"{kind}.x", **values)), {})) == [(f"{kind}.x", identifier)]


@pytest.mark.parametrize(("service", "operation", "request_", "answer", "kind", "values", "identifier"), NAMED)
def test_a_named_resource_that_the_state_holds_is_settled(
    service: str,
    operation: str,
    request_: dict[str, str],
    answer: dict[str, str],
    kind: str,
    values: dict[str, str],
    identifier: str,
) -> None:
    made = record(service, operation, request_, answer)
    held = (planned(f"{kind}.x", **values, id=identifier),)
    assert imports_of(reconcile([made], view(held=held), {})) == []


def test_one_that_neither_plan_nor_state_knows_is_never_ignored() -> None:
    result = reconcile([record("s3", "CreateBucket", {"Bucket": "b"}, {})], view(), {})
    (left,) = result.deferred
    assert "s3:CreateBucket (Bucket=b)" in str(left)
    assert "neither the state nor the plan" in str(left)


def test_a_bucket_of_another_name_is_not_taken_for_it() -> None:
    result = reconcile(
        [record("s3", "CreateBucket", {"Bucket": "b"}, {})], view(planned("aws_s3_bucket.x", bucket="c")), {}
    )
    assert result.imports == ()
    assert len(result.deferred) == 1


def test_an_unknown_outcome_is_imported_but_may_be_dropped() -> None:
    made = record("s3", "CreateBucket", {"Bucket": "b"})
    plan = view(planned("aws_s3_bucket.x", bucket="b"))
    (item,) = reconcile([made], plan, {}).imports
    assert not item.certain
    assert reconcile([made], plan, {}, dropped=frozenset({made.call_id})).imports == ()


@pytest.mark.parametrize(
    ("service", "operation", "request_", "kind", "values", "identifier"),
    [
        ("sqs", "CreateQueue", {"QueueName": "q"}, "aws_sqs_queue", {"name": "q"}, {"QueueUrl": "https://q"}),
        ("sns", "CreateTopic", {"Name": "t"}, "aws_sns_topic", {"name": "t"}, {"TopicArn": "arn:t"}),
        (
            "sns",
            "Subscribe",
            {"TopicArn": "arn:t", "Endpoint": "arn:q", "Protocol": "sqs"},
            "aws_sns_topic_subscription",
            {"topic_arn": "arn:t", "endpoint": "arn:q", "protocol": "sqs"},
            {"SubscriptionArn": "arn:s"},
        ),
        ("events", "PutRule", {"Name": "r"}, "aws_cloudwatch_event_rule", {"name": "r"}, {}),
        ("monitoring", "PutMetricAlarm", {"AlarmName": "a"}, "aws_cloudwatch_metric_alarm", {"alarm_name": "a"}, {}),
    ],
)
def test_what_a_second_create_adopts_is_left_to_the_plan_but_imported_before_a_destroy(
    service: str,
    operation: str,
    request_: dict[str, str],
    kind: str,
    values: dict[str, str],
    identifier: dict[str, str],
) -> None:
    plan = view(planned(f"{kind}.x", **values))
    for answer in (identifier, None):
        assert imports_of(reconcile([record(service, operation, request_, answer)], plan, {})) == []
    made = record(service, operation, request_, identifier)
    assert len(imports_of(reconcile([made], plan, {}, destroying=True))) == 1


def test_an_adopted_create_without_any_name_in_the_journal_is_left_to_the_plan_but_stops_a_destroy() -> None:
    made = record("monitoring", "PutMetricAlarm", {}, {})
    assert imports_of(reconcile([made], view(), {})) == []
    assert len(reconcile([made], view(), {}, destroying=True).deferred) == 1


def test_two_subnets_are_told_apart_by_what_the_cloud_says_of_them() -> None:
    made = [record("ec2", "CreateSubnet", {"VpcId": "vpc-1"}, {"subnetId": f"subnet-{n}"}) for n in "ab"]
    plan = view(
        planned("aws_subnet.one", cidr_block="10.0.0.0/24", tags=TAGS),
        planned("aws_subnet.two", cidr_block="10.0.1.0/24", tags=TAGS),
    )
    exists = [
        Candidate(id="subnet-b", attributes={"cidr_block": "10.0.0.0/24", "vpc_id": "vpc-1"}, tags=TAGS),
        Candidate(id="subnet-a", attributes={"cidr_block": "10.0.1.0/24", "vpc_id": "vpc-1"}, tags=TAGS),
    ]
    assert sorted(imports_of(reconcile(made, plan, {"aws_subnet": exists}))) == [
        ("aws_subnet.one", "subnet-b"),
        ("aws_subnet.two", "subnet-a"),
    ]


VPC = Candidate(id="vpc-1", attributes={"cidr_block": "10.0.0.0/16"}, tags=TAGS)
PLANNED_VPC = planned("aws_vpc.main", cidr_block="10.0.0.0/16", tags=TAGS)


def test_what_only_its_tags_tell_after_a_lost_answer_is_listed_and_not_imported() -> None:
    result = reconcile([record("ec2", "CreateVpc")], view(PLANNED_VPC), {"aws_vpc": [VPC]})
    assert result.imports == ()
    assert "vpc-1, which looks like it, may be somebody else's" in str(result.unimportable[0])


def test_what_the_journal_names_as_another_runs_is_not_what_a_lost_answer_was_about() -> None:
    lost, plan = record("ec2", "AllocateAddress"), view(planned("aws_eip.a", tags=TAGS))
    theirs = Candidate(id="eipalloc-b", tags=TAGS)
    assert imports_of(reconcile([lost], plan, {"aws_eip": [theirs]}, others=["eipalloc-b"])) == []
    assert len(reconcile([lost], plan, {"aws_eip": [theirs]}).unimportable) == 1


def test_a_lost_answer_of_an_anonymous_type_is_told_by_the_time_at_which_it_was_made() -> None:
    lost, plan = record("ec2", "CreateVolume"), view(planned("aws_ebs_volume.v", tags=TAGS))
    for minutes, found in ((-60, []), (1, [("aws_ebs_volume.v", "vol-1")])):
        exists = Candidate(id="vol-1", tags=TAGS, created_at=lost.at_wall + timedelta(minutes=minutes))
        assert imports_of(reconcile([lost], plan, {"aws_ebs_volume": [exists]})) == found


def test_a_lost_answer_is_told_by_lying_in_what_the_run_made() -> None:
    network = record("ec2", "CreateVpc", {}, {"vpcId": "vpc-1"})
    lost = record("ec2", "CreateSubnet", {"VpcId": "vpc-1"})
    held = (planned("aws_vpc.main", id="vpc-1"),)
    # Another target's has the same tags, and comes first; what the plan does not know yet does not tell them apart.
    plan = view(planned("aws_subnet.a", tags=TAGS), held=held)
    exists = [Candidate(id=f"subnet-{n}", attributes={"vpc_id": f"vpc-{n}"}, tags=TAGS) for n in (9, 1)]
    found = {"aws_subnet": exists, "aws_vpc": [VPC]}
    assert imports_of(reconcile([network, lost], plan, found)) == [("aws_subnet.a", "subnet-1")]
    assert len(reconcile([lost], plan, found).unimportable) == 1, "the network was there before"
    assert imports_of(reconcile([network, lost], plan, {**found, "aws_subnet": exists[:1]})) == []


def test_that_something_exists_does_not_say_that_the_run_made_it() -> None:
    lost = record("elasticloadbalancing", "CreateTargetGroup", {"Name": "t"})
    plan = view(planned("aws_lb_target_group.t", name="t"))
    exists = Candidate(id="arn:t", attributes={"name": "t"})
    (item,) = reconcile([lost], plan, {"aws_lb_target_group": [exists]}).imports
    assert (item.certain, item.ours) == (True, False)
    bucket = record("s3", "CreateBucket", {"Bucket": "b"})
    young = Candidate(id="b", attributes={"bucket": "b"}, created_at=bucket.at_wall)
    (item,) = reconcile([bucket], view(planned("aws_s3_bucket.b", bucket="b")), {"aws_s3_bucket": [young]}).imports
    assert (item.certain, item.ours) == (True, True)
    (item,) = reconcile(
        [record("s3", "CreateBucket", {"Bucket": "b"}, {})], view(planned("aws_s3_bucket.b", bucket="b")), {}
    ).imports
    assert (item.certain, item.ours) == (True, True)


def test_a_vpc_whose_answer_was_lost_and_that_is_not_there_was_never_made() -> None:
    assert imports_of(reconcile([record("ec2", "CreateVpc")], view(PLANNED_VPC), {"aws_vpc": []})) == []


def test_somebody_elses_vpc_is_not_taken() -> None:
    other = Candidate(id="vpc-9", attributes={"cidr_block": "10.0.0.0/16"}, tags={"Name": "payments"})
    assert imports_of(reconcile([record("ec2", "CreateVpc")], view(PLANNED_VPC), {"aws_vpc": [other]})) == []


def test_an_untagged_look_alike_is_not_taken_for_a_lost_answer() -> None:
    bare = Candidate(id="vpc-9", attributes={"cidr_block": "10.0.0.0/16"})
    plan = view(planned("aws_vpc.main", cidr_block="10.0.0.0/16"))
    assert imports_of(reconcile([record("ec2", "CreateVpc")], plan, {"aws_vpc": [bare]})) == []


def test_a_second_vpc_of_a_lost_answer_beside_the_held_one_stops_the_run() -> None:
    held = (planned("aws_vpc.main", cidr_block="10.0.0.0/16", tags=TAGS, id="vpc-1"),)
    second = Candidate(id="vpc-2", attributes={"cidr_block": "10.0.0.0/16"}, tags=TAGS)
    result = reconcile([record("ec2", "CreateVpc")], view(held=held), {"aws_vpc": [VPC, second]})
    assert "nobody holds" in str(result.deferred[0])


def test_a_vpc_that_is_gone_is_settled() -> None:
    made = record("ec2", "CreateVpc", {}, {"vpcId": "vpc-1"})
    assert imports_of(reconcile([made], view(PLANNED_VPC), {"aws_vpc": []})) == []


def test_a_vpc_that_no_longer_fits_the_plan_stops_the_run() -> None:
    made = record("ec2", "CreateVpc", {}, {"vpcId": "vpc-1"})
    plan = view(planned("aws_vpc.main", cidr_block="10.9.0.0/16", tags=TAGS))
    assert "no planned resource fits" in str(reconcile([made], plan, {"aws_vpc": [VPC]}).deferred[0])


def test_a_lost_answer_of_an_anonymous_type_stops_when_the_cloud_cannot_be_asked() -> None:
    result = reconcile([record("ec2", "CreateVpc")], view(PLANNED_VPC), {})
    assert "could not be asked" in str(result.unimportable[0])


def test_without_questions_a_single_planned_resource_takes_the_journals_id() -> None:
    made = record("ec2", "CreateVpc", {}, {"vpcId": "vpc-1"})
    assert imports_of(reconcile([made], view(PLANNED_VPC), {})) == [("aws_vpc.main", "vpc-1")]
    two = view(PLANNED_VPC, planned("aws_vpc.other", cidr_block="10.1.0.0/16"))
    assert "2 planned resources could be vpc-1" in str(reconcile([made], two, {}).deferred[0])


def test_an_answered_create_has_the_first_claim_on_what_fits() -> None:
    lost, answered = record("ec2", "CreateVpc"), record("ec2", "CreateVpc", {}, {"vpcId": "vpc-1"})
    assert imports_of(reconcile([lost, answered], view(PLANNED_VPC), {"aws_vpc": [VPC]})) == [("aws_vpc.main", "vpc-1")]


def test_a_hosted_zone_is_imported_by_the_last_part_of_its_id() -> None:
    made = record("route53", "CreateHostedZone", {"Name": "example.com"}, {"Id": "/hostedzone/Z1"})
    assert imports_of(reconcile([made], view(planned("aws_route53_zone.x", name="example.com")), {})) == [
        ("aws_route53_zone.x", "Z1")
    ]


def test_what_was_set_on_a_bucket_that_was_there_before_is_taken_in_to_be_destroyed_and_else_made_again() -> None:
    made = record("s3", "PutBucketPolicy", {"Bucket": "b"}, {})
    bucket = planned("aws_s3_bucket.b", id="b", bucket="b")
    plan = view(planned("aws_s3_bucket_policy.public", bucket="b"), held=(bucket,))
    assert imports_of(reconcile([made], plan, {}, destroying=True)) == [("aws_s3_bucket_policy.public", "b")]
    assert imports_of(reconcile([made], plan, {})) == []
    assert imports_of(reconcile([made], view(held=(bucket,)), {}, destroying=True)) == [], (
        "its bucket may set it itself"
    )


def test_what_could_not_be_settled_with_another_configuration_is_not_taken_for_never_made() -> None:
    lost = record("ec2", "AllocateAddress")
    other = planned("aws_eip.other", tags={"Name": "other"})
    exists = {"aws_eip": [Candidate(id="eipalloc-1", tags={"Name": "mine"})]}
    assert imports_of(reconcile([lost], view(other), exists)) == []
    assert len(reconcile([lost], view(other), exists, named=[lost.call_id]).deferred) == 1
    assert len(reconcile([lost], view(other), {"aws_eip": []}, named=[lost.call_id]).deferred) == 1


def test_a_lost_policy_is_settled_by_the_clouds_answer() -> None:
    made, plan = record("iam", "CreatePolicy", {"PolicyName": "p"}), view(planned("aws_iam_policy.x", name="p"))
    assert "the id that an import needs" in str(reconcile([made], plan, {}).unimportable[0])
    assert imports_of(reconcile([made], plan, {"aws_iam_policy": []})) == []
    found = Candidate(id="arn:p", attributes={"name": "p"})
    assert imports_of(reconcile([made], plan, {"aws_iam_policy": [found]})) == [("aws_iam_policy.x", "arn:p")]


def test_a_create_without_a_rule_stops_unless_the_state_holds_it() -> None:
    made = record("apigateway", "CreateRestApi", {"name": "resize"}, {"id": "r-1"})
    assert "no rule" in str(reconcile([made], view(), {}).unimportable[0])
    held = (planned("aws_api_gateway_rest_api.x", name="resize", id="resize"),)
    assert imports_of(reconcile([made], view(held=held), {})) == []


def test_tags_that_it_does_not_carry_yet_do_not_speak_against_what_was_surely_made() -> None:
    made = record("ec2", "CreateDhcpOptions", {}, {"dhcpOptionsId": "dopt-1"})
    plan = view(planned("aws_vpc_dhcp_options.x", tags=TAGS))
    exists = Candidate(id="dopt-1")
    assert imports_of(reconcile([made], plan, {"aws_vpc_dhcp_options": [exists]})) == [
        ("aws_vpc_dhcp_options.x", "dopt-1")
    ]
    lost = record("ec2", "CreateDhcpOptions")
    assert imports_of(reconcile([lost], plan, {"aws_vpc_dhcp_options": [exists]})) == []


def test_what_is_older_than_the_call_was_not_made_by_it() -> None:
    lost = record("s3", "CreateBucket", {"Bucket": "b"})
    plan = view(planned("aws_s3_bucket.x", bucket="b"))
    for minutes, imported in ((-60, False), (-1, True), (1, True)):
        exists = Candidate(id="b", attributes={"bucket": "b"}, created_at=lost.at_wall + timedelta(minutes=minutes))
        assert bool(imports_of(reconcile([lost], plan, {"aws_s3_bucket": [exists]}))) is imported


def halves(
    *records: Any, successors: tuple[Resource, ...], held: tuple[Resource, ...] = ()
) -> list[tuple[str, str] | None]:
    found = reconcile(records, PlanView(creates=(), held=held, successors=successors), {}, destroying=True)
    return [(one.half.address, one.half.id) if one.half else None for one in (*found.unimportable, *found.deferred)]


def test_what_was_made_in_place_of_something_is_known_by_its_name_or_as_the_only_one_that_fits() -> None:
    web, other = planned("aws_security_group.web", name="web"), planned("aws_security_group.other", name="other")
    made = record("ec2", "CreateSecurityGroup", {"GroupName": "web"}, {"groupId": "sg-1"})
    assert halves(made, successors=(other, web)) == [("aws_security_group.web", "sg-1")]
    assert halves(made, successors=(other,)) == [None]
    subnet = record("ec2", "CreateSubnet", {"VpcId": "vpc-1"}, {"subnetId": "subnet-1"})
    unnamed = planned("aws_subnet.a", tags={"x": "y"})
    assert halves(subnet, successors=(unnamed,)) == [("aws_subnet.a", "subnet-1")]
    assert halves(subnet, successors=(unnamed, planned("aws_subnet.b"))) == [None]


def test_one_replacement_has_one_new_half() -> None:
    successor = planned("aws_subnet.a")
    made = [record("ec2", "CreateSubnet", {"VpcId": "vpc-1"}, {"subnetId": f"subnet-{number}"}) for number in (1, 2)]
    assert sorted(map(str, halves(*made, successors=(successor,)))) == ["('aws_subnet.a', 'subnet-1')", "None"]


def test_what_was_not_answered_or_may_be_somebody_elses_is_no_half() -> None:
    lost = record("ec2", "CreateSecurityGroup", {"GroupName": "web"})
    assert halves(lost, successors=(planned("aws_security_group.web", name="web"),)) == [None]
    shared = record("sns", "CreateTopic", {"Name": "shared"}, {"TopicArn": "arn:aws:sns:eu-west-1:1:shared"})
    assert halves(shared, successors=(planned("aws_sns_topic.t", name="shared"),)) == [None]


def test_what_fits_two_replacements_is_given_to_neither() -> None:
    made = record("ec2", "RunInstances", {"SubnetId": "subnet-1"}, {"instanceId": "i-1"})
    two = tuple(planned(f"aws_instance.{name}", subnet_id="subnet-1") for name in ("a", "b"))
    assert halves(made, successors=two) == [None]
    assert halves(made, successors=two[1:]) == [("aws_instance.b", "i-1")]
    key = record("ec2", "ImportKeyPair", {"KeyName": "k"}, {"keyPairId": "key-1"})
    pairs = tuple(planned(f"aws_key_pair.{name}", key_name="k") for name in ("eu", "us"))
    assert halves(key, successors=pairs) == [None]


def test_what_a_state_holds_is_no_half() -> None:
    made = record("ec2", "CreateSecurityGroup", {"GroupName": "web"}, {"groupId": "sg-1"})
    held = (planned("aws_security_group.web", id="sg-1", name="web"),)
    assert halves(made, successors=held, held=held) == []
