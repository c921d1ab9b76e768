"""The sums over many runs."""

from __future__ import annotations

import json
from pathlib import Path

from tests.chaos.judgement import Verdict
from tests.chaos.report import Totals, as_record, text
from tests.chaos.scenario import Report
from tests.chaos.schedule import plan

FINE = Verdict()
BROKEN = Verdict(overlaps=("one", "two"), stuck=("three",))


def report(seed: int, verdict: Verdict = FINE, recovery_s: float = 1.0) -> Report:
    return Report(plan=plan(seed), verdict=verdict, recovery_s=recovery_s, timeline=[(12.4, "something happens")])


def totals(*reports: Report) -> Totals:
    made = Totals()
    for one in reports:
        made.add(as_record(one))
    return made


def test_runs_faults_and_pairs_are_counted() -> None:
    sums = totals(report(1), report(36), report(36)).as_json()
    assert sums["runs"] == 3
    assert sum(sums["faults"].values()) == 5
    assert sums["pairs"] == 1


def test_the_longest_recovery_names_its_seed() -> None:
    sums = totals(report(1, recovery_s=2.5), report(2, recovery_s=7.25), report(3)).as_json()
    assert (sums["longest_recovery_s"], sums["longest_recovery_seed"]) == (7.25, 2)


def test_a_broken_promise_fails_the_whole_and_names_its_seed() -> None:
    made = totals(report(1), report(7, BROKEN))
    sums = made.as_json()
    assert (sums["overlaps"], sums["stuck"], sums["after_deadline"], sums["lost_states"]) == (2, 1, 0, 0)
    assert sums["failed_seeds"] == [7]
    assert not made.passed


def test_no_run_at_all_is_no_success() -> None:
    assert not Totals().passed
    assert totals(report(1)).passed


def test_the_report_file_has_the_documented_keys(tmp_path: Path) -> None:
    path = tmp_path / "build" / "chaos.json"
    totals(report(1)).write(path)
    documented = {"runs", "faults", "overlaps", "after_deadline", "stuck", "lost_states", "longest_recovery_s"}
    assert documented <= set(json.loads(path.read_text()))


def test_a_run_is_printed_with_its_seed_its_plan_and_its_timeline() -> None:
    printed = text(as_record(report(7, BROKEN)))
    assert printed.startswith(f"seed 7: {plan(7)}: BROKEN")
    assert "12 ms  something happens" in printed
    assert "OVERLAPS: one" in printed
