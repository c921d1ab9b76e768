"""How calls are written."""

from __future__ import annotations

import pytest

from shared.recovery.building import CallBuilder

HERE = CallBuilder("eu-west-1")


def test_each_protocol_is_spoken_at_the_services_own_host() -> None:
    assert HERE.query("sns", "ListTopics", "2010-03-31", {}).host == "sns.eu-west-1.amazonaws.com"
    assert HERE.query("iam", "GetRole", "2010-05-08", {"RoleName": "r"}).region == "us-east-1"
    assert HERE.query("ses", "GetSendQuota", "2010-12-01", {}).host == "email.eu-west-1.amazonaws.com"
    assert HERE.json("ecr", "AmazonEC2ContainerRegistry_V20150921.DescribeRepositories", {}).host == (
        "api.ecr.eu-west-1.amazonaws.com"
    )
    assert HERE.rest("route53", "/2013-04-01/hostedzone/Z1", "").host == "route53.amazonaws.com"
    bucket = HERE.rest("s3", "/b/k", "", region="eu-west-1", method="HEAD")
    assert (bucket.method, bucket.host) == ("HEAD", "s3.eu-west-1.amazonaws.com")
    assert "x-amz-content-sha256" in bucket.headers


def test_in_china_hosts_are_called_otherwise() -> None:
    assert CallBuilder("cn-north-1").query("sns", "ListTopics", "2010-03-31", {}).host.endswith(".amazonaws.com.cn")


def test_two_calls_that_ask_the_same_are_one() -> None:
    assert len({HERE.json("sqs", "AmazonSQS.GetQueueUrl", {"QueueName": "q"}) for _ in range(2)}) == 1


@pytest.mark.parametrize(("service", "version"), [("sqs", "1.0"), ("states", "1.0"), ("events", "1.1"), ("ecs", "1.1")])
def test_json_is_sent_in_the_version_that_the_service_speaks(service: str, version: str) -> None:
    call = CallBuilder("eu-west-1").json(service, "X.Y", {})
    assert call.headers["content-type"] == f"application/x-amz-json-{version}"
