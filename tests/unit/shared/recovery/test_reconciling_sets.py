# ruff: noqa: E501  # one case a line: a table is read across
"""What becomes of calls that set something on what was there before, where only some of its names tell it apart."""

from __future__ import annotations

from typing import Any

import pytest

from shared.models import JournalRecord
from shared.recovery.calls import to_account_for
from shared.recovery.orphans import find_orphans, planned_of
from shared.recovery.reconciling import Reconciliation, reconcile
from shared.recovery.views import Resource
from tests.unit.shared.recovery.test_reconciling import imports_of, planned, view
from tests.unit.worker.support import record

ZONE = {"Id": "Z1", "Action": "CREATE", "Name": "www.example.com", "Type": "A"}


def dns(answer: dict[str, str] | None = None, **changes: str) -> JournalRecord:
    return record("route53", "ChangeResourceRecordSets", {**ZONE, **changes}, {} if answer is None else answer)


@pytest.mark.parametrize(
    ("call", "resource", "imported"),
    [
        (dns(), planned("aws_route53_record.www", zone_id="Z1", name="www.example.com", type="A"), "Z1_www.example.com_A"),
        (dns(), planned("aws_route53_record.www", zone_id="Z1", name="www", type="A"), "Z1_www_A"),
        (
            dns(SetIdentifier="blue"),
            planned("aws_route53_record.www", zone_id="Z1", name="www", type="A", set_identifier="blue"),
            "Z1_www_A_blue",
        ),
        (
            record("ec2", "CreateRoute", {"RouteTableId": "rtb-1", "DestinationIpv6CidrBlock": "::/0"}, {}),
            planned("aws_route.out", route_table_id="rtb-1", destination_ipv6_cidr_block="::/0"),
            "rtb-1_::/0",
        ),
        (
            record("ec2", "CreateNetworkAclEntry", {"NetworkAclId": "acl-1", "RuleNumber": "100", "Egress": "false", "Protocol": "6"}, {}),
            planned("aws_network_acl_rule.in", network_acl_id="acl-1", rule_number=100, egress=False, protocol="tcp"),
            "acl-1:100:6:false",
        ),
        (
            record("sqs", "SetQueueAttributes", {"QueueUrl": "https://q", "AttributeName": "Policy"}, {}),
            planned("aws_sqs_queue_policy.q", queue_url="https://q"),
            "https://q",
        ),
        (
            record("s3", "PutObject", {"Bucket": "b", "Key": "a/b.txt"}, {}),
            planned("aws_s3_object.o", bucket="b", key="a/b.txt"),
            "b/a/b.txt",
        ),
        (
            record("secretsmanager", "PutSecretValue", {"SecretId": "arn:s"}, {"VersionId": "v1"}),
            planned("aws_secretsmanager_secret_version.v", secret_id="arn:s"),
            "arn:s|v1",
        ),
        (
            record("iam", "UpdateAccountPasswordPolicy", {}, {}),
            planned("aws_iam_account_password_policy.p"),
            "iam-account-password-policy",
        ),
    ],
)  # fmt: skip
def test_a_rollback_takes_in_what_was_set_on_something_that_was_there_before(
    call: JournalRecord, resource: Resource, imported: str
) -> None:
    assert to_account_for([call]) == [call]
    assert imports_of(reconcile([call], view(resource), {}, destroying=True)) == [(resource.address, imported)]
    held = view(held=(resource,))
    assert imports_of(reconcile([call], held, {}, destroying=True)) == []
    assert not reconcile([call], held, {}, destroying=True, parts=True).deferred
    nothing = reconcile([call], view(), {}, destroying=True)
    assert nothing == Reconciliation(), "it belongs to what it was set on"


@pytest.mark.parametrize(
    ("call", "other"),
    [
        (dns(), planned("aws_route53_record.www", zone_id="Z1", name="www", type="TXT")),
        (dns(), planned("aws_route53_record.www", zone_id="Z1", name="ww", type="A")),
        (dns(), planned("aws_route53_record.www", zone_id="Z2", name="www", type="A")),
        (dns(SetIdentifier="blue"), planned("aws_route53_record.www", zone_id="Z1", name="www", type="A", set_identifier="green")),
        (
            record("ec2", "CreateRoute", {"RouteTableId": "rtb-1", "DestinationCidrBlock": "0.0.0.0/0"}, {}),
            planned("aws_route.six", route_table_id="rtb-1", destination_cidr_block="", destination_ipv6_cidr_block="::/0"),
        ),
        (
            record("ec2", "CreateNetworkAclEntry", {"NetworkAclId": "acl-1", "RuleNumber": "100", "Egress": "true"}, {}),
            planned("aws_network_acl_rule.in", network_acl_id="acl-1", rule_number=100, egress=False),
        ),
        (
            record("sqs", "SetQueueAttributes", {"QueueUrl": "https://q", "AttributeName": "RedrivePolicy"}, {}),
            planned("aws_sqs_queue_policy.q", queue_url="https://q"),
        ),
    ],
)  # fmt: skip
def test_what_is_set_beside_it_is_another_thing(call: JournalRecord, other: Resource) -> None:
    assert imports_of(reconcile([call], view(other), {}, destroying=True)) == []
    assert reconcile([call], view(held=(other,)), {}, destroying=True, parts=True).deferred, "held is another one"


