# ruff: noqa: E501  # one case a line: a table is read across
"""What becomes of calls that set something on what was there before, where only some of its names tell it apart."""

from __future__ import annotations

from typing import Any

import pytest

from shared.models import JournalRecord
from shared.recovery import shelves
from shared.recovery.calls import to_account_for
from shared.recovery.orphans import find_orphans, planned_of
from shared.recovery.reconciling import Reconciliation, reconcile
from shared.recovery.views import PlanView, Resource
from tests.unit.shared.recovery.test_reconciling import imports_of, planned, view
from tests.unit.worker.support import record

ZONE = {"Id": "Z1", "Action": "CREATE", "Name": "www.example.com", "Type": "A"}


def dns(answer: dict[str, str] | None = None, **changes: str) -> JournalRecord:
    return record("route53", "ChangeResourceRecordSets", {**ZONE, **changes}, {} if answer is None else answer)


@pytest.mark.parametrize(
    ("call", "resource", "imported"),
    [
        (dns(), planned("aws_route53_record.www", zone_id="Z1", name="www.example.com", type="A"), "Z1_www.example.com_A"),
        (dns(), planned("aws_route53_record.www", zone_id="Z1", name="www", type="A"), "Z1_www.example.com_A"),
        (
            dns(SetIdentifier="blue"),
            planned("aws_route53_record.www", zone_id="Z1", name="www", type="A", set_identifier="blue"),
            "Z1_www.example.com_A_blue",
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
    assert (orphan.address, orphan.id, orphan.outcome) == ("aws_route53_record.www", "Z1_www.example.com_A", "made")
    assert find_orphans([dns(Name="other.example.com")], [()], planned_of(plan)) == []
    assert find_orphans([dns()], [()], None) == []


ROUTE = {"DestinationCidrBlock": "0.0.0.0/0"}
ENTRY = {"RuleNumber": "100", "Egress": "false", "Protocol": "6"}


@pytest.mark.parametrize("destroying", [True, False])
@pytest.mark.parametrize(
    ("call", "elsewhere"),
    [
        (record("ec2", "CreateRoute", {"RouteTableId": "rtb-1", **ROUTE}, {}), planned("aws_route.new", destination_cidr_block="0.0.0.0/0")),
        (record("ec2", "CreateNetworkAclEntry", {"NetworkAclId": "acl-1", **ENTRY}, {}), planned("aws_network_acl_rule.new", rule_number=100, egress=False)),
        (dns(), planned("aws_route53_record.new", name="www", type="A")),
        (record("s3", "PutObject", {"Bucket": "b", "Key": "k"}, {}), planned("aws_s3_object.new", key="k")),
        (record("s3", "PutObject", {"Bucket": "b", "Key": "k"}, {}), planned("aws_s3_object.new", bucket="b")),
    ],
)  # fmt: skip
def test_what_belongs_to_something_that_is_still_to_be_made_is_another_thing(
    call: JournalRecord, elsewhere: Resource, destroying: bool
) -> None:
    assert reconcile([call], view(elsewhere), {}, destroying=destroying) == Reconciliation()


def test_routes_of_two_tables_are_not_swapped_however_they_are_planned() -> None:
    calls = [record("ec2", "CreateRoute", {"RouteTableId": one, **ROUTE}, {}) for one in ("rtb-public", "rtb-private")]
    unknown = [planned(f"aws_route.{one}", destination_cidr_block="0.0.0.0/0") for one in ("private", "public")]
    assert imports_of(reconcile(calls, view(*unknown), {}, destroying=True)) == []
    known = [
        planned(f"aws_route.{one}", route_table_id=f"rtb-{one}", destination_cidr_block="0.0.0.0/0")
        for one in ("private", "public")
    ]
    found = imports_of(reconcile(calls, view(*known), {}, destroying=True))
    assert sorted(found) == [(f"aws_route.{one}", f"rtb-{one}_0.0.0.0/0") for one in ("private", "public")]


@pytest.mark.parametrize("destroying", [True, False])
def test_of_names_that_a_record_may_have_the_longest_is_meant_and_nobody_elses_is_taken(destroying: bool) -> None:
    made = dns(Name="www.api.example.com")
    short, long = (
        planned(f"aws_route53_record.{at}", zone_id="Z1", name=name, type="A")
        for at, name in (("a", "www"), ("b", "www.api"))
    )
    for order in ((short, long), (long, short)):
        ((address, identifier),) = imports_of(reconcile([made], view(*order), {}, destroying=destroying))
        assert (address, identifier) == (
            "aws_route53_record.b",
            "Z1_www.api.example.com_A" if destroying else "Z1_www.api_A",
        )
    again = record("route53", "ChangeResourceRecordSets", made.resource, {}, call_id="f" * 32)
    assert len(imports_of(reconcile([made, again], view(short, long), {}, destroying=destroying))) == 1, "repeated"


def test_the_record_of_the_zone_itself_is_no_other_ones() -> None:
    apex = planned("aws_route53_record.apex", zone_id="Z1", name="", type="A")
    assert imports_of(reconcile([dns()], view(apex), {}, destroying=True)) == []


def test_a_part_that_another_configuration_did_not_settle_is_named_whatever_this_one_plans() -> None:
    call = record("s3", "PutBucketPolicy", {"Bucket": "b"}, {})
    found = reconcile([call], view(), {}, destroying=True, named=[call.call_id])
    assert [item.record for item in found.deferred] == [call]
    held = view(held=(planned("aws_s3_bucket_policy.p", bucket="b"),))
    assert reconcile([call], held, {}, destroying=True, named=[call.call_id]) == Reconciliation()


def test_what_the_state_holds_in_another_region_does_not_stand_for_what_was_made_in_this_one() -> None:
    call = record("logs", "CreateLogGroup", {"logGroupName": "/app"}, {}).model_copy(update={"region": "us-east-1"})
    for region, left in (("us-east-1", []), ("eu-west-1", [call])):
        arn = f"arn:aws:logs:{region}:123456789012:log-group:/app"
        held = view(held=(planned("aws_cloudwatch_log_group.app", name="/app", id="/app", arn=arn),))
        found = reconcile([call], held, {}, destroying=True)
        assert [item.record for item in (*found.deferred, *found.unimportable)] == left


def test_a_part_that_was_replaced_the_new_one_first_is_named() -> None:
    new = planned("aws_route53_record.www", zone_id="Z1", name="www", type="A")
    old = planned("aws_route53_record.www", zone_id="Z1", name="old", fqdn="old.example.com", type="A")
    plan = PlanView(creates=(), held=(old,), successors=(new,))
    (left,) = reconcile([dns()], plan, {}, destroying=True).deferred
    assert left.half is not None
    assert (left.half.address, left.half.id) == ("aws_route53_record.www", "Z1_www.example.com_A")
    put = record("s3", "PutObject", {"Bucket": "b", "Key": "new"}, {})
    plan = PlanView(creates=(), held=(), successors=(planned("aws_s3_object.o", bucket="b", key="new"),))
    assert len(reconcile([put], plan, {}, destroying=True).deferred) == 1


def test_what_cannot_be_imported_goes_with_what_it_is_part_of_where_that_goes() -> None:
    table = record("dynamodb", "CreateTable", {"TableName": "t"}, {})
    put = record("dynamodb", "PutItem", {"TableName": "t"}, {})
    item = planned("aws_dynamodb_table_item.i", table_name="t")
    held = (planned("aws_dynamodb_table.t", id="t", name="t"),)
    plan = view(item, held=held)
    assert reconcile([table, put], plan, {}, destroying=True, goes="made") == Reconciliation()
    assert len(reconcile([put], plan, {}, destroying=True, goes="made").unimportable) == 1, "the table stays"
    assert reconcile([put], plan, {}, destroying=True, goes="all") == Reconciliation()
    assert len(reconcile([table, put], plan, {}, destroying=True).unimportable) == 1, "nothing goes"


def test_thousands_of_objects_of_one_bucket_are_looked_through_once() -> None:
    calls = [
        record("s3", "PutObject", {"Bucket": "b", "Key": f"k{at}"}, {}, call_id=f"{at:032x}") for at in range(3000)
    ]
    held = tuple(planned(f"aws_s3_object.o{at}", bucket="b", key=f"k{at}") for at in range(3000))
    compared = []
    original = shelves.same

    def counted(*words: Any) -> bool:
        compared.append(1)
        return original(*words)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shelves, "same", counted)
        assert reconcile(calls, view(held=held), {}, destroying=True, parts=True) == Reconciliation()
    assert len(compared) <= 2 * len(calls)
