"""The real signature, put on at the very end."""

import re

from mitmproxy import http

from shared.clock import Clock
from shared.errors import InterlockError
from signing_proxy.addons.aws_request import signable_request
from signing_proxy.addons.lease_gate import lease_objection
from signing_proxy.addons.permission import latch_objection
from signing_proxy.addons.refusing import Refuser
from signing_proxy.calls import Call, Check, call_of, undecided
from signing_proxy.credentials import CredentialSource
from signing_proxy.denial import Denial, Reason, answer
from signing_proxy.signers.aws import SignableRequest, sign

MAX_USER_AGENT = 1024
# How AWS explains a signature that it does not accept: by all that it was made over, the real session token included.
_EXPLAINED = re.compile(rb"(?i)canonical ?(string|request)")


class AwsSigning:
    """Signs a call that has been verified and journaled, and points it at its upstream."""

    name = "interlock-aws-signing"

    def __init__(self, clock: Clock, credentials: CredentialSource, refuser: Refuser) -> None:
        self._clock = clock
        self._credentials = credentials
        self._refuser = refuser

    async def requestheaders(self, flow: http.HTTPFlow) -> None:
        """A streamed call leaves with its head."""
        call = undecided(flow)
        if call is not None and call.streamed:
            expected = flow.request.headers.get("expect", "")
            await self.request(flow)
            if expected.lower() == "100-continue":
                # Put back for mitmproxy: after this hook it answers that and takes it off. Else the client would wait.
                flow.request.headers["expect"] = expected

    async def request(self, flow: http.HTTPFlow) -> None:
        """Sign, unless lease or leave went away while the journal was written or the key was read."""
        call = undecided(flow)
        if call is None or Check.JOURNALED not in call.passed or call.authorization is None or call.upstream is None:
            return
        try:
            credentials = await self._credentials.current()
        except InterlockError as error:
            self._refuser.refuse(flow, call, Denial(reason=Reason.NO_CREDENTIALS, message=str(error)))
            return
        denial = lease_objection(call, self._clock.boot_ms()) or latch_objection(call)
        if denial is not None:
            self._refuser.refuse(flow, call, denial)
            return
        _name_the_epoch(flow.request, call)
        received = signable_request(flow.request)
        headers = sign(
            SignableRequest(
                method=received.method,
                path=received.path,
                query=received.query,
                headers=received.headers,
                payload_hash=call.payload_hash,
            ),
            client=call.authorization,
            path_form=call.path_form,
            credentials=credentials,
            now=self._clock.wall(),
        )
        flow.request.headers = http.Headers([(_raw(name), _raw(value)) for name, value in headers])
        # Through .data, since the setters would rewrite the Host header, which is signed.
        data, upstream = flow.request.data, call.upstream
        data.host, data.port, data.scheme = upstream.host, upstream.port, upstream.scheme.encode()
        call.passed.add(Check.SIGNED)

    def response(self, flow: http.HTTPFlow) -> None:
        """Keep the cloud's account of the real signature from the client, who can provoke it."""
        call = call_of(flow)
        if call is None or Check.SIGNED not in call.passed or flow.response is None or flow.response.status_code < 400:
            return
        if not _EXPLAINED.search(flow.response.get_content(strict=False) or b""):
            return
        denial = Denial(reason=Reason.WRONG_SIGNATURE, message="the cloud does not accept the proxy's signature")
        service = call.authorization.service if call.authorization else ""
        local = answer(
            denial, call.operation.protocol if call.operation else None, service=service, request_id=call.call_id
        )
        headers = {"content-type": local.content_type, **dict(local.headers)}
        flow.response = http.Response.make(local.status, local.body, headers)


def user_agent_mark(call: Call) -> str:
    """What every signed call says about itself in the cloud's own log."""
    attach = call.run.attach
    return f"interlock/1 (target {attach.target}; epoch {attach.epoch}; run {attach.run_id})"


def _name_the_epoch(request: http.Request, call: Call) -> None:
    sent = request.headers.get("user-agent", "")[:MAX_USER_AGENT]
    request.headers["user-agent"] = f"{sent} {user_agent_mark(call)}".strip()


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