def test_a_second_record_of_that_name_is_refused_so_an_apply_imports_it_as_well() -> None:
    www = planned("aws_route53_record.www", zone_id="Z1", name="www", type="A")
    assert imports_of(reconcile([dns()], view(www), {})) == [("aws_route53_record.www", "Z1_www_A")]
    policy = planned("aws_sqs_queue_policy.q", queue_url="https://q")
    put = record("sqs", "SetQueueAttributes", {"QueueUrl": "https://q", "AttributeName": "Policy"}, {})
    assert imports_of(reconcile([put], view(policy), {})) == [], "what is set again is the same afterwards"


def test_a_record_that_was_deleted_again_is_settled_by_the_same_operation() -> None:
    made, deleted = dns(), dns(Action="DELETE")
    assert to_account_for([made, deleted]) == []
    assert to_account_for([made, dns(Action="DELETE", Type="TXT")]) == [made]
    assert to_account_for([made, dns(Action="DELETE", Name="other.example.com")]) == [made]
    assert to_account_for([deleted, made]) == [made]


def test_a_version_that_is_deleted_takes_its_object_along_however_it_was_put() -> None:
    names = {"Bucket": "b", "Key": "k"}
    for operation in ("PutObject", "CompleteMultipartUpload"):
        made = record("s3", operation, names, {})
        assert to_account_for([made, record("s3", "DeleteObject", {**names, "versionId": "v1"}, {})]) == []
        assert to_account_for([made, record("s3", "DeleteObject", {**names, "Key": "other"}, {})]) == [made]


def test_what_is_set_otherwise_makes_nothing() -> None:
    names: dict[str, Any] = {"QueueUrl": "https://q", "AttributeName": "VisibilityTimeout"}
    assert to_account_for([record("sqs", "SetQueueAttributes", names, {})]) == []
    assert to_account_for([dns(Action="DELETE")]) == []


def test_of_types_that_share_an_operation_the_planned_one_is_meant() -> None:
    call = record("iam", "AddUserToGroup", {"GroupName": "g", "UserName": "u"}, {})
    of_user = planned("aws_iam_user_group_membership.u", user="u", groups=["f", "g"])
    found = reconcile([call], view(of_user), {}, destroying=True)
    assert "aws_iam_user_group_membership.u, of a type that cannot be imported" in found.unimportable[0].why
    other = planned("aws_iam_user_group_membership.u", user="u", groups=["f"])
    assert reconcile([call], view(other), {}, destroying=True) == Reconciliation()
    assert not reconcile([call], view(held=(of_user,)), {}, destroying=True, parts=True).unimportable


def test_a_lost_answer_about_what_lies_in_what_the_run_made_is_its_own() -> None:
    bucket = record("s3", "CreateBucket", {"Bucket": "b"}, {})
    lost = record("s3", "PutBucketVersioning", {"Bucket": "b"})
    versioning = planned("aws_s3_bucket_versioning.v", bucket="b")
    held = (planned("aws_s3_bucket.b", bucket="b", id="b"),)
    (found,) = reconcile([bucket, lost], view(versioning, held=held), {}, destroying=True).imports
    assert (found.address, found.ours, found.certain) == ("aws_s3_bucket_versioning.v", True, False)
    (alone,) = reconcile([lost], view(versioning, held=held), {}, destroying=True).imports
    assert not alone.ours, "the bucket was there before, and so may have been its versioning"


def test_a_route_in_a_table_says_nothing_about_who_made_the_table() -> None:
    route = record("ec2", "CreateRoute", {"RouteTableId": "rtb-1", "DestinationCidrBlock": "0.0.0.0/0"}, {})
    lost = record("ec2", "AssociateRouteTable", {"RouteTableId": "rtb-1", "SubnetId": "subnet-1"})
    association = planned("aws_route_table_association.a", route_table_id="rtb-1", subnet_id="subnet-1")
    (found,) = reconcile([route, lost], view(association), {}, destroying=True).imports
    assert not found.ours


def test_a_report_names_what_was_set_with_its_block() -> None:
    plan = {
        "resource_changes": [
            {
                "address": "aws_route53_record.www",
                "mode": "managed",
                "type": "aws_route53_record",
                "change": {"actions": ["create"], "after": {"zone_id": "Z1", "name": "www", "type": "A"}},
            }
        ]
    }
    (orphan,) = find_orphans([dns()], [()], planned_of(plan))
    assert (orphan.address, orphan.id, orphan.outcome) == ("aws_route53_record.www", "Z1_www_A", "made")
    assert find_orphans([dns(Name="other.example.com")], [()], planned_of(plan)) == []
    assert find_orphans([dns()], [()], None) == []
