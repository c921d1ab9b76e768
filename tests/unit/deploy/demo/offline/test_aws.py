"""Clients and answers."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from botocore.exceptions import ClientError

from deploy.demo.offline.aws import Aws, tag_list, tag_map, unless_absent


def refusing(code: str, status: int) -> Any:
    def call(**_: Any) -> dict[str, Any]:
        error: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
        raise ClientError(error, "GetThing")

    return call


def test_an_answer_is_passed_on() -> None:
    assert unless_absent(lambda Name: {"Name": Name}, Name="x") == {"Name": "x"}


@pytest.mark.parametrize(("code", "status"), [("Anything", 404), ("NoSuchThing", 400)])
def test_what_the_cloud_calls_absent_is_none(code: str, status: int) -> None:
    assert unless_absent(refusing(code, status), "NoSuchThing") is None


def test_another_refusal_is_raised() -> None:
    with pytest.raises(ClientError):
        unless_absent(refusing("ExpiredToken", 403), "NoSuchThing")


def test_tags_go_there_and_back() -> None:
    tags = {"b": "2", "a": "1"}
    assert tag_list(tags) == [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]
    assert tag_map(tag_list(tags)) == tags
    assert tag_map(tag_list(tags, "TagKey", "TagValue"), "TagKey", "TagValue") == tags


def test_no_tags_are_null() -> None:
    assert tag_list(None) == []
    assert tag_map([]) is None
    assert tag_map(None) is None


def test_a_client_is_made_once_and_for_the_region(aws: Aws) -> None:
    assert aws.client("sqs") is aws.client("sqs")
    assert aws.client("sqs").meta.region_name == "eu-west-1"


def test_no_two_threads_share_a_client(aws: Aws) -> None:
    """Nor the TLS context in it."""
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(aws.client("sqs")))
    thread.start()
    thread.join()
    assert len(found) == 1
    assert found[0] is not aws.client("sqs")
