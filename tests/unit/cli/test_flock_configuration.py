"""`interlock flock inspect | render | validate | diff` in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.scheduler.configuration.fleets import FILES, FLOCK, write


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    return write(tmp_path / "fleet").parent


def test_inspect_lists_what_can_be_set_and_what_is_hard_coded(interlock: Callable[..., Any], fleet: Path) -> None:
    (fleet / "tf" / "extra.tf").write_text('locals {\n  zone = "eu-west-1a"\n}\n')
    said = interlock("flock", "inspect", "fleet")
    assert said.code == 0, said.err
    assert "object({cpu = number, memory = optional(number, 256)})" in said.out
    assert "size must hold: var.size >= 1 && var.size <= 9    fleet/tf/variables.tf:13" in said.out
    assert "hard-coded zone eu-west-1a    fleet/tf/extra.tf:2" in said.out
    first, second = json.loads(interlock("flock", "inspect", "fleet", "--json").out)
    assert (first["configuration"], second["configuration"]) == ("tf", "edge")
    assert first["hard_coded"] == [{"what": "zone", "value": "eu-west-1a", "file": "fleet/tf/extra.tf", "line": 2}]
    assert {one["name"]: one["sensitive"] for one in first["variables"]}["password"] is True


def test_inspect_says_what_cannot_be_read(interlock: Callable[..., Any], fleet: Path) -> None:
    (fleet / "tf" / "broken.tf").write_text("x {\n")
    said = interlock("flock", "inspect", "fleet")
    assert said.code == 64
    assert "fleet/tf/broken.tf:2: error: syntax" in said.err


def test_render_explains_each_value(interlock: Callable[..., Any], fleet: Path) -> None:
    said = interlock("flock", "render", "fleet", "--explain", "--target", "shop.south.blue")
    assert said.code == 0, said.err
    assert "variables.size = 5    fleet/flock.yaml:25 (target entry 2)" in said.out
    assert 'variables.tags.realm = "live"    fleet/realms/live.yaml:3 (realm live)' in said.out
    assert "variables.public = false    fleet/tf/variables.tf:35 (Terraform's default)" in said.out
    assert "shop.north" not in said.out
    (one,) = json.loads(interlock("flock", "render", "fleet", "--explain", "--json", "--target", "shop.north").out)
    assert one["values"]["variables.zones[0]"] == "eu-north-1a"
    assert one["origins"]["variables.zones[0]"]["via"] == "fleet/regions/north.yaml:7"


def test_render_writes_the_files_where_asked_and_nowhere_else(interlock: Callable[..., Any], fleet: Path) -> None:
    before = {path: path.read_bytes() for path in fleet.rglob("*") if path.is_file()}
    assert interlock("flock", "render", "fleet", "--out", "out").code == 0
    assert {path: path.read_bytes() for path in fleet.rglob("*") if path.is_file()} == before
    written = fleet.parent / "out" / "shop.south.blue"
    assert {path.name for path in written.iterdir()} == {
        "interlock.auto.tfvars.json",
        "interlock_backend_override.tf.json",
        "interlock_providers_override.tf.json",
    }
    assert json.loads((written / "interlock.auto.tfvars.json").read_text())["size"] == 5


def test_an_unknown_target_is_answered_with_the_one_that_was_meant(interlock: Callable[..., Any], fleet: Path) -> None:
    said = interlock("flock", "render", "fleet", "--target", "shop.nort")
    assert said.code == 64
    assert "did you mean 'shop.north'" in said.err


def test_validate_reports_everything_at_once(interlock: Callable[..., Any], fleet: Path) -> None:
    (fleet / "flock.yaml").write_text(FLOCK.replace("  size: 3", "  sise: 3").replace("size: 5", "size: five"))
    said = interlock("flock", "validate", "fleet", "--offline")
    assert said.code == 64
    assert "fleet/flock.yaml:11: error: misspelt: sise" in said.err
    assert "fleet/flock.yaml:25: error: mistyped: size" in said.err
    assert "[shop.south.blue]" in said.err
    said = interlock("flock", "validate", "fleet", "--offline", "--json")
    assert {one["kind"] for one in json.loads(said.out)["findings"]} == {"misspelt", "mistyped"}


def test_validate_is_content_with_what_is_right(interlock: Callable[..., Any], fleet: Path) -> None:
    said = interlock("flock", "validate", "fleet", "--offline")
    assert (said.code, said.err) == (0, "")
    assert "3 targets of shop: nothing is wrong" in said.out


def test_a_flock_file_that_cannot_be_used_gives_the_same_form_of_report(
    interlock: Callable[..., Any], fleet: Path
) -> None:
    (fleet / "flock.yaml").write_text("name: X\n")
    said = interlock("flock", "validate", "fleet", "--json")
    assert said.code == 64
    assert {one["kind"] for one in json.loads(said.out)["findings"]} == {"schema"}
    assert "error: fleet/flock.yaml:1" in interlock("flock", "render", "fleet").err


def test_diff_names_the_targets_and_exits_with_2(interlock: Callable[..., Any], fleet: Path) -> None:
    write(fleet.parent / "then", {**FILES, "flock.yaml": FLOCK.replace("  size: 3", "  size: 4")})
    said = interlock("flock", "diff", "fleet", "then")
    assert said.code == 2
    assert "variables.size: 3 (fleet/flock.yaml:11) -> 4 (then/flock.yaml:11)" in said.out
    assert "1 of 3 targets change" in said.out
    (one,) = json.loads(interlock("flock", "diff", "fleet", "then", "--json").out)
    assert (one["target"], one["what"]) == ("shop.north", "changed")
    said = interlock("flock", "diff", "fleet", "fleet")
    assert (said.code, said.out) == (0, "no target changes\n")


def test_diff_says_when_a_side_has_errors(interlock: Callable[..., Any], fleet: Path) -> None:
    write(fleet.parent / "then", {**FILES, "flock.yaml": FLOCK.replace("  size: 3", "  size: x")})
    assert "then has 1 errors" in interlock("flock", "diff", "fleet", "then").err
