"""Sections that set no values are shown as each target has them, and held against its configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from scheduler.configuration.report import Finding, Kind
from scheduler.configuration.sections import section_lines, sections
from shared.rollback.settings import RollbackSettings
from tests.unit.scheduler.configuration.fleets import FLOCK, checked

ROLLBACK = """\
rollback:
  bake_s: 600
  checks:
    - {type: http, name: up, url: "https://${region.name}.example.com/${output.path}", missing_data: breaching}
    - {type: cloudwatch, name: alarms, alarms: ["${target.id}"], missing_data: ignore}
drift:
  every_s: 3600
"""
OUTPUT = 'output "path" {{\n  value = "x"\n{}}}\n'


def findings(folder: Path, files: dict[str, str]) -> list[Finding]:
    return [one for one in checked(folder, files).report.findings if "check " in one.message]


def test_a_flock_without_sections_has_none_to_show(tmp_path: Path) -> None:
    flock = checked(tmp_path).flock.document.model
    assert sections(flock) == {}
    assert list(section_lines(flock)) == []


def test_a_target_shows_its_checks_as_they_are_carried_out_there(tmp_path: Path) -> None:
    found = checked(tmp_path, {"flock.yaml": FLOCK + ROLLBACK})
    flock = found.flock.document.model
    shown = sections(flock, found.by_id["shop.south.blue"].plan)
    assert list(shown) == ["rollback", "drift"]
    assert [one.get("url", one.get("alarms")) for one in shown["rollback"]["checks"]] == [
        "https://south.example.com/${output.path}",
        ["shop.south.blue"],
    ]
    assert sections(flock)["rollback"]["checks"][1]["alarms"] == ["${target.id}"]


def test_for_people_each_setting_has_a_line(tmp_path: Path) -> None:
    found = checked(tmp_path, {"flock.yaml": FLOCK + ROLLBACK})
    lines = list(section_lines(found.flock.document.model, found.by_id["shop.north"].plan))
    assert 'rollback.on = ["error", "halt", "lost", "health", "alarm"]' in lines
    assert "rollback.bake_s = 600" in lines
    assert 'rollback.checks[0].url = "https://north.example.com/${output.path}"' in lines
    assert 'rollback.checks[1].alarms = ["shop.north"]' in lines
    assert "drift.every_s = 3600" in lines
    assert not any("null" in line for line in lines)


def test_an_output_that_a_target_does_not_have_is_told_with_place_and_targets(tmp_path: Path) -> None:
    (one, other) = findings(tmp_path, {"flock.yaml": FLOCK + ROLLBACK})
    line = FLOCK.count("\n") + 4
    assert {(found.kind, found.origin.line) for found in (one, other)} == {(Kind.UNRESOLVED, line)}
    assert "edge has no output 'path'" in f"{one.message} {other.message}"
    assert {*one.targets, *other.targets} == set(checked(tmp_path, {"flock.yaml": FLOCK + ROLLBACK}).by_id)


def test_where_each_configuration_has_it_nothing_is_wrong(tmp_path: Path) -> None:
    files = {"flock.yaml": FLOCK + ROLLBACK, "tf/o.tf": OUTPUT.format(""), "edge/o.tf": OUTPUT.format("")}
    assert findings(tmp_path, files) == []


def test_an_output_with_nearly_that_name_is_offered(tmp_path: Path) -> None:
    near = OUTPUT.format("").replace("path", "paths")
    files = {"flock.yaml": FLOCK + ROLLBACK, "tf/o.tf": near, "edge/o.tf": near}
    assert {one.hint for one in findings(tmp_path, files)} == {"did you mean 'paths'?"}


def test_a_secret_is_no_part_of_a_check(tmp_path: Path) -> None:
    files = {
        "flock.yaml": FLOCK + ROLLBACK,
        "tf/o.tf": OUTPUT.format("  sensitive = true\n"),
        "edge/o.tf": OUTPUT.format(""),
    }
    (one,) = findings(tmp_path, files)
    assert (one.kind, one.targets) == (Kind.SECRET, ("shop.north", "shop.south.blue"))


@pytest.mark.parametrize("text", ["output {\n", 'output "path" {\n'])
def test_what_cannot_be_read_may_have_it(tmp_path: Path, text: str) -> None:
    files = {"flock.yaml": FLOCK + ROLLBACK, "tf/o.tf": text, "edge/o.tf": OUTPUT.format("")}
    assert findings(tmp_path, files) == []


def test_what_the_documentation_shows_is_what_is_read(tmp_path: Path) -> None:
    page = Path(__file__).resolve().parents[4] / "docs" / "configuration.md"
    shown = page.read_text().partition("```yaml\nrollback:")[2].partition("```")[0]
    flock = checked(tmp_path, {"flock.yaml": f"{FLOCK}rollback:{shown}"}).flock.document.model
    assert flock.rollback is not None
    assert flock.drift is not None
    assert {check.type for check in flock.rollback.checks} == {"http", "command", "prometheus", "cloudwatch"}
    assert flock.rollback.model_dump() == {
        **flock.rollback.model_dump(),
        **RollbackSettings(bake_s=600, checks=flock.rollback.checks).model_dump(),
    }, "what is said to be a default is one"
