"""The table of scenarios: consistent in itself, and told in the page for users."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.chaos.scenarios import ALL, SCENARIOS, Scenario

PAGE = (Path(__file__).resolve().parents[4] / "docs" / "chaos.md").read_text()


def test_the_five_scenarios_are_there() -> None:
    assert list(SCENARIOS) == ["kill-worker", "freeze-worker", "freeze-proxy", "partition", "redis-failover"]
    assert ALL not in SCENARIOS


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=str)
def test_each_is_told_in_the_page_for_users(scenario: Scenario) -> None:
    _, _, section = PAGE.partition(f"\n## {scenario.name}\n")
    section = section.partition("\n## ")[0]
    for part in ("**What it does.**", "**What it proves.**", "**What it does not show.**"):
        assert part in section, f"{scenario.name}: {part}"


def test_only_what_nothing_else_would_end_is_revoked_or_canceled() -> None:
    assert [scenario.name for scenario in SCENARIOS.values() if scenario.revokes] == ["freeze-proxy"]
    assert [scenario.name for scenario in SCENARIOS.values() if scenario.survivable] == ["redis-failover"]
