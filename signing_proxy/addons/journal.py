"""The journal: no intent, no signature; no outcome, no answer."""

import re

from mitmproxy import http

from shared.errors import InterlockError
from signing_proxy.addons.by_head import DecidedByHead
from signing_proxy.addons.refusing import Refuser
from signing_proxy.calls import Check, call_of, undecided
from signing_proxy.denial import Denial, Reason
from signing_proxy.destination import Kind
from signing_proxy.identifiers import request_identifiers, response_identifiers
from signing_proxy.recorder import CallRecorder

_ERROR_CODE = re.compile(rb'<Code>([\w.:-]{1,128})</Code>|"__type"\s*:\s*"([\w.#:/-]{1,256})"')
_SEARCHED_BYTES = 16 * 1024


class JournalCalls(DecidedByHead):
    """Makes the intent of a mutating call durable before it is signed, its outcome before the client learns it.

    Calls that change nothing are journaled too, but nobody waits for that. What ends without an answer is settled by
    the connection, not here: a cut must not depend on a hook being called.
    """

    name = "interlock-journal"

    def __init__(self, recorder: CallRecorder, refuser: Refuser) -> None:
        self._recorder = recorder
        self._refuser = refuser

    async def request(self, flow: http.HTTPFlow) -> None:
        """Record the intent."""
        call = undecided(flow)
        if call is None or Check.PERMITTED not in call.passed:
            return
        path, _, query = flow.request.path.partition("?")
        labels = call.operation.labels if call.operation else {}
        kind = flow.request.headers.get("content-type", "")
        resource = request_identifiers(labels, query, kind, flow.request.raw_content or b"")
        if not call.mutating:
            self._recorder.read(call, method=flow.request.method, path=path, resource=resource)
            call.passed.add(Check.JOURNALED)
            return
        try:
            await self._recorder.intent(call, method=flow.request.method, path=path, resource=resource)
        except InterlockError as error:
            message = f"the journal did not take the call, so it is not signed: {error}"
            self._refuser.refuse(flow, call, Denial(reason=Reason.JOURNAL_UNAVAILABLE, message=message))
        else:
            call.passed.add(Check.JOURNALED)

    async def response(self, flow: http.HTTPFlow) -> None:
        """Record the outcome of a call that was answered from outside. Raises, and so cuts, when that fails."""
        call = call_of(flow)
        if call is None or not call.released or call.settled or flow.response is None:
            return
        response = flow.response
        body = response.raw_content or b""
        resource: dict[str, str] = {}
        error_code = None
        if call.upstream is not None and call.upstream.kind is Kind.CLOUD:
            if call.mutating:
                headers = {"location": response.headers.get("location", "")}
                resource = response_identifiers(response.headers.get("content-type", ""), headers, body)
            if response.status_code >= 400:
                error_code = _error_code(response.headers.get("x-amzn-errortype"), body)
        await self._recorder.answered(call, status=response.status_code, resource=resource, error_code=error_code)


def _error_code(header: str | None, body: bytes) -> str | None:
    if header:
        return header.partition(":")[0][:256]
    match = _ERROR_CODE.search(body[:_SEARCHED_BYTES])
    if match is None:
        return None
    found: bytes = match[1] or match[2]
    return found.decode("ascii", "replace").rpartition("#")[2]
