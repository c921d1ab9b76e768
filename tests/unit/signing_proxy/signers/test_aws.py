"""Our signature is botocore's, byte for byte."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from signing_proxy.signers.aws import (
    EMPTY_SHA256,
    UNSIGNED_PAYLOAD,
    UNSIGNED_TRAILER,
    AwsCredentials,
    Flaw,
    PathForm,
    SignableRequest,
    SignatureRefused,
    declared_payload,
    parse_authorization,
    sign,
    verify,
)

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
KEY = AwsCredentials(access_key="AKIDEXAMPLE", secret_key="wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
WITH_TOKEN = AwsCredentials(access_key="ASIDEXAMPLE", secret_key="secret", token="a-session-token==")


def by_botocore(
    method: str,
    path: str,
    query: str,
    headers: dict[str, str],
    body: bytes,
    service: str,
    key: AwsCredentials,
    monkeypatch_time: pytest.MonkeyPatch,
) -> dict[str, str]:
    """The headers after botocore signed the request at NOW."""
    monkeypatch_time.setattr("botocore.auth.get_current_datetime", lambda: NOW)
    url = f"https://{headers['host']}{path}" + (f"?{query}" if query else "")
    request = AWSRequest(method=method, url=url, headers=headers, data=body)
    kind = S3SigV4Auth if service == "s3" else SigV4Auth
    kind(Credentials(key.access_key, key.secret_key, key.token), service, "eu-west-1").add_auth(request)
    return {name.lower(): value for name, value in request.headers.items()}


def by_us(
    method: str, path: str, query: str, client: dict[str, str], body: bytes, key: AwsCredentials
) -> tuple[dict[str, str], PathForm | None]:
    """The headers after we signed what a client (with its own key pair of the same value) had signed."""
    authorization = parse_authorization(client["authorization"])
    payload = client.get("x-amz-content-sha256") or hashlib.sha256(body).hexdigest()
    request = SignableRequest(
        method=method, path=path, query=query, headers=tuple(client.items()), payload_hash=payload
    )
    form = verify(request, authorization, KEY.secret_key)
    signed = sign(request, client=authorization, path_form=form or PathForm.RAW, credentials=key, now=NOW)
    return {name.lower(): value for name, value in signed}, form


CASES = {
    "get-vanilla": ("GET", "/", "", {}, b"", "iam"),
    "query-order": ("GET", "/", "b=2&a=1&a=0&B=3", {}, b"", "iam"),
    "empty-value": ("GET", "/", "Action=&list=", {}, b"", "iam"),
    "no-equals-sign": ("GET", "/bucket", "policy", {}, b"", "s3"),
    "encoded-query": ("GET", "/", "k=%20%2B%2F%3D~-_.&%C3%BC=%E6%97%A5", {}, b"", "iam"),
    "encoded-path": ("PUT", "/a%20b/%C3%BC", "", {}, b"x", "lambda"),
    "dots-and-slashes": ("GET", "/a/./b//../c/", "", {}, b"", "lambda"),
    "only-dots": ("GET", "/a/..", "", {}, b"", "lambda"),
    "s3-keeps-dots": ("GET", "/a/./b//../c/", "", {}, b"", "s3"),
    "s3-encodes-once": ("GET", "/a%20b/%25/~x+y", "", {}, b"", "s3"),
    "spaces-in-headers": ("POST", "/", "", {"x-amz-meta": "  a   b  c "}, b"body", "sqs"),
    "many-headers": ("POST", "/", "", {"content-type": "text/plain", "zz": "1", "aa": "2"}, b"body", "sns"),
    "user-agent-stays-out": ("POST", "/", "", {"user-agent": "u", "expect": "100-continue"}, b"body", "sns"),
}


@pytest.mark.parametrize("key", [KEY, WITH_TOKEN], ids=["long-lived", "temporary"])
@pytest.mark.parametrize("case", CASES)
def test_we_sign_as_botocore_does(case: str, key: AwsCredentials, monkeypatch: pytest.MonkeyPatch) -> None:
    method, path, query, extra, body, service = CASES[case]
    headers = {"host": "host.eu-west-1.amazonaws.com", **extra}
    client = by_botocore(method, path, query, headers, body, service, KEY, monkeypatch)
    wanted = by_botocore(method, path, query, headers, body, service, key, monkeypatch)
    ours, form = by_us(method, path, query, client, body, key)
    assert form is (PathForm.RAW if service == "s3" else PathForm.TWICE)
    wanted.pop("expect", None)
    assert ours == wanted


TEXT = st.text(alphabet="abAB019-_.~ /%+&=:ü日", max_size=12)


@settings(max_examples=150, deadline=None)
@given(
    segments=st.lists(TEXT, max_size=4),
    pairs=st.lists(st.tuples(TEXT, TEXT), max_size=4),
    value=st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), max_size=12),
    body=st.binary(max_size=40),
    service=st.sampled_from(["s3", "dynamodb"]),
)
def test_we_sign_any_well_encoded_request_as_botocore_does(
    segments: list[str], pairs: list[tuple[str, str]], value: str, body: bytes, service: str
) -> None:
    path = "/" + "/".join(quote(segment, safe="~") for segment in segments)
    query = "&".join(f"{quote(name, safe='~')}={quote(text, safe='~')}" for name, text in pairs)
    headers = {"host": "h.eu-west-1.amazonaws.com", "x-amz-meta-v": value}
    with pytest.MonkeyPatch.context() as patch:
        client = by_botocore("PUT", path, query, headers, body, service, KEY, patch)
        wanted = by_botocore("PUT", path, query, headers, body, service, WITH_TOKEN, patch)
    ours, form = by_us("PUT", path, query, client, body, WITH_TOKEN)
    assert form is not None
    assert ours == wanted


# From AWS's published SigV4 test suite (aws-sig-v4-test-suite: get-vanilla, post-x-www-form-urlencoded).
SUITE_KEY = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
SUITE = [
    ("GET", {}, b"", "host;x-amz-date", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    (
        "POST",
        {"Content-Type": "application/x-www-form-urlencoded"},
        b"Param1=value1",
        "content-type;host;x-amz-date",
        "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
    ),
]


@pytest.mark.parametrize(("method", "extra", "body", "signed", "signature"), SUITE)
def test_we_agree_with_the_published_test_suite(
    method: str, extra: dict[str, str], body: bytes, signed: str, signature: str
) -> None:
    headers = {"Host": "example.amazonaws.com", "X-Amz-Date": "20150830T123600Z", **extra}
    authorization = parse_authorization(
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        f"SignedHeaders={signed}, Signature={signature}"
    )
    request = SignableRequest(
        method=method,
        path="/",
        query="",
        headers=tuple(headers.items()),
        payload_hash=hashlib.sha256(body).hexdigest(),
    )
    assert verify(request, authorization, SUITE_KEY) is not None
    assert verify(request, authorization, SUITE_KEY + "x") is None


def signed_request(monkeypatch: pytest.MonkeyPatch, **changes: object) -> tuple[SignableRequest, str]:
    client = by_botocore("POST", "/p", "a=1", {"host": "h.amazonaws.com"}, b"body", "sqs", KEY, monkeypatch)
    fields = {
        "method": "POST",
        "path": "/p",
        "query": "a=1",
        "headers": tuple(client.items()),
        "payload_hash": hashlib.sha256(b"body").hexdigest(),
        **changes,
    }
    return SignableRequest(**fields), client["authorization"]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [{"method": "PUT"}, {"path": "/q"}, {"query": "a=2"}, {"payload_hash": EMPTY_SHA256}, {"payload_hash": "x"}],
)
def test_a_request_that_was_changed_does_not_verify(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, object]
) -> None:
    request, header = signed_request(monkeypatch)
    assert verify(request, parse_authorization(header), KEY.secret_key) is PathForm.TWICE
    changed, _ = signed_request(monkeypatch, **changes)
    assert verify(changed, parse_authorization(header), KEY.secret_key) is None


def test_a_date_outside_the_scopes_day_does_not_verify(monkeypatch: pytest.MonkeyPatch) -> None:
    request, header = signed_request(monkeypatch)
    elsewhere = header.replace("/20260304/", "/20260305/")
    assert verify(request, parse_authorization(elsewhere), KEY.secret_key) is None


def test_two_dates_do_not_verify(monkeypatch: pytest.MonkeyPatch) -> None:
    request, header = signed_request(monkeypatch)
    doubled = SignableRequest(
        method=request.method,
        path=request.path,
        query=request.query,
        headers=(*request.headers, ("x-amz-date", "20260304T050607Z")),
        payload_hash=request.payload_hash,
    )
    assert verify(doubled, parse_authorization(header), KEY.secret_key) is None


def test_headers_that_end_at_the_proxy_are_dropped_and_left_unsigned(monkeypatch: pytest.MonkeyPatch) -> None:
    extra = {"connection": "keep-alive", "proxy-authorization": "Basic x", "te": "trailers"}
    headers = {"host": "h.amazonaws.com", **extra}
    client = by_botocore("GET", "/", "", headers, b"", "sqs", KEY, monkeypatch)
    ours, _ = by_us("GET", "/", "", client, b"", WITH_TOKEN)
    assert not extra.keys() & ours.keys()
    assert "SignedHeaders=host;x-amz-date;x-amz-security-token," in ours["authorization"]


def test_a_clients_own_session_token_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    headers = {"host": "h.amazonaws.com", "x-amz-security-token": "the client's"}
    client = by_botocore("GET", "/", "", headers, b"", "sqs", KEY, monkeypatch)
    assert "x-amz-security-token" not in by_us("GET", "/", "", client, b"", KEY)[0]
    assert by_us("GET", "/", "", client, b"", WITH_TOKEN)[0]["x-amz-security-token"] == WITH_TOKEN.token


def test_a_naive_date_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    request, header = signed_request(monkeypatch)
    with pytest.raises(ValueError, match="aware"):
        sign(
            request,
            client=parse_authorization(header),
            path_form=PathForm.RAW,
            credentials=KEY,
            now=datetime(2026, 1, 1),  # noqa: DTZ001 -- the point of the test
        )


def test_the_secret_key_does_not_show() -> None:
    assert KEY.secret_key not in repr(KEY)
    assert "a-session-token" not in repr(WITH_TOKEN)


GOOD = (
    "AWS4-HMAC-SHA256 Credential=AKID/20260304/eu-west-1/s3/aws4_request, "
    f"SignedHeaders=host;x-amz-date, Signature={'0' * 64}"
)


@pytest.mark.parametrize(
    ("header", "flaw"),
    [
        (None, Flaw.UNSIGNED),
        ("Basic abc", Flaw.UNSIGNED),
        ("AWS AKID:signature", Flaw.UNSIGNED),
        (GOOD.replace("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"), Flaw.ASYMMETRIC),
        (GOOD.replace("SignedHeaders=host;x-amz-date, ", ""), Flaw.MALFORMED),
        (GOOD + ", Signature=" + "1" * 64, Flaw.MALFORMED),
        (GOOD.replace("0" * 64, "0" * 63), Flaw.MALFORMED),
        (GOOD.replace("20260304", "2026"), Flaw.MALFORMED),
        (GOOD.replace("aws4_request", "aws3_request"), Flaw.MALFORMED),
        (GOOD.replace("host;x-amz-date", "x-amz-date"), Flaw.MALFORMED),
        (GOOD.replace("host;x-amz-date", "host"), Flaw.MALFORMED),
        (GOOD.replace("host;x-amz-date", "x-amz-date;host"), Flaw.MALFORMED),
        (GOOD.replace("host;x-amz-date", "host;host;x-amz-date"), Flaw.MALFORMED),
        (GOOD.replace("host;x-amz-date", "Host;x-amz-date"), Flaw.MALFORMED),
        (
            GOOD.replace("host;x-amz-date", ";".join(sorted(["host", "x-amz-date", *map(str, range(200))]))),
            Flaw.MALFORMED,
        ),
    ],
)
def test_other_authorizations_are_refused_with_a_reason(header: str | None, flaw: Flaw) -> None:
    with pytest.raises(SignatureRefused) as refusal:
        parse_authorization(header)
    assert refusal.value.flaw is flaw


def test_an_authorization_is_taken_apart() -> None:
    parsed = parse_authorization(GOOD)
    assert (parsed.access_key, parsed.date, parsed.region, parsed.service) == ("AKID", "20260304", "eu-west-1", "s3")
    assert parsed.signed_headers == ("host", "x-amz-date")


@pytest.mark.parametrize("value", [UNSIGNED_PAYLOAD, UNSIGNED_TRAILER, EMPTY_SHA256])
def test_payloads_that_can_be_kept_are_kept(value: str) -> None:
    assert declared_payload([("X-Amz-Content-SHA256", value)]) == value


def test_no_declared_payload_is_none() -> None:
    assert declared_payload([("host", "h")]) is None


@pytest.mark.parametrize(
    "headers",
    [
        [("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")],
        [("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER")],
        [("x-amz-content-sha256", "nonsense")],
        [("x-amz-content-sha256", UNSIGNED_PAYLOAD), ("X-Amz-Content-Sha256", UNSIGNED_PAYLOAD)],
    ],
)
def test_payloads_that_would_have_to_be_signed_in_chunks_are_refused(headers: list[tuple[str, str]]) -> None:
    with pytest.raises(SignatureRefused):
        declared_payload(headers)
