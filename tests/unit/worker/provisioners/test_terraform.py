"""Which commands are given to Terraform; the real one: tests/integration/test_worker_terraform.py."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from shared.errors import ConfigurationError
from shared.models import RunKind, RunStatus
from worker.provisioners.outcome import Outcome
from worker.provisioners.terraform import (
    Terraform,
    TerraformFailed,
    TerraformJob,
    diagnostics_in,
    run_terraform,
)
from worker.run_directory import RunDirectory


class Commands:
    """Writes down what is run; the exit code comes by the first word."""

    def __init__(self, **codes: int) -> None:
        self.codes = codes
        self.lines: list[str] = []
        self.shown = "{}"
        self.work: Path | None = None
        self.applied = b""

    def run(self, argv: Sequence[str], *, capture: Path | None = None) -> int:
        self.lines.append(" ".join(argv))
        if capture is not None:
            capture.write_text(self.shown)
        if argv[1] == "plan" and self.work is not None:
            (self.work / "interlock.tfplan").write_bytes(b"the plan made now")
        if argv[1] == "apply" and self.work is not None:
            self.applied = (self.work / "interlock.tfplan").read_bytes()
        return self.codes.get(argv[1], 0)

    @property
    def steps(self) -> list[str]:
        return [line.split()[1] for line in self.lines]


def terraform(tmp_path: Path, commands: Commands, text: str = "# empty", **job: object) -> Terraform:
    directory = RunDirectory(tmp_path, "run-0123456789abcdef")
    directory.create()
    (directory.work / "main.tf").write_text(text)
    commands.work = directory.work
    return Terraform(commands, directory, TerraformJob(terraform=("terraform",), **job))  # type: ignore[arg-type]  # test's choice


def passing(_: Terraform) -> None:
    """A gate that lets everything pass."""


def outcome(made: Terraform, kind: RunKind, take_over: bool | None = None) -> tuple[RunStatus, int]:
    done = run_terraform(made, kind, take_over=lambda _: take_over, progress=lambda _: None, gate=passing)
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
    made = terraform(tmp_path, commands)
    (made.directory.work / "interlock.tfplan").write_bytes(b"the plan of the take-over")
    assert outcome(made, RunKind.APPLY, take_over=True) == (RunStatus.APPLIED, 0)
    assert commands.steps == ["init", "apply"]
    assert commands.applied == b"the plan of the take-over"


def test_a_recovery_takes_over_and_does_nothing_else(tmp_path: Path) -> None:
    commands = Commands()
    assert outcome(terraform(tmp_path, commands), RunKind.RECOVER) == (RunStatus.APPLIED, 0)
    assert commands.steps == ["init"]


def test_a_gate_that_ends_the_run_is_asked_before_the_apply(tmp_path: Path) -> None:
    commands = Commands(plan=2)
    held = Outcome(status=RunStatus.PLANNED, exit_code=77, reason="held")
    done = run_terraform(
        terraform(tmp_path, commands),
        RunKind.APPLY,
        take_over=lambda _: None,
        progress=lambda _: None,
        gate=lambda _: held,
    )
    assert done is held
    assert commands.steps == ["init", "plan"]


def test_what_was_shown_to_the_gate_is_applied_though_another_plan_was_put_in_its_place(tmp_path: Path) -> None:
    commands = Commands(plan=2)
    made = terraform(tmp_path, commands)

    def gate(terraform: Terraform) -> None:
        (terraform.directory.work / "interlock.tfplan").write_bytes(b"swapped by something in the sandbox")

    run_terraform(made, RunKind.APPLY, take_over=lambda _: None, progress=lambda _: None, gate=gate)
    assert commands.applied == b"the plan made now"


@pytest.mark.parametrize("step", ["init", "plan", "apply"])
def test_a_step_that_fails_ends_the_run(tmp_path: Path, step: str) -> None:
    commands = Commands(**{step: 1})
    assert outcome(terraform(tmp_path, commands), RunKind.APPLY) == (RunStatus.ERRORED, 1)
    assert commands.steps[-1] == step


def test_plug_ins_come_from_the_directory_that_was_named(tmp_path: Path) -> None:
    commands = Commands()
    terraform(tmp_path, commands, plugin_dir="/plugins").prepare()
    assert commands.lines[0].endswith("-plugin-dir=/plugins")


def test_the_lock_file_decides_about_providers(tmp_path: Path) -> None:
    commands = Commands()
    terraform(tmp_path, commands).prepare()
    assert "-lockfile=readonly" in commands.lines[0].split()


def test_a_version_that_the_release_allows_goes_on(tmp_path: Path) -> None:
    commands = Commands()
    commands.shown = '{"terraform_version": "1.9.8"}'
    terraform(tmp_path, commands, versions="~> 1.9").prepare()
    assert commands.steps == ["version", "init"]


@pytest.mark.parametrize(
    ("shown", "why"),
    [
        ('{"terraform_version": "1.8.5"}', r"this worker has Terraform 1\.8\.5; the release wants ~> 1\.9"),
        ('{"version": "1.9.8"}', "cannot be read"),
        ("Terraform v1.9.8", "cannot be read"),
    ],
)
def test_any_other_version_is_refused_before_init(tmp_path: Path, shown: str, why: str) -> None:
    commands = Commands()
    commands.shown = shown
    with pytest.raises(ConfigurationError, match=why):
        terraform(tmp_path, commands, versions="~> 1.9").prepare()
    assert commands.steps == ["version"]


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
    monkeypatch.setattr("shared.safety.plan_document.MAX_BYTES", 1)
    with pytest.raises(ConfigurationError, match="larger than 1 bytes"):
        terraform(tmp_path, Commands()).show_plan()


def test_a_plan_that_cannot_be_shown_is_a_failure(tmp_path: Path) -> None:
    with pytest.raises(TerraformFailed, match="show"):
        terraform(tmp_path, Commands(show=1)).show_plan()


def test_a_saved_plan_is_applied_byte_for_byte_after_one_made_now_was_shown_to_the_gate(tmp_path: Path) -> None:
    commands = Commands(plan=2)
    made = terraform(tmp_path, commands)
    steps: list[RunStatus] = []
    shown: list[bytes] = []

    def gate(terraform: Terraform) -> None:
        shown.append(terraform.plan_file())

    done = run_terraform(
        made, RunKind.APPLY, take_over=lambda _: None, progress=steps.append, saved=b"the plan", gate=gate
    )
    assert done.status is RunStatus.APPLIED
    assert commands.steps == ["init", "plan", "apply"]
    assert steps == [RunStatus.PLANNING, RunStatus.APPLYING]
    assert (shown, commands.applied) == ([b"the plan made now"], b"the plan")


def test_a_saved_plan_is_not_applied_when_none_can_be_made_to_compare_it_with(tmp_path: Path) -> None:
    commands = Commands(plan=1)
    done = run_terraform(
        terraform(tmp_path, commands),
        RunKind.APPLY,
        take_over=lambda _: None,
        progress=lambda _: None,
        gate=passing,
        saved=b"the plan",
    )
    assert (done.status, commands.applied) == (RunStatus.ERRORED, b"")


def test_a_saved_plan_that_cannot_be_applied_is_an_error(tmp_path: Path) -> None:
    made = terraform(tmp_path, Commands(apply=1))
    done = run_terraform(
        made, RunKind.APPLY, take_over=lambda _: None, progress=lambda _: None, gate=passing, saved=b"the plan"
    )
    assert (done.status, done.exit_code) == (RunStatus.ERRORED, 1)


@pytest.mark.parametrize(("code", "changes"), [(0, False), (2, True)])
def test_a_plan_to_be_applied_later_is_handed_over_with_whether_it_has_changes(
    tmp_path: Path, code: int, changes: bool
) -> None:
    made = terraform(tmp_path, Commands(plan=code))
    kept: list[tuple[bytes, bool]] = []
    done = run_terraform(
        made,
        RunKind.PLAN,
        take_over=lambda _: None,
        progress=lambda _: None,
        gate=passing,
        keep=lambda content, changed: kept.append((content, changed)),
    )
    assert done.status is RunStatus.PLANNED
    assert kept == [(b"the plan made now", changes)]


def test_a_plan_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"left no interlock\.tfplan"):
        terraform(tmp_path, Commands()).plan_file()


def test_what_terraform_says_is_read_between_a_providers_own_words(tmp_path: Path) -> None:
    capture = tmp_path / "messages.json"
    error = {"severity": "error", "summary": "no", "detail": "why"}
    lines = [
        b"panic: of a provider \xff",
        b'{"type": "version"}',
        json.dumps({"type": "diagnostic", "diagnostic": error}).encode(),
        b'{"type": "diagnostic", "diagnostic": "none"}',
        b"[1]",
        b"[" * 100_000,
    ]
    capture.write_bytes(b"\n".join(lines))
    assert diagnostics_in(capture) == [error]
