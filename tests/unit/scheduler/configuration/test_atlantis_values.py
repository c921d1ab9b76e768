"""Where a project's values come from, and in which order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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


def values(root: Path, files: dict[str, str]) -> tuple[dict[str, Any], list[Finding]]:
    for name, text in {"net/main.tf": 'variable "a" {}\nvariable "b" {}\nvariable "c" {}\n', **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    tree = parse_yaml(TREE.encode(), "atlantis.yaml")
    assert isinstance(tree, MapNode)
    listed = tree.entries["projects"]
    assert isinstance(listed, ListNode)
    (project,) = listed.items
    assert isinstance(project, MapNode)
    findings: list[Finding] = []
    reader = ProjectValues(root=root, tree=tree, findings=findings)
    return reader.of(project, folder="net", workspace="prod", name="it"), findings


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
    assert "outside" in told.message
    assert told.origin.line == 6


def test_what_is_no_literal_or_no_values_is_told(tmp_path: Path) -> None:
    found, told = values(tmp_path, {"net/terraform.tfvars": "a = 1 + 1\nc = 2\n", "net/z.auto.tfvars": 'x "y" {}\n'})
    assert found == {"b": "x=prod", "c": 2}
    assert [one.message.partition(":")[0] for one in told[:1]] == ["a"]
    assert "a block among values" in told[1].message
