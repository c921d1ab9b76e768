"""A cut run goes on where it was, and the sums count what failed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.rollback_faults.plan import case_of
from tests.rollback_faults.results import Results, summary, whole

CLEAN = {"calls": 3, "resources": 42}


def record(name: str, *, passed: bool = True, **more: Any) -> dict[str, Any]:
    case = case_of(name)
    return {
        "case": name,
        "mode": str(case.mode),
        "passed": passed,
        "outcome": "ROLLED_BACK",
        "operation": "sns CreateTopic",
        "unknown_orphans": [],
        "residue": [],
        "start_ms": 100,
        "took_s": 20.0,
        **more,
    }


def test_what_passed_is_known_to_the_next_run(tmp_path: Path) -> None:
    file = tmp_path / "new" / "results.jsonl"
    results = Results(file)
    results.add({"clean": CLEAN})
    results.add(record("fail-1"))
    results.add(record("fail-2", passed=False))
    again = Results(file)
    assert again.clean == CLEAN
    assert again.passed("fail-1")
    assert not again.passed("fail-2")
    assert not again.passed("fail-3")


def test_a_line_that_was_cut_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    Results(file).add(record("fail-1"))
    with file.open("a") as open_file:
        open_file.write('{"case": "fail-2", "pas')
    assert Results(file).of(["fail-1", "fail-2"]) == [record("fail-1")]


def test_the_last_word_about_a_case_counts(tmp_path: Path) -> None:
    results = Results(tmp_path / "results.jsonl")
    results.add(record("fail-1", passed=False))
    results.add(record("fail-1"))
    assert results.passed("fail-1")


def test_all_is_well_only_if_everything_was_carried_out_and_passed() -> None:
    good = [record("fail-1"), record("kill-after-1")]
    assert whole(summary(good, CLEAN, 2))
    assert not whole(summary(good, CLEAN, 3))
    assert not whole(summary([], CLEAN, 0))
    assert not whole(summary([record("fail-1", passed=False)], CLEAN, 1))
    assert not whole(summary([record("fail-1", unknown_orphans=["aws_sns_topic new"])], CLEAN, 1))


def test_the_sums_name_what_failed() -> None:
    sums = summary([record("fail-1", passed=False, outcome="FAILED"), record("fail-2")], CLEAN, 2)
    assert (sums["passed"], sums["failed"]) == (1, ["fail-1"])
    assert sums["outcomes"] == {"FAILED": 1, "ROLLED_BACK": 1}
    assert sums["calls"] == 3
