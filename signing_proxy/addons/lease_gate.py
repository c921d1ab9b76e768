"""The lease, asked at the head and again when the body is there; the connection asks a third time at each byte."""

from mitmproxy import http

from shared.clock import Clock
from signing_proxy.addons.refusing import Refuser
from signing_proxy.calls import Call, Check, undecided
from signing_proxy.denial import Denial, Reason
from signing_proxy.destination import Kind


class LeaseGate:
    """Refuses calls of a run whose lease is not live, before a body is read and before anything is signed."""

    name = "interlock-lease-gate"

    def __init__(self, clock: Clock, refuser: Refuser) -> None:
        self._clock = clock
        self._refuser = refuser

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        """Refuse early. A state call is let through to its addon, which may quarantine the body."""
        self._ask(flow, whole=False)

    def request(self, flow: http.HTTPFlow) -> None:
        """The whole request is here: is the lease still?"""
        self._ask(flow, whole=True)

    def _ask(self, flow: http.HTTPFlow, *, whole: bool) -> None:
        call = undecided(flow)
        if call is None or call.upstream is None:
            return
        denial = lease_objection(call, self._clock.boot_ms())
        if denial is not None:
            if call.upstream.kind is not Kind.STATE:
                self._refuser.refuse(flow, call, denial)
        elif whole or call.streamed:
            call.passed.add(Check.LEASE)


def lease_objection(call: Call, now_ms: int) -> Denial | None:
    """Why the lease does not carry this call now; None while it does."""
    decision = call.run.gate.check(now_ms)
    if decision.allowed:
        return None
    attach = call.run.attach
    message = (
        f"{attach.run_id} no longer holds the lease of {attach.target} (epoch {attach.epoch}): "
        f"{call.run.cut_reason or decision.reason}"
    )
    return Denial(reason=Reason.LEASE_NOT_LIVE, message=message)
