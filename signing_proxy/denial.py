"""Refusals: a reason, and the answer that makes a client stop.

An AWS-shaped 403 ends Terraform and the SDKs after one request, where 503, 407 and a closed connection are retried for
over a minute. So every refusal of a known caller is answered locally, in the error shape of the service called.
"""

import json
from dataclasses import dataclass
from enum import StrEnum
from xml.sax.saxutils import escape

from signing_proxy.classify import Protocol


class Reason(StrEnum):
    """Why a call was refused; also the ``reason`` label of the metrics and the error code in the journal."""

    NO_CALLER = "no_caller"
    WRONG_CALLER = "wrong_caller"
    LEASE_NOT_LIVE = "lease_not_live"
    HOST_NOT_ALLOWED = "host_not_allowed"
    METADATA_ADDRESS = "metadata_address"
    PRIVATE_ADDRESS = "private_address"
    PORT_NOT_ALLOWED = "port_not_allowed"
    PLAINTEXT = "plaintext"
    MALFORMED_HEAD = "malformed_head"
    HOST_MISMATCH = "host_mismatch"
    SNI_MISMATCH = "sni_mismatch"
    UNSIGNED = "unsigned"
    WRONG_KEY = "wrong_key"
    WRONG_SIGNATURE = "wrong_signature"
    UNSUPPORTED_SIGNATURE = "unsupported_signature"
    PAYLOAD_MISMATCH = "payload_mismatch"
    SCOPE_MISMATCH = "scope_mismatch"
    NOT_ALLOWED = "not_allowed"
    ALLOWANCE_UNKNOWN = "allowance_unknown"
    LATCHED = "latched"
    SECRET_ANSWER = "secret_answer"  # noqa: S105 -- a label, no secret
    JOURNAL_UNAVAILABLE = "journal_unavailable"
    NO_CREDENTIALS = "no_credentials"
    TOO_LARGE = "too_large"
    BUSY = "busy"
    STATE_PATH = "state_path"
    STATE_UNAVAILABLE = "state_unavailable"
    HOOK_FAILED = "hook_failed"
    SEVERED = "severed"


@dataclass(frozen=True, kw_only=True)
class Denial:
    """A decision against a call."""

    reason: Reason
    """Which rule said no."""
    message: str
    """What happened, for the human at the client."""

    @property
    def code(self) -> str:
        """The error code that clients know not to retry; the one that they do is for what passes by itself."""
        if self.reason is Reason.BUSY:
            return "SlowDown"
        return "ExpiredToken" if self.reason is Reason.LEASE_NOT_LIVE else "AccessDenied"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A local HTTP answer."""

    status: int
    """HTTP status."""
    content_type: str
    """Value of Content-Type."""
    headers: tuple[tuple[str, str], ...]
    """Further headers."""
    body: bytes
    """The body; clients of HEAD don't get it."""


def answer(denial: Denial, protocol: Protocol | None, *, service: str, request_id: str) -> Answer:
    """The 403 that a client of this protocol understands; plain text where the protocol is not known."""
    message = f"Interlock: {denial.message}"
    code = denial.code
    if protocol is None:
        return _make("text/plain; charset=utf-8", f"{code}: {message}\n".encode(), request_id)
    if protocol is Protocol.CBOR:
        body = b"\xa2" + _cbor("__type") + _cbor(f"{code}Exception") + _cbor("message") + _cbor(message)
        return _make("application/cbor", body, request_id, ("smithy-protocol", "rpc-v2-cbor"))
    if protocol in (Protocol.JSON, Protocol.REST_JSON):
        name = f"{code}Exception"
        body = json.dumps({"__type": name, "message": message}).encode()
        kind = "application/x-amz-json-1.0" if protocol is Protocol.JSON else "application/json"
        return _make(kind, body, request_id, ("x-amzn-errortype", name))
    inner = f"<Code>{code}</Code><Message>{escape(message)}</Message>"
    identity = escape(request_id)
    if service.startswith("s3"):
        text = f"<Error>{inner}<RequestId>{identity}</RequestId></Error>"
    elif protocol is Protocol.EC2:
        text = f"<Response><Errors><Error>{inner}</Error></Errors><RequestID>{identity}</RequestID></Response>"
    else:
        text = (
            f"<ErrorResponse><Error><Type>Sender</Type>{inner}</Error><RequestId>{identity}</RequestId></ErrorResponse>"
        )
    return _make("text/xml", b'<?xml version="1.0" encoding="UTF-8"?>\n' + text.encode(), request_id)


def _make(kind: str, body: bytes, request_id: str, *headers: tuple[str, str]) -> Answer:
    return Answer(status=403, content_type=kind, headers=(("x-amzn-requestid", request_id), *headers), body=body)


def _cbor(text: str) -> bytes:
    """A CBOR text string of at most 65,535 bytes (RFC 8949 section 3.1, major type 3)."""
    raw = text.encode()[:0xFFFF]
    if len(raw) < 24:
        return bytes([0x60 | len(raw)]) + raw
    if len(raw) < 0x100:
        return b"\x78" + bytes([len(raw)]) + raw
    return b"\x79" + len(raw).to_bytes(2, "big") + raw
