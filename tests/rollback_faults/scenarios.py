"""What is shown besides the faults at every call: bakes, and every part killed at every step of a rollback."""

from __future__ import annotations

import socket
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from shared.models import Run, RunStatus
from tests.rollback_faults.job import CASE_LIMIT_S, Ended, Job, record_of
from tests.rollback_faults.judgement import APPLIED
from tests.rollback_faults.switch import Act, Strike
from tests.rollback_faults.world import Release

#: The deployment's last calls but so many: nearly everything is there, and has to go back.
FROM_THE_END = 3
VICTIMS = ("worker", "proxy", "server", "beat")
ROLLED_BACK = "ROLLED_BACK"
#: Of a kill between a call and its answer something may be left that nobody can know to be ours; then it is named.
BACK_OR_NAMED = (ROLLED_BACK, "PARTIAL")


class Step(StrEnum):
    """Where in a rollback a part is killed."""

    BEGUN = "begun"
    """It was said that it begins."""
    READ = "read"
    """Its first call to the cloud is under way, a read."""
    JUDGED = "judged"
    """The scheduler has said what of its plan may be done."""
    FIRST_CHANGE = "first-change"
    """Its first change was carried out and is not answered."""
    MIDDLE = "middle"
    """Its tenth change was carried out and is not answered."""
    DONE = "done"
    """Its plan is applied; it plans once more."""
    TOLD = "told"
    """The scheduler knows what came of it. The run is over milliseconds later, and may be by the time of the kill."""


@dataclass(frozen=True, kw_only=True)
class StepCase:
    """A part that is killed at a step."""

    victim: str
    """`worker`, `proxy`, `server` (the API) or `beat`."""
    step: Step
    """When."""

    def __str__(self) -> str:
        """`step-proxy-first-change`."""
        return f"step-{self.victim}-{self.step}"

    @property
    def mode(self) -> str:
        """For the sums."""
        return "step"

    @property
    def outcomes(self) -> tuple[str, ...]:
        """What may come of it."""
        in_a_change = self.step in (Step.FIRST_CHANGE, Step.MIDDLE) and self.victim != "beat"
        return BACK_OR_NAMED if in_a_change else (ROLLED_BACK,)

    def play(self, job: Job) -> dict[str, Any]:
        """Let a deployment fail, and kill the part while it is taken back."""
        world = job.world
        target, _ = job.ready()
        world.switch.set(target, [Strike(nth=job.calls - FROM_THE_END, act=Act.FAIL)])
        run = world.apply(target, "second")
        found = _wait(job, run, lambda run: run.status is RunStatus.ROLLING_BACK)
        fell = not found.status.terminal and self._at_step(job, run)
        node = world.stage.api.run(run.id).node or found.node or ""
        if fell:
            world.kill(self.victim, job.number, node, between=lambda: world.switch.go(target))
        ended = job.wait_for_end(run)
        verdict = job.judged(ended, struck=int(fell))
        record = record_of(ended, verdict)
        return expected(record, ended, self.outcomes, None) | {"operation": f"{self.victim} at {self.step}"}

    def _at_step(self, job: Job, run: Run) -> bool:
        """Wait for the step; whether it was reached in time."""
        switch, target = job.world.switch, run.target
        strikes = {
            Step.READ: Strike(nth=1, act=Act.HOLD_BEFORE, of="any"),
            Step.FIRST_CHANGE: Strike(nth=1, act=Act.HOLD_AFTER),
            Step.MIDDLE: Strike(nth=10, act=Act.HOLD_AFTER),
        }
        if self.step is Step.BEGUN:
            return True
        if self.step in strikes:
            switch.set(target, [strikes[self.step]])
            return not _wait(job, run, lambda run: switch.seen(target)["held"]).status.terminal
        if self.step is Step.DONE:
            return not _wait(
                job, run, lambda run: "Apply complete!" in job.world.stage.api.logs(run.id).text
            ).status.terminal
        part = "verdict" if self.step is Step.JUDGED else "result"
        found = _wait(job, run, lambda run: getattr(job.world.rollback_of(run), part, None))
        return self.step is Step.TOLD or not found.status.terminal


