"""A request is the run's own, or it is refused for a named reason."""

from __future__ import annotations

import hashlib

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from mitmproxy import http

from signing_proxy.addons.aws_request import AwsRequest, AwsRequestHead, signable_request
from signing_proxy.addons.refusing import Refuser
from signing_proxy.calls import Call, Check
from signing_proxy.catalog import ServiceCatalog
from signing_proxy.denial import Reason
from tests.unit.signing_proxy.helpers import CLOUD, Bench, make_call, make_flow, make_run

CATALOG = ServiceCatalog()


def signed_flow(
    body: bytes = b"{}", *, key: str = "AKPLACEHOLDER", secret: str = "placeholder", **headers: str
) -> http.HTTPFlow:
    kind = "application/x-amz-json-1.0"
    target = {"x-amz-target": "AmazonSQS.CreateQueue", "content-type": kind}
    named = {**target, **{name.replace("_", "-"): v for name, v in headers.items()}}
    request = AWSRequest(method="POST", url=f"https://{CLOUD.host}/", headers=named, data=body)
    SigV4Auth(Credentials(key, secret), "sqs", "eu-west-1").add_auth(request)
    return make_flow("POST", "/", body, **{name.replace("-", "_"): v for name, v in request.headers.items()})


async def decide(flow: http.HTTPFlow) -> Call:
    bench = Bench()
    call = make_call(flow, make_run(bench.clock))
    await AwsRequest(CATALOG, Refuser(bench.recorder)).request(flow)
    await bench.tasks.close()
    assert (Check.VERIFIED in call.passed) == (flow.response is None)
    return call


def reason(call: Call) -> Reason | None:
    return call.denial.reason if call.denial else None


async def test_the_runs_own_request_passes_and_is_named() -> None:
    call = await decide(signed_flow())
    assert call.denial is None
    assert call.operation is not None
    assert (call.operation.operation, call.operation.access) == ("CreateQueue", "write")
    assert call.payload_hash == hashlib.sha256(b"{}").hexdigest()


async def test_a_large_body_is_hashed_too() -> None:
    body = b"x" * (3 << 20)
    assert (await decide(signed_flow(body))).payload_hash == hashlib.sha256(body).hexdigest()


async def test_another_key_or_secret_does_not_pass() -> None:
    assert reason(await decide(signed_flow(key="AKOTHER"))) is Reason.WRONG_KEY
    assert reason(await decide(signed_flow(secret="other"))) is Reason.WRONG_SIGNATURE


async def test_another_body_than_declared_does_not_pass() -> None:
    flow = signed_flow(x_amz_content_sha256=hashlib.sha256(b"other").hexdigest())
    assert reason(await decide(flow)) is Reason.PAYLOAD_MISMATCH


async def test_chunk_signatures_do_not_pass() -> None:
    flow = signed_flow(x_amz_content_sha256="STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
    assert reason(await decide(flow)) is Reason.UNSUPPORTED_SIGNATURE


async def test_no_and_two_authorizations_do_not_pass() -> None:
    flow = signed_flow()
    flow.request.headers.set_all("authorization", [flow.request.headers["authorization"]] * 2)
    assert reason(await decide(flow)) is Reason.UNSUPPORTED_SIGNATURE
    flow = signed_flow()
    del flow.request.headers["authorization"]
    assert reason(await decide(flow)) is Reason.UNSIGNED


@pytest.mark.parametrize("query", ["X-Amz-Signature=0", "a=1&X-Amz-Algorithm=x"])
async def test_presigned_urls_do_not_pass(query: str) -> None:
    flow = signed_flow()
    flow.request.path = f"/?{query}"
    assert reason(await decide(flow)) is Reason.UNSUPPORTED_SIGNATURE


async def test_the_head_alone_names_the_operation_for_early_refusals() -> None:
    flow = signed_flow()
    flow.request.raw_content = None
    call = make_call(flow, make_run(Bench().clock))
    await AwsRequestHead(CATALOG).requestheaders(flow)
    assert call.operation is not None
    assert call.operation.operation == "CreateQueue"
    assert call.passed == set()


def test_the_path_travels_as_it_is() -> None:
    signable = signable_request(make_flow("GET", "/a%2Fb//c?x=%20&y").request)
    assert (signable.path, signable.query) == ("/a%2Fb//c", "x=%20&y")
