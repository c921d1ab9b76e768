"""An atlantis.yaml becomes a flock that this reader takes, and whatever is lost on the way is told with its line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from scheduler.configuration import atlantis, atlantis_values, yaml_source
from scheduler.configuration.atlantis import Imported, import_atlantis
from scheduler.configuration.check import check
from scheduler.configuration.fleet import load_flock
from scheduler.configuration.report import ManyRefused, Severity
from scheduler.configuration.terraform import Generic, read_generic
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
        "phases": [{"name": f"step-{number}", "approval": True} for number in (1, 2, 3)],
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


def test_two_projects_with_one_state_are_refused_with_both_lines(tmp_path: Path) -> None:
    again = "projects:\n  - {dir: ./net/, workspace: default, name: again-eu-west-1}\n"
    (told,) = refusals(tmp_path, "projects:\n", again)
    assert told.startswith("5: net in the workspace default is deployed by the project in ")
    assert told.endswith("atlantis.yaml:4 as well")


def test_steps_of_apply_that_say_nothing_are_not_told(tmp_path: Path) -> None:
    changed = ATLANTIS.replace("  vars:\n", "  vars:\n    apply: {steps: [apply]}\n").replace("mergeable, ", "")
    told = {one.message for one in imported(tmp_path, {"atlantis.yaml": changed}).findings}
    assert not any("apply" in one or "approved" in one for one in told)


def test_a_flock_that_could_not_be_read_again_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chain = "".join(f"  - {{dir: net, workspace: w{one}, execution_order_group: {one}}}\n" for one in range(300))
    with pytest.raises(ManyRefused, match=r"flock\.yaml would say phases: ") as caught:
        imported(tmp_path, {"atlantis.yaml": f"version: 3\nprojects:\n{chain}"}, region="r1")
    assert caught.value.findings[0].origin.file.endswith("atlantis.yaml")
    # The files that are read are smaller than what is made of them.
    monkeypatch.setattr(yaml_source, "MAX_FILE_BYTES", 2500)
    large = {f"{one}/terraform.tfvars": f'size = "{one * 2000}"\n' for one in ("a", "b")}
    files = {**large, **dict.fromkeys(("a/main.tf", "b/main.tf"), FILES["net/main.tf"])}
    with pytest.raises(ManyRefused, match=r"flock\.yaml would say larger than"):
        imported(
            tmp_path,
            {"atlantis.yaml": "version: 3\nprojects: [{dir: a}, {dir: b}]\n", **files},
            region="r1",
        )


def test_without_parallel_applies_one_target_follows_the_other(tmp_path: Path) -> None:
    made = imported(tmp_path, {"atlantis.yaml": ATLANTIS.replace("parallel_apply: true\n", "")})
    assert [phase["max_concurrent"] for phase in made.flock["phases"]] == [1, 1, 1]


def test_values_that_all_projects_have_are_said_once(tmp_path: Path) -> None:
    text = "version: 3\nprojects:\n  - {dir: net, name: a}\n  - {dir: net, name: b, workspace: b}\n"
    made = imported(tmp_path, {"atlantis.yaml": text}, region="r1")
    assert made.flock["variables"] == {"size": 2}
    assert [target["name"] for target in made.flock["targets"]] == ["a", "b"]


def test_names_that_would_be_the_same_get_a_number(tmp_path: Path) -> None:
    names = "".join(f"  - {{dir: net, name: {name}, workspace: {name}}}\n" for name in ("A_b", "a.B", "x" * 80))
    text = f"version: 3\nprojects:\n{names}"
    made = imported(tmp_path, {"atlantis.yaml": text}, region="r1")
    assert [target["name"] for target in made.flock["targets"]] == ["a-b", "a-b-2", "x" * 63]


def test_more_projects_than_a_flock_has_targets_are_refused_before_any_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(atlantis, "MAX_TARGETS", 2)
    monkeypatch.setattr(atlantis, "read_projects", None)
    with pytest.raises(ManyRefused, match="more than 2 projects"):
        imported(tmp_path)


def test_a_configuration_that_projects_share_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Path] = []

    def counted(directory: Path, **options: Any) -> Generic:
        read.append(directory)
        return read_generic(directory, **options)

    monkeypatch.setattr(atlantis_values, "read_generic", counted)
    projects = "".join(
        f"  - {{dir: {folder}, workspace: w{index}}}\n" for index, folder in enumerate(["net", "./net/"] * 9)
    )
    imported(tmp_path, {"atlantis.yaml": f"version: 3\nprojects:\n{projects}"}, region="r1")
    assert read == [tmp_path / "net"]


def test_values_of_all_projects_together_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atlantis_values, "MAX_VALUES_BYTES", 200)
    with pytest.raises(ManyRefused, match="the values of all projects together are larger"):
        imported(tmp_path)


def test_the_longest_chain_of_projects_is_put_in_order(tmp_path: Path) -> None:
    chain = "".join(
        f"  - {{dir: net, name: p{one}, workspace: w{one}, depends_on: [p{one + 1}]}}\n" for one in range(200)
    )
    text = f"version: 3\nprojects:\n{chain}  - {{dir: net, name: p200}}\n"
    made = imported(tmp_path, {"atlantis.yaml": text}, region="r1")
    assert [target["name"] for target in made.flock["targets"]] == [f"p{one}" for one in range(200, -1, -1)]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("version: 3", "version: 4", "1: version 4"),
        ("projects:", "project:", "1: there are no projects"),
        ("dir: net\n", "dirs: net\n", "4: a project without `dir`"),
        ("dir: net\n", 'dir: "n\\0t"\n', "5: `dir` is longer"),
        ("dir: net\n", f"dir: {'a/' * 513}\n", "5: `dir` is longer"),
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
        ("[mergeable, approved]", "[approved, mergeable]", "13: apply_requirements: mergeable is not carried over"),
        ("apply_req", "plan_req", "13: plan_requirements: approved is not carried over"),
        (
            "    apply_requirements: [mergeable, approved]",
            "    import_requirements: undiverged",
            "13: import_requirements: u",
        ),
        ("    dir: app/\n", "    dir: app/\n    custom_policy_check: true\n", "9: custom_policy_check: is not carried"),
        ("    dir: app/\n", "    dir: app/\n    policy_check: true\n", "9: policy_check: is not carried"),
        ("  vars:\n", "  vars:\n    policy_check: {steps: [show]}\n", "19: the stage 'policy_check' is not carried"),
        ("  vars:\n", "  vars:\n    apply: {steps: [{run: check}, apply]}\n", "19: the step 'run' of `apply` is not"),
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
