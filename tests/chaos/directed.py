"""Plans that lead straight to the harm which one rule prevents; the judge's tests run them on a build without it.

All of them make a call (or a state write) of the first holder late on purpose. A late call needs somewhere to wait, and
the journal refuses the intent of a run that is over; so each call here waits *behind* its intent: the scheduler has
written it down, its answer is on the way, and meanwhile the target changes hands. What then still stands between that
call and the cloud is the rule under test alone.
"""

from __future__ import annotations

from shared.lease.timing import LeaseTiming
from tests.chaos.schedule import Fault, Kind, Plan

#: Long enough that a lease which was given away too early is still live for its first holder.
LONG_LEASE = LeaseTiming(ttl_ms=7000, renew_ms=500, poll_ms=100, delta_ms=500, grace_ms=500, unknown_ms=800)


def _fault(kind: Kind, at_ms: int, until_ms: int, variant: int = 0) -> Fault:
    return Fault(kind=kind, at_ms=at_ms, for_ms=until_ms - at_ms, variant=variant)


def gate(shift_ms: int) -> Plan:
    """The holder's worker freezes, its lease is severed at the deadline, and an intent's answer comes after that."""
    return _plan(
        _fault(Kind.LOST_REPLY_API, 200 + shift_ms, 2900 + shift_ms),
        _fault(Kind.STOP_WORKER, 250 + shift_ms, 4500),
    )


def window(shift_ms: int) -> Plan:
    """The holder is silent for less than its lease, and nobody can tell its proxy that the lease was given away."""
    return _plan(*_silent_holder(shift_ms))


def embargo(shift_ms: int) -> Plan:
    """As `window`, and Redis comes back empty: nothing there tells that somebody still holds the lease."""
    return _plan(*_silent_holder(shift_ms), _fault(Kind.EMPTY_RESTART, 500 + shift_ms, 600 + shift_ms))


def state_fence(shift_ms: int) -> Plan:
    """A state write waits in the buffers of a stopped API server while the target changes hands.

    The worker is stopped, and the proxy too: one that runs cuts, and a connection that is gone takes its unread
    request along. The API server goes on before its idle connections are five seconds old: it would close them first,
    the unread request with them.
    """
    return _plan(
        _fault(Kind.STOP_SCHEDULER, 250 + shift_ms, 4700 + shift_ms),
        _fault(Kind.STOP_WORKER, 700 + shift_ms, 5600 + shift_ms),
        _fault(Kind.STOP_PROXY, 700 + shift_ms, 5600 + shift_ms),
    )


def _silent_holder(shift_ms: int) -> tuple[Fault, ...]:
    return (
        # The intent's answer is lost for a moment, so that a call waits for it…
        _fault(Kind.LOST_REPLY_API, 200 + shift_ms, 900 + shift_ms),
        _fault(Kind.CUT_REDIS_HOLDER, 300 + shift_ms, 5500),
        _fault(Kind.STOP_WORKER, 300 + shift_ms, 5500),
        # …and finds its proxy stopped, which goes on with that call when the next holder is at work.
        _fault(Kind.STOP_PROXY, 500 + shift_ms, 3900 + shift_ms),
    )


def _plan(*faults: Fault) -> Plan:
    return Plan(seed=0, faults=tuple(sorted(faults, key=lambda fault: fault.at_ms)), first_step=100)
