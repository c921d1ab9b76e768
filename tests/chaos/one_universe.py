"""One universe's process: `python -m tests.chaos.one_universe NAME`, started by `python -m tests.chaos`.

Takes plans from stdin, one JSON object a line, and prints a record a line. It ends, and ends everything it started,
when stdin ends, on SIGTERM and SIGINT, and when its parent dies.
"""

from __future__ import annotations

import json
import signal
import sys
from collections import deque
from types import FrameType
from typing import Any

from shared.lease.timing import LeaseTiming
from tests.chaos.fleet import TIMING
from tests.chaos.judgement import judge
from tests.chaos.report import as_record
from tests.chaos.scenario import Report, Scenario
from tests.chaos.schedule import Fault, Kind, Plan
from tests.chaos.universe import Universe

#: Each run is judged again after the next ones.
_JUDGED_AGAIN = 3


def plan_from(record: dict[str, Any]) -> Plan:
    """A plan as `plan_record` wrote it."""
    faults = tuple(Fault(**{**fault, "kind": Kind(fault["kind"])}) for fault in record["faults"])
    return Plan(seed=record["seed"], faults=faults, first_step=record["first_step"])


def plan_record(plan: Plan) -> dict[str, Any]:
    """A plan as plain data."""
    faults = [
        {"kind": str(fault.kind), "at_ms": fault.at_ms, "for_ms": fault.for_ms, "variant": fault.variant}
        for fault in plan.faults
    ]
    return {"seed": plan.seed, "faults": faults, "first_step": plan.first_step}


def judged_again(universe: Universe, report: Report) -> dict[str, list[str]]:
    """What has become known about an earlier run since: a call may arrive when nobody looks any more."""
    now, then = judge(universe.evidence(report.targets)), report.verdict
    report.verdict = now
    return {
        key: [f"seed {report.plan.seed}, later: {what}" for what in getattr(now, key) if what not in getattr(then, key)]
        for key in ("overlaps", "after_deadline", "lost_states")
    }


def with_late(record: dict[str, Any], came_late: list[dict[str, list[str]]]) -> dict[str, Any]:
    """A run's record with what came late of earlier ones."""
    for late in came_late:
        for key, found in late.items():
            record[key] = record[key] + found
            record["passed"] = record["passed"] and not found
    return record


def main(name: str, options: dict[str, Any]) -> None:
    """Serve plans until stdin ends."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise SystemExit(1)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, stop)
    timing = LeaseTiming(**options["timing"]) if options.get("timing") else TIMING
    universe = Universe(name=name, timing=timing, builds=options.get("builds"), keep=options.get("keep", False))
    try:
        old_runs: list[str] = []
        before: deque[Report] = deque(maxlen=_JUDGED_AGAIN)
        print(json.dumps({"ready": name}), flush=True)
        for line in sys.stdin:
            report = Scenario(universe, plan_from(json.loads(line)), old_runs).carry_out()
            came_late = [judged_again(universe, earlier) for earlier in before]
            print(json.dumps(with_late(as_record(report), came_late)), flush=True)
            before.append(report)
    finally:
        # A second signal must not interrupt the clearing up.
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        universe.close()


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
