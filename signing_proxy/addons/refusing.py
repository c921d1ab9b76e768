"""How an addon says no."""

from collections.abc import Mapping

from mitmproxy import http

from signing_proxy.calls import Call, Check
from signing_proxy.denial import Denial, answer
from signing_proxy.recorder import CallRecorder

# A refused upload up to this size is read to its end, so that the client gets to see the answer.
MAX_DRAINED_BYTES = 1 << 20
# The same for one that no memory has been set aside for.
MAX_DRAINED_UNBOUNDED_BYTES = 64 << 10


class Refuser:
    """Answers locally, and has the refusal recorded."""

    def __init__(self, recorder: CallRecorder) -> None:
        self._recorder = recorder

    def refuse(
        self,
        flow: http.HTTPFlow,
        call: Call,
        denial: Denial,
        *,
        status: int | None = None,
        resource: Mapping[str, str] | None = None,
    ) -> None:
        """Refuse a request in the error shape of its service. A large upload is killed instead of read.

        `status` replaces the 403 that the shape comes with; `resource` is what the request names, for the journal.
        """
        call.denial = denial
        self._record(flow, call, denial, resource or {})
        declared = flow.request.headers.get("content-length", "0")
        body_awaited = flow.request.raw_content is None
        bounded = Check.BOUNDED in call.passed
        drained = MAX_DRAINED_BYTES if bounded else MAX_DRAINED_UNBOUNDED_BYTES
        endless = "transfer-encoding" in flow.request.headers and not bounded  # no length, and nobody counts what comes
        if body_awaited and (endless or not declared.isdecimal() or int(declared) > drained):
            flow.kill()  # type: ignore[no-untyped-call]  # mitmproxy leaves it untyped
            return
        protocol = call.operation.protocol if call.operation else None
        service = call.authorization.service if call.authorization else ""
        local = answer(denial, protocol, service=service, request_id=call.call_id)
        body = b"" if flow.request.method == "HEAD" else local.body
        flow.response = http.Response.make(status or local.status, body, {"content-type": local.content_type})
        for name, value in local.headers:
            flow.response.headers[name] = value

    def refuse_tunnel(self, flow: http.HTTPFlow, call: Call, denial: Denial, *, status: int) -> None:
        """Refuse a CONNECT: 407 for a caller that nobody knows, 403 otherwise."""
        call.denial = denial
        self._record(flow, call, denial, {})
        headers = {"content-type": "text/plain; charset=utf-8", "connection": "close"}
        if status == 407:
            headers["proxy-authenticate"] = 'Basic realm="interlock"'
        flow.response = http.Response.make(status, f"Interlock: {denial.message}\n".encode(), headers)

    def _record(self, flow: http.HTTPFlow, call: Call, denial: Denial, resource: Mapping[str, str]) -> None:
        path = flow.request.path.partition("?")[0]
        self._recorder.refused(call, denial, method=flow.request.method, path=path, resource=dict(resource))
