"""What a check runs and what it makes of it; the real Terraform: tests/integration/test_drift_system.py."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from shared.drift.report import DriftReport, ResourceStatus, RollUp
from shared.drift.schemas import Shape
from shared.errors import ApiError
from shared.models import RunStatus
from tests.unit.shared.drift.support import change, plan, resource, state, stream
from worker.provisioners.drift import run_drift
from worker.provisioners.outcome import Outcome
from worker.provisioners.terraform import PLAN_FILE, Terraform, TerraformJob
from worker.run_directory import RunDirectory

ONE = resource("a_t.one", {"size": 1})
DRIFT = change("a_t.one", {"size": 1}, {"size": 2})


class Commands:
    """Plays Terraform: what it says, and what it shows of a plan that it made."""

    def __init__(self, work: Path) -> None:
        self.work = work
        self.lines: list[str] = []
        self.init = 0
        self.codes = {"refresh": 0, "plan": 0}
        self.said = {"refresh": stream("a_t.one"), "plan": stream("a_t.one")}
        self.plans: dict[str, Any] = {"refresh": plan(prior=[ONE]), "plan": plan(prior=[ONE])}
        self.state: Any = state(ONE)
        self.schemas: str | None = "{}"
        self._made: Any = None

    def run(self, argv: Sequence[str], *, capture: Path | None = None) -> int:
        self.lines.append(" ".join(argv[1:]))
        match list(argv[1:]):
            case ["init", *_]:
                return self.init
            case ["plan", *options]:
                assert capture is not None
                assert not (self.work / PLAN_FILE).exists(), "an earlier plan must not be taken for this one"
                which = "refresh" if "-refresh-only" in options else "plan"
                capture.write_bytes(self.said[which])
                self._made = self.plans[which]
                if self._made is not None:
                    (self.work / PLAN_FILE).touch()
                return self.codes[which]
            case ["show", "-json", "-no-color"]:
                return self._print(capture, self.state)
            case ["show", *_]:
                return self._print(capture, self._made)
            case ["providers", *_]:
                return self._print(capture, None if self.schemas is None else self.schemas)
        raise AssertionError(argv)

    def _print(self, capture: Path | None, content: Any) -> int:
        assert capture is not None
        if content is None:
            capture.write_text("")
            return 1
        capture.write_text(content if isinstance(content, str) else json.dumps(content))
        return 0

    @property
    def steps(self) -> list[str]:
        return [line.split()[0] for line in self.lines]


class Scheduler:
    """Takes the report."""

    def __init__(self) -> None:
        self.reports: list[DriftReport] = []
        self.why: str | None = None
        self.gaps: list[str] = []
        self.asked_about: list[Mapping[str, Any] | None] = []
        self.lost = False

    def in_the_way(self) -> str | None:
        return self.why

    def left(self, plan: Mapping[str, Any] | None) -> list[str]:
        self.asked_about.append(plan)
        return self.gaps

    def deliver(self, report: DriftReport) -> None:
        if self.lost:
            raise ApiError("not yours", status=409, code="lease_lost")
        self.reports.append(report)


class Check:
    """One check in a directory."""

    def __init__(self, tmp_path: Path) -> None:
        self.directory = RunDirectory(tmp_path, "run-0123456789abcdef")
        self.directory.create()
        (self.directory.work / "main.tf").write_text("# empty")
        self.commands = Commands(self.directory.work)
        self.scheduler = Scheduler()
        self.progress: list[RunStatus] = []
        self.notes: list[str] = []
        self.known: dict[str, Shape] = {}

    def run(self) -> Outcome:
        terraform = Terraform(self.commands, self.directory, TerraformJob(terraform=("terraform",)))
        return run_drift(
            terraform, self.scheduler, known=self.known, progress=self.progress.append, note=self.notes.append
        )

    @property
    def report(self) -> DriftReport:
        (one,) = self.scheduler.reports
        return one


@pytest.fixture
def check(tmp_path: Path) -> Check:
    return Check(tmp_path)


def test_it_looks_twice_without_a_lock_and_says_what_it_found(check: Check) -> None:
    outcome = check.run()
    assert (outcome.status, outcome.exit_code, outcome.reason) == (RunStatus.CHECKED, 0, "")
    assert check.report.roll_up is RollUp.IN_SYNC
    assert check.commands.steps == ["init", "show", "plan", "show", "plan"], "an empty plan is not shown"
    plans = [line for line in check.commands.lines if line.startswith("plan")]
    assert ["-refresh-only" in line for line in plans] == [True, False]
    assert all(" -json " in f"{line} " and "-lock=false" in line for line in plans)
    assert "-minimal-refresh" not in "".join(plans)
    assert check.progress == [RunStatus.PLANNING]


@pytest.mark.parametrize(
    ("refresh", "code", "said"),
    [
        (plan(prior=[ONE], drift=[DRIFT]), 0, stream("a_t.one")),
        ({**plan(prior=[ONE]), "complete": False}, 0, stream("a_t.one")),
        (plan(prior=[ONE]), 2, stream("a_t.one")),
        (plan(prior=[ONE]), 0, stream("a_t.one", errors=[("a_t.one", "no credentials")])),
    ],
    ids=["something differs", "not everything was looked at", "there is something to do", "an error was said"],
)
def test_the_plan_proper_is_shown_wherever_it_may_say_something(
    check: Check, refresh: Any, code: int, said: bytes
) -> None:
    check.commands.plans["refresh"] = refresh
    check.commands.codes["plan"], check.commands.said["plan"] = code, said
    check.run()
    assert check.commands.steps[-2:] == ["plan", "show"]


def test_an_empty_plan_that_is_not_shown_is_none_that_failed(check: Check) -> None:
    check.commands.plans["plan"] = None
    assert check.run().exit_code == 0
    check.commands.codes["plan"] = 1
    check.scheduler.reports.clear()
    assert check.run().exit_code == 1
    assert check.report.gaps == ("the plan proper failed: the run's log says why",)


def test_drift_has_the_exit_code_of_changes_and_is_named_in_the_log(check: Check) -> None:
    check.commands.plans = {name: plan(prior=[ONE], drift=[DRIFT]) for name in ("refresh", "plan")}
    check.commands.codes = {"refresh": 2, "plan": 2}
    outcome = check.run()
    assert (outcome.status, outcome.exit_code) == (RunStatus.CHECKED, 2)
    assert outcome.reason == "1 resources were changed or deleted outside"
    assert "  a_t.one modified: size" in check.notes
    assert "providers schema -json -no-color" in check.commands.lines


def test_terraforms_exit_code_alone_decides_nothing(check: Check) -> None:
    check.commands.codes = {"refresh": 2, "plan": 2}
    assert check.run().exit_code == 0
    assert check.report.roll_up is RollUp.IN_SYNC


def test_schemas_that_cannot_be_had_cost_precision_and_nothing_else(check: Check) -> None:
    check.commands.plans = {name: plan(prior=[ONE], drift=[DRIFT]) for name in ("refresh", "plan")}
    for broken in (None, "{", "[]"):
        check.commands.schemas = broken
        assert check.run().exit_code == 2


def test_schemas_are_asked_for_once_and_again_for_a_type_that_no_earlier_check_learnt(check: Check) -> None:
    other = change("b_t.one", {"size": 1}, {"size": 2})
    block = {"block": {"attributes": {"size": {"computed": True, "type": "number"}}}}
    check.commands.schemas = json.dumps({"provider_schemas": {"p": {"resource_schemas": {"a_t": block, "b_t": block}}}})
    check.commands.plans = {name: plan(prior=[ONE], drift=[DRIFT]) for name in ("refresh", "plan")}
    asked = []
    for found in ([DRIFT], [DRIFT], [DRIFT, other], [other]):
        check.commands.lines.clear()
        check.commands.plans = {name: plan(prior=[ONE], drift=found) for name in ("refresh", "plan")}
        check.run()
        asked.append(check.commands.steps.count("providers"))
    assert asked == [1, 0, 1, 0]
    assert check.known["a_t"].members["size"].computed_only


def test_schemas_that_could_not_be_had_are_asked_for_again(check: Check) -> None:
    check.commands.plans = {name: plan(prior=[ONE], drift=[DRIFT]) for name in ("refresh", "plan")}
    for broken in (None, "{", "[]", "{}"):
        check.commands.schemas = broken
        check.run()
    assert check.commands.steps.count("providers") == 4


def test_a_state_that_cannot_be_shown_leaves_a_gap(check: Check) -> None:
    check.commands.state = None
    outcome = check.run()
    assert outcome.exit_code == 1
    assert "the state cannot be shown" in outcome.reason


def test_after_a_refresh_that_failed_the_rest_is_not_made_and_nothing_is_in_sync(check: Check) -> None:
    check.commands.codes["refresh"] = 1
    check.commands.plans["refresh"] = plan(prior=[ONE], errored=True, complete=False)
    check.commands.said["refresh"] = stream(errors=[("a_t.one", "AccessDenied")])
    outcome = check.run()
    assert (outcome.status, outcome.exit_code) == (RunStatus.CHECKED, 1)
    assert outcome.reason == "1 resources could not be looked at: AccessDenied"
    assert [one.status for one in check.report.resources] == [ResourceStatus.NOT_CHECKED]
    assert "plan: a_t.one: AccessDenied" in check.notes
    assert check.commands.steps.count("plan") == 1


def test_a_refresh_that_left_no_plan_leaves_everything_unchecked(check: Check) -> None:
    check.commands.codes["refresh"] = 1
    check.commands.plans["refresh"] = None
    check.commands.said["refresh"] = stream(errors=[(None, "Unsupported argument")])
    assert check.run().exit_code == 1
    assert check.report.roll_up is RollUp.NOT_CHECKED
    assert check.scheduler.asked_about == [None]


@pytest.mark.parametrize("which", ["refresh", "plan"])
def test_a_terraform_that_was_killed_has_looked_at_nothing(check: Check, which: str) -> None:
    check.commands.codes[which] = 137
    assert check.run().exit_code == 1
    assert check.report.roll_up is RollUp.NOT_CHECKED


def test_what_is_in_the_way_keeps_it_from_looking_at_all(check: Check) -> None:
    check.scheduler.why = "run-1 was cut"
    outcome = check.run()
    assert (outcome.status, outcome.exit_code, check.commands.lines) == (RunStatus.CHECKED, 1, [])
    assert check.report.gaps == ("run-1 was cut",)


def test_what_an_earlier_run_left_keeps_the_target_from_being_in_sync(check: Check) -> None:
    check.scheduler.gaps = ["not in the state: sqs:CreateQueue"]
    assert check.run().exit_code == 1
    assert check.report.gaps == ("not in the state: sqs:CreateQueue",)
    assert check.scheduler.asked_about == [plan(prior=[ONE])]


def test_a_configuration_that_cannot_be_initialised_is_an_error_and_reported(check: Check) -> None:
    check.commands.init = 1
    outcome = check.run()
    assert (outcome.status, outcome.exit_code) == (RunStatus.ERRORED, 1)
    assert "terraform init failed" in check.report.gaps[0]


def test_a_plan_of_a_format_that_nobody_knows_is_an_error_and_reported(check: Check) -> None:
    check.commands.plans["refresh"] = {"format_version": "2.0"}
    assert check.run().status is RunStatus.ERRORED
    assert check.report.roll_up is RollUp.NOT_CHECKED


def test_a_lost_lease_is_passed_on(check: Check) -> None:
    check.scheduler.lost = True
    with pytest.raises(ApiError):
        check.run()
