"""One run: two targets at work, faults, healing, the next holder of each target, and the evidence."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field

from shared.errors import InterlockError
from shared.models import RunKind
from tests.chaos.injection import Heal, Injector
from tests.chaos.judgement import Verdict, judge
from tests.chaos.schedule import Plan
from tests.chaos.universe import Universe

#: The struck runs go on for this long after the last fault, then end well if they still can.
_LINGER_MS = 500
_FOLLOWING_S = 0.7
#: Every bound below is generous: what is missed here counts as stuck.
BEGIN_BOUND_S = 60.0
RECOVERY_BOUND_S = 90.0
_PAUSE_S = 0.06
#: At most so long after the last fault somebody tells a deposed primary that it is one; Sentinel takes ten seconds.
_OPERATOR_MS = 2500
_ENDED = frozenset({"succeeded", "errored", "canceled", "lost"})


@dataclass(kw_only=True)
class Report:
    """What one run was and what became of it."""

    plan: Plan
    """What was done."""
    verdict: Verdict = field(default_factory=Verdict)
    """What the judge says."""
    recovery_s: float = 0
    """From the end of the last fault to the last target's next signed call; 0: all of them went on meanwhile."""
    took_s: float = 0
    """The whole run, repairs included."""
    timeline: list[tuple[float, str]] = field(default_factory=list)
    """Instants in ms, relative to when both targets were at work, and what happened."""
    repaired: list[str] = field(default_factory=list)
    """What had to be started again after the run."""
    targets: list[str] = field(default_factory=list)
    """The run's targets."""


