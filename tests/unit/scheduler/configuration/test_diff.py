"""The blast radius names the targets that change, and only those."""

from __future__ import annotations

from pathlib import Path

import pytest

from scheduler.configuration.check import Checked
from scheduler.configuration.diff import HIDDEN, TargetChange, diff
from tests.unit.scheduler.configuration.fleets import FILES, FLOCK, NORTH, SOUTH, checked


@pytest.fixture
def now(tmp_path: Path) -> Checked:
    (tmp_path / "now").mkdir()
    return checked(tmp_path / "now")


def changed(tmp_path: Path, now: Checked, changes: dict[str, str | bytes]) -> dict[str, TargetChange]:
    (tmp_path / "then").mkdir()
    return {one.target: one for one in diff(now, checked(tmp_path / "then", changes))}


def test_the_same_files_elsewhere_are_no_change(tmp_path: Path, now: Checked) -> None:
    assert changed(tmp_path, now, {"flock.yaml": "# moved down\n" + FLOCK}) == {}


def test_a_value_reaches_the_targets_that_do_not_override_it(tmp_path: Path, now: Checked) -> None:
    found = changed(tmp_path, now, {"flock.yaml": FLOCK.replace("  size: 3", "  size: 4")})
    assert list(found) == ["shop.north"]
    (change,) = found["shop.north"].changes
    data = change.data()
    assert (data["path"], data["before"], data["after"]) == ("variables.size", 3, 4)
    assert data["after_origin"]["line"] == 11
    assert data["after_origin"]["layer"] == "flock"


def test_a_change_through_a_reference_is_found_too(tmp_path: Path, now: Checked) -> None:
    found = changed(tmp_path, now, {"regions/north.yaml": NORTH.replace("eu-north-1b", "eu-north-1c")})
    (change,) = found["shop.north"].changes
    assert change.path == "variables.zones[1]"


def test_targets_come_and_go(tmp_path: Path, now: Checked) -> None:
    flock = FLOCK.replace("  - region: north\n    phase: canary\n", "  - {region: south, phase: canary}\n")
    found = changed(tmp_path, now, {"flock.yaml": flock})
    assert {target: one.what for target, one in found.items()} == {"shop.north": "removed", "shop.south": "added"}
    assert all(one.before is None for one in found["shop.south"].changes)


def test_an_edited_generic_file_reaches_every_target_of_its_folder(tmp_path: Path, now: Checked) -> None:
    found = changed(tmp_path, now, {"tf/main.tf": FILES["tf/main.tf"] + "# edited\n"})
    assert {target: one.generic_files for target, one in found.items()} == {
        "shop.north": ("main.tf",),
        "shop.south.blue": ("main.tf",),
    }


def test_another_phase_or_place_is_a_change(tmp_path: Path, now: Checked) -> None:
    found = changed(tmp_path, now, {"flock.yaml": FLOCK.replace("phase: canary", "phase: rest")})
    assert found["shop.north"].placement == {"phase": ("canary", "rest")}
    assert found["shop.north"].changes == ()
    assert found["shop.north"].data()["placement"] == {"phase": {"before": "canary", "after": "rest"}}


def test_a_secret_is_not_shown(tmp_path: Path, now: Checked) -> None:
    found = changed(tmp_path, now, {"regions/south.yaml": SOUTH.replace("tags: {colour: blue}", "password: hunter2")})
    assert HIDDEN in str(found["shop.south.blue"].data())
    assert "hunter2" not in str(found["shop.south.blue"].data())


def test_true_is_not_one(tmp_path: Path, now: Checked) -> None:
    found = changed(tmp_path, now, {"regions/north.yaml": NORTH.replace("cpu: 1", "cpu: true")})
    assert [one.path for one in found["shop.north"].changes] == ["variables.limits.cpu"]
