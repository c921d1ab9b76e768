"""One call on its way through the proxy: what is known about it, and which checks it has passed."""

import uuid
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from mitmproxy import http

from signing_proxy.classify import Operation
from signing_proxy.denial import Denial
from signing_proxy.destination import Kind, Upstream
from signing_proxy.signers.aws import ClientAuthorization, PathForm

if TYPE_CHECKING:
    from signing_proxy.runs import AttachedRun

_KEY = "interlock.call"


class Check(StrEnum):
    """A check that a call has to pass. The connection releases nothing that misses one."""

    CALLER = "caller"
    DESTINATION = "destination"
    BOUNDED = "bounded"
    LEASE = "lease"
    VERIFIED = "verified"
    PERMITTED = "permitted"
    JOURNALED = "journaled"
    SIGNED = "signed"
    STATE = "state"


REQUIRED = {
    Kind.CLOUD: frozenset(
        {
            Check.CALLER,
            Check.DESTINATION,
            Check.BOUNDED,
            Check.LEASE,
            Check.VERIFIED,
            Check.PERMITTED,
            Check.JOURNALED,
            Check.SIGNED,
        }
    ),
    Kind.STATE: frozenset({Check.CALLER, Check.DESTINATION, Check.BOUNDED, Check.LEASE, Check.STATE}),
}


@dataclass(kw_only=True, eq=False)
class Call:
    """Grows as the addons learn about the call. Belongs to one flow, hence to one connection and one run."""

    run: "AttachedRun"
    """The run that calls."""
    call_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    """32 hex digits, ours; also the request id of local answers."""
    host: str = ""
    """The host that the client called, in lower case."""
    upstream: Upstream | None = None
    """Where it is to go."""
    passed: set[Check] = field(default_factory=set)
    """The checks passed so far."""
    denial: Denial | None = None
    """The decision against it, if there was one."""
    authorization: ClientAuthorization | None = None
    """The client's own signature, parsed."""
    path_form: PathForm = PathForm.RAW
    """How the client wrote the path into its canonical request."""
    payload_hash: str = ""
    """What stands for the body in the canonical request."""
    operation: Operation | None = None
    """The classification."""
    intent_attempted: bool = False
    """Whether the journal may hold the intent."""
    streamed: bool = False
    """Whether its body is passed on while it arrives; then all checks are made at its head."""
    held_back: bool = False
    """Whether a part of it is still kept here without which the cloud does nothing."""
    released: bool = False
    """Whether it was let go upstream."""
    sent: bool = False
    """Whether so much of the request may have left that the cloud may act on it."""
    settled: bool = False
    """Whether its outcome is decided; only the first decision counts."""

    @property
    def mutating(self) -> bool:
        """Whether it may change something in the cloud."""
        return self.upstream is not None and self.upstream.kind is Kind.CLOUD and not self.reading

    @property
    def reading(self) -> bool:
        """Whether it is known to change nothing."""
        return self.operation is not None and self.operation.access == "read"

    @property
    def complete(self) -> bool:
        """Whether it has passed every check that its kind needs, and nothing spoke against it."""
        return self.denial is None and self.upstream is not None and REQUIRED[self.upstream.kind] <= self.passed


def attach_call(flow: http.HTTPFlow, call: Call) -> None:
    """Bind a call to its flow."""
    flow.metadata[_KEY] = call


def undecided(flow: http.HTTPFlow) -> Call | None:
    """The call of a flow, unless it has been refused, answered or let go already."""
    call = call_of(flow)
    if call is None or call.denial is not None or call.released or flow.response is not None:
        return None
    return call


def call_of(flow: http.HTTPFlow) -> Call | None:
    """The call of a flow; None before the caller addon saw it."""
    call = flow.metadata.get(_KEY)
    return call if isinstance(call, Call) else None
