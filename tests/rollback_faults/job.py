"""One job: its target is brought to the first release, struck on the way to the second, and looked at afterwards.

Where the cloud is the first state again, and Interlock says so, the next case begins on the same target: that it is the
first state was just compared, attribute by attribute. Otherwise the next one gets a fresh target.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from shared.errors import Unavailable
from shared.models import Run, RunStatus
from shared.rollback.records import Residue
from shared.rollback.standing import Rollback
from tests.rollback_faults.inventory import OWN, Thing
from tests.rollback_faults.judgement import APPLIED, WHOLE, Evidence, Told, Verdict, addresses_in, judge
from tests.rollback_faults.plan import Case
from tests.rollback_faults.switch import Strike
from tests.rollback_faults.world import SPARES, World

#: From the order of the second release to the end of its rollback.
CASE_LIMIT_S = 420.0
#: A machine with too much to do may fail a deployment that nobody struck; that says nothing about a case.
FIRST_TRIES = 3


@dataclass(frozen=True, kw_only=True)
class Ended:
    """What became of a deployment."""

    run: Run
    """The deployment."""
    rollback: Rollback | None
    """Its rollback, if there is one."""
    orphans: tuple[Told, ...]
    """What the orphan reports of its runs name."""

    @property
    def outcome(self) -> str:
        """In one word."""
        if self.rollback is not None:
            return self.rollback.status.value
        return APPLIED if self.run.status is RunStatus.APPLIED else self.run.status.value

    @property
    def residue(self) -> tuple[Told, ...]:
        """What the rollback says is left."""
        result = self.rollback.result if self.rollback is not None else None
        return tuple(map(told_of, result.residue)) if result is not None else ()

    @property
    def start_ms(self) -> float | None:
        """From the moment when the scheduler knew of the trigger, or the worker saw it, to the rollback's begin."""
        found = self.rollback
        if found is None or found.started_at is None:
            return None
        waited = (found.started_at - found.triggered_at).total_seconds() * 1000
        return round(waited + (found.result.start_ms if found.result is not None else 0))


@dataclass(frozen=True, kw_only=True)
class Before:
    """What there was before a deployment."""

    things: Mapping[str, Thing] = field(default_factory=dict)
    """In the cloud."""
    held: frozenset[str] = frozenset()
    """The addresses in the target's state."""


def told_of(residue: Residue) -> Told:
    """What a rollback says is left. Where it knows no type, its address has what the call had named: `(key=value)`."""
    named = () if residue.type else re.findall(r"=([^,)]+)", residue.address)
    ids = (residue.id,) if residue.id else tuple(named)
    return Told(kind=residue.kind.value, type=residue.type, ids=ids, address=residue.address)


class Scenario(Protocol):
    """What is played besides a fault at a call; see `scenarios`."""

    @property
    def mode(self) -> str:
        """Which kind."""
        ...

    def play(self, job: Job) -> dict[str, Any]:
        """Play it; what `record_of` makes of its end."""
        ...


