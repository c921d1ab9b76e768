"""What exists and what a state says exists must be comparable: ids and ARNs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from deploy.demo.inventory import CloudInventory, identities_in_state

REGION = "eu-west-1"
POLICY = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
)


def state_of(kind: str, mode: str = "managed", **attributes: Any) -> dict[str, Any]:
    return {"resources": [{"mode": mode, "type": kind, "name": "x", "instances": [{"attributes": attributes}]}]}


def test_a_state_names_its_resources_by_id_and_arn() -> None:
    assert identities_in_state(state_of("aws_sqs_queue", id="https://q", arn="arn:q", name="q")) == {
        "https://q",
        "arn:q",
    }


def test_data_sources_and_an_empty_state_hold_nothing() -> None:
    assert identities_in_state(state_of("aws_vpc", mode="data", id="vpc-1")) == set()
    assert identities_in_state({}) == set()
    assert identities_in_state(state_of("aws_vpc", id=None)) == set()


def test_an_attachment_is_what_it_joins() -> None:
    state = state_of("aws_iam_role_policy_attachment", id="role-2026", role="role", policy_arn="arn:p")
    assert "role/arn:p" in identities_in_state(state)


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    with mock_aws():
        yield


@pytest.fixture
def inventory(cloud: None) -> CloudInventory:
    # No endpoint: moto answers in this process.
    return CloudInventory(endpoint=None, access_key="AKIA", secret_key="s", regions=(REGION, "us-west-2"))


def client(service: str) -> Any:
    return boto3.client(service, region_name=REGION, aws_access_key_id="AKIA", aws_secret_access_key="s")


def test_an_untouched_cloud_is_empty(inventory: CloudInventory) -> None:
    assert inventory.read() == {}


def test_everything_that_was_made_is_found(inventory: CloudInventory) -> None:
    client("s3").create_bucket(Bucket="documents", CreateBucketConfiguration={"LocationConstraint": REGION})
    client("sqs").create_queue(QueueName="orders")
    topic = client("sns").create_topic(Name="orders")["TopicArn"]
    role = client("iam").create_role(RoleName="service", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    policy = client("iam").create_policy(PolicyName="p", PolicyDocument=POLICY)["Policy"]["Arn"]
    client("iam").attach_role_policy(RoleName="service", PolicyArn=policy)
    client("ssm").put_parameter(Name="/orders/currency", Value="EUR", Type="String")
    client("kms").create_alias(AliasName="alias/x", TargetKeyId=client("kms").create_key()["KeyMetadata"]["KeyId"])
    client("logs").create_log_group(logGroupName="/orders/api")
    vpc = client("ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    group = client("ec2").create_security_group(GroupName="g", Description="d", VpcId=vpc)["GroupId"]
    found = inventory.read()
    assert found["arn:aws:s3:::documents"] == "bucket documents"
    assert found[f"arn:aws:sqs:{REGION}:123456789012:orders"] == f"queue orders ({REGION})"
    assert {topic, role, policy, f"service/{policy}", vpc, group} <= set(found)
    assert f"arn:aws:ssm:{REGION}:123456789012:parameter/orders/currency" in found
    assert f"arn:aws:logs:{REGION}:123456789012:log-group:/orders/api" in found
    assert sum(what.startswith("KMS") for what in found.values()) == 2
    # The group's default rule lets everything out and is somebody's to remove.
    assert sum(what.startswith("rule ") for what in found.values()) == 1
    # What a network brings along is nobody's.
    assert not any("route table" in what for what in found.values())


def test_each_region_is_looked_at(inventory: CloudInventory) -> None:
    boto3.client("sqs", region_name="us-west-2", aws_access_key_id="AKIA", aws_secret_access_key="s").create_queue(
        QueueName="far"
    )
    assert list(inventory.read().values()) == ["queue far (us-west-2)"]
