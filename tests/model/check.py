"""Checks the model of the lease protocol with Spin: `make model`, or `python tests/model/check.py [NAME ...]`.

Every configuration is searched to the end and must hold; in every one a grant by acknowledgement and one by EXPIRE must
be reachable; every mutant must be refuted by a trail. Anything else makes the exit code 1, also a search that stopped
at a bound. `--trail NAME` checks one mutant or witness and prints its trail in words.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.model.configurations import CONFIGURATIONS, MUTANTS, WITNESSES, Configuration, Refutation

HERE: Final = Path(__file__).resolve().parent
BUILD: Final = HERE.parents[1] / "build" / "model"
MODEL: Final = "lease.pml"
PARALLEL: Final = 2
MEMORY_MB: Final = 3_000
"""Bound of one search, so that PARALLEL of them stay within 6 GiB."""
DEPTH: Final = 1_000_000
"""Bound of a path's length; the longest one found is a few hundred steps."""
LIMIT_S: Final = 900


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What one run of the verifier said."""

    states: int
    """Distinct states that were stored."""
    transitions: int
    depth: int
    """Length of the longest path in steps."""
    memory_mb: float
    seconds: float
    errors: int
    exhaustive: bool
    """False when states were kept as hashes only."""
    incomplete: str
    """Why not everything was searched; empty when it was, or when the search ended at an error."""
    violated: str
    """Empty, "assertion" or "acceptance cycle"."""


_INCOMPLETE: Final = (
    ("max search depth too small", "a path was longer than the bound"),
    ("reached -DMEMLIM bound", "the memory bound was reached"),
    ("out of memory", "out of memory"),
    ("VECTORSZ too small", "a state was too large"),
    ("hashtable is full", "the hash table was full"),
)


def parse_pan(text: str) -> Outcome:
    """Read what pan printed. A text without its summary counts as incomplete."""

    def number(pattern: str) -> float:
        found = re.search(pattern, text, re.MULTILINE)
        return float(found[1]) if found else 0.0

    errors = re.search(r"errors: (\d+)", text)
    violated = ""
    if "assertion violated" in text:
        violated = "assertion"
    elif "acceptance cycle" in re.sub(r"acceptance\s+cycles\s+[-+].*", "", text):
        violated = "acceptance cycle"
    incomplete = next((why for mark, why in _INCOMPLETE if mark in text), "")
    if not incomplete and (errors is None or not re.search(r"^\s*\d\S* states, stored", text, re.MULTILINE)):
        incomplete = "the verifier ended without a summary"
    if not incomplete and not violated and "Search not completed" in text:
        incomplete = "the search was not completed"
    return Outcome(
        states=int(number(r"^\s*(\d\S*) states, stored")),
        transitions=int(number(r"^\s*(\d\S*) transitions")),
        depth=int(number(r"depth reached (\d+)")),
        memory_mb=number(r"([\d.]+)\s+total actual memory usage"),
        seconds=number(r"elapsed time ([\d.e+-]+)"),
        errors=int(errors[1]) if errors else -1,
        exhaustive="Hash-Compact" not in text and "Bit statespace" not in text,
        incomplete=incomplete,
        violated=violated,
    )


def parse_table(text: str) -> dict[tuple[str, str], str]:
    """Read the rows of AFTER in table.pml, in lower case: (state, operation) -> state. Refuses a double row."""
    rows: dict[tuple[str, str], str] = {}
    for state, op, after in re.findall(r"^\s*\(s\) == (\w+)\s+&& \(op\) == (\w+)\s+-> (\w+) : \(", text, re.MULTILINE):
        key = (state.lower(), op.lower())
        if key in rows:
            raise ValueError(f"the table has two rows for {key}")
        rows[key] = after.lower()
    return rows


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One step of a trail."""

    who: str
    """The process, and what it is the process of: `Proxy(7)`."""
    line: int
    """Line of the model."""
    does: str
    """Name of the operation, or the source line's remark or text."""
    server: str
    """"0" or "1": the server it concerns; empty when none."""


_STEP: Final = re.compile(r"^\s*(\d+):\s+proc\s+(\d+) \((\S+?):\d+\) lease\.pml:(\d+) .*?\[(.*)")


