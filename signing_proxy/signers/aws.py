"""AWS Signature Version 4: verify what the client signed with its placeholder key, sign anew with the real one.

Follows "Create a signed AWS API request" in the AWS IAM user guide. It agrees byte for byte with botocore's
``SigV4Auth`` and ``S3SigV4Auth``; tests/unit/signing_proxy/signers/test_aws.py holds the two against each other.
Nothing here reads a clock or a socket: time and bodies come in as values.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from urllib.parse import quote, unquote_to_bytes

ALGORITHM = "AWS4-HMAC-SHA256"
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"

_SCOPE = re.compile(
    r"(?P<key>[\w.+-]{1,128})/(?P<date>\d{8})/(?P<region>[a-z0-9-]{1,64})/(?P<service>[A-Za-z0-9._-]{1,64})/aws4_request"
)
_HEX_SHA256 = re.compile(r"[0-9a-f]{64}")
_AMZ_DATE = re.compile(r"\d{8}T\d{6}Z")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]{1,128}")
MAX_SIGNED_HEADERS = 128

# Never part of what is signed upstream: they belong to one hop, to the proxy, or are minted anew.
DROPPED_HEADERS = frozenset(
    {
        "authorization",
        "connection",
        "date",
        "expect",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "upgrade",
        "x-amz-date",
        "x-amz-security-token",
    }
)
# Sent on, since it frames the body, but a load balancer may rewrite it: it stays out of the signature.
UNSIGNED_HEADERS = frozenset({"transfer-encoding"})


class Flaw(StrEnum):
    """What is wrong with a client's signature."""

    UNSIGNED = "unsigned"
    MALFORMED = "malformed"
    ASYMMETRIC = "asymmetric"
    UNSUPPORTED_PAYLOAD = "unsupported_payload"


class SignatureRefused(Exception):  # noqa: N818 -- named after what happened, as in shared.errors
    """The client's signature is of a kind that can't be verified.

    The peer's fault, never ours. ``flaw`` says which kind; the message says what to change at the client.
    """

    def __init__(self, flaw: Flaw, message: str) -> None:
        super().__init__(message)
        self.flaw = flaw


class PathForm(StrEnum):
    """How the path stands in the canonical request."""

    RAW = "raw"
    """Encoded once, as it travels: S3."""
    TWICE = "twice"
    """Dot segments removed and encoded a second time: every other service."""


@dataclass(frozen=True, kw_only=True)
class AwsCredentials:
    """A key pair."""

    access_key: str
    """The access key id."""
    secret_key: str
    """The secret access key."""
    token: str | None = None
    """The session token of temporary credentials."""

    def __repr__(self) -> str:
        return f"AwsCredentials(access_key={self.access_key!r}, ...)"


@dataclass(frozen=True, kw_only=True)
class ClientAuthorization:
    """The parsed Authorization header of a client."""

    access_key: str
    """The access key id that the client named."""
    date: str
    """The scope's day, YYYYMMDD."""
    region: str
    """The scope's region: what the upstream signature is made for."""
    service: str
    """The scope's signing name of the service."""
    signed_headers: tuple[str, ...]
    """Names of the headers that the client signed, in lower case and sorted."""
    signature: str
    """Hex HMAC-SHA256 as sent."""


@dataclass(frozen=True, kw_only=True)
class SignableRequest:
    """A request as far as signing is concerned."""

    method: str
    """HTTP method in upper case."""
    path: str
    """The path as it travels, encoded once, without the query."""
    query: str
    """The query as it travels, without the question mark."""
    headers: tuple[tuple[str, str], ...]
    """Every header, in the order sent."""
    payload_hash: str
    """Hex SHA-256 of the body, or one of the two UNSIGNED marks."""