@dataclass(frozen=True, kw_only=True)
class Bake:
    """A deployment that goes well, and what its bake makes of it."""

    name: str
    """What it is called."""
    section: Mapping[str, Any]
    """The flock's `rollback` section."""
    before: str = "OK"
    """The alarm's state when the deployment begins."""
    baking: str | None = None
    """What the alarm becomes when the bake begins."""
    noticed: str | None = None
    """What it becomes when the check was bad for the first time."""
    operator: bool = False
    """Whether an operator asks for a rollback when the bake begins."""
    outcome: str = ROLLED_BACK
    """What has to come of it."""
    trigger: str | None = None
    """Why it has to be taken back."""

    def __str__(self) -> str:
        """`bake-alarm-fires`."""
        return f"bake-{self.name}"

    @property
    def mode(self) -> str:
        """For the sums."""
        return "bake"

    @property
    def release(self) -> Release:
        """The second release with this bake."""
        return Release(configuration="second", rollback=self.section)

    def play(self, job: Job) -> dict[str, Any]:
        """Deploy, and let things happen."""
        world = job.world
        target, _ = job.ready()
        world.set_alarm(job.number, target, self.before)
        world.switch.set(target)
        run = world.apply(target, str(self))
        _wait(job, run, lambda run: run.status is RunStatus.BAKING)
        if self.baking is not None:
            world.set_alarm(job.number, target, self.baking)
        if self.operator:
            world.roll_back(target)
        if self.noticed is not None:
            _wait(job, run, lambda run: ": bad" in world.stage.api.logs(run.id).text)
            world.set_alarm(job.number, target, self.noticed)
        ended = job.wait_for_end(run)
        verdict = job.judged(ended, expected=0)
        return expected(record_of(ended, verdict), ended, (self.outcome,), self.trigger) | {"operation": "a bake"}


def expected(record: dict[str, Any], ended: Ended, outcomes: Collection[str], trigger: str | None) -> dict[str, Any]:
    """The record, which has not passed if something else came of it."""
    reasons = list(record["reasons"])
    if ended.outcome not in outcomes:
        reasons.append(f"{' or '.join(outcomes)} was expected, not {ended.outcome}: {record['why']}")
    said = ended.rollback.trigger.value if ended.rollback is not None else None
    if trigger is not None and said != trigger:
        reasons.append(f"the trigger was to be {trigger}, not {said}")
    return {**record, "reasons": reasons, "passed": not reasons}


def _wait(job: Job, run: Run, question: Any) -> Run:
    """Wait until the answer about the run is truthy, or it is over; the run as it is then."""

    def look() -> Run | None:
        found = job.world.stage.api.run(run.id)
        return found if found.status.terminal or question(found) else None

    return job.world.wait(f"something about {run.id}", look, limit_s=CASE_LIMIT_S)


STEPS = tuple(StepCase(victim=victim, step=step) for step in Step for victim in VICTIMS)


def bakes(silent_url: str) -> tuple[Bake, ...]:
    """Every bake.

    Args:
        silent_url: of a server that takes connections and never answers.
    """

    def alarm(bake_s: int, missing_data: str, failures: int = 1) -> dict[str, Any]:
        check = {
            "name": "alarm",
            "type": "cloudwatch",
            "alarms": ["${output.alarm}"],
            "missing_data": missing_data,
            "every_s": 1,
            "timeout_s": 20,
            "failures": failures,
        }
        return {"bake_s": bake_s, "checks": [check]}

    hanging = {"name": "health", "type": "http", "url": silent_url, "every_s": 2, "timeout_s": 2}
    return (
        Bake(name="alarm-fires", section=alarm(60, "ignore"), baking="ALARM", trigger="alarm"),
        Bake(
            name="alarm-clears",
            section=alarm(20, "ignore", failures=12),
            baking="ALARM",
            noticed="OK",
            outcome=APPLIED,
        ),
        Bake(
            name="no-data-breaching",
            section=alarm(60, "breaching", failures=3),
            before="INSUFFICIENT_DATA",
            trigger="alarm",
        ),
        Bake(name="no-data-ignored", section=alarm(6, "ignore"), before="INSUFFICIENT_DATA", trigger="alarm"),
        Bake(
            name="no-data-not-breaching",
            section=alarm(6, "not_breaching"),
            before="INSUFFICIENT_DATA",
            outcome=APPLIED,
        ),
        Bake(
            name="check-hangs",
            section={"bake_s": 8, "checks": [{**hanging, "missing_data": "ignore"}]},
            trigger="health",
        ),
        Bake(
            name="check-hangs-not-breaching",
            section={"bake_s": 8, "checks": [{**hanging, "missing_data": "not_breaching"}]},
            trigger="health",
        ),
        Bake(name="operator", section={"bake_s": 300}, operator=True, trigger="operator"),
        Bake(name="preproduction", section={"preproduction_test": True}, trigger="preproduction_test"),
    )


@contextmanager
def silent_server() -> Iterator[str]:
    """The URL of a server that takes every connection and answers none."""
    held: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def take() -> None:
            while True:
                try:
                    held.append(listener.accept()[0])
                except OSError:
                    return

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/health"
        # Wakes the thread, which a close would not.
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(10)
    for connection in held:
        connection.close()
