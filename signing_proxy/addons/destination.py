"""Where a call goes: CONNECT host, SNI and Host header name one allowed host, or it goes nowhere."""

import re

from mitmproxy import http, tls

from signing_proxy.addons.refusing import Refuser
from signing_proxy.calls import Check, call_of
from signing_proxy.denial import Denial, Reason
from signing_proxy.destination import DestinationPolicy
from signing_proxy.registry import Connections

# RFC 9110 section 5.5, RFC 9112 sections 2.2 and 5.2. mitmproxy passes these on as they are: what is one header to us
# could be two to the cloud, and the second one was never looked at.
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


class Destination:
    """Applies the destination policy to the tunnel, to its handshake, and to every request in it."""

    name = "interlock-destination"

    def __init__(self, connections: Connections, policy: DestinationPolicy, refuser: Refuser) -> None:
        self._connections = connections
        self._policy = policy
        self._refuser = refuser

    def http_connect(self, flow: http.HTTPFlow) -> None:
        """Refuse a tunnel to anywhere else."""
        call = call_of(flow)
        if call is None or call.denial is not None or flow.response is not None:
            return
        decision = self._policy.decide(flow.request.host, flow.request.port, "https")
        if isinstance(decision, Denial):
            self._refuser.refuse_tunnel(flow, call, decision, status=403)
        else:
            self._connections.of(flow.client_conn).connect_host = flow.request.host.lower().rstrip(".")

    def tls_clienthello(self, data: tls.ClientHelloData) -> None:
        """Note the name that the handshake asks for; a request behind another name is refused."""
        handler = self._connections.of(data.context.client)
        sni = data.client_hello.sni
        handler.sni_matches = sni is not None and sni.lower().rstrip(".") == handler.connect_host

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        """Decide where this request goes."""
        call = call_of(flow)
        if call is None or call.denial is not None:
            return
        handler, request = self._connections.of(flow.client_conn), flow.request
        if _holds_control_characters(request):
            message = "the head holds control characters or a folded line"
            self._refuser.refuse(flow, call, Denial(reason=Reason.MALFORMED_HEAD, message=message))
            return
        decision = self._policy.decide(request.host, request.port, request.scheme)
        if isinstance(decision, Denial):
            self._refuser.refuse(flow, call, decision)
            return
        # From here on the scheme is https, hence the request came through a tunnel: plain requests were refused.
        host = request.host.lower().rstrip(".")
        if handler.connect_host != host or _authority(request) != host:
            message = f"CONNECT names {handler.connect_host}, the request {_authority(request)}"
            self._refuser.refuse(flow, call, Denial(reason=Reason.HOST_MISMATCH, message=message[:256]))
        elif not handler.sni_matches:
            message = f"the TLS handshake does not name {host}"
            self._refuser.refuse(flow, call, Denial(reason=Reason.SNI_MISMATCH, message=message))
        else:
            call.host = host
            call.upstream = decision
            call.passed.add(Check.DESTINATION)


def _holds_control_characters(request: http.Request) -> bool:
    head = (request.data.method, request.data.path, *(part for header in request.headers.fields for part in header))
    return any(_CONTROL.search(part) for part in head)


def _authority(request: http.Request) -> str | None:
    """The host that the head names; None unless it names exactly one, in the Host header and in no request line."""
    hosts = request.headers.get_all("host")
    if len(hosts) != 1 or request.authority:
        return None
    return hosts[0].strip().lower().removesuffix(":443").rstrip(".")