class Scenario:
    """One run on one universe."""

    def __init__(self, universe: Universe, plan: Plan, old_runs: list[str]) -> None:
        """`old_runs` are runs that are over; late messages name them."""
        assert universe.fleet is not None
        assert universe.redis is not None
        self._universe = universe
        self._redis = universe.redis
        self._fleet = universe.fleet
        self._plan = plan
        self._old_runs = old_runs
        self._report = Report(plan=plan)
        self._zero_ms = _now_ms()
        self._stuck: list[str] = []

    def carry_out(self) -> Report:
        """Do it; everything is repaired afterwards."""
        began_ms = _now_ms()
        targets = self._report.targets = self._fleet.new_targets(2)
        seconds = (self._plan.ends_ms + _LINGER_MS) / 1000
        for target in targets:
            self._create(target, seconds, self._plan.first_step)
        self._wait_for_work(targets, seconds)
        if not self._stuck:
            epochs = {call.target: call.epoch for call in self._universe.cloud.of(targets)}
            # They wait for their turn from now on: whoever ends up with a target takes them.
            self._follow(targets)
            self._zero_ms = _now_ms()
            self._strike(targets)
            self._recover(targets, epochs)
        self._old_runs.extend(run.id for run in self._universe.records.runs(targets))
        del self._old_runs[:-6]
        self._report.repaired = self._universe.repair()
        self._report.verdict = judge(self._universe.evidence(targets), self._stuck)
        self._tell(targets)
        self._report.took_s = (_now_ms() - began_ms) / 1000
        return self._report

    def _create(self, target: str, seconds: float, step: int, **patience: float) -> None:
        argv = [sys._base_executable, "work.py", f"{seconds:.1f}", str(step), target]  # type: ignore[attr-defined]  # as the worker finds it
        self._fleet.ask(lambda api: api.create_run(target, RunKind.EXEC, argv=argv), **patience)

    def _wait_for_work(self, targets: list[str], seconds: float) -> None:
        until = time.monotonic() + BEGIN_BOUND_S
        while {call.target for call in self._universe.cloud.of(targets) if call.mutating} != set(targets):
            for target in self._idle(targets):
                # Lost before it began, on a machine that is busy: healthy hosts must get it done with another run.
                self._create(target, seconds, self._plan.first_step)
            if time.monotonic() > until:
                self._stuck.append(f"a run on healthy hosts did not sign within {BEGIN_BOUND_S:.0f} s")
                return
            time.sleep(_PAUSE_S)

    def _idle(self, targets: list[str]) -> list[str]:
        """The targets without a run that waits or works."""
        busy = {run.target for run in self._universe.records.runs(targets) if run.status not in _ENDED}
        return [target for target in targets if target not in busy]

    def _strike(self, targets: list[str]) -> None:
        runs = self._universe.records.runs(targets)
        holder = (runs[0].node or "host-a").removeprefix("host-")
        injector = Injector(self._universe, holder=holder, old_runs=[*self._old_runs, *(run.id for run in runs)])
        heals: dict[int, Heal] = {}
        steps = [(fault.at_ms, index, True) for index, fault in enumerate(self._plan.faults)]
        steps += [(fault.at_ms + fault.for_ms, index, False) for index, fault in enumerate(self._plan.faults)]
        for at_ms, index, begins in sorted(steps, key=lambda step: (step[0], not step[2])):
            time.sleep(max(0.0, (self._zero_ms + at_ms - _now_ms()) / 1000))
            fault = self._plan.faults[index]
            if begins:
                what, heals[index] = injector.begin(fault)
                self._note(f"{fault.kind}: {what}")
            else:
                heals[index]()
                self._note(f"{fault.kind}: over")

    def _follow(self, targets: list[str]) -> None:
        """See to it that each target has a run waiting. Where no API server answers, the next attempt will."""
        runs = self._universe.records.runs(targets)
        try:
            for target in targets:
                busy = [run for run in runs if run.target == target and run.status not in _ENDED]
                if len(busy) < 2 and not any(run.status == "pending" for run in busy):
                    self._create(target, _FOLLOWING_S, 1, patience_s=1)
        except InterlockError:
            return

    def _recover(self, targets: list[str], epochs: dict[str, int]) -> None:
        healed_ms = _now_ms()
        operator_ms = self._plan.faults[-1].variant % _OPERATOR_MS
        until = time.monotonic() + RECOVERY_BOUND_S
        recovered: dict[str, float] = {}
        while True:
            for call in self._universe.cloud.of(targets):
                if call.mutating and call.epoch > epochs[call.target] and call.arrived_ms > healed_ms:
                    recovered.setdefault(call.target, call.arrived_ms)
            runs = self._universe.records.runs(targets)
            busy = [run for run in runs if run.status not in _ENDED]
            if len(recovered) == len(targets) and not busy:
                break
            if time.monotonic() > until:
                self._stuck += [f"{name} was not worked on again" for name in targets if name not in recovered]
                self._stuck += [f"{run.id} of {run.target}, epoch {run.epoch}, is still {run.status}" for run in busy]
                break
            if _now_ms() - healed_ms > operator_ms:
                self._redis.nudge()
            self._follow([target for target in self._idle(targets) if target not in recovered])
            time.sleep(_PAUSE_S)
        if len(recovered) == len(targets):
            self._report.recovery_s = round((max(recovered.values()) - healed_ms) / 1000, 3)

    def _note(self, text: str) -> None:
        self._report.timeline.append((_now_ms() - self._zero_ms, text))

    def _tell(self, targets: list[str]) -> None:
        """Add to the timeline what the witnesses saw."""
        entries = self._report.timeline
        for run in self._universe.records.runs(targets):
            name = run.target.rpartition(".")[2]
            if run.claimed_ms is not None:
                entries.append((run.claimed_ms - self._zero_ms, f"{name}: epoch {run.epoch} claimed by {run.node}"))
            if run.finished_ms is not None:
                text = f"{name}: epoch {run.epoch} {run.status}" + (f": {run.reason}" if run.reason else "")
                entries.append((run.finished_ms - self._zero_ms, text[:160]))
        ends: dict[tuple[str, int], list[float]] = {}
        for call in self._universe.cloud.of(targets):
            if call.mutating:
                ends.setdefault((call.target, call.epoch), []).append(call.arrived_ms)
        for (target, epoch), instants in ends.items():
            name = target.rpartition(".")[2]
            entries.append((instants[0] - self._zero_ms, f"{name}: epoch {epoch}'s first write arrives"))
            entries.append(
                (instants[-1] - self._zero_ms, f"{name}: epoch {epoch}'s last of {len(instants)} writes arrives")
            )
        entries.sort(key=lambda entry: entry[0])


def _now_ms() -> float:
    return time.time() * 1000
