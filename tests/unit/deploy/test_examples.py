"""The examples are flocks in which nothing is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from scheduler.configuration.check import check
from scheduler.configuration.fleet import load_flock
from scheduler.configuration.preview import preview_region

ROOT = Path(__file__).resolve().parent.parent.parent.parent
FLOCKS = sorted([*ROOT.glob("examples/*/flock.yaml"), ROOT / "deploy" / "demo" / "flock" / "flock.yaml"])
SHOP = ROOT / "examples" / "shop"


@pytest.mark.parametrize("path", FLOCKS, ids=lambda path: path.parent.name)
def test_nothing_is_wrong_in_an_example_and_nothing_in_it_is_hard_coded(path: Path) -> None:
    flock = load_flock(path)
    checked = check(flock)
    assert checked.targets
    assert checked.report.findings == ()
    assert [suspect for generic in flock.generics.values() for suspect in generic.suspects] == []


def test_the_readme_names_every_example() -> None:
    readme = (ROOT / "examples" / "README.md").read_text()
    assert len(FLOCKS) == 4
    for path in FLOCKS:
        assert path.parent.relative_to(ROOT).as_posix().removeprefix("examples/") in readme


def test_the_shop_is_one_configuration_in_three_regions_of_two_realms_with_two_targets_in_one() -> None:
    plans = [target.plan for target in check(load_flock(SHOP)).targets]
    assert {plan.region for plan in plans} == {"eu-north-1", "eu-west-1", "us-east-1"}
    assert {plan.realm for plan in plans} == {"production", "staging"}
    twins = [plan for plan in plans if plan.region == "eu-west-1"]
    assert len({plan.phase for plan in twins}) == len({plan.configuration for plan in twins}) == 2


def test_a_fourth_region_is_one_more_file() -> None:
    (preview,) = preview_region(SHOP / "new-region" / "eu-central-1.yaml", SHOP)
    assert [(step.target, step.phase) for step in preview.steps] == [("shop.eu-central-1", "staging")]
    assert preview.findings == ()