def parse_authorization(header: str | None) -> ClientAuthorization:
    """Take an Authorization header apart.

    Raises SignatureRefused when it is missing, not SigV4, or malformed.
    """
    if header is None:
        raise SignatureRefused(Flaw.UNSIGNED, "the request carries no Authorization header")
    algorithm, _, rest = header.partition(" ")
    if algorithm.startswith("AWS4-ECDSA"):
        raise SignatureRefused(Flaw.ASYMMETRIC, "SigV4A is not supported: use a regional endpoint")
    if algorithm != ALGORITHM:
        raise SignatureRefused(Flaw.UNSIGNED, f"only {ALGORITHM} requests are signed by the proxy")
    fields: dict[str, str] = {}
    for part in rest.split(","):
        name, separator, value = part.strip().partition("=")
        if not separator or name in fields:
            raise SignatureRefused(Flaw.MALFORMED, "the Authorization header does not parse")
        fields[name] = value
    if set(fields) != {"Credential", "SignedHeaders", "Signature"}:
        raise SignatureRefused(Flaw.MALFORMED, "the Authorization header does not hold exactly the three SigV4 fields")
    scope = _SCOPE.fullmatch(fields["Credential"])
    names = fields["SignedHeaders"].split(";")
    if scope is None or not _HEX_SHA256.fullmatch(fields["Signature"]):
        raise SignatureRefused(Flaw.MALFORMED, "the credential scope or the signature is malformed")
    if len(names) > MAX_SIGNED_HEADERS or not all(_HEADER_NAME.fullmatch(name) for name in names):
        raise SignatureRefused(Flaw.MALFORMED, "the list of signed headers is malformed")
    if names != sorted(set(names)) or "host" not in names or "x-amz-date" not in names:
        raise SignatureRefused(Flaw.MALFORMED, "host and x-amz-date must be signed, names sorted and given once")
    return ClientAuthorization(
        access_key=scope["key"],
        date=scope["date"],
        region=scope["region"],
        service=scope["service"],
        signed_headers=tuple(names),
        signature=fields["Signature"],
    )


def declared_payload(headers: Iterable[tuple[str, str]]) -> str | None:
    """What x-amz-content-sha256 declares: a hash, an UNSIGNED mark, or None where the header is absent.

    Raises SignatureRefused for chunk-signed bodies, which would have to be signed again chunk by chunk.
    """
    values = [value.strip() for name, value in headers if name.lower() == "x-amz-content-sha256"]
    if not values:
        return None
    if len(values) > 1:
        raise SignatureRefused(Flaw.MALFORMED, "x-amz-content-sha256 is given more than once")
    if values[0] in (UNSIGNED_PAYLOAD, UNSIGNED_TRAILER) or _HEX_SHA256.fullmatch(values[0]):
        return values[0]
    raise SignatureRefused(
        Flaw.UNSUPPORTED_PAYLOAD,
        f"payload {values[0][:64]!r} is not supported: send a hash, {UNSIGNED_PAYLOAD} or {UNSIGNED_TRAILER}",
    )


def verify(request: SignableRequest, authorization: ClientAuthorization, secret_key: str) -> PathForm | None:
    """Whether the client signed this very request with the given secret key; the path form it used, or None.

    Clients differ in how they write the path and the query into the canonical request. Each form is an HMAC over
    the whole request with the run's own secret, so that accepting any of them weakens nothing.
    """
    dates = [value.strip() for name, value in request.headers if name.lower() == "x-amz-date"]
    if len(dates) != 1 or not _AMZ_DATE.fullmatch(dates[0]) or dates[0][:8] != authorization.date:
        return None
    key = _signing_key(secret_key, authorization.date, authorization.region, authorization.service)
    found: PathForm | None = None
    first = PathForm.RAW if authorization.service.startswith("s3") else PathForm.TWICE
    forms = (first, PathForm.TWICE if first is PathForm.RAW else PathForm.RAW)
    for form in forms:
        for query in dict.fromkeys((_query_canonical(request.query), _query_as_sent(request.query), request.query)):
            canonical = _canonical_request(request, form, query, authorization.signed_headers)
            signature = _signature(key, dates[0], authorization.region, authorization.service, canonical)
            if hmac.compare_digest(signature, authorization.signature) and found is None:
                found = form
    return found


