"""Is this call within what the run was approved for? The first that changes something and is not latches the run.

What would answer credentials is refused whatever the run may do; but where it also changes something outside of the
bounds, that comes first: `iam:CreateAccessKey` in a plan halts it.
"""

from mitmproxy import http

from signing_proxy.addons.by_head import DecidedByHead
from signing_proxy.addons.refusing import Refuser
from signing_proxy.allowance import Bounds, objection
from signing_proxy.calls import Call, Check, undecided
from signing_proxy.classify import Operation, holds_secrets
from signing_proxy.denial import Denial, Reason
from signing_proxy.destination import Kind
from signing_proxy.identifiers import request_identifiers
from signing_proxy.permissions import Permissions


class Permission(DecidedByHead):
    """Holds every verified call against the run's bounds. What changes nothing passes, unless it answers secrets."""

    name = "interlock-permission"

    def __init__(self, permissions: Permissions, refuser: Refuser) -> None:
        self._permissions = permissions
        self._refuser = refuser

    async def request(self, flow: http.HTTPFlow) -> None:
        """Decide."""
        call = undecided(flow)
        if call is None or call.upstream is None or call.upstream.kind is not Kind.CLOUD:
            return
        if Check.VERIFIED not in call.passed or call.operation is None:
            return
        denial: Denial | None = None
        if call.mutating:
            bounds = await self._permissions.ensure(call.run)
            # No await from here on: the decision and the latch are one step.
            denial = latch_objection(call) or _bounds_objection(call, call.operation, bounds)
        denial = denial or _secret_objection(call.operation)
        if denial is None:
            call.passed.add(Check.PERMITTED)
            return
        resource = _resource(flow, call)
        if denial.reason is Reason.NOT_ALLOWED:
            self._permissions.latch(call.run, call.operation, resource=resource, why=denial.message)
        self._refuser.refuse(flow, call, denial, resource=resource)


def latch_objection(call: Call) -> Denial | None:
    """Why the latch of its run holds this call back; None while there is none, and for what changes nothing."""
    latch = call.run.latch
    if latch is None or not call.mutating:
        return None
    return Denial(reason=Reason.LATCHED, message=f"the run was halted by an earlier call: {latch.why}")


def _bounds_objection(call: Call, operation: Operation, bounds: Bounds | None) -> Denial | None:
    run_id = call.run.attach.run_id
    if bounds is None:
        message = f"the scheduler could not be asked what {run_id} may do: {call.run.bounds_missing}"
        return Denial(reason=Reason.ALLOWANCE_UNKNOWN, message=message)
    why = objection(operation, bounds)
    return Denial(reason=Reason.NOT_ALLOWED, message=f"{run_id}: {why}") if why is not None else None


def _secret_objection(operation: Operation) -> Denial | None:
    if not holds_secrets(operation):
        return None
    message = f"{operation.operation} would, or could, hand real credentials to the sandbox"
    return Denial(reason=Reason.SECRET_ANSWER, message=message)


def _resource(flow: http.HTTPFlow, call: Call) -> dict[str, str]:
    labels = call.operation.labels if call.operation else {}
    query = flow.request.path.partition("?")[2]
    kind = flow.request.headers.get("content-type", "")
    try:
        return request_identifiers(labels, query, kind, flow.request.raw_content or b"")
    except Exception:  # noqa: BLE001  # who sends what cannot be read is refused, latched and told all the same
        return request_identifiers(labels, "", "", b"")