def parse_trail(text: str, source: str) -> tuple[list[Step], str]:
    """Read `spin -t -p`: the steps after the start, and the name of the violated property (empty for a cycle)."""
    lines = source.splitlines()
    steps: list[Step] = []
    last = ""
    for line in text.splitlines():
        found = _STEP.match(line)
        if found is None or found[1] == last or found[3].startswith((":init:", "EventuallyGranted")):
            continue
        last = found[1]
        server = re.search(r"\(?(\d)==promoted|srv\[(\d)\]", found[5])
        steps.append(
            Step(
                who=f"{found[3]}({found[2]})",
                line=int(found[4]),
                does=_operation(lines, int(found[4])),
                server=(server[1] or server[2]) if server else "",
            )
        )
    failed = re.search(r"lease\.pml:(\d+), Error: assertion violated", text)
    named = re.search(r"assert\((\w+)\)", lines[int(failed[1]) - 1]) if failed else None
    return steps, named[1] if named else ("witness" if failed else "")


def _operation(lines: Sequence[str], number: int) -> str:
    for line in reversed(lines[:number]):
        if found := re.match(r"inline (\w+)", line):
            return found[1]
        if found := re.match(r"proctype (\w+)", line):
            text = lines[number - 1]
            remark = re.search(r"/\* (.*) \*/", text)
            return "tick" if found[1] == "Clock" else remark[1] if remark else text.strip(" :")
    return ""


def verdict_on_configuration(outcome: Outcome) -> str:
    """Why the configuration failed; empty when it holds and everything was searched."""
    if outcome.incomplete:
        return f"INCOMPLETE: {outcome.incomplete}"
    if outcome.errors != 0 or outcome.violated:
        return f"VIOLATED: {outcome.violated or 'error'}"
    return ""


def verdict_on_refutation(outcome: Outcome, *, liveness: bool) -> str:
    """Why the refutation failed; empty when it was refuted by what is meant to refute it."""
    wanted = "acceptance cycle" if liveness else "assertion"
    if outcome.violated == wanted and outcome.errors > 0:
        return ""
    if outcome.incomplete:
        return f"INCOMPLETE: {outcome.incomplete}"
    return f"VIOLATED OTHERWISE: {outcome.violated}" if outcome.violated else "SURVIVED"


class Failure(Exception):
    """Spin, the compiler or the verifier could not be run."""


