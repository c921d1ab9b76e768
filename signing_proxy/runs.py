"""The runs that are attached to this proxy, each with its gate, its bounds, its connections and its calls."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from shared.control import Attach
from shared.lease.gate import ProxyGate
from signing_proxy.calls import Call
from signing_proxy.kernel_gate import KernelLease, NoLease

if TYPE_CHECKING:
    from signing_proxy.allowance import Bounds


class Severable(Protocol):
    """A client connection, as far as a cut is concerned."""

    def hang_up(self) -> None:
        """Abort its sockets."""

    def sever(self, why: str) -> None:
        """Cut it at once."""


@dataclass(frozen=True, kw_only=True)
class Latch:
    """The call that a run was halted by."""

    service: str
    """Signing name of the service."""
    operation: str
    """Its operation; Unknown where it can't be told."""
    resource: dict[str, str]
    """What the request names, for people."""
    why: str
    """Why it was refused."""


class AttachedRun:
    """One lease on this proxy. Its gate decides; everything else here is bookkeeping for the cut."""

    def __init__(self, attach: Attach, gate: ProxyGate, kernel: KernelLease | None = None) -> None:
        self.attach = attach
        self.gate = gate
        self.kernel = kernel or NoLease()
        """The same lease in the kernel, for when this process is stopped."""
        self.open = False
        """Whether a poll has opened the gate and nothing has shut it since."""
        self.cut_reason: str | None = None
        """Why it was cut; None while it was not."""
        self.handlers: set[Severable] = set()
        """Its client connections."""
        self.calls: dict[str, Call] = {}
        """Released calls whose outcome is not decided, by call id."""
        self.on_cut: Callable[[str, int], None] | None = None
        """Tells the worker: reason, mutating calls of unknown outcome."""
        self.state_absent = False
        """Whether the state backend's last word to it was that there is no state."""
        self.closed = False
        """Whether the worker's connection is gone."""
        self.over = False
        """Whether Redis showed that the lease has ended or is another's."""
        self.bounds: Bounds | None = None
        """What may be signed for it; None while that is not known."""
        self.bounds_missing = "it was not asked yet"
        """Why it is not known."""
        self.asking = asyncio.Lock()
        """Held by whoever asks for the bounds."""
        self.asked_ms: int | None = None
        """When they were last asked for, on the boot clock."""
        self.latch: Latch | None = None
        """The first call outside the bounds; from then on nothing that changes anything leaves."""
        self.on_latched: Callable[[Latch], None] | None = None
        """Tells the worker."""
        self.told = asyncio.Event()
        """Set once Redis knows that this boot was cut."""
        self.told_in_flight = 0
        """The number of calls of unknown outcome that Redis was told last."""
        self.handing_over: asyncio.Task[None] | None = None
        """The attempt to tell Redis that is under way."""
        self._unknown: dict[str, int] = {}

    def objection(self, call: Call, now_ms: int) -> str | None:
        """Why no byte of this call may leave now; None while it may. A clock read and a few compares, no more."""
        decision = self.gate.check(now_ms)
        if not decision.allowed:
            return f"the lease is not live: {decision.reason}"
        if self.latch is not None and call.mutating and not call.sent:
            return "the run is latched"  # what the cloud may act on already is let go to its end
        return None

    @property
    def mutating_in_flight(self) -> int:
        """Mutating calls that are on their way now."""
        return sum(1 for call in self.calls.values() if call.mutating and call.sent)

    def in_flight(self, now_ms: int) -> int:
        """Mutating calls whose outcome is not known: on their way, or abandoned less than Q ago."""
        horizon = now_ms - self.attach.timing.unknown_ms
        self._unknown = {call_id: at_ms for call_id, at_ms in self._unknown.items() if at_ms > horizon}
        return self.mutating_in_flight + len(self._unknown)

    def settle(self, call: Call, *, unknown: bool, now_ms: int) -> None:
        """Take a call off the list; a mutating one of unknown outcome is remembered for Q."""
        self.calls.pop(call.call_id, None)
        if unknown:
            self._unknown[call.call_id] = now_ms

    def sever_all(self, why: str) -> int:
        """Cut every connection; the number of them. The gate is shut before, or clients would be let in again."""
        handlers = list(self.handlers)
        # In two rounds: unwinding two hundred connections, with their calls, takes many times as long as ending them.
        for handler in handlers:
            handler.hang_up()
        for handler in handlers:
            handler.sever(why)
        return len(handlers)
