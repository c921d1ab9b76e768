"""What the cloud has is said with the names and sizes that the region files give."""

from __future__ import annotations

import os
from typing import Any

import boto3
import pytest
from moto import mock_aws

from deploy.shop.cloud import ShopCloud, tags_of

REGION = "eu-west-1"


def client(service: str) -> Any:
    return boto3.client(service, region_name=REGION, aws_access_key_id="AKIA", aws_secret_access_key="s")


def test_everything_of_the_example_is_named_with_its_size_and_by_what_a_state_calls_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    with mock_aws():
        tags = [{"ResourceType": "vpc", "Tags": [{"Key": "b", "Value": "2"}, {"Key": "a", "Value": "1"}]}]
        vpc = client("ec2").create_vpc(CidrBlock="10.1.0.0/16", TagSpecifications=tags)["Vpc"]["VpcId"]
        subnet = client("ec2").create_subnet(VpcId=vpc, CidrBlock="10.1.0.0/20", AvailabilityZone="eu-west-1a")
        sizes = {"MessageRetentionPeriod": "129600", "VisibilityTimeout": "45"}
        client("sqs").create_queue(QueueName="orders", Attributes=sizes)
        topic = client("sns").create_topic(Name="purge")["TopicArn"]
        client("ssm").put_parameter(Name="/shop/image", Value="v1", Type="String")
        details = ShopCloud(endpoint=None, access_key="AKIA", secret_key="s", regions=(REGION, "us-east-1")).details()
    assert details == {
        vpc: "eu-west-1 network 10.1.0.0/16 [a=1 b=2]",
        subnet["Subnet"]["SubnetId"]: "eu-west-1 subnet 10.1.0.0/20 in eu-west-1a",
        "arn:aws:sqs:eu-west-1:123456789012:orders": "eu-west-1 queue orders, 1.5 days, 45 s",
        topic: "eu-west-1 topic purge",
        "arn:aws:ssm:eu-west-1:123456789012:parameter/shop/image": "eu-west-1 parameter /shop/image = v1",
    }


def test_tags_have_one_order() -> None:
    assert tags_of([{"Key": "b", "Value": "2"}, {"Key": "a", "Value": "1"}]) == "[a=1 b=2]"
    assert tags_of([]) == "[]"