class Job:
    """Cases one after the other, in one region."""

    def __init__(self, world: World, number: int) -> None:
        """
        Args:
            world: has been started.
            number: which job it is; its region and hosts follow from it.
        """
        self.world = world
        self.number = number
        self.second: dict[str, Thing] | None = None
        """The cloud as the second release leaves it, where that was seen."""
        self.calls = 0
        """Mutating calls of the second release's deployment, once they were counted."""
        self._next = 0
        self._target: str | None = None
        self._before = Before()

    def clean(self) -> dict[str, Any]:
        """Deploy the second release without a fault, count its calls, and let an operator have it taken back.

        Raises Unavailable when the deployment fails: then nothing can be shown.
        """
        target, before = self.ready()
        resources = len(before.held)
        self.world.switch.set(target)
        run = self.world.ended(self.world.apply(target, "second"))
        if run.status is not RunStatus.APPLIED:
            raise Unavailable(f"the second release cannot be deployed: {run.reason}", hint=self.world.log_tail(run.id))
        calls = self.world.switch.seen(target)["mutating"][run.id]
        second = self.world.inventory(self.number, target)
        self.world.roll_back(target)
        ended = self.wait_for_end(run)
        verdict = self.judged(ended, struck=0, expected=0)
        return {
            "calls": calls,
            "resources": resources,
            "changed": len(before.things.keys() ^ second.keys())
            + sum(
                before.things[key].attributes != one.attributes for key, one in second.items() if key in before.things
            ),
            "outcome": ended.outcome,
            "reasons": list(verdict.reasons),
            "passed": verdict.passed,
            "second": {key: {"type": one.type, "attributes": dict(one.attributes)} for key, one in second.items()},
        }

    def carry_out(self, case: Case | Scenario) -> dict[str, Any]:
        """One case, as a record for the results. It does not raise: what goes wrong is a reason."""
        begun = time.monotonic()
        try:
            record = self._struck(case) if isinstance(case, Case) else case.play(self)
        except Exception as error:
            self._target = None
            hint = getattr(error, "hint", None)
            record = _failed(f"{type(error).__name__}: {error}" + (f" ({hint})" if hint else ""))
        took = round(time.monotonic() - begun, 1)
        return {"case": str(case), "mode": str(case.mode), **record, "took_s": took}

    def ready(self) -> tuple[str, Before]:
        """A target on which the first release is deployed, and what is in the cloud then."""
        for _ in range(FIRST_TRIES if self._target is None else 0):
            if self._next == SPARES:
                raise Unavailable(f"all {SPARES} targets are used up", hint="too many cases ended without a rollback")
            target = self.world.target(self.number, self._next)
            self._next += 1
            run = self.world.ended(self.world.apply(target, "first"))
            if run.status is RunStatus.APPLIED:
                self._target, self._before = target, self._looked(target)
                break
            why = f"the first release: {run.status}, {run.reason}"[:500]
        if self._target is None:
            raise Unavailable(why, hint=self.world.log_tail(run.id))
        return self._target, self._before

    def wait_for_end(self, run: Run) -> Ended:
        """Wait until a deployment is over, and its rollback, if there is one."""
        ended = self.world.ended(run, CASE_LIMIT_S)

        def settled() -> Ended | None:
            found = self.world.rollback_of(ended)
            if found is not None and found.status.at_work:
                return None
            return Ended(run=ended, rollback=found, orphans=self.world.orphans_of(ended))

        return self.world.wait(f"the rollback of {run.id} is over", settled, limit_s=CASE_LIMIT_S)

    def judged(self, ended: Ended, **more: Any) -> Verdict:
        """Look at the cloud and the state now, and judge; the next case begins here only if this is the first state."""
        target, before = ended.run.target, self._before
        now = self._looked(target)
        verdict = judge(
            Evidence(
                before=before.things,
                after=now.things,
                outcome=ended.outcome,
                told=(*ended.residue, *ended.orphans),
                held_before=before.held,
                held_after=now.held,
                second=self.second,
                beside={key: thing for key, thing in before.things.items() if OWN not in key},
                **more,
            )
        )
        again = verdict.passed and not verdict.differences and ended.outcome in WHOLE
        self._target, self._before = (target, now) if again else (None, Before())
        return verdict

    def _struck(self, case: Case) -> dict[str, Any]:
        target, _ = self.ready()
        self.world.switch.set(target, [Strike(nth=case.nth, act=case.mode.act)])
        run = self.world.apply(target, "second")
        if case.mode.kills:
            self._kill(run, target)
        ended = self.wait_for_end(run)
        seen = self.world.switch.seen(target)
        struck = [one for one in seen["struck"] if one["run"] == run.id]
        verdict = self.judged(ended, struck=len(struck))
        return {
            **record_of(ended, verdict),
            "operation": " ".join((struck[0]["service"], struck[0]["operation"])) if struck else None,
            "calls": seen["mutating"],
        }

    def _kill(self, run: Run, target: str) -> None:
        """Kill the run's worker while the struck call is held, let the call go, and start the worker again."""

        def held() -> Run | None:
            if self.world.switch.seen(target)["held"]:
                return self.world.stage.api.run(run.id)
            found = self.world.stage.api.run(run.id)
            return found if found.status.terminal else None

        found = self.world.wait(f"the call of {run.id} arrives", held, limit_s=CASE_LIMIT_S)
        if found.status.terminal or found.node is None:
            return
        self.world.kill_worker(found.node)
        self.world.switch.go(target)
        self.world.start_worker(self.number, found.node)

    def _looked(self, target: str) -> Before:
        held = addresses_in(self.world.stage.state(target))
        return Before(things=self.world.inventory(self.number, target), held=held)


def record_of(ended: Ended, verdict: Verdict) -> dict[str, Any]:
    """What is kept of a case."""
    return {
        "passed": verdict.passed,
        "outcome": ended.outcome,
        "operation": None,
        "target": ended.run.target,
        "run": ended.run.id,
        "status": ended.run.status.value,
        "reasons": list(verdict.reasons),
        "why": ended.rollback.reason if ended.rollback is not None else ended.run.reason,
        "differences": list(verdict.differences),
        "residue": [str(one) for one in ended.residue],
        "orphans": [str(one) for one in ended.orphans],
        "unknown_orphans": list(verdict.unknown_orphans),
        "start_ms": ended.start_ms,
    }


def _failed(why: str) -> dict[str, Any]:
    return {
        "passed": False,
        "outcome": "not judged",
        "operation": None,
        "reasons": [why],
        "differences": [],
        "residue": [],
        "orphans": [],
        "unknown_orphans": [],
        "start_ms": None,
    }
