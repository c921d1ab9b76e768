"""The judge's own reading of a request: crude, and wrong only to one side."""

from __future__ import annotations

import pytest

from deploy.demo.requests import Caller, caller_of, is_mutating, operation_of

FORM = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}


@pytest.mark.parametrize(
    ("method", "uri", "headers", "body", "operation"),
    [
        ("POST", "/", {"x-amz-target": "DynamoDB_20120810.CreateTable"}, b"{}", "CreateTable"),
        ("POST", "/", {"x-amz-target": "AmazonSQS.CreateQueue"}, b"{}", "CreateQueue"),
        ("POST", "/", FORM, b"Action=CreateVpc&Version=2016-11-15", "CreateVpc"),
        ("GET", "/?Action=ListRoles&Version=2010-05-08", {}, b"", "ListRoles"),
        ("POST", "/service/GraniteServiceVersion20100801/operation/PutMetricAlarm", {}, b"", "PutMetricAlarm"),
        ("PUT", "/", {}, b"", "PUT"),
        ("PUT", "/?versioning", {}, b"", "PUT ?versioning"),
        ("GET", "/?policy=", {}, b"", "GET ?policy"),
        ("GET", "/?list-type=2&prefix=", {}, b"", "GET ?prefix"),
        ("POST", "/key?uploads", {}, b"Action=NotAForm", "POST ?uploads"),
    ],
)
def test_the_operation_is_named(method: str, uri: str, headers: dict[str, str], body: bytes, operation: str) -> None:
    assert operation_of(method, uri, headers, body) == operation


@pytest.mark.parametrize("operation", ["GetRole", "ListQueues", "DescribeVpcs", "HEAD", "GET ?policy", "BatchGetItem"])
def test_what_is_known_to_read_does_not_mutate(operation: str) -> None:
    assert not is_mutating(operation)


@pytest.mark.parametrize(
    "operation",
    ["CreateVpc", "PUT ?versioning", "DELETE", "POST", "", "Getaway", "Listen", "GetSessionToken", "ReceiveMessage"],
)
def test_everything_else_mutates(operation: str) -> None:
    assert is_mutating(operation)


def agent(target: str = "orders.eu", epoch: str = "2", run: str = "run-0123456789abcdef") -> str:
    return f"aws-sdk-go-v2/1.36 interlock/1 (target {target}; epoch {epoch}; run {run})"


def test_the_caller_is_read_from_the_user_agent() -> None:
    assert caller_of(agent()) == Caller(target="orders.eu", epoch=2, run="run-0123456789abcdef")


@pytest.mark.parametrize(
    "user_agent",
    [
        "aws-sdk-go-v2/1.36",
        "",
        agent(epoch="two"),
        agent(run="run-1"),
        agent(target="orders eu"),
        agent() + " " + agent(epoch="3"),
    ],
)
def test_a_user_agent_that_does_not_name_exactly_one_caller_names_none(user_agent: str) -> None:
    assert caller_of(user_agent) is None
