"""An atlantis.yaml becomes a flock that this reader takes, and whatever is lost on the way is told with its line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from scheduler.configuration.atlantis import Imported, import_atlantis
from scheduler.configuration.check import check
from scheduler.configuration.fleet import load_flock
from scheduler.configuration.report import ManyRefused, Severity
from scheduler.configuration.yaml_text import yaml_text

ATLANTIS = """\
version: 3
parallel_apply: true
projects:
  - name: network-eu-west-1
    dir: net
    terraform_version: v1.9.8
  - name: app
    dir: app/
    workspace: eu-west-1-prod
    workflow: vars
    terraform_version: v1.9.8
    depends_on: [network-eu-west-1]
    apply_requirements: [mergeable, approved]
  - dir: dns/europe-west1
    terraform_version: v1.9.8
    execution_order_group: 2
workflows:
  vars:
    plan:
      steps:
        - init
        - plan:
            extra_args: ["-var-file", "$WORKSPACE.tfvars", "-var=size=3"]
"""
FILES = {
    "atlantis.yaml": ATLANTIS,
    "net/main.tf": 'variable "size" {\n  default = 1\n}\n',
    "net/terraform.tfvars": "size = 2\n",
    "app/main.tf": 'variable "size" {}\nvariable "tags" {}\n'
    'variable "password" {\n  sensitive = true\n  default = null\n}\n',
    "app/eu-west-1-prod.tfvars": 'size = 1\ntags = { "$a" = "$${b}", no = ["1e3", 2] }\npassword = "hunter2"\n',
    "dns/europe-west1/main.tf": "",
}


def imported(folder: Path, changes: Mapping[str, str] | None = None, **options: Any) -> Imported:
    for name, text in {**FILES, **(changes or {})}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return import_atlantis(folder / "atlantis.yaml", name="shop", **options)


def refusals(folder: Path, old: str, new: str) -> list[str]:
    with pytest.raises(ManyRefused) as caught:
        imported(folder, {"atlantis.yaml": ATLANTIS.replace(old, new)})
    assert all(one.hint for one in caught.value.findings)
    return [f"{one.origin.line}: {one.message}" for one in caught.value.findings]


def test_projects_become_targets_in_phases_with_their_values(tmp_path: Path) -> None:
    assert imported(tmp_path).flock == {
        "name": "shop",
        "configuration": "app",
        "terraform": "1.9.8",
        "phases": [{"name": "step-1"}, {"name": "step-2", "approval": True}, {"name": "step-3"}],
        "targets": [
            {
                "region": "eu-west-1",
                "name": "network-eu-west-1",
                "phase": "step-1",
                "configuration": "net",
                "variables": {"size": 2},
            },
            {
                "region": "eu-west-1",
                "name": "app",
                "phase": "step-2",
                "variables": {"size": "3", "tags": {"$$a": "$${b}", "no": ["1e3", 2]}},
            },
            {
                "region": "europe-west1",
                "name": "dns-europe-west1",
                "phase": "step-3",
                "configuration": "dns/europe-west1",
            },
        ],
    }


def test_the_flock_is_one_and_renders_the_values_that_atlantis_used(tmp_path: Path) -> None:
    made = imported(tmp_path)
    (tmp_path / "net" / "terraform.tfvars").unlink()
    (tmp_path / "flock.yaml").write_text(yaml_text(made.flock))
    checked = check(load_flock(tmp_path))
    assert checked.report.errors == ()
    assert '"$a": "${b}"' in checked.by_id["shop.eu-west-1.app"].files["interlock.auto.tfvars.json"]


def test_a_secret_stays_where_it_is_and_its_place_is_told(tmp_path: Path) -> None:
    made = imported(tmp_path)
    (told,) = [one for one in made.findings if one.kind == "secret"]
    assert told.origin.file.endswith("app/eu-west-1-prod.tfvars")
    assert told.origin.line == 3
    assert "hunter2" not in f"{made.flock}{told.message}{told.hint}"


def test_without_parallel_applies_one_target_follows_the_other(tmp_path: Path) -> None:
    made = imported(tmp_path, {"atlantis.yaml": ATLANTIS.replace("parallel_apply: true\n", "")})
    assert [phase["max_concurrent"] for phase in made.flock["phases"]] == [1, 1, 1]


def test_values_that_all_projects_have_are_said_once(tmp_path: Path) -> None:
    text = "version: 3\nprojects:\n  - {dir: net, name: a}\n  - {dir: net, name: b}\n"
    made = imported(tmp_path, {"atlantis.yaml": text}, region="r1")
    assert made.flock["variables"] == {"size": 2}
    assert [target["name"] for target in made.flock["targets"]] == ["a", "b"]


def test_names_that_would_be_the_same_get_a_number(tmp_path: Path) -> None:
    names = "".join(f"  - {{dir: net, name: {name}}}\n" for name in ("A_b", "a.B", "x" * 80))
    text = f"version: 3\nprojects:\n{names}"
    made = imported(tmp_path, {"atlantis.yaml": text}, region="r1")
    assert [target["name"] for target in made.flock["targets"]] == ["a-b", "a-b-2", "x" * 63]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("version: 3", "version: 4", "1: version 4"),
        ("projects:", "project:", "1: there are no projects"),
        ("dir: net\n", "dirs: net\n", "4: a project without `dir`"),
        ("dir: net\n", "dir: ../net\n", "5: there is no folder '../net'"),
        ("dns/europe-west1", "dns", "14: nothing says which region dns"),
        ("[network-eu-west-1]", "[network]", "7: depends on 'network'"),
        ("[network-eu-west-1]", "[app]", "7: app waits for itself"),
        ("group: 2", "group: first", "16: execution_order_group must be a number"),
        ("dir: net\n", "dir: net\n    depends_on: [app]\n", "4: network-eu-west-1 waits for itself"),
        ("dir: net\n", "dir: net\n    dir: app\n", "6: the key 'dir' stands here twice"),
    ],
)
def test_what_no_flock_can_say_is_refused_with_its_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert any(line.startswith(said) for line in refusals(tmp_path, old, new))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("dir: net\n", "dir: net\n    branch: /main/\n", "6: branch: is not carried over"),
        ("dir: net\n", "dir: net\n    autoplann: {}\n", "6: autoplann: not known"),
        ("        - init\n", "        - run: make\n", "21: the step 'run' is not carried over"),
        ("workflow: vars", "workflow: ours", "10: the workflow 'ours' is the server's"),
        ("-var=size=3", "-lock=false", "23: -lock=false is not carried over"),
        ("$WORKSPACE.tfvars", "none.tfvars", "23: "),
        (
            "terraform_version: v1.9.8\n  - name: app",
            "terraform_version: v1.8.0\n  - name: app",
            "4: terraform_version 1.8.0",
        ),
        ("parallel_apply: true", "autodiscover: {mode: auto}", "2: projects that Atlantis discovers"),
        ("    dir: app/\n", "    dir: app/\n", "9: the target has a state of its own"),
    ],
)
def test_what_is_lost_is_told_with_its_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in ATLANTIS
    made = imported(tmp_path, {"atlantis.yaml": ATLANTIS.replace(old, new)})
    told = [f"{one.origin.line}: {one.message}" for one in made.findings if one.origin.file.endswith("atlantis.yaml")]
    assert any(line.startswith(said) for line in told), told
    assert all(one.severity is not Severity.ERROR and one.hint for one in made.findings)
