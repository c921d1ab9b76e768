"""Targets and phases; what is wrong with them is in the corpus (`corpus.TARGETS`)."""

from __future__ import annotations

from pathlib import Path

import pytest

from scheduler.configuration.fleet import load_flock
from scheduler.configuration.report import Kind, Severity
from scheduler.configuration.targets import TargetPlan, phase_order, plan_targets
from tests.unit.scheduler.configuration.fleets import FILES, FLOCK, write


def plans(folder: Path, flock: str = FLOCK) -> dict[str, TargetPlan]:
    found, findings = plan_targets(load_flock(write(folder, {**FILES, "flock.yaml": flock})))
    assert findings == []
    return {plan.id: plan for plan in found}


def test_an_entry_is_one_target_or_one_in_each_region_of_a_realm(tmp_path: Path) -> None:
    found = plans(tmp_path)
    assert list(found) == ["shop.north", "shop.south.blue", "shop.south.edge"]
    assert [plan.entry for plan in found.values()] == [0, 1, 2]
    edge = found["shop.south.edge"]
    assert (edge.realm, edge.phase, edge.configuration, edge.provider_region) == ("live", "rest", "edge", "eu-south-1")


def test_the_clouds_region_is_the_targets_or_the_region_files_or_the_name(tmp_path: Path) -> None:
    own = FLOCK.replace("    phase: canary", "    phase: canary\n    provider_region: moon-1")
    north = plans(tmp_path, own)["shop.north"]
    assert (north.provider_region, north.provider_region_origin.line) == ("moon-1", 21)
    alone = "name: shop\nconfiguration: tf\ntargets: [{region: mars}]\n"
    (tmp_path / "alone").mkdir()
    found, _ = plan_targets(load_flock(write(tmp_path / "alone", {"flock.yaml": alone, "tf/main.tf": ""})))
    assert (found[0].provider_region, found[0].realm, found[0].phase) == ("mars", None, None)


def test_the_only_phase_needs_no_naming(tmp_path: Path) -> None:
    one = FLOCK.replace("  - name: rest\n", "").replace("    phase: rest\n", "").replace("    phase: canary\n", "")
    assert {plan.phase for plan in plans(tmp_path, one).values()} == {"canary"}


def test_a_realm_without_regions_is_a_note(tmp_path: Path) -> None:
    flock = FLOCK + "  - {realm: empty, phase: rest, name: later}\n"
    files = {**FILES, "flock.yaml": flock, "realms/empty.yaml": "name: empty\n"}
    _, (found,) = plan_targets(load_flock(write(tmp_path, files)))
    assert found.severity is Severity.NOTE


@pytest.mark.parametrize(
    ("phases", "order"),
    [
        ("[{name: a}, {name: b}, {name: c}]", ["a", "b", "c"]),
        ("[{name: a, after: [b]}, {name: b, after: []}, {name: c, after: [a]}]", ["b", "a", "c"]),
        ("[{name: a}, {name: b, after: []}, {name: c, after: [a, b]}]", ["a", "b", "c"]),
        ("[]", []),
    ],
)
def test_phases_come_as_listed_unless_they_say_after_what(tmp_path: Path, phases: str, order: list[str]) -> None:
    text = f"name: shop\nconfiguration: tf\nphases: {phases}\ntargets: [{{region: north, phase: a}}]\n"
    flock = load_flock(write(tmp_path, {**FILES, "flock.yaml": text}))
    assert phase_order(flock.document) == (order, [])


def test_each_group_of_phases_that_wait_for_each_other_is_told_and_what_waits_for_one_is_not(tmp_path: Path) -> None:
    phases = "phases:\n  - {name: canary, after: [x]}\n  - {name: x, after: [canary]}\n  - {name: rest, after: [x]}\n"
    phases += "  - {name: y, after: [y]}\n  - {name: z, after: [rest, y]}\n"
    flock = FILES["flock.yaml"].replace("phases:\n  - name: canary\n  - name: rest\n", phases)
    _, told = plan_targets(load_flock(write(tmp_path, {**FILES, "flock.yaml": flock})))
    cycles = [one.message.partition(": ")[2] for one in told if one.kind is Kind.CYCLE]
    assert cycles == ["canary -> x -> canary", "y -> y"]
