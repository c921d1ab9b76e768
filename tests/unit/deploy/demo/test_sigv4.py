"""The cloud's signature check, against botocore as the signer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from deploy.demo.sigv4 import scope_of, verify

SECRETS = {"AKIDEXAMPLE": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}


def signed(
    method: str = "POST",
    uri: str = "/",
    *,
    body: bytes = b"Action=ListUsers",
    service: str = "iam",
    headers: dict[str, str] | None = None,
    payload_signed: bool = True,
) -> dict[str, Any]:
    """A request signed by botocore, as arguments of `verify`."""
    kind = S3SigV4Auth if service == "s3" else SigV4Auth
    request = AWSRequest(method=method, url=f"https://{service}.amazonaws.com{uri}", data=body, headers=headers or {})
    request.context["payload_signing_enabled"] = payload_signed
    if not payload_signed:
        request.headers["Content-MD5"] = "x"
        request.context["has_streaming_input"] = True
    kind(Credentials("AKIDEXAMPLE", SECRETS["AKIDEXAMPLE"]), service, "us-east-1").add_auth(request)
    sent = {name.lower(): str(value) for name, value in request.headers.items()}
    sent.setdefault("host", f"{service}.amazonaws.com")
    return {
        "method": method,
        "raw_uri": uri,
        "headers": sent,
        "body": body,
        "secrets": SECRETS,
        "now": datetime.now(UTC),
    }


@pytest.mark.parametrize(
    ("method", "uri", "service"),
    [
        ("POST", "/", "iam"),
        ("GET", "/?Action=ListUsers&Version=2010-05-08", "iam"),
        ("GET", "/?b=2&a=1&a=0&empty=", "ec2"),
        ("PUT", "/a%20b/%C3%BC~+.txt", "s3"),
        ("GET", "/key//twice/../x?policy=", "s3"),
        ("GET", "/?versioning", "s3"),
        ("GET", "/functions/arn%3Aaws%3Alambda/x/../y", "lambda"),
    ],
)
def test_what_botocore_signed_is_accepted(method: str, uri: str, service: str) -> None:
    assert verify(**signed(method, uri, service=service)) == "ok"


def test_an_unsigned_payload_is_accepted_of_s3_only() -> None:
    request = signed("PUT", "/key", service="s3", payload_signed=False)
    assert request["headers"]["x-amz-content-sha256"] == "UNSIGNED-PAYLOAD"
    assert verify(**request) == "ok"
    assert verify(**signed("POST", "/", service="iam", payload_signed=False)) == "unsigned payload"


@pytest.mark.parametrize(
    ("part", "value", "problem"),
    [
        ("method", "PUT", "signature does not match"),
        ("raw_uri", "/?Action=DeleteUser", "signature does not match"),
        ("body", b"Action=DeleteUser", "signature does not match"),
        ("secrets", {"AKIDEXAMPLE": "another"}, "signature does not match"),
        ("secrets", {}, "unknown access key"),
    ],
)
def test_a_request_that_was_tampered_with_is_refused(part: str, value: Any, problem: str) -> None:
    assert verify(**{**signed(), part: value}) == problem


@pytest.mark.parametrize(("minutes", "answer"), [(16, "too old or too new"), (-16, "too old or too new"), (14, "ok")])
def test_a_signature_is_good_for_a_quarter_of_an_hour(minutes: int, answer: str) -> None:
    request = signed()
    assert verify(**{**request, "now": request["now"] + timedelta(minutes=minutes)}) == answer


@pytest.mark.parametrize(
    ("header", "value", "problem"),
    [
        ("authorization", "", "unsigned"),
        ("authorization", "AWS AKIDEXAMPLE:signature", "unsigned"),
        ("host", "sts.amazonaws.com", "signature does not match"),
        ("x-amz-date", "", "no date"),
        ("x-amz-date", "20200101T000000Z", "date and scope differ"),
        ("x-amz-security-token", "smuggled", "headers not signed: x-amz-security-token"),
    ],
)
def test_a_header_that_was_tampered_with_is_refused(header: str, value: str, problem: str) -> None:
    request = signed()
    request["headers"][header] = value
    assert verify(**request) == problem


def test_a_signed_header_must_be_there() -> None:
    request = signed(headers={"X-Amz-Target": "X.Y"})
    assert verify(**request) == "ok"
    del request["headers"]["x-amz-target"]
    assert verify(**request) == "signed headers absent: x-amz-target"


def test_a_declared_payload_hash_must_be_the_body_s() -> None:
    request = signed("PUT", "/key", service="s3", body=b"one")
    assert verify(**{**request, "body": b"two"}) == "payload hash does not match"


def test_s3_must_declare_its_payload() -> None:
    request = signed("PUT", "/key", service="s3")
    del request["headers"]["x-amz-content-sha256"]
    request["headers"]["authorization"] = request["headers"]["authorization"].replace("x-amz-content-sha256;", "")
    assert verify(**request) == "no payload hash"


def test_chunk_signatures_are_refused() -> None:
    request = signed("PUT", "/key", service="s3")
    request["headers"]["x-amz-content-sha256"] = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
    assert verify(**request) == "chunk signatures are not supported"


def test_the_scope_names_key_region_and_service() -> None:
    scope = scope_of(signed(service="ec2")["headers"]["authorization"])
    assert scope is not None
    assert (scope.access_key, scope.region, scope.service) == ("AKIDEXAMPLE", "us-east-1", "ec2")
    assert scope_of("Basic x") is None
