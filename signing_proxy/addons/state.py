"""Terraform's state: forwarded to the scheduler for the run's own target only; after a cut it goes to quarantine."""

import base64
import binascii
import hmac
import logging

from mitmproxy import http

from shared.clock import Clock
from shared.errors import InterlockError
from shared.log import log_event
from signing_proxy.addons.lease_gate import lease_objection
from signing_proxy.addons.refusing import Refuser
from signing_proxy.calls import Call, Check, call_of, undecided
from signing_proxy.denial import Denial, Reason
from signing_proxy.destination import Kind
from signing_proxy.journal import Journal

logger = logging.getLogger(__name__)

METHODS = frozenset({"GET", "POST", "DELETE", "LOCK", "UNLOCK"})


class StateBackend:
    """Lets a provisioner reach the state of its own target, and nothing else of the API."""

    name = "interlock-state"

    def __init__(self, clock: Clock, journal: Journal, refuser: Refuser) -> None:
        self._clock = clock
        self._journal = journal
        self._refuser = refuser

    async def request(self, flow: http.HTTPFlow) -> None:
        """Check path, method and user; forward while the lease is live."""
        call = undecided(flow)
        if call is None or call.upstream is None or call.upstream.kind is not Kind.STATE:
            return
        denial = _objection(flow, call)
        if denial is None:
            denial = lease_objection(call, self._clock.boot_ms())
            if denial is not None and flow.request.method == "POST" and call.run.cut_reason is not None:
                await self._quarantine(flow, call)
        if denial is not None:
            # 403 ends Terraform at once and makes it keep an errored.tfstate, whatever became of the quarantine.
            self._refuser.refuse(
                flow, call, denial, status=404 if _asks_before_its_first_write(flow, call, denial) else None
            )
            return
        upstream, data = call.upstream, flow.request.data
        data.host, data.port, data.scheme = upstream.host, upstream.port, upstream.scheme.encode()
        default = 443 if upstream.scheme == "https" else 80
        authority = f"[{upstream.host}]" if ":" in upstream.host else upstream.host
        flow.request.headers["host"] = authority if upstream.port == default else f"{authority}:{upstream.port}"
        call.passed.add(Check.STATE)

    def response(self, flow: http.HTTPFlow) -> None:
        """Remember whether the backend said, while the lease was live, that there is no state."""
        call = call_of(flow)
        if call is None or call.denial is not None or call.upstream is None or call.upstream.kind is not Kind.STATE:
            return
        status = flow.response.status_code if flow.response is not None else 0
        if flow.request.method == "GET":
            call.run.state_absent = status == 404
        elif flow.request.method == "POST":
            call.run.state_absent = False

    async def _quarantine(self, flow: http.HTTPFlow, call: Call) -> None:
        attach = call.run.attach
        state = flow.request.raw_content or b""
        try:
            await self._journal.quarantine(target=attach.target, epoch=attach.epoch, run_id=attach.run_id, state=state)
        except InterlockError as error:
            log_event(
                logger,
                "quarantine_failed",
                level=logging.ERROR,
                run=attach.run_id,
                target=attach.target,
                epoch=attach.epoch,
                bytes=len(state),
                error=error,
            )
        else:
            log_event(
                logger,
                "state_quarantined",
                run=attach.run_id,
                target=attach.target,
                epoch=attach.epoch,
                bytes=len(state),
            )


def _asks_before_its_first_write(flow: http.HTTPFlow, call: Call, denial: Denial) -> bool:
    # A Terraform that has not written a state yet asks again whether there is one before it writes its first. Told 403
    # it gives up, and what it made is known to this host's disk only; told what it was told while live, it goes on to
    # the write, which is quarantined. It learns nothing new.
    asks_after_the_cut = flow.request.method == "GET" and denial.reason is Reason.LEASE_NOT_LIVE
    return asks_after_the_cut and call.run.cut_reason is not None and call.run.state_absent


def _objection(flow: http.HTTPFlow, call: Call) -> Denial | None:
    attach = call.run.attach
    path, _, query = flow.request.path.partition("?")
    own = f"/v1/state/{attach.target}"
    if path != own or flow.request.method not in METHODS or (query and not query.startswith("ID=")) or "&" in query:
        return Denial(reason=Reason.STATE_PATH, message=f"only the state of {attach.target} is reachable, at {own}")
    headers = flow.request.headers.get_all("authorization")
    scheme, _, encoded = headers[0].partition(" ") if len(headers) == 1 else ("", "", "")
    try:
        user = base64.b64decode(encoded.strip(), validate=True).partition(b":")[0]
    except (binascii.Error, ValueError):
        user = b""
    if scheme.lower() != "basic" or not hmac.compare_digest(user, attach.state_username.encode()):
        return Denial(reason=Reason.WRONG_CALLER, message="these are not this run's state credentials")
    return None
