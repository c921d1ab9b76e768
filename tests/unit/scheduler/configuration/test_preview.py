"""A new region is one file: what it would bring, in which order, and what it lacks."""

from __future__ import annotations

from pathlib import Path

from scheduler.configuration.preview import FlockPreview, default_fleet, preview_region
from tests.unit.scheduler.configuration.fleets import FILES, write

EAST = """\
name: east
realm: live
provider_region: eu-east-1
"""


def preview(folder: Path, text: str, *, changes: dict[str, str | bytes] | None = None) -> FlockPreview:
    write(folder, {**FILES, **(changes or {})})
    region = folder / "east.yaml"
    region.write_text(text)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    (one,) = preview_region(region, folder)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    return one


def test_it_brings_the_targets_of_its_realm_after_those_of_earlier_phases(tmp_path: Path) -> None:
    one = preview(tmp_path, EAST)
    (step,) = one.steps
    assert (step.target, step.phase, step.order, step.configuration) == ("shop.east.edge", "rest", 2, "edge")
    assert step.waits_for == ("shop.north",)
    assert one.findings == ()
    assert one.data()["targets"][0]["provider_region"] == "eu-east-1"


def test_what_is_missing_is_told_and_what_was_wrong_before_is_not(tmp_path: Path) -> None:
    wrong_before = FILES["regions/north.yaml"].replace("{cpu: 1}", "{cpu: x}")
    edge = FILES["edge/main.tf"] + 'variable "vpc" {}\n'
    files = {"regions/north.yaml": wrong_before, "edge/main.tf": edge}
    south = FILES["regions/south.yaml"].replace(
        "  shop.south.blue:", "  shop.south.edge:\n    variables: {vpc: a}\n  shop.south.blue:"
    )
    one = preview(tmp_path, EAST + "colour: red\n", changes=files)
    assert [finding.message for finding in one.findings] == ["colour: there is no such key here"]
    one = preview(tmp_path, EAST, changes={**files, "regions/south.yaml": south})
    assert [finding.message for finding in one.findings] == ["vpc: no layer sets it and it has no default"]
    assert "east.yaml" in one.findings[0].hint


def test_a_realm_that_no_target_has_brings_nothing(tmp_path: Path) -> None:
    one = preview(tmp_path, EAST.replace("realm: live", "realm: test"))
    assert one.steps == ()


def test_a_region_that_is_in_the_fleet_already_can_be_looked_at_too(tmp_path: Path) -> None:
    write(tmp_path)
    (one,) = preview_region(tmp_path / "regions" / "south.yaml", tmp_path)
    assert {step.target for step in one.steps} >= {"shop.south.blue", "shop.south.edge"}


def test_the_fleet_is_the_folder_above_regions() -> None:
    assert default_fleet(Path("a/regions/x.yaml")) == Path("a")
    assert default_fleet(Path("x.yaml")) == Path()


def test_a_file_that_could_not_be_read_in_its_place_is_refused(tmp_path: Path) -> None:
    write(tmp_path)
    for name, text, said in (
        ("new.yaml", EAST, "the file is called new.yaml, but its name is 'east'"),
        ("east.txt", EAST, "the file is called east.txt, but its name is 'east'"),
        ("south.yaml", EAST.replace("east", "south"), "there is a region 'south' already"),
    ):
        region = tmp_path / name
        region.write_text(text)
        (one,) = preview_region(region, tmp_path)
        assert any(said in finding.message for finding in one.findings), one.findings
