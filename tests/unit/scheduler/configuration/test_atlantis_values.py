"""Where a project's values come from, and in which order."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scheduler.configuration.atlantis_losses import Losses
from scheduler.configuration.atlantis_values import ProjectValues
from scheduler.configuration.nodes import ListNode, MapNode
from scheduler.configuration.report import Finding
from scheduler.configuration.yaml_source import parse_yaml

TREE = """\
projects:
  - {dir: net, workflow: vars}
workflows:
  vars:
    plan:
      steps: [{plan: {extra_args: ["--var-file=more/$PROJECT_NAME.tfvars.json", -var, "b=x=${WORKSPACE}"]}}]
"""


def values(root: Path, files: dict[str, str], *, var: str | None = None) -> tuple[dict[str, Any], list[Finding]]:
    for name, text in {"net/main.tf": 'variable "a" {}\nvariable "b" {}\nvariable "c" {}\n', **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    arguments = json.dumps(["-var", f"b={var}"])
    text = TREE if var is None else f"{TREE[: TREE.index('[{plan')]}[{{plan: {{extra_args: {arguments}}}}}]\n"
    tree = parse_yaml(text.encode(), "atlantis.yaml")
    assert isinstance(tree, MapNode)
    listed = tree.entries["projects"]
    assert isinstance(listed, ListNode)
    (project,) = listed.items
    assert isinstance(project, MapNode)
    losses = Losses()
    reader = ProjectValues(root=root, tree=tree, losses=losses)
    return reader.of(project, folder="net", workspace="prod", name="it"), losses.findings


def test_later_sources_win_as_they_do_in_terraform(tmp_path: Path) -> None:
    found, findings = values(
        tmp_path,
        {
            "net/terraform.tfvars": "a = 1\nb = 1\nc = 1\n",
            "net/z.auto.tfvars.json": '{\t"b": 2, "a": 2}',
            "net/more/it.tfvars.json": '{"a": 3}',
        },
    )
    assert found == {"a": 3, "b": "x=prod", "c": 1}
    assert findings == []


def test_a_var_file_outside_of_the_repository_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text('{"a": "hunter2"}')
    (tmp_path / "repo/net/more").mkdir(parents=True)
    (tmp_path / "repo/net/more/it.tfvars.json").symlink_to("../../../secret")
    found, (told,) = values(tmp_path / "repo", {})
    assert found == {"b": "x=prod"}
    assert "leads out of the repository" in told.message
    assert told.origin.line == 6


def test_what_is_no_literal_or_no_values_is_told(tmp_path: Path) -> None:
    found, told = values(tmp_path, {"net/terraform.tfvars": "a = 1 + 1\nc = 2\n", "net/z.auto.tfvars": 'x "y" {}\n'})
    assert found == {"b": "x=prod", "c": 2}
    assert [one.message.partition(":")[0] for one in told[:1]] == ["a"]
    assert "a block among values" in told[1].message


@pytest.mark.parametrize(
    ("type_", "written", "value"),
    [
        ("", '["a"]', '["a"]'),
        ("string", '["a"]', '["a"]'),
        ("number", "3", "3"),
        ("any", '"a"', "a"),
        ("list(string)", '["a"]', ["a"]),
        ("map(number)", "{ x = 1, y = 2.5 }", {"x": 1, "y": 2.5}),
        ("object({ on = bool })", "{ on = true }", {"on": True}),
    ],
)
def test_a_var_is_read_as_terraform_reads_it_for_its_type(
    tmp_path: Path, type_: str, written: str, value: object
) -> None:
    found, told = values(tmp_path, {"net/main.tf": declared(type_)}, var=written)
    assert (found, told) == ({"b": value}, [])


@pytest.mark.parametrize("written", ["[a]", "[", "1\nb = 2", "x {}"])
def test_a_var_that_is_no_literal_of_its_type_is_told(tmp_path: Path, written: str) -> None:
    found, (told,) = values(tmp_path, {"net/main.tf": declared("list(string)")}, var=written)
    assert found == {}
    assert (told.message, told.origin.line) == ("b: what -var gives is no literal, not carried over", 6)


def declared(type_: str) -> str:
    return f'variable "b" {{\n{f"  type = {type_}" if type_ else ""}\n}}\n'


def test_json_values_are_read_as_json(tmp_path: Path) -> None:
    text = '{"a": "\\ud83d\\ude00", "c": "\\/\x7f"}'
    found, told = values(tmp_path, {"net/terraform.tfvars.json": text, "net/more/it.tfvars.json": "{}"})
    assert (found, told) == ({"a": "\U0001f600", "b": "x=prod", "c": "/\x7f"}, [])