def _run(argv: Sequence[str], where: Path) -> str:
    try:
        done = subprocess.run(argv, cwd=where, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        raise Failure(f"{argv[0]} took longer than {LIMIT_S} s") from None
    except FileNotFoundError:
        raise Failure(f"{argv[0]} is not installed (Debian: apt-get install spin gcc)") from None
    if done.returncode != 0 and argv[0] != "nice":
        raise Failure(f"{' '.join(argv)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def _search(name: str, defines: Sequence[str], *, liveness: bool, shortest: bool, compact: bool = False) -> Outcome:
    """Make the verifier for these definitions and run it, in a directory of its own.

    `shortest` searches breadth first, for the shortest trail; depth first needs less memory for a search to the end.
    """
    where = BUILD / name
    shutil.rmtree(where, ignore_errors=True)
    where.mkdir(parents=True)
    for file in HERE.glob("*.pml"):
        shutil.copy(file, where)
    _run(["spin", "-a", *(f"-D{define}" for define in defines), MODEL], where)
    how = ["-DNFAIR=3"] if liveness else ["-DSAFETY", "-DNOFAIR"]
    how += ["-DBFS"] * (shortest and not liveness) + ["-DHC4"] * compact
    _run(["gcc", "-O2", "-w", f"-DMEMLIM={MEMORY_MB}", *how, "-o", "pan", "pan.c"], where)
    small = ["-w18"] if shortest else ["-w24"]
    fair = ["-a", "-f"] if liveness else []
    text = _run(["nice", "-n", "10", "./pan", *fair, f"-m{10_000 if shortest else DEPTH}", *small, "-n"], where)
    (where / "pan.txt").write_text(text)
    return parse_pan(text)


def _trail(name: str, defines: Sequence[str]) -> tuple[list[Step], str]:
    where = BUILD / name
    text = _run(["spin", "-t", "-p", *(f"-D{define}" for define in defines), MODEL], where)
    return parse_trail(text, (where / MODEL).read_text())


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """One line of the report."""

    text: str
    failed: bool
    states: int = 0


def _check_configuration(configuration: Configuration) -> Result:
    try:
        outcome = _search(
            configuration.name,
            configuration.defines,
            liveness=configuration.liveness,
            shortest=False,
            compact=configuration.compact,
        )
    except Failure as failure:
        return Result(text=f"{configuration.name:<22} {failure}", failed=True)
    why = verdict_on_configuration(outcome)
    kind = "exhaustive" if outcome.exhaustive else "hash-compacted"
    figures = f"{outcome.states:>11,} states {outcome.memory_mb:>6,.0f} MB {outcome.seconds:>6.1f} s"
    text = f"{configuration.name:<22}{figures}  {kind}, {why or 'holds'}  [{configuration.says}]"
    return Result(text=text, failed=bool(why), states=outcome.states)


def _check_refutation(refutation: Refutation, *, shortest: bool = True) -> Result:
    try:
        outcome = _search(refutation.name, refutation.defines, liveness=refutation.liveness, shortest=shortest)
        why = verdict_on_refutation(outcome, liveness=refutation.liveness)
        steps, violated = _trail(refutation.name, refutation.defines) if not why else ([], "")
    except Failure as failure:
        return Result(text=f"{refutation.name:<28} {failure}", failed=True)
    if why:
        return Result(text=f"{refutation.name:<28} {why}  [{refutation.says}]", failed=True)
    named = "EventuallyGranted" if refutation.liveness else violated
    text = f"{refutation.name:<28} {named} in {len(steps)} steps, {outcome.states:,} states  [{refutation.says}]"
    return Result(text=text, failed=False, states=outcome.states)


def _witnesses_of(configuration: Configuration) -> list[Refutation]:
    if configuration.liveness:
        return []
    return [
        replace(
            witness, name=f"{configuration.name}.{witness.name}", defines=(*configuration.defines, *witness.defines)
        )
        for witness in WITNESSES
    ]


def _section[T](title: str, entries: Sequence[T], check: Callable[[T], Result]) -> list[Result]:
    print(f"\n{title}", flush=True)
    results = []
    with ThreadPoolExecutor(PARALLEL) as pool:
        for result in pool.map(check, entries):
            print(f"  {result.text}", flush=True)
            results.append(result)
    return results


def check(only: Sequence[str]) -> int:
    """Check everything, or the named entries, and print the report. Returns the exit code."""

    def wanted[T: (Configuration, Refutation)](entries: Sequence[T]) -> list[T]:
        return [entry for entry in entries if not only or entry.name in only]

    configurations, mutants = wanted(CONFIGURATIONS), wanted(MUTANTS)
    if not configurations and not mutants:
        print(f"nothing is named {' or '.join(only)}", file=sys.stderr)
        return 2
    witnesses = [witness for one in configurations for witness in _witnesses_of(one)]
    killed = _section("mutants, each to be refuted", mutants, _check_refutation)
    reach = partial(_check_refutation, shortest=False)
    seen = _section("both kinds of grant, after a signed call, are reachable in every configuration", witnesses, reach)
    held = _section("configurations, each to hold", configurations, _check_configuration)
    survived = sum(result.failed for result in killed)
    failed = any(result.failed for result in (*killed, *seen, *held))
    print(f"\n{sum(result.states for result in held):,} states explored in {len(held)} configurations")
    print(f"{len(killed) - survived} mutants refuted, {survived} survived")
    print("FAILED" if failed else "every property holds")
    return int(failed)


def show_trail(name: str) -> int:
    """Print the trail of one mutant or witness in words. Returns the exit code."""
    everything = [*MUTANTS, *(witness for one in CONFIGURATIONS for witness in _witnesses_of(one))]
    for entry in everything:
        if entry.name != name:
            continue
        result = _check_refutation(entry)
        print(result.text)
        if not result.failed:
            for number, step in enumerate(_trail(entry.name, entry.defines)[0], start=1):
                server = f" at server {step.server}" if step.server else ""
                print(f"{number:>4}. {step.who}: {step.does}{server}  (line {step.line})")
        return int(result.failed)
    print(f"no mutant or witness is named {name}", file=sys.stderr)
    return 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Check the model of the lease protocol with Spin.")
    parser.add_argument("names", nargs="*", help="only these configurations or mutants")
    parser.add_argument("--trail", metavar="NAME", help="check one entry and print its trail in words")
    arguments = parser.parse_args(argv)
    return show_trail(arguments.trail) if arguments.trail else check(arguments.names)


if __name__ == "__main__":
    os.environ["LC_ALL"] = "C"
    sys.exit(main())
