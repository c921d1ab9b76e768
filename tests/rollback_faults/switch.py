"""Which call of a target is struck, and how. Thread-safe; no I/O."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from deploy.demo.arrivals import Arrived

#: A held call is let go then, whatever the driver does: nothing here may hang for ever.
HOLD_LIMIT_S = 120.0


class Act(StrEnum):
    """What becomes of the call that is struck."""

    FAIL = "fail"
    """An error that no provider tries again; nothing is carried out."""
    HOLD_BEFORE = "hold_before"
    """Held, and dropped when the driver says go: it was never carried out."""
    HOLD_AFTER = "hold_after"
    """Carried out, held, and dropped: nobody gets the answer."""
    HOLD_LATE = "hold_late"
    """Held, and carried out when the driver says go; nobody gets the answer."""


@dataclass(frozen=True, kw_only=True)
class Strike:
    """One fault."""

    nth: int
    """The call that is struck, counted from 1 since the switch was set."""
    act: Act
    """How."""
    of: str = "mutating"
    """What is counted: `mutating` calls, or `any`."""

    def hits(self, mutating: int, calls: int, arrived: Arrived) -> bool:
        """Whether it is this call."""
        return arrived.mutating and mutating == self.nth if self.of == "mutating" else calls == self.nth


@dataclass(frozen=True, kw_only=True)
class Struck:
    """A call that was struck."""

    act: Act
    """How."""
    service: str
    """Whose call it was."""
    operation: str
    """What it would have done."""
    run: str
    """The run that made it."""
    mutating: bool
    """Whether it changes anything."""


class _Target:
    """What is known of one target's calls since its switch was set."""

    def __init__(self, strikes: Sequence[Strike]) -> None:
        self.strikes = list(strikes)
        self.calls: dict[str, int] = {}
        self.mutating: dict[str, int] = {}
        self.struck: list[Struck] = []
        self.go = threading.Event()
        self.held = False


class Switch:
    """Of all targets."""

    def __init__(self) -> None:
        """No target is struck."""
        self._lock = threading.Lock()
        self._targets: dict[str, _Target] = {}

    def set(self, target: str, strikes: Sequence[Strike]) -> None:
        """Begin to count the target's calls anew; each strike falls once."""
        with self._lock:
            before = self._targets.get(target)
            self._targets[target] = _Target(strikes)
        if before is not None:
            before.go.set()

    def strike_of(self, arrived: Arrived) -> Strike | None:
        """Count a call; the strike that falls on it, if one does."""
        with self._lock:
            target = self._targets.get(arrived.target or "")
            if target is None:
                return None
            run = arrived.run or ""
            target.calls[run] = target.calls.get(run, 0) + 1
            target.mutating[run] = target.mutating.get(run, 0) + arrived.mutating
            calls, mutating = sum(target.calls.values()), sum(target.mutating.values())
            for strike in target.strikes:
                if strike.hits(mutating, calls, arrived):
                    target.strikes.remove(strike)
                    target.held = strike.act is not Act.FAIL
                    target.go.clear()
                    target.struck.append(
                        Struck(
                            act=strike.act,
                            service=arrived.service,
                            operation=arrived.operation,
                            run=run,
                            mutating=arrived.mutating,
                        )
                    )
                    return strike
            return None

    def hold(self, target: str) -> None:
        """Wait until the driver says go."""
        with self._lock:
            held = self._targets[target]
        held.go.wait(HOLD_LIMIT_S)
        held.held = False

    def go(self, target: str) -> None:
        """Let the held call go."""
        with self._lock:
            found = self._targets.get(target)
        if found is not None:
            found.go.set()

    def seen(self, target: str) -> dict[str, Any]:
        """What arrived since the switch was set, as JSON: calls by run, what was struck, whether one is held."""
        with self._lock:
            found = self._targets.get(target) or _Target(())
            return {
                "calls": dict(found.calls),
                "mutating": dict(found.mutating),
                "struck": [asdict(struck) for struck in found.struck],
                "held": found.held and not found.go.is_set(),
            }


def carried_out[T](switch: Switch, strike: Strike, target: str, do: Callable[[], T], fail: Callable[[], T]) -> T:
    """What a struck call comes to. Raises ConnectionAbortedError where nobody gets an answer."""
    if strike.act is Act.FAIL:
        return fail()
    if strike.act is Act.HOLD_AFTER:
        do()
    switch.hold(target)
    if strike.act is Act.HOLD_LATE:
        do()
    raise ConnectionAbortedError(f"{strike.act}: the call is dropped")


def strike_from(record: Mapping[str, Any]) -> Strike:
    """A strike as it travels."""
    return Strike(nth=int(record["nth"]), act=Act(record["act"]), of=str(record.get("of", "mutating")))
