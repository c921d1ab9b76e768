"""What names a resource is kept, and nothing that could be secret."""

from __future__ import annotations

import json

from signing_proxy.identifiers import MAX_ENTRIES, MAX_VALUE, request_identifiers, response_identifiers

FORM = "application/x-www-form-urlencoded"


def test_path_labels_come_first() -> None:
    assert request_identifiers({"Bucket": "b", "Key": "k"}, "", "", b"") == {"Bucket": "b", "Key": "k"}


def test_a_forms_identifying_parameters_are_kept() -> None:
    body = b"Action=AddUserToGroup&Version=1&GroupName=g&UserName=u&Path=%2Fx%2F"
    assert request_identifiers({}, "", FORM, body) == {"GroupName": "g", "UserName": "u"}


def test_a_json_bodys_identifying_members_are_kept() -> None:
    body = json.dumps({"TableName": "t", "name": "n", "logGroupName": "l", "BillingMode": "x", "Count": 3}).encode()
    assert request_identifiers({}, "", "application/x-amz-json-1.0", body) == {
        "TableName": "t",
        "name": "n",
        "logGroupName": "l",
    }


def test_secrets_are_not_kept() -> None:
    body = json.dumps(
        {"Name": "n", "SecretString": "s", "MasterUserPassword": "p", "ClientRequestToken": "t", "AccessKeyId": "a"}
    ).encode()
    assert request_identifiers({}, "", "application/json", body) == {"Name": "n"}


def test_an_xml_answers_identifiers_are_kept_without_namespaces() -> None:
    body = (
        b'<CreateVpcResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId><vpc>'
        b"<vpcId>vpc-1</vpcId><ownerId>1</ownerId><cidrBlock>10.0.0.0/16</cidrBlock></vpc></CreateVpcResponse>"
    )
    assert response_identifiers("text/xml", {}, body) == {"vpcId": "vpc-1", "cidrBlock": "10.0.0.0/16"}


def test_the_rules_of_a_group_are_told_apart() -> None:
    body = (
        b"<R><securityGroupRuleSet><item><securityGroupRuleId>sgr-1</securityGroupRuleId><groupId>sg-1</groupId>"
        b"<ipProtocol>tcp</ipProtocol><fromPort>443</fromPort><toPort>443</toPort><cidrIpv4>10.0.0.0/8</cidrIpv4>"
        b"<description>not kept</description></item></securityGroupRuleSet></R>"
    )
    assert response_identifiers("text/xml", {}, body) == {
        "securityGroupRuleId": "sgr-1",
        "groupId": "sg-1",
        "ipProtocol": "tcp",
        "fromPort": "443",
        "toPort": "443",
        "cidrIpv4": "10.0.0.0/8",
    }


def test_the_items_of_a_list_are_named_after_it() -> None:
    body = b"<CreateFlowLogsResponse><flowLogIdSet><item>fl-1</item></flowLogIdSet></CreateFlowLogsResponse>"
    assert response_identifiers("text/xml", {}, body) == {"flowLogId": "fl-1"}
    assert request_identifiers({}, "", FORM, b"InstanceId.1=i-1&Filter.1.Value.1=x") == {"InstanceId.1": "i-1"}


def test_a_database_is_named_by_its_identifier_and_a_target_by_its_rule() -> None:
    body = json.dumps({"DBInstanceIdentifier": "orders", "Rule": "nightly", "Id": "t"}).encode()
    assert request_identifiers({}, "", "application/x-amz-json-1.1", body) == {
        "DBInstanceIdentifier": "orders",
        "Rule": "nightly",
        "Id": "t",
    }


def test_a_json_answers_identifiers_are_kept_outermost_first() -> None:
    body = json.dumps({"KeyMetadata": {"KeyId": "k", "Arn": "arn:k"}, "QueueUrl": "https://q"}).encode()
    assert list(response_identifiers("application/json", {}, body).items()) == [
        ("QueueUrl", "https://q"),
        ("KeyId", "k"),
        ("Arn", "arn:k"),
    ]


def test_the_location_of_a_new_resource_is_kept() -> None:
    assert response_identifiers("text/xml", {"location": "/hostedzone/Z1"}, b"") == {"Location": "/hostedzone/Z1"}


