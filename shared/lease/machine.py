"""The life of a lease, as one table.

    free -> held -> releasing -> released -> held (next epoch) ...
            held -> revoking  -> severed  -> held (next epoch)
            held | releasing | revoking -> expired -> held (next epoch)

Rules above the table:

- Only `held` may be renewed, confirmed or attached to; from `releasing` or `revoking` on nobody may sign.
- A hand-over that has begun is not begun again: RELEASE and REVOKE repeated (a lost reply, two callers) change nothing.
- COMPLETE is not asked for by anyone: it follows as soon as every attach record is acknowledged with nothing in flight.
- EXPIRE comes only from an observer that saw the lease unchanged for the whole window.
- A late ACKNOWLEDGE of a hand-over that is over changes nothing.

The same table is compiled into every Redis script (`shared.lease.commands`), so there is no second copy to differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from shared.errors import IllegalTransition


class State(StrEnum):
    """Where the lease of a target stands."""

    FREE = "free"
    HELD = "held"
    RELEASING = "releasing"
    REVOKING = "revoking"
    RELEASED = "released"
    SEVERED = "severed"
    EXPIRED = "expired"

    @property
    def ended(self) -> bool:
        """Whether the last holder provably can no longer act: the next epoch may be granted."""
        return self in _ENDED

    @property
    def grantable(self) -> bool:
        """Whether an ACQUIRE with a higher epoch may succeed (embargo apart)."""
        return self is State.FREE or self in _ENDED


class Op(StrEnum):
    """What can happen to a lease."""

    ACQUIRE = "acquire"
    RENEW = "renew"
    CONFIRM = "confirm"
    ATTACH = "attach"
    RELEASE = "release"
    REVOKE = "revoke"
    ACKNOWLEDGE = "acknowledge"
    COMPLETE = "complete"
    EXPIRE = "expire"


_ENDED: Final = frozenset({State.RELEASED, State.SEVERED, State.EXPIRED})

TRANSITIONS: Final[Mapping[tuple[State, Op], State]] = MappingProxyType(
    {
        (State.FREE, Op.ACQUIRE): State.HELD,
        (State.RELEASED, Op.ACQUIRE): State.HELD,
        (State.SEVERED, Op.ACQUIRE): State.HELD,
        (State.EXPIRED, Op.ACQUIRE): State.HELD,
        #
        (State.HELD, Op.RENEW): State.HELD,
        (State.HELD, Op.CONFIRM): State.HELD,
        (State.HELD, Op.ATTACH): State.HELD,
        #
        (State.HELD, Op.RELEASE): State.RELEASING,
        (State.RELEASING, Op.RELEASE): State.RELEASING,
        (State.REVOKING, Op.RELEASE): State.REVOKING,
        (State.RELEASED, Op.RELEASE): State.RELEASED,
        (State.SEVERED, Op.RELEASE): State.SEVERED,
        #
        (State.HELD, Op.REVOKE): State.REVOKING,
        (State.RELEASING, Op.REVOKE): State.RELEASING,
        (State.REVOKING, Op.REVOKE): State.REVOKING,
        (State.RELEASED, Op.REVOKE): State.RELEASED,
        (State.SEVERED, Op.REVOKE): State.SEVERED,
        #
        (State.HELD, Op.ACKNOWLEDGE): State.HELD,
        (State.RELEASING, Op.ACKNOWLEDGE): State.RELEASING,
        (State.REVOKING, Op.ACKNOWLEDGE): State.REVOKING,
        (State.RELEASED, Op.ACKNOWLEDGE): State.RELEASED,
        (State.SEVERED, Op.ACKNOWLEDGE): State.SEVERED,
        (State.EXPIRED, Op.ACKNOWLEDGE): State.EXPIRED,
        #
        (State.RELEASING, Op.COMPLETE): State.RELEASED,
        (State.REVOKING, Op.COMPLETE): State.SEVERED,
        #
        (State.HELD, Op.EXPIRE): State.EXPIRED,
        (State.RELEASING, Op.EXPIRE): State.EXPIRED,
        (State.REVOKING, Op.EXPIRE): State.EXPIRED,
    }
)


def next_state(state: State, op: Op) -> State:
    """Return the state after `op`. Raises IllegalTransition for a pair that the table does not hold."""
    try:
        return TRANSITIONS[state, op]
    except KeyError:
        raise IllegalTransition(
            f"a lease that is {state} cannot {op}", hint="this is a bug in the caller; nothing was changed"
        ) from None