def sign(
    request: SignableRequest,
    *,
    client: ClientAuthorization,
    path_form: PathForm,
    credentials: AwsCredentials,
    now: datetime,
) -> tuple[tuple[str, str], ...]:
    """The headers to send upstream: the client's without those that end here, dated and signed anew.

    Signed are the headers that the client had signed and that are sent on, x-amz-date, and the session token.
    ``now`` must be aware. Raises ValueError when it is not.
    """
    if now.tzinfo is None:
        raise ValueError("a signature's date must be an aware datetime")
    stamp = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    headers = [(name, value) for name, value in request.headers if name.lower() not in DROPPED_HEADERS]
    headers.append(("X-Amz-Date", stamp))
    names = {name for name in client.signed_headers if name not in DROPPED_HEADERS | UNSIGNED_HEADERS}
    names.add("x-amz-date")
    if credentials.token is not None:
        headers.append(("X-Amz-Security-Token", credentials.token))
        names.add("x-amz-security-token")
    present = {name.lower() for name, _ in headers}
    signed = tuple(sorted(names & present))
    outgoing = SignableRequest(
        method=request.method,
        path=request.path,
        query=request.query,
        headers=tuple(headers),
        payload_hash=request.payload_hash,
    )
    canonical = _canonical_request(outgoing, path_form, _query_canonical(request.query), signed)
    key = _signing_key(credentials.secret_key, stamp[:8], client.region, client.service)
    signature = _signature(key, stamp, client.region, client.service, canonical)
    scope = f"{credentials.access_key}/{stamp[:8]}/{client.region}/{client.service}/aws4_request"
    text = f"{ALGORITHM} Credential={scope}, SignedHeaders={';'.join(signed)}, Signature={signature}"
    return (*headers, ("Authorization", text))


def _canonical_request(request: SignableRequest, form: PathForm, query: str, signed: tuple[str, ...]) -> bytes:
    """Section "Create a canonical request"."""
    values: dict[str, list[str]] = {name: [] for name in signed}
    for name, value in request.headers:
        lowered = name.lower()
        if lowered in values:
            values[lowered].append(" ".join(value.split()))
    lines = [
        request.method,
        request.path or "/" if form is PathForm.RAW else quote(_without_dots(request.path), safe="/~"),
        query,
        *(f"{name}:{','.join(values[name])}" for name in signed),
        "",
        ";".join(signed),
        request.payload_hash,
    ]
    return "\n".join(lines).encode("utf-8", "surrogateescape")


def _without_dots(path: str) -> str:
    """RFC 3986 section 5.2.4, and runs of slashes made one, as AWS asks for every service but S3."""
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del kept[-1:]
        elif segment not in ("", "."):
            kept.append(segment)
    return "/" + "/".join(kept) + ("/" if kept and path.endswith("/") else "")


def _query_canonical(query: str) -> str:
    """Names and values decoded and encoded by RFC 3986, then sorted: what the services compute."""
    if not query:
        return ""
    pairs = []
    for part in query.split("&"):
        name, _, value = part.partition("=")
        pairs.append((_encode(name), _encode(value)))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def _query_as_sent(query: str) -> str:
    """Sorted, but with the client's own encoding: what botocore computes."""
    if not query:
        return ""
    pairs = []
    for part in query.split("&"):
        name, _, value = part.partition("=")
        pairs.append((name, value))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def _encode(text: str) -> str:
    return quote(unquote_to_bytes(text), safe="-_.~")


def _signature(key: bytes, stamp: str, region: str, service: str, canonical: bytes) -> str:
    digest = hashlib.sha256(canonical).hexdigest()
    text = f"{ALGORITHM}\n{stamp}\n{stamp[:8]}/{region}/{service}/aws4_request\n{digest}"
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


@lru_cache(maxsize=256)
def _signing_key(secret_key: str, date: str, region: str, service: str) -> bytes:
    """The key of one day, region and service. Cached: deriving it costs as much as the rest of a signature."""
    key = f"AWS4{secret_key}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key
