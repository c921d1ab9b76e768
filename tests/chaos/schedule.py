"""Which faults a seed stands for: a pure function, so that a seed replays.

The first seeds are every fault alone. Then come the pairs, in rounds as of a tournament: in each round every fault
meets one other, so that any number of seeds strikes all kinds equally often, and `PERIOD` seeds cover all pairs. After
that the same again with other moments and durations, which depend on the seed itself.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """A fault. *holder* is the worker host that has the first target when it strikes, *other* the other one."""

    KILL_WORKER = "kill-worker"
    STOP_WORKER = "stop-worker"
    KILL_PROXY = "kill-proxy"
    STOP_PROXY = "stop-proxy"
    KILL_PROVISIONER = "kill-provisioner"
    STOP_PROVISIONER = "stop-provisioner"
    KILL_SCHEDULER = "kill-scheduler"
    STOP_SCHEDULER = "stop-scheduler"
    KILL_REDIS = "kill-redis"
    STOP_REDIS = "stop-redis"
    CUT_HOLDER_CONTROL = "cut-holder>control"
    CUT_CONTROL_HOLDER = "cut-control>holder"
    CUT_HOLDER_CLOUD = "cut-holder>cloud"
    CUT_CLOUD_HOLDER = "cut-cloud>holder"
    CUT_HOLDER_REDIS = "cut-holder>redis"
    CUT_REDIS_HOLDER = "cut-redis>holder"
    CUT_OTHER_CONTROL = "cut-other>control"
    CUT_CONTROL_OTHER = "cut-control>other"
    CUT_OTHER_CLOUD = "cut-other>cloud"
    CUT_CLOUD_OTHER = "cut-cloud>other"
    CUT_OTHER_REDIS = "cut-other>redis"
    CUT_REDIS_OTHER = "cut-redis>other"
    CUT_CONTROL_REDIS = "cut-control>redis"
    CUT_REDIS_CONTROL = "cut-redis>control"
    CUT_PRIMARY_REPLICAS = "cut-primary>replicas"
    CUT_REPLICAS_PRIMARY = "cut-replicas>primary"
    EMPTY_RESTART = "empty-restart"
    FAILOVER = "failover"
    DEPOSED_PRIMARY = "deposed-primary"
    CLOCK_FORWARD = "clock+1h"
    CLOCK_BACK = "clock-1h"
    LOST_REPLY_REDIS = "lost-reply-redis"
    LOST_REPLY_API = "lost-reply-api"
    DUPLICATE_DELIVERY = "duplicate-delivery"
    LATE_DELIVERY = "late-delivery"


KINDS = tuple(Kind)
#: Durations, in ms: below the deadline, around it, beyond the window and the time for unknown calls; their weights.
_DURATIONS_MS = ((200, 900), (1000, 2200), (2600, 4200))
_WEIGHTS = (3, 4, 3)
#: A primary that is stopped for less is not deposed, one that is stopped for longer is.
_UNNOTICED_MS = (150, 450)
_DEPOSED_MS = (3200, 4800)
#: The first fault strikes this long after both targets were seen at work.
_FIRST_AT_MS = (0, 600)


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault with its place in time. All instants are ms after both targets were seen at work."""

    kind: Kind
    """What."""
    at_ms: int
    """When it begins."""
    for_ms: int
    """How long it lasts; what was killed is started again then."""
    variant: int
    """Decides what the kind leaves open: which scheduler process, whether a worker dies with its children, …"""

    def __str__(self) -> str:
        return f"{self.kind} @{self.at_ms}+{self.for_ms}"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What one run does."""

    seed: int
    """What it was made from; 0 for a directed plan."""
    faults: tuple[Fault, ...]
    """In the order of their beginning."""
    first_step: int = 1
    """How much each state's serial grows in the runs that are struck."""

    @property
    def ends_ms(self) -> int:
        """When the last fault is over."""
        return max(fault.at_ms + fault.for_ms for fault in self.faults)

    def __str__(self) -> str:
        return " & ".join(str(fault) for fault in self.faults)


def pairs() -> list[tuple[Kind, Kind]]:
    """Every pair of two kinds once, round by round (the circle method)."""
    table: list[Kind | None] = [*KINDS, *([None] if len(KINDS) % 2 else [])]
    # A fixed shuffle: neighbours in the list above are alike, and the first rounds should not be.
    random.Random(0).shuffle(table)
    found = []
    for _ in range(len(table) - 1):
        for left, right in zip(table[: len(table) // 2], reversed(table[len(table) // 2 :]), strict=True):
            if left is not None and right is not None:
                found.append((left, right))
        table = [table[0], table[-1], *table[1:-1]]
    return found


_CASES: tuple[tuple[Kind, ...], ...] = (*((kind,) for kind in KINDS), *pairs())
PERIOD = len(_CASES)
"""So many seeds cover every fault alone and every pair."""


def plan(seed: int) -> Plan:
    """The plan of a seed, from 1 on. Raises ValueError below."""
    if seed < 1:
        raise ValueError(f"seeds begin at 1, not {seed}")
    kinds = list(_CASES[(seed - 1) % PERIOD])
    choose = random.Random(seed)
    choose.shuffle(kinds)
    faults: list[Fault] = []
    for kind in kinds:
        at_ms = choose.randint(*_FIRST_AT_MS)
        if faults:
            # Somewhere within the first one, or just after it.
            at_ms = faults[0].at_ms + choose.randint(0, faults[0].for_ms + 500)
        faults.append(Fault(kind=kind, at_ms=at_ms, for_ms=_duration(kind, choose), variant=choose.randrange(1 << 16)))
    return Plan(seed=seed, faults=tuple(faults), first_step=choose.randint(1, 9))


def _duration(kind: Kind, choose: random.Random) -> int:
    if kind is Kind.STOP_REDIS:
        return choose.randint(*_UNNOTICED_MS)
    if kind is Kind.DEPOSED_PRIMARY:
        return choose.randint(*_DEPOSED_MS)
    return choose.randint(*choose.choices(_DURATIONS_MS, _WEIGHTS)[0])
