"""Which commands are given to Terraform; the real one: tests/integration/test_worker_terraform.py."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from shared.errors import ConfigurationError
from shared.models import RunKind, RunStatus
from worker.provisioners.terraform import (
    BACKEND_FILE,
    VARIABLES_FILE,
    Terraform,
    TerraformFailed,
    TerraformJob,
    backend_override,
    run_terraform,
)
from worker.run_directory import RunDirectory


class Commands:
    """Writes down what is run; the exit code comes by the first word."""

    def __init__(self, **codes: int) -> None:
        self.codes = codes
        self.lines: list[str] = []
        self.shown = "{}"

    def run(self, argv: Sequence[str], *, capture: Path | None = None) -> int:
        self.lines.append(" ".join(argv))
        if capture is not None:
            capture.write_text(self.shown)
        return self.codes.get(argv[1], 0)

    @property
    def steps(self) -> list[str]:
        return [line.split()[1] for line in self.lines]


def terraform(tmp_path: Path, commands: Commands, text: str = "# empty", **job: object) -> Terraform:
    directory = RunDirectory(tmp_path, "run-0123456789abcdef")
    directory.create()
    (directory.work / "main.tf").write_text(text)
    values = {"terraform": ("terraform",), "state_address": "https://state", "variables": {}, "provider_region": "r"}
    return Terraform(commands, directory, TerraformJob(**{**values, **job}))  # type: ignore[arg-type]  # test's choice


def outcome(made: Terraform, kind: RunKind, take_over: bool | None = None) -> tuple[RunStatus, int]:
    done = run_terraform(made, kind, take_over=lambda _: take_over, progress=lambda _: None)
    return done.status, done.exit_code


@pytest.mark.parametrize(("code", "expected"), [(0, 0), (2, 2)])
def test_a_plan_says_by_its_code_whether_there_are_changes(tmp_path: Path, code: int, expected: int) -> None:
    commands = Commands(plan=code)
    assert outcome(terraform(tmp_path, commands), RunKind.PLAN) == (RunStatus.PLANNED, expected)
    assert commands.steps == ["init", "plan"]
    assert "-detailed-exitcode" in commands.lines[1]


def test_an_apply_applies_the_plan_that_was_made(tmp_path: Path) -> None:
    commands = Commands(plan=2)
    assert outcome(terraform(tmp_path, commands), RunKind.APPLY) == (RunStatus.APPLIED, 0)
    assert commands.lines[-1] == "terraform apply -input=false -no-color interlock.tfplan"


def test_a_destroy_plans_a_destroy(tmp_path: Path) -> None:
    commands = Commands(plan=2)
    assert outcome(terraform(tmp_path, commands), RunKind.DESTROY) == (RunStatus.APPLIED, 0)
    assert "-destroy" in commands.lines[1].split()


def test_the_plan_of_a_take_over_is_not_made_again(tmp_path: Path) -> None:
    commands = Commands()
    assert outcome(terraform(tmp_path, commands), RunKind.APPLY, take_over=True) == (RunStatus.APPLIED, 0)
    assert commands.steps == ["init", "apply"]


@pytest.mark.parametrize("step", ["init", "plan", "apply"])
def test_a_step_that_fails_ends_the_run(tmp_path: Path, step: str) -> None:
    commands = Commands(**{step: 1})
    assert outcome(terraform(tmp_path, commands), RunKind.APPLY) == (RunStatus.ERRORED, 1)
    assert commands.steps[-1] == step


def test_plug_ins_come_from_the_directory_that_was_named(tmp_path: Path) -> None:
    commands = Commands()
    terraform(tmp_path, commands, plugin_dir="/plugins").prepare()
    assert commands.lines[0].endswith("-plugin-dir=/plugins")


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ('variable "provider_region" {}', {"provider_region": "r"}),
        ("variable provider_region {", {"provider_region": "r"}),
        ('# variable "provider_region"', {}),
        ('variable "provider_region_name" {}', {}),
    ],
)
def test_the_region_is_given_where_it_is_declared(tmp_path: Path, text: str, given: dict[str, str]) -> None:
    made = terraform(tmp_path, Commands(), text)
    made.prepare()
    assert json.loads((made.directory.work / VARIABLES_FILE).read_text()) == given


def test_the_targets_own_value_wins(tmp_path: Path) -> None:
    made = terraform(tmp_path, Commands(), 'variable "provider_region" {}', variables={"provider_region": "own"})
    made.prepare()
    assert json.loads((made.directory.work / VARIABLES_FILE).read_text()) == {"provider_region": "own"}


def test_the_state_goes_to_the_targets_address_and_nowhere_else(tmp_path: Path) -> None:
    made = terraform(tmp_path, Commands())
    made.prepare()
    assert json.loads((made.directory.work / BACKEND_FILE).read_text()) == backend_override("https://state")
    backend = backend_override("https://state")["terraform"]["backend"]["http"]
    assert {backend[key] for key in ("address", "lock_address", "unlock_address")} == {"https://state"}


def test_a_directory_without_configuration_is_refused(tmp_path: Path) -> None:
    made = terraform(tmp_path, Commands())
    (made.directory.work / "main.tf").unlink()
    with pytest.raises(ConfigurationError, match="no Terraform files"):
        made.prepare()


def test_a_plan_of_a_format_from_the_future_is_refused(tmp_path: Path) -> None:
    commands = Commands()
    made = terraform(tmp_path, commands)
    for format_, fails in (("1.9", False), ("2.0", True), ("", True)):
        commands.shown = json.dumps({"format_version": format_, "unknown": 1})
        if fails:
            with pytest.raises(ConfigurationError, match="plan format"):
                made.show_plan()
        else:
            assert made.show_plan()["unknown"] == 1


def test_a_plan_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.provisioners.terraform.MAX_PLAN_JSON_BYTES", 1)
    with pytest.raises(ConfigurationError, match="larger than 1 bytes"):
        terraform(tmp_path, Commands()).show_plan()


def test_a_plan_that_cannot_be_shown_is_a_failure(tmp_path: Path) -> None:
    with pytest.raises(TerraformFailed, match="show"):
        terraform(tmp_path, Commands(show=1)).show_plan()
