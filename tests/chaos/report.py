"""build/chaos.json, and what is printed of each run."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from tests.chaos.scenario import Report


class Totals:
    """The sum over all runs."""

    def __init__(self) -> None:
        """No run yet."""
        self._runs = 0
        self._faults: Counter[str] = Counter()
        self._pairs: set[tuple[str, ...]] = set()
        self._broken: Counter[str] = Counter()
        self._longest_s = 0.0
        self._longest_seed = 0
        self._failed_seeds: list[int] = []

    def add(self, run: dict[str, Any]) -> None:
        """Count one run, as `as_record` made it."""
        self._runs += 1
        self._faults.update(run["faults"])
        if len(run["faults"]) > 1:
            self._pairs.add(tuple(sorted(run["faults"])))
        for key in ("overlaps", "after_deadline", "stuck", "lost_states"):
            self._broken[key] += len(run[key])
        if run["recovery_s"] > self._longest_s:
            self._longest_s, self._longest_seed = run["recovery_s"], run["seed"]
        if not run["passed"]:
            self._failed_seeds.append(run["seed"])

    @property
    def passed(self) -> bool:
        """Whether there were runs and none broke a promise."""
        return self._runs > 0 and not self._failed_seeds

    def as_json(self) -> dict[str, Any]:
        """What build/chaos.json holds."""
        return {
            "runs": self._runs,
            "faults": dict(sorted(self._faults.items())),
            "pairs": len(self._pairs),
            "overlaps": self._broken["overlaps"],
            "after_deadline": self._broken["after_deadline"],
            "stuck": self._broken["stuck"],
            "lost_states": self._broken["lost_states"],
            "longest_recovery_s": self._longest_s,
            "longest_recovery_seed": self._longest_seed,
            "failed_seeds": sorted(self._failed_seeds),
        }

    def write(self, path: Path, **more: Any) -> None:
        """Write build/chaos.json."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({**self.as_json(), **more}, indent=2) + "\n")


def as_record(report: Report) -> dict[str, Any]:
    """One run as plain data, as it travels from a universe's process to the one that counts."""
    verdict = report.verdict
    return {
        "seed": report.plan.seed,
        "plan": str(report.plan),
        "faults": [str(fault.kind) for fault in report.plan.faults],
        "passed": verdict.passed,
        "overlaps": list(verdict.overlaps),
        "after_deadline": list(verdict.after_deadline),
        "stuck": list(verdict.stuck),
        "lost_states": list(verdict.lost_states),
        "recovery_s": report.recovery_s,
        "took_s": round(report.took_s, 1),
        "repaired": report.repaired,
        "timeline": [[round(at_ms), what] for at_ms, what in report.timeline],
    }


def text(run: dict[str, Any]) -> str:
    """One run for people: its seed, what was done, the verdict, and the timeline."""
    verdict = "ok" if run["passed"] else "BROKEN"
    lines = [
        f"seed {run['seed']}: {run['plan']}: {verdict}, recovered in {run['recovery_s']:.1f} s ({run['took_s']} s)"
    ]
    lines += [f"  {at_ms:>7} ms  {what}" for at_ms, what in run["timeline"]]
    if run["repaired"]:
        lines.append(f"  repaired: {', '.join(run['repaired'])}")
    for key in ("overlaps", "after_deadline", "lost_states", "stuck"):
        lines += [f"  {key.upper()}: {what}" for what in run[key]]
    return "\n".join(lines)