def test_everything_is_bounded() -> None:
    many = json.dumps({f"X{index}Name": "v" * 5000 for index in range(100)}).encode()
    found = request_identifiers({}, "", "application/json", many)
    assert len(found) == MAX_ENTRIES
    assert max(map(len, found.values())) == MAX_VALUE


def test_what_does_not_parse_names_nothing() -> None:
    for kind, body in (("application/json", b"{"), ("text/xml", b"<a>"), ("", b"\x00\xff"), ("text/xml", b"")):
        assert response_identifiers(kind, {}, body) == {}
    assert response_identifiers("application/json", {}, b"[" * 100_000) == {}


def test_what_is_done_to_which_record_of_a_zone_is_kept_and_the_number_of_the_change_is_not() -> None:
    body = (
        b'<ChangeResourceRecordSetsRequest xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><ChangeBatch><Changes>'
        b"<Change><Action>CREATE</Action><ResourceRecordSet><Name>www.example.com</Name><Type>A</Type>"
        b"<SetIdentifier>blue</SetIdentifier><ResourceRecords><ResourceRecord><Value>secret</Value></ResourceRecord>"
        b"</ResourceRecords></ResourceRecordSet></Change></Changes></ChangeBatch></ChangeResourceRecordSetsRequest>"
    )
    assert request_identifiers({"Id": "Z1"}, "", "application/xml", body) == {
        "Id": "Z1",
        "Action": "CREATE",
        "Name": "www.example.com",
        "Type": "A",
        "SetIdentifier": "blue",
    }
    answer = b"<R><ChangeInfo><Id>/change/C1</Id><Status>PENDING</Status></ChangeInfo></R>"
    assert response_identifiers("text/xml", {}, answer) == {}
    assert request_identifiers({}, "", "text/xml", b"<Other><Action>CREATE</Action><Type>A</Type></Other>") == {}


def test_which_attribute_is_set_is_kept_and_its_value_is_not() -> None:
    def kept(attributes: dict[str, str]) -> dict[str, str]:
        body = json.dumps({"QueueUrl": "https://q", "Attributes": attributes}).encode()
        return request_identifiers({}, "", "application/x-amz-json-1.0", body)

    assert kept({"Policy": "{}"}) == {"QueueUrl": "https://q", "AttributeName": "Policy"}
    assert kept({"Policy": "{}", "DelaySeconds": "1"}) == {"QueueUrl": "https://q"}
    assert request_identifiers({}, "", "application/json", b"[1]") == {}


def test_what_tells_two_routes_and_two_entries_of_a_list_apart_is_kept() -> None:
    route = b"Action=CreateRoute&RouteTableId=rtb-1&DestinationCidrBlock=0.0.0.0%2F0&GatewayId=igw-1"
    assert request_identifiers({}, "", FORM, route) == {
        "RouteTableId": "rtb-1",
        "DestinationCidrBlock": "0.0.0.0/0",
        "GatewayId": "igw-1",
    }
    entry = b"NetworkAclId=acl-1&RuleNumber=100&Egress=false&Protocol=6&RuleAction=allow"
    assert request_identifiers({}, "", FORM, entry) == {
        "NetworkAclId": "acl-1",
        "RuleNumber": "100",
        "Egress": "false",
        "Protocol": "6",
    }


def test_of_a_batch_the_last_change_that_makes_something_is_kept() -> None:
    def change(action: str, kind: str) -> str:
        made = f"<ResourceRecordSet><Name>w</Name><Type>{kind}</Type></ResourceRecordSet>"
        return f"<Change><Action>{action}</Action>{made}</Change>"

    def kept(*changes: str) -> list[str]:
        body = f"<ChangeResourceRecordSetsRequest>{''.join(changes)}</ChangeResourceRecordSetsRequest>".encode()
        found = request_identifiers({}, "", "text/xml", body)
        return [found.get("Action", ""), found.get("Type", "")]

    assert kept(change("DELETE", "A"), change("CREATE", "CNAME")) == ["CREATE", "CNAME"]
    assert kept(change("CREATE", "A"), change("DELETE", "TXT")) == ["CREATE", "A"]
    assert kept(change("DELETE", "A"), change("DELETE", "TXT")) == ["DELETE", "TXT"]
    assert kept() == ["", ""]
