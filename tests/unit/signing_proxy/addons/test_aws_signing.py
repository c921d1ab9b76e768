"""The real signature comes last, names the epoch, and needs a live lease."""

from __future__ import annotations

import pytest
from mitmproxy import http

from shared.errors import ConfigurationError
from signing_proxy.addons.aws_signing import AwsSigning
from signing_proxy.addons.refusing import Refuser
from signing_proxy.calls import Call, Check
from signing_proxy.credentials import CredentialSource
from signing_proxy.denial import Reason
from signing_proxy.destination import Kind, Upstream
from signing_proxy.runs import Latch
from signing_proxy.signers.aws import AwsCredentials, parse_authorization
from signing_proxy.testing import FixedCredentials
from tests.unit.signing_proxy.addons.test_aws_request import signed_flow
from tests.unit.signing_proxy.helpers import CLOUD, TIMING, Bench, make_call, make_run

OVERRIDE = Upstream(kind=Kind.CLOUD, scheme="http", host="127.0.0.1", port=5001, overridden=True)


class NoCredentials:
    async def current(self) -> AwsCredentials:
        raise ConfigurationError("the proxy has no AWS credentials", hint="This is a test.")


def ready(bench: Bench, flow: http.HTTPFlow) -> Call:
    call = make_call(flow, make_run(bench.clock), OVERRIDE)
    call.authorization = parse_authorization(flow.request.headers["authorization"])
    call.payload_hash = "0" * 64
    call.passed.add(Check.JOURNALED)
    return call


async def sign(bench: Bench, flow: http.HTTPFlow, source: CredentialSource) -> None:
    await AwsSigning(bench.clock, source, Refuser(bench.recorder)).request(flow)
    await bench.tasks.close()


async def test_a_journaled_call_is_signed_and_points_at_its_upstream_with_its_host_unchanged() -> None:
    bench, flow = Bench(), signed_flow(user_agent="tf/1")
    call = ready(bench, flow)
    await sign(bench, flow, FixedCredentials("AKREAL", "real"))
    assert Check.SIGNED in call.passed
    headers = flow.request.headers
    assert "Credential=AKREAL/" in headers["authorization"]
    assert "AKPLACEHOLDER" not in str(headers)
    assert headers["host"] == CLOUD.host
    assert (flow.request.host, flow.request.port, flow.request.scheme) == ("127.0.0.1", 5001, "http")
    assert headers["user-agent"] == "tf/1 interlock/1 (target web.eu; epoch 1; run run-0123456789abcdef)"


async def test_what_was_not_journaled_is_not_signed() -> None:
    bench, flow = Bench(), signed_flow()
    call = ready(bench, flow)
    call.passed.clear()
    await sign(bench, flow, FixedCredentials("AKREAL", "real"))
    assert "AKREAL" not in str(flow.request.headers)
    assert call.passed == set()


async def test_a_lease_that_ended_while_the_journal_was_written_is_not_signed_for() -> None:
    bench, flow = Bench(), signed_flow()
    call = ready(bench, flow)
    bench.clock.advance(TIMING.ttl_ms)
    await sign(bench, flow, FixedCredentials("AKREAL", "real"))
    assert call.denial is not None
    assert call.denial.reason is Reason.LEASE_NOT_LIVE
    assert "AKREAL" not in str(flow.request.headers)


async def test_without_credentials_the_call_is_refused() -> None:
    bench, flow = Bench(), signed_flow()
    call = ready(bench, flow)
    await sign(bench, flow, NoCredentials())
    assert call.denial is not None
    assert call.denial.reason is Reason.NO_CREDENTIALS


async def answered(status: int, body: bytes) -> http.Response:
    bench, flow = Bench(), signed_flow()
    ready(bench, flow)
    addon = AwsSigning(bench.clock, FixedCredentials("AKREAL", "real", "real-token"), Refuser(bench.recorder))
    await addon.request(flow)
    flow.response = http.Response.make(status, body)
    addon.response(flow)
    await bench.tasks.close()
    return flow.response


@pytest.mark.parametrize(
    "body",
    [
        b"<Error><Code>SignatureDoesNotMatch</Code><CanonicalRequest>x-amz-security-token:real-token</CanonicalRequest>"
        b"<CanonicalRequestBytes>72 65 61 6c 2d 74 6f 6b 65 6e</CanonicalRequestBytes></Error>",
        b'{"message": "The Canonical String for this request should have been x-amz-security-token:real-token"}',
    ],
)
async def test_the_cloud_explaining_the_real_signature_is_not_passed_on(body: bytes) -> None:
    response = await answered(403, body)
    assert response.status_code == 403
    assert b"real-token" not in (response.content or b"")
    assert b"72 65 61" not in (response.content or b"")
    assert b"does not accept" in (response.content or b"")


@pytest.mark.parametrize(("status", "body"), [(403, b"<Code>AccessDenied</Code>"), (200, b"a CanonicalRequest")])
async def test_every_other_answer_is_passed_on_as_it_is(status: int, body: bytes) -> None:
    response = await answered(status, body)
    assert (response.status_code, response.content) == (status, body)


async def test_a_call_of_a_run_that_was_halted_meanwhile_is_not_signed() -> None:
    bench, flow = Bench(), signed_flow()
    call = ready(bench, flow)
    call.run.latch = Latch(service="sqs", operation="DeleteQueue", resource={}, why="sqs:DeleteQueue is outside")
    await sign(bench, flow, FixedCredentials("AKREAL", "real"))
    assert Check.SIGNED not in call.passed
    assert "AKREAL" not in str(flow.request.headers)
    assert call.denial is not None
    assert call.denial.reason is Reason.LATCHED
