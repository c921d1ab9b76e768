"""build/bench.json: figures are merged, not replaced, and every entry has every field."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bench import report


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "build" / "bench.json"
    monkeypatch.setattr(report, "FILE", file)
    return file


def metrics(file: Path) -> dict[str, dict[str, object]]:
    return json.loads(file.read_text())["metrics"]  # type: ignore[no-any-return]


def test_an_entry_says_value_unit_goal_n_spread_partner_and_ratio(scratch: Path) -> None:
    partner = {"what": "waiting", "value": 100}
    report.record(
        "a.p99_ms",
        value=12.3456,
        unit="ms",
        goal=50,
        n=3,
        spread=report.spread_of([1, 2, 3]),
        partner=partner,
        ratio=8.1,
    )
    assert metrics(scratch)["a.p99_ms"] == {
        "value": 12.35,
        "unit": "ms",
        "goal": 50,
        "n": 3,
        "spread": {"min": 1, "p50": 2, "max": 3},
        "partner": partner,
        "ratio": 8.1,
    }


def test_measuring_one_group_leaves_the_others_figures(scratch: Path) -> None:
    for value in (1, 2):
        report.record("b.p99_ms", value=value, unit="ms", goal=None, n=1, spread=None)
        report.record("a.p99_ms", value=7, unit="ms", goal=None, n=1, spread=None)
    assert {key: entry["value"] for key, entry in metrics(scratch).items()} == {"a.p99_ms": 7, "b.p99_ms": 2}
    assert list(metrics(scratch)) == ["a.p99_ms", "b.p99_ms"]


def test_what_others_keep_in_the_file_stays(scratch: Path) -> None:
    scratch.parent.mkdir()
    scratch.write_text('{"machine": "x", "metrics": {}}')
    report.record("a.p99_ms", value=7, unit="ms", goal=None, n=1, spread=None)
    assert json.loads(scratch.read_text())["machine"] == "x"


@pytest.mark.parametrize(("share", "expected"), [(0.5, 2), (0.99, 4), (1.0, 4), (0.0, 1)])
def test_a_percentile_is_a_value_that_was_measured(share: float, expected: float) -> None:
    assert report.percentile([4, 1, 3, 2], share) == expected
