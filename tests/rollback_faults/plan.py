"""Which cases there are, and which of them a sample holds. Pure."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tests.rollback_faults.switch import Act


class Mode(StrEnum):
    """What happens at the n-th mutating call of a deployment."""

    FAIL = "fail"
    """The cloud answers an error that the provider does not try again."""
    KILL_BEFORE = "kill-before"
    """The worker is killed while the call is under way; it is never carried out."""
    KILL_AFTER = "kill-after"
    """The worker is killed after the call was carried out; nobody got the answer."""
    KILL_LATE = "kill-late"
    """The worker is killed while the call is under way, and the cloud carries it out all the same, later."""

    @property
    def act(self) -> Act:
        """What the cloud does."""
        return _ACTS[self]

    @property
    def kills(self) -> bool:
        """Whether the worker dies."""
        return self is not Mode.FAIL


_ACTS = {
    Mode.FAIL: Act.FAIL,
    Mode.KILL_BEFORE: Act.HOLD_BEFORE,
    Mode.KILL_AFTER: Act.HOLD_AFTER,
    Mode.KILL_LATE: Act.HOLD_LATE,
}
#: What the whole run does at every call.
EVERY = (Mode.FAIL, Mode.KILL_BEFORE, Mode.KILL_AFTER)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One fault."""

    mode: Mode
    """What happens."""
    nth: int
    """At which mutating call of the deployment, counted from 1."""

    def __str__(self) -> str:
        """`kill-after-12`, its name on the command line and in the results."""
        return f"{self.mode}-{self.nth}"


def case_of(name: str) -> Case:
    """The case of that name. Raises ValueError."""
    mode, _, nth = name.rpartition("-")
    return Case(mode=Mode(mode), nth=int(nth))


def all_cases(calls: int, modes: Iterable[Mode] = EVERY) -> list[Case]:
    """Every call in every mode; all modes of the first call, then of the second one."""
    kinds = tuple(modes)
    return [Case(mode=mode, nth=nth) for nth in range(1, calls + 1) for mode in kinds]


def sample(cases: Sequence[Case], size: int, seed: int) -> list[Case]:
    """A few of them, of each mode as many as of any other but one; the same for the same seed."""
    chance = random.Random(seed)
    by_mode: dict[Mode, list[Case]] = {}
    for case in cases:
        by_mode.setdefault(case.mode, []).append(case)
    queues = [chance.sample(found, len(found)) for found in by_mode.values()]
    picked: list[Case] = []
    while len(picked) < min(size, len(cases)):
        for queue in queues:
            if queue and len(picked) < size:
                picked.append(queue.pop())
    return picked
