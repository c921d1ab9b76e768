"""`python -m tests.rollback_faults`, which `make rollback-faults` calls: a fault at every wire call of a deployment.

Exit code 0 when every case that was ordered passed, 1 otherwise.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

from shared.errors import InterlockError
from tests.rollback_faults.job import Job, Scenario
from tests.rollback_faults.plan import EVERY, Case, Mode, all_cases, case_of, sample
from tests.rollback_faults.results import Results, summary, whole
from tests.rollback_faults.scenarios import STEPS, Bake, StepCase, bakes, silent_server
from tests.rollback_faults.suite import RELEASES, carry_out, counted, world_of
from tests.rollback_faults.world import REGIONS


def main() -> int:
    """Carry the cases out, print each, and the sums as one line of JSON."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.rollback_faults",
        description="Strike a deployment at its n-th mutating call; the cloud says whether the first state is back.",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--sample", type=int, default=4, metavar="K", help="so many cases, by --seed (default 4)")
    what.add_argument("--all", action="store_true", help="every call in every mode")
    what.add_argument(
        "--scenarios", action="store_true", help="every bake, and every part killed at every step instead"
    )
    what.add_argument("--case", action="append", default=[], metavar="NAME", help="kill-after-12, step-proxy-begun")
    parser.add_argument("--seed", type=int, default=1, help="which sample")
    parser.add_argument(
        "--mode", action="append", type=Mode, choices=tuple(Mode), help="only these modes; default three"
    )
    parser.add_argument("--jobs", type=int, default=1, choices=range(1, len(REGIONS) + 1), help="cases side by side")
    parser.add_argument(
        "--results",
        type=Path,
        default=Path("build/rollback-faults.jsonl"),
        help="where a line for each case goes; cases that passed there are not carried out again",
    )
    parser.add_argument("--again", action="store_true", help="carry out those as well")
    parser.add_argument("--sums", type=Path, default=Path("build/rollback-faults.json"), help="where the sums go")
    parser.add_argument("--plugin-dir", type=Path, help="directory with provider plug-ins, as for terraform init")
    parser.add_argument("--keep", action="store_true", help="keep the processes' logs")
    options = parser.parse_args()
    if options.scenarios and options.jobs > 1:
        parser.error("--scenarios kill what all jobs share: one job")
    for number in (signal.SIGTERM, signal.SIGINT):
        # Also where whoever started this ignores them: everything that was started has to end.
        signal.signal(number, _stop)
    try:
        return _play(options)
    except InterlockError as error:
        print(f"{error}\n{error.hint or ''}".rstrip(), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("cut; the same command goes on where this one was", file=sys.stderr)
        return 130


def _play(options: argparse.Namespace) -> int:
    named = options.plugin_dir or os.environ.get("INTERLOCK_PLUGIN_DIR")
    if named is None:
        print("name a directory with hashicorp/aws: --plugin-dir, or INTERLOCK_PLUGIN_DIR", file=sys.stderr)
        return 64
    results = Results(options.results)
    with silent_server() as silent_url:
        played: tuple[Bake | StepCase, ...] = (*bakes(silent_url), *STEPS)
        scenarios = {str(one): one for one in played}
        wanted = list(scenarios) if options.scenarios else options.case
        releases = {name: one.release for name in wanted if isinstance(one := scenarios.get(name), Bake)}
        with world_of(
            plugin_dir=Path(named),
            jobs=options.jobs,
            keep=options.keep,
            releases=RELEASES | releases,
            INTERLOCK_CHECK_HOSTS=str(urlsplit(silent_url).hostname),
        ) as world:
            jobs = [Job(world, number) for number in range(options.jobs)]
            calls = counted(jobs, results, _say)
            ordered: list[Case | Scenario] = [scenarios.get(name) or case_of(name) for name in wanted]
            if not wanted:
                cases = all_cases(calls, options.mode or EVERY)
                # Also all of them in a drawn order: what a cut run has carried out by then is a sample.
                ordered += sample(cases, len(cases) if options.all else options.sample, options.seed)
            left = [case for case in ordered if options.again or not results.passed(str(case))]
            if len(left) < len(ordered):
                _say(f"{len(ordered) - len(left)} of {len(ordered)} cases have passed already")
            carry_out(world, jobs, left, results, _say)
    sums = summary(results.of(map(str, ordered)), results.clean, len(ordered))
    options.sums.parent.mkdir(parents=True, exist_ok=True)
    options.sums.write_text(json.dumps(sums, indent=2) + "\n")
    print(json.dumps(sums), flush=True)
    return 0 if whole(sums) and (results.clean or {}).get("passed") else 1


def _say(line: str) -> None:
    print(line, flush=True)


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
