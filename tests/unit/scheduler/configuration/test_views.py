"""What programs read says no secret and names every place."""

from __future__ import annotations

from pathlib import Path

from scheduler.configuration.views import inspection, rendering
from tests.unit.scheduler.configuration.fleets import FILES, checked


def test_an_inspection_names_what_can_be_set_and_what_is_needed(tmp_path: Path) -> None:
    text = FILES["tf/main.tf"] + 'variable "sum" {\n  default = 1 + 1\n}\nlocals {\n  at = "eu-west-1"\n}\n'
    flock = checked(tmp_path, {"tf/main.tf": text}).flock
    found = inspection(flock.generics["tf"], flock.document.model)
    variables = {one["name"]: one for one in found["variables"]}
    assert variables["size"]["default"] == 1
    assert (variables["sum"]["default"], variables["sum"]["default_expression"]) == (None, "1 + 1")
    assert [(one["name"], one["source"]) for one in found["required_providers"]] == [("aws", "hashicorp/aws")]
    assert [one["value"] for one in found["hard_coded"]] == ["eu-west-1"]
    assert found["sections"] == {}


def test_a_default_that_is_a_secret_is_not_shown(tmp_path: Path) -> None:
    text = FILES["tf/variables.tf"].replace("default   = null", 'default   = "hun${"ter2"}"')
    flock = checked(tmp_path, {"tf/variables.tf": text}).flock
    found = inspection(flock.generics["tf"], flock.document.model)
    assert "ter2" not in str(found)


def test_a_rendering_gives_each_leaf_its_place(tmp_path: Path) -> None:
    all_of_it = checked(tmp_path)
    target, said = all_of_it.by_id["shop.north"], all_of_it.flock.document.model
    assert "origins" not in rendering(target, said, explain=False)
    shown = rendering(target, said, explain=True)
    assert shown["values"].keys() == shown["origins"].keys()
    assert shown["origins"]["variables.limits.cpu"]["line"] == 11
