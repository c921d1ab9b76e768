"""Projects as they are written; the flock that becomes of them is in test_atlantis.py."""

from __future__ import annotations

from pathlib import Path

from scheduler.configuration.atlantis_losses import Losses
from scheduler.configuration.atlantis_projects import Project, read_projects
from scheduler.configuration.nodes import ListNode, MapNode
from scheduler.configuration.report import Severity
from scheduler.configuration.yaml_source import parse_yaml


def read(root: Path, projects: str, *, region: str | None = "eu-west-1") -> tuple[list[Project], Losses]:
    (root / "net").mkdir()
    (root / "net" / "main.tf").touch()
    tree = parse_yaml(f"projects: {projects}\n".encode(), "atlantis.yaml")
    assert isinstance(tree, MapNode)
    listed = tree.entries["projects"]
    assert isinstance(listed, ListNode)
    losses = Losses()
    return list(read_projects(tree, listed, losses, root=root, region=region)), losses


def errors(losses: Losses) -> list[str]:
    return [one.message for one in losses.findings if one.severity is Severity.ERROR]


def test_a_region_is_taken_from_the_first_name_that_has_one(tmp_path: Path) -> None:
    (named, spaced, other), losses = read(
        tmp_path,
        "[{dir: net, name: a-us-east-1, workspace: us-west-2}, {dir: net, workspace: ap-south-1}, {dir: net}]",
    )
    assert [one.region for one in (named, spaced, other)] == ["us-east-1", "ap-south-1", "eu-west-1"]
    assert errors(losses) == []


def test_a_project_that_nothing_places_is_told_and_left_out(tmp_path: Path) -> None:
    found, losses = read(tmp_path, "[{dir: net}]", region=None)
    assert (found, errors(losses)) == ([], ["nothing says which region net is deployed to"])


def test_no_two_have_one_key(tmp_path: Path) -> None:
    found, _ = read(tmp_path, "[{dir: net, name: A b}, {dir: net, name: a-b, workspace: x}]")
    assert [one.key for one in found] == ["eu-west-1.a-b", "eu-west-1.a-b-2"]


def test_a_folder_is_the_same_however_it_is_written(tmp_path: Path) -> None:
    found, losses = read(tmp_path, "[{dir: net}, {dir: ./net/}]")
    assert [one.place for one in found] == ["net", "net"]
    assert errors(losses) == ["./net/ in the workspace default is deployed by the project in atlantis.yaml:1 as well"]
