"""How a body travels: held in memory until it is checked, or passed on while it arrives; or not at all."""

from urllib.parse import unquote

from mitmproxy import http
from mitmproxy.net.http.http1 import expected_http_body_size

from signing_proxy import upload
from signing_proxy.addons.refusing import Refuser
from signing_proxy.calls import Call, Check, call_of, undecided
from signing_proxy.connection import Limits
from signing_proxy.denial import Denial, Reason
from signing_proxy.destination import Kind
from signing_proxy.registry import Connections
from signing_proxy.signers.aws import SignatureRefused, declared_payload

# The streamed operations, each with all that its query may name. What else S3 takes there, now or later, could be an
# operation of another name that does its work before it has read a body.
_STREAMED = {"PutObject": {"x-id"}, "UploadPart": {"x-id", "partNumber", "uploadId"}}


class Bodies:
    """Streams the bodies of S3 objects, where the signature allows it; bounds all others, each and together."""

    name = "interlock-bodies"

    def __init__(self, connections: Connections, limits: Limits, refuser: Refuser) -> None:
        self._connections = connections
        self._limits = limits
        self._refuser = refuser

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        """Decide by the length that the head declares. Chunked bodies declare none and are bounded as they arrive."""
        call = undecided(flow)
        if call is None:
            return
        length = expected_http_body_size(flow.request) or 0
        largest = self._limits.max_body_bytes
        if _streamable(flow.request, call) and length >= upload.MIN_BYTES:
            call.streamed = True
            largest = upload.MAX_BYTES
        if length > largest:
            message = f"the body has {length} bytes, the proxy takes {largest} (INTERLOCK_MAX_BODY_BYTES)"
            self._refuser.refuse(flow, call, Denial(reason=Reason.TOO_LARGE, message=message))
        elif not call.streamed and not self._connections.of(flow.client_conn).hold_request(length):
            message = "too many bodies are in the proxy's memory: try again (INTERLOCK_MAX_BUFFERED_BYTES)"
            self._refuser.refuse(flow, call, Denial(reason=Reason.BUSY, message=message), status=503)
        else:
            call.passed.add(Check.BOUNDED)

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        """Objects are streamed to the client: nothing in them is looked at."""
        call = call_of(flow)
        if call is None or not call.released or flow.response is None or call.operation is None:
            return
        if (call.operation.service, call.operation.operation) == ("s3", "GetObject"):
            flow.response.stream = flow.response.status_code in (200, 206)


def _streamable(request: http.Request, call: Call) -> bool:
    """Whether nothing but the hash of the whole body, or nothing at all, is signed about the body."""
    if call.upstream is None or call.upstream.kind is not Kind.CLOUD or call.operation is None:
        return False
    parameters = _STREAMED.get(call.operation.operation)
    if call.operation.service != "s3" or parameters is None or not _query_names(request.path) <= parameters:
        return False
    try:
        headers = tuple(request.headers.items(multi=True))  # type: ignore[no-untyped-call]  # mitmproxy leaves it untyped
        return declared_payload(headers) is not None
    except SignatureRefused:
        return False


def _query_names(path: str) -> set[str]:
    return {unquote(part.partition("=")[0]) for part in path.partition("?")[2].split("&") if part}
