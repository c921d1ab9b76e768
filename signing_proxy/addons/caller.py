"""Who calls: each client connection belongs to one run, and on a shared loopback it has to prove it."""

import base64
import binascii
import hmac

from mitmproxy import http

from signing_proxy.addons.refusing import Refuser
from signing_proxy.calls import Call, Check, attach_call
from signing_proxy.connection import GatedConnectionHandler
from signing_proxy.denial import Denial, Reason
from signing_proxy.registry import Connections
from signing_proxy.runs import AttachedRun


class Caller:
    """Binds every flow to the run of its connection.

    A listener that was made inside a run's network namespace says by itself who calls. One on the host's loopback is
    open to every process of the host: there the client shows the run's proxy credentials.
    """

    name = "interlock-caller"

    def __init__(self, connections: Connections, refuser: Refuser) -> None:
        self._connections = connections
        self._refuser = refuser

    def http_connect(self, flow: http.HTTPFlow) -> None:
        """Authenticate a tunnel; the requests inside it need not show the credentials again."""
        handler = self._connections.of(flow.client_conn)
        call = self._begin(flow, handler)
        denial = self._objection(flow, handler)
        if denial is None:
            handler.authenticated = True
        else:
            status = 407 if denial.reason is Reason.NO_CALLER else 403
            self._refuser.refuse_tunnel(flow, call, denial, status=status)

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        """Authenticate a request, unless its tunnel has been."""
        handler = self._connections.of(flow.client_conn)
        call = self._begin(flow, handler)
        denial = None if handler.authenticated and handler.connect_host else self._objection(flow, handler)
        flow.request.headers.pop("proxy-authorization", None)
        if denial is not None:
            self._refuser.refuse(flow, call, denial)
        else:
            call.passed.add(Check.CALLER)

    def _begin(self, flow: http.HTTPFlow, handler: GatedConnectionHandler) -> Call:
        call = Call(run=handler.run, host=flow.request.host.lower()[:255])
        attach_call(flow, call)
        return call

    def _objection(self, flow: http.HTTPFlow, handler: GatedConnectionHandler) -> Denial | None:
        attach = handler.run.attach
        headers = flow.request.headers.get_all("proxy-authorization")
        if not headers:
            if attach.listen == "fd":
                return None
            return Denial(reason=Reason.NO_CALLER, message="no caller: show the run's proxy credentials")
        if len(headers) == 1 and _matches(headers[0], handler.run):
            return None
        return Denial(reason=Reason.WRONG_CALLER, message="these are not this run's proxy credentials")


def _matches(header: str, run: AttachedRun) -> bool:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return False
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        return False
    # Only the first colon separates: passwords may hold more of them.
    user, _, password = decoded.partition(b":")
    right_user = hmac.compare_digest(user, run.attach.proxy_user.encode())
    return hmac.compare_digest(password, run.attach.proxy_password.encode()) and right_user
