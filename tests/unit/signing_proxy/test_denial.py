"""A refusal looks like the service's own error."""

from __future__ import annotations

import json

import pytest

from signing_proxy.classify import Protocol
from signing_proxy.denial import Denial, Reason, answer

LOST = Denial(reason=Reason.LEASE_NOT_LIVE, message='cut <at> "D"')
OTHER = Denial(reason=Reason.WRONG_KEY, message="wrong key")


@pytest.mark.parametrize("protocol", [None, *Protocol])
def test_every_refusal_is_a_403_with_the_code_that_stops_a_client(protocol: Protocol | None) -> None:
    for denial, code in ((LOST, b"ExpiredToken"), (OTHER, b"AccessDenied")):
        made = answer(denial, protocol, service="x", request_id="r1")
        assert made.status == 403
        assert code in made.body
        assert ("x-amzn-requestid", "r1") in made.headers


def test_xml_is_escaped_and_shaped_by_service() -> None:
    s3 = answer(LOST, Protocol.REST_XML, service="s3", request_id="r1").body
    assert b"<Error><Code>ExpiredToken</Code><Message>Interlock: cut &lt;at&gt;" in s3
    ec2 = answer(LOST, Protocol.EC2, service="ec2", request_id="r1").body
    assert b"<Response><Errors><Error><Code>ExpiredToken</Code>" in ec2
    iam = answer(LOST, Protocol.QUERY, service="iam", request_id="r1").body
    assert b"<ErrorResponse><Error><Type>Sender</Type><Code>ExpiredToken</Code>" in iam


@pytest.mark.parametrize("protocol", [Protocol.JSON, Protocol.REST_JSON])
def test_json_names_the_type_in_body_and_header(protocol: Protocol) -> None:
    made = answer(OTHER, protocol, service="dynamodb", request_id="r1")
    assert json.loads(made.body)["__type"] == "AccessDeniedException"
    assert ("x-amzn-errortype", "AccessDeniedException") in made.headers


@pytest.mark.parametrize("length", [1, 100, 500])
def test_cbor_is_a_map_of_two_strings(length: int) -> None:
    message = "m" * length
    made = answer(
        Denial(reason=Reason.WRONG_KEY, message=message), Protocol.CBOR, service="monitoring", request_id="r1"
    )
    text = f"Interlock: {message}".encode()
    head = (
        bytes([0x60 | len(text)])
        if len(text) < 24
        else (b"\x78" + bytes([len(text)]) if len(text) < 256 else b"\x79" + len(text).to_bytes(2, "big"))
    )
    assert made.body == b"\xa2\x66__type\x75AccessDeniedException\x67message" + head + text
    assert ("smithy-protocol", "rpc-v2-cbor") in made.headers
