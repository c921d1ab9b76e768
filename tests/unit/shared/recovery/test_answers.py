"""What the cloud answers."""

from __future__ import annotations

from datetime import UTC, datetime

from shared.recovery.answers import described, looked_up, root_of, text_at
from shared.recovery.described import EC2
from shared.recovery.lookups import LOOKUPS


def test_what_is_gone_and_what_nobody_made_is_left_out() -> None:
    items = "".join(
        f"<item><instancesSet><item><instanceId>i-{state}</instanceId><instanceState><name>{state}</name>"
        "</instanceState></item></instancesSet></item>"
        for state in ("running", "terminated", "shutting-down")
    )
    answer = f'<R xmlns="urn:x"><reservationSet>{items}</reservationSet></R>'
    assert [item.id for item in described(EC2["aws_instance"], answer)] == ["i-running"]
    acls = "".join(
        f"<item><networkAclId>acl-{default}</networkAclId><default>{default}</default></item>"
        for default in ("true", "false")
    )
    found = list(described(EC2["aws_network_acl"], f"<R><networkAclSet>{acls}</networkAclSet></R>"))
    assert [item.id for item in found] == ["acl-false"]
    table = (
        "<R><routeTableSet><item><routeTableId>rtb-1</routeTableId><associationSet><item><main>true</main></item>"
        "</associationSet></item></routeTableSet></R>"
    )
    assert not list(described(EC2["aws_route_table"], table))
    became_main = [item.id for item in described(EC2["aws_route_table"], table, {"rtb-1"})]
    assert became_main == ["rtb-1"], "a call was answered with its id"


def test_a_lookup_is_read_from_xml_and_from_json() -> None:
    role = (
        "<R><GetRoleResult><Role><RoleName>r</RoleName><CreateDate>2026-01-01T00:00:00Z</CreateDate></Role>"
        "</GetRoleResult></R>"
    )
    (found,) = looked_up(LOOKUPS["aws_iam_role"], "r", role)
    assert (found.id, found.attributes, found.created_at) == ("r", {"name": "r"}, datetime(2026, 1, 1, tzinfo=UTC))
    (stream,) = looked_up(
        LOOKUPS["aws_kinesis_firehose_delivery_stream"],
        "s",
        '{"DeliveryStreamDescription": {"DeliveryStreamName": "s", "DeliveryStreamARN": "arn:s"}}',
    )
    assert (stream.id, stream.created_at) == ("arn:s", None)


def test_only_what_has_the_name_is_found_whatever_else_is_listed() -> None:
    topics = "".join(f"<member><TopicArn>arn:aws:sns:x:1:{name}</TopicArn></member>" for name in ("orders", "others"))
    answer = f"<R><ListTopicsResult><Topics>{topics}</Topics></ListTopicsResult></R>"
    assert [item.id for item in looked_up(LOOKUPS["aws_sns_topic"], "orders", answer)] == ["arn:aws:sns:x:1:orders"]
    (queue,) = looked_up(LOOKUPS["aws_sqs_queue"], "orders", '{"QueueUrl": "https://sqs/orders"}')
    assert (queue.id, queue.attributes) == ("https://sqs/orders", {"name": "orders"})


def test_text_is_found_without_namespaces_or_empty() -> None:
    root = root_of('<a xmlns="urn:x"><b> c </b></a>')
    assert text_at(root, "b") == "c"
    assert text_at(root, "d") == ""
    assert text_at(root, "") == ""
