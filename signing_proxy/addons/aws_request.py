"""What an AWS call is: its signature, made with the run's placeholder key, is verified, its operation named."""

import asyncio
import hashlib
import hmac

from mitmproxy import http

from signing_proxy.addons.by_head import DecidedByHead
from signing_proxy.addons.refusing import Refuser
from signing_proxy.calls import Call, Check, call_of, undecided
from signing_proxy.catalog import ServiceCatalog
from signing_proxy.classify import Operation, classify
from signing_proxy.denial import Denial, Reason
from signing_proxy.destination import Kind, scope_problem
from signing_proxy.service_index import service_index
from signing_proxy.signers.aws import (
    UNSIGNED_PAYLOAD,
    UNSIGNED_TRAILER,
    ClientAuthorization,
    Flaw,
    SignableRequest,
    SignatureRefused,
    declared_payload,
    parse_authorization,
    verify,
)

# Hashing this much takes about a millisecond; more goes to a thread, for the sake of the other connections.
HASH_INLINE_BYTES = 1 << 20


class AwsRequestHead:
    """Names service and operation as far as the head shows them, so that early refusals have the right shape too.

    Whatever it finds is looked at again, and only then believed, once the whole request is there.
    """

    name = "interlock-aws-request-head"

    def __init__(self, catalog: ServiceCatalog) -> None:
        self._catalog = catalog

    async def requestheaders(self, flow: http.HTTPFlow) -> None:
        """Guess."""
        call = call_of(flow)
        if call is None or flow.response is not None:
            return
        try:
            call.authorization = parse_authorization(_one_authorization(flow.request))
        except SignatureRefused:
            return  # the request hook says so, with the reason
        call.operation = await _name_operation(flow.request, call, call.authorization, self._catalog, b"")


class AwsRequest(DecidedByHead):
    """Refuses what the run did not sign with its own key, and what can't be signed anew.

    What the head of a streamed request says of its body is verified before the last byte leaves.
    """

    name = "interlock-aws-request"

    def __init__(self, catalog: ServiceCatalog, refuser: Refuser) -> None:
        self._catalog = catalog
        self._refuser = refuser

    async def request(self, flow: http.HTTPFlow) -> None:
        """Verify the whole request."""
        call = undecided(flow)
        if call is None or call.upstream is None or call.upstream.kind is not Kind.CLOUD:
            return
        denial = await self._objection(flow, call)
        if denial is None:
            call.passed.add(Check.VERIFIED)
        else:
            self._refuser.refuse(flow, call, denial)

    async def _objection(self, flow: http.HTTPFlow, call: Call) -> Denial | None:
        body = flow.request.raw_content or b""
        signable = signable_request(flow.request)
        try:
            if "X-Amz-Signature=" in signable.query or "X-Amz-Algorithm=" in signable.query:
                raise SignatureRefused(Flaw.UNSUPPORTED_PAYLOAD, "presigned URLs are not served: sign in the header")
            authorization = parse_authorization(_one_authorization(flow.request))
            declared = declared_payload(signable.headers)
        except SignatureRefused as problem:
            reason = Reason.UNSIGNED if problem.flaw is Flaw.UNSIGNED else Reason.UNSUPPORTED_SIGNATURE
            return Denial(reason=reason, message=str(problem))
        call.authorization = authorization
        attach = call.run.attach
        if not hmac.compare_digest(authorization.access_key.encode(), attach.access_key_id.encode()):
            return Denial(reason=Reason.WRONG_KEY, message=f"the request is not signed with the key of {attach.run_id}")
        call.payload_hash = declared or ""
        if declared not in (UNSIGNED_PAYLOAD, UNSIGNED_TRAILER) and not call.streamed:
            actual = await _sha256(body)
            if declared is not None and not hmac.compare_digest(actual, declared):
                return Denial(reason=Reason.PAYLOAD_MISMATCH, message="the body is not what its SHA-256 says")
            call.payload_hash = actual
        signed = SignableRequest(
            method=signable.method,
            path=signable.path,
            query=signable.query,
            headers=signable.headers,
            payload_hash=call.payload_hash,
        )
        form = verify(signed, authorization, attach.secret_access_key)
        if form is None:
            return Denial(reason=Reason.WRONG_SIGNATURE, message="the signature does not match the run's key")
        call.path_form = form
        problem_text = scope_problem(
            call.host, region=authorization.region, service=authorization.service, index=service_index()
        )
        if problem_text is not None or authorization.service == "s3express":
            return Denial(reason=Reason.SCOPE_MISMATCH, message=problem_text or "S3 Express is not supported")
        call.operation = await _name_operation(flow.request, call, authorization, self._catalog, body)
        return None


async def _name_operation(
    http_request: http.Request, call: Call, authorization: ClientAuthorization, catalog: ServiceCatalog, body: bytes
) -> Operation:
    request = signable_request(http_request)
    headers: dict[str, str] = {}
    for name, value in request.headers:
        lowered = name.lower()
        headers[lowered] = f"{headers[lowered]},{value}" if lowered in headers else value
    return classify(
        service=authorization.service,
        models=await catalog.models(authorization.service),
        method=request.method,
        host=call.host,
        path=request.path,
        query=request.query,
        headers=headers,
        body=body,
    )


def signable_request(request: http.Request) -> SignableRequest:
    """The request as it travels, without a payload hash."""
    path, _, query = request.path.partition("?")
    return SignableRequest(
        method=request.method,
        path=path,
        query=query,
        headers=tuple(request.headers.items(multi=True)),  # type: ignore[no-untyped-call]  # mitmproxy leaves it untyped
        payload_hash="",
    )


def _one_authorization(request: http.Request) -> str | None:
    headers = request.headers.get_all("authorization")
    if len(headers) > 1:
        raise SignatureRefused(Flaw.MALFORMED, "more than one Authorization header")
    return headers[0] if headers else None


async def _sha256(body: bytes) -> str:
    if len(body) <= HASH_INLINE_BYTES:
        return hashlib.sha256(body).hexdigest()
    return (await asyncio.to_thread(hashlib.sha256, body)).hexdigest()
