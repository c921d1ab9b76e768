"""`python -m tests.chaos [--seeds N] [--first-seed S] [--jobs J] [--json]`: the fault suite. `make chaos` calls this.

Several universes side by side take seed after seed. Exit code 0 when no promise was broken, 1 otherwise.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path
from types import FrameType

from tests.chaos.report import Totals, text
from tests.chaos.schedule import plan
from tests.chaos.suite import run_plans


def main() -> int:
    """Run the seeds, print each, write build/chaos.json."""
    parser = argparse.ArgumentParser(description="Faults on real processes, judged by the cloud's log and the journal.")
    parser.add_argument("--seeds", type=int, default=40, help="how many")
    parser.add_argument("--first-seed", type=int, default=1, help="from which on")
    parser.add_argument("--jobs", type=int, default=2, help="universes side by side")
    parser.add_argument("--json", action="store_true", help="one JSON object a run instead of text")
    parser.add_argument("--keep", action="store_true", help="keep the processes' logs")
    parser.add_argument("--report", type=Path, default=Path("build/chaos.json"), help="where the sums go")
    options = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGINT):
        # Also where whoever started this ignores them: everything that was started has to end.
        signal.signal(number, _stop)
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    totals = Totals()
    for run in run_plans((plan(seed) for seed in seeds), jobs=min(options.jobs, options.seeds), keep=options.keep):
        totals.add(run)
        print(json.dumps(run) if options.json else text(run), flush=True)
        totals.write(options.report, first_seed=options.first_seed)
    print(json.dumps(totals.as_json()) if options.json else _summary(totals, options.report))
    return 0 if totals.passed else 1


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _summary(totals: Totals, report: Path) -> str:
    sums = totals.as_json()
    lines = [
        f"{sums['runs']} runs, {sum(sums['faults'].values())} faults of {len(sums['faults'])} kinds, "
        f"{sums['pairs']} pairs: {sums['overlaps']} overlaps, {sums['after_deadline']} after the deadline, "
        f"{sums['lost_states']} lost states, {sums['stuck']} stuck; "
        f"longest recovery {sums['longest_recovery_s']} s. Sums: {report}"
    ]
    if sums["failed_seeds"]:
        lines.append(f"failed seeds: {sums['failed_seeds']} (replay one: make chaos SEEDS=1 FIRST_SEED=…)")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
