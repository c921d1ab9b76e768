"""Checks the AWS signature (version 4) of a request, as the cloud would.

Built on botocore's own canonicalisation and not on Interlock's signer, so that a mistake of the
signer can't hide here. Only signatures in the Authorization header are known; a presigned query is
unsigned to us, and chunk signatures (STREAMING-AWS4-HMAC-SHA256-PAYLOAD) are refused.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

_AUTHORIZATION = re.compile(
    r"^AWS4-HMAC-SHA256 Credential="
    r"(?P<key>[^/, ]+)/(?P<date>\d{8})/(?P<region>[^/, ]+)/(?P<service>[^/, ]+)/aws4_request,"
    r" ?SignedHeaders=(?P<signed>[^, ]+), ?Signature=(?P<signature>[0-9a-f]{64})$"
)
_UNSIGNED_PAYLOADS = frozenset({"UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"})
# AWS accepts a request whose date is at most this far from its own clock.
MAX_SKEW = timedelta(minutes=15)


@dataclass(frozen=True, kw_only=True)
class Scope:
    """What an Authorization header says about itself, believed or not."""

    access_key: str
    """The access key id."""
    date: str
    """The scope's day, `YYYYMMDD`."""
    region: str
    """The signing region."""
    service: str
    """The signing name of the service."""
    signed_headers: tuple[str, ...]
    """The lower-case names of the headers that are signed."""
    signature: str
    """64 hex digits."""


def scope_of(authorization: str) -> Scope | None:
    """The parts of an Authorization header, or None if it is not a version 4 signature."""
    match = _AUTHORIZATION.match(authorization)
    if match is None:
        return None
    return Scope(
        access_key=match["key"],
        date=match["date"],
        region=match["region"],
        service=match["service"],
        signed_headers=tuple(match["signed"].split(";")),
        signature=match["signature"],
    )


def verify(
    *,
    method: str,
    raw_uri: str,
    headers: Mapping[str, str],
    body: bytes,
    secrets: Mapping[str, str],
    now: datetime,
) -> str:
    """`ok`, or in a few words why the cloud does not accept this request.

    Args:
        method: the HTTP method.
        raw_uri: path and query exactly as they were sent.
        headers: lower-case names; a repeated header joined by commas.
        body: the body as it was sent, after transfer decoding.
        secrets: secret access keys by access key id.
        now: the cloud's time, aware.
    """
    scope = scope_of(headers.get("authorization", ""))
    if scope is None:
        return "unsigned"
    secret = secrets.get(scope.access_key)
    if secret is None:
        return "unknown access key"
    timestamp = headers.get("x-amz-date", "")
    if (problem := _check_date(timestamp, scope, now)) is not None:
        return problem
    missing = [name for name in scope.signed_headers if name not in headers]
    if missing or "host" not in scope.signed_headers:
        return f"signed headers absent: {','.join(missing) or 'host'}"
    # A header that could change the meaning of a call must be covered, or a relay could add one.
    uncovered = [name for name in headers if name.startswith("x-amz-") and name not in scope.signed_headers]
    if uncovered:
        return f"headers not signed: {','.join(sorted(uncovered))}"
    if (problem := _check_payload(headers.get("x-amz-content-sha256"), body, scope)) is not None:
        return problem
    expected = _signature(method, raw_uri, headers, body, scope, secret, timestamp)
    return "ok" if hmac.compare_digest(expected, scope.signature) else "signature does not match"


def _check_date(timestamp: str, scope: Scope, now: datetime) -> str | None:
    try:
        signed_at = datetime.strptime(timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=now.tzinfo)
    except ValueError:
        return "no date"
    if not timestamp.startswith(scope.date):
        return "date and scope differ"
    return "too old or too new" if abs(now - signed_at) > MAX_SKEW else None


def _check_payload(declared: str | None, body: bytes, scope: Scope) -> str | None:
    if declared is None:
        return "no payload hash" if scope.service == "s3" else None
    if declared in _UNSIGNED_PAYLOADS:
        return None if scope.service == "s3" else "unsigned payload"
    if declared.startswith("STREAMING-"):
        return "chunk signatures are not supported"
    return None if declared == hashlib.sha256(body).hexdigest() else "payload hash does not match"


def _signature(
    method: str,
    raw_uri: str,
    headers: Mapping[str, str],
    body: bytes,
    scope: Scope,
    secret: str,
    timestamp: str,
) -> str:
    kind = S3SigV4Auth if scope.service == "s3" else SigV4Auth
    auth = kind(Credentials(scope.access_key, secret), scope.service, scope.region)
    request = AWSRequest(method=method, url=f"http://{headers['host']}{raw_uri}", data=body)
    for name in scope.signed_headers:
        request.headers[name] = headers[name]
    request.context["timestamp"] = timestamp
    return str(auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request))
