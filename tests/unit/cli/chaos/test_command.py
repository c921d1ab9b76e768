"""`interlock chaos` as it is typed: nothing is struck by mistake, and what it says is what it does."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from cli.chaos import command as chaos
from cli.chaos.scenarios import SCENARIOS
from cli.chaos.story import Plan
from cli.chaos.verdict import Verdict
from shared import exit_codes
from shared.models import RunStatus
from tests.unit.cli.chaos.support import Deployment
from tests.unit.cli.conftest import Said, make_run

Interlock = Callable[..., Said]
RUN = ("chaos", "run")
REMOTE = ("--strike-command", "ssh {node} stop {role}", "--heal-command", "ssh {node} go-on {role}")


@pytest.fixture
def deployment(monkeypatch: pytest.MonkeyPatch) -> Deployment:
    fake = Deployment()

    @contextmanager
    def client(settings: object) -> Iterator[Deployment]:
        yield fake

    monkeypatch.setattr(chaos, "_client", client)
    return fake


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> list[Plan]:
    """Plans that would have been played; each verdict passes unless its target is `broken.local`."""
    plans: list[Plan] = []

    def play(client: object, out: object, plan: Plan) -> Verdict:
        plans.append(plan)
        passed = plan.target != "broken.local"
        return Verdict(
            scenario=plan.scenario.name,
            passed=passed,
            shown=True,
            reasons=() if passed else ("it was broken",),
            target=plan.target,
            node="n1",
            epoch=4,
            overlaps=0,
            after_end=0 if passed else 2,
            stuck=0,
            survived=False,
            unknown=0,
            calls=40,
            ended_after_s=8.81,
            granted_after_s=12.3,
            first_call_after_s=13.0,
            healed_after_s=None,
        )

    monkeypatch.setattr(chaos, "_play", play)
    return plans


def test_the_list_says_what_each_proves_and_what_it_does_not(interlock: Interlock) -> None:
    said = interlock("chaos", "list")
    assert said.code == 0
    for scenario in SCENARIOS.values():
        for words in (scenario.name, scenario.does, scenario.proves, scenario.not_shown):
            assert words in said.out
    assert [one["name"] for one in json.loads(interlock("chaos", "list", "--json").out)] == list(SCENARIOS)


def test_nothing_is_struck_until_somebody_says_that_it_is_staging(
    interlock: Interlock, deployment: Deployment, played: list[Plan]
) -> None:
    said = interlock(*RUN, "freeze-worker", "-t", "shop.local", *REMOTE)
    assert said.code == exit_codes.USAGE
    assert "http://127.0.0.1:8420" in said.err
    assert "--yes-this-is-staging" in said.err
    assert played == []


def test_a_target_must_be_named(interlock: Interlock, played: list[Plan]) -> None:
    assert interlock(*RUN, "freeze-worker", "--yes-this-is-staging", *REMOTE).code == exit_codes.USAGE
    assert played == []


def test_a_dry_run_shows_the_commands_and_does_nothing(interlock: Interlock, played: list[Plan]) -> None:
    said = interlock(*RUN, "freeze-proxy", "-t", "shop.local", "--dry-run", *REMOTE)
    assert said.code == 0
    for words in ("ssh '{node}' stop proxy", "ssh '{node}' go-on proxy", "the lease is revoked", "nothing was done"):
        assert words in said.out
    (shown,) = json.loads(interlock(*RUN, "freeze-proxy", "-t", "shop.local", "--dry-run", "--json", *REMOTE).out)
    assert shown["heal"] == "ssh '{node}' go-on proxy"
    assert played == []


def test_a_verdict_that_passed_is_exit_code_0_with_its_numbers(
    interlock: Interlock, deployment: Deployment, played: list[Plan]
) -> None:
    said = interlock(*RUN, "freeze-worker", "-t", "shop.local", "--yes-this-is-staging", *REMOTE)
    assert said.code == 0, said.err
    assert "freeze-worker: passed" in said.out
    assert "after 12.30 s" in said.out
    assert [(plan.scenario.name, plan.target) for plan in played] == [("freeze-worker", "shop.local")]


def test_a_verdict_that_failed_is_exit_code_1_with_its_reasons(
    interlock: Interlock, deployment: Deployment, played: list[Plan]
) -> None:
    said = interlock(*RUN, "freeze-worker", "-t", "broken.local", "--yes-this-is-staging", *REMOTE)
    assert said.code == exit_codes.ERROR
    assert "freeze-worker: FAILED" in said.out
    assert "it was broken" in said.out
    document = json.loads(
        interlock(*RUN, "freeze-worker", "-t", "broken.local", "--yes-this-is-staging", "--json", *REMOTE).out
    )
    assert document["passed"] is False
    assert document["verdicts"][0]["after_end"] == 2


def test_all_plays_every_scenario_in_order(
    interlock: Interlock, deployment: Deployment, played: list[Plan], tmp_path: Any
) -> None:
    file = tmp_path / "chaos.toml"
    file.write_text("".join(f'[{name}]\nstrike = "strike {{node}}"\nheal = "heal {{node}}"\n' for name in SCENARIOS))
    said = interlock(*RUN, "all", "-t", "shop.local", "--yes-this-is-staging", "--commands", str(file))
    assert said.code == 0, said.err
    assert [plan.scenario.name for plan in played] == list(SCENARIOS)


def test_what_this_machine_cannot_do_is_refused_before_anything_was_struck(
    interlock: Interlock, deployment: Deployment, played: list[Plan]
) -> None:
    said = interlock(*RUN, "all", "-t", "shop.local", "--yes-this-is-staging")
    assert said.code == exit_codes.USAGE
    assert "no worker of an `interlock up` runs here" in said.err
    assert played == []


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("nonsense",), "no scenario 'nonsense'"),
        (("freeze-worker", "--", "aws", "s3", "ls"), "belong together"),
        (("freeze-worker", "--mutating"), "belong together"),
        (("freeze-worker", "--heal-command", "x"), "no strike command"),
        (("freeze-worker", "--strike-command", "x"), "no heal command"),
        (("all", "--pid", "7"), "--pid names one process"),
        (("all", "--strike-command", "x"), "--strike-command is for one scenario"),
        (("freeze-worker", "--commands", "none.toml"), "cannot be read"),
    ],
)
def test_what_makes_no_sense_is_refused(
    words: tuple[str, ...], complaint: str, interlock: Interlock, played: list[Plan]
) -> None:
    said = interlock(*RUN, "-t", "shop.local", "--yes-this-is-staging", *words)
    assert said.code == exit_codes.USAGE, said
    assert complaint in said.err
    assert played == []


def test_the_users_own_command_calls_instead_of_the_probe(
    interlock: Interlock, deployment: Deployment, played: list[Plan]
) -> None:
    words = ("--mutating", "--", "sh", "-c", "touch it")
    assert interlock(*RUN, "kill-worker", "-t", "a.b", "--yes-this-is-staging", *REMOTE, *words).code == 0
    assert interlock(*RUN, "kill-worker", "-t", "a.b", "--yes-this-is-staging", *REMOTE).code == 0
    assert played[0].argv == ("sh", "-c", "touch it")
    assert played[1].argv[0] == "python3"


def test_a_blow_lasts_longer_than_the_protocols_longest_wait_unless_told_otherwise(
    interlock: Interlock, deployment: Deployment, played: list[Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERLOCK_UNKNOWN_MS", "20000")
    command = (*RUN, "freeze-worker", "-t", "a.b", "--yes-this-is-staging", *REMOTE)
    interlock(*command)
    interlock(*command, "--hold", "3")
    assert [plan.hold_s for plan in played] == [10.2 + 1.8 + 20 + 5, 3]


@pytest.mark.parametrize(
    ("target", "status", "more", "code"),
    [
        ("shop.local", RunStatus.PENDING, (), exit_codes.USAGE),
        ("shop.local", RunStatus.APPLYING, ("--others-too",), exit_codes.USAGE),
        ("other.local", RunStatus.APPLYING, (), exit_codes.USAGE),
        ("other.local", RunStatus.APPLYING, ("--others-too",), exit_codes.OK),
        ("other.local", RunStatus.PENDING, (), exit_codes.OK),
        ("shop.local", RunStatus.APPLIED, (), exit_codes.OK),
    ],
)
def test_nobody_elses_runs_are_struck_unasked(
    target: str,
    status: RunStatus,
    more: tuple[str, ...],
    code: int,
    interlock: Interlock,
    deployment: Deployment,
    played: list[Plan],
) -> None:
    deployment.runs_made["run-00000000000000ff"] = make_run(id="run-00000000000000ff", target=target, status=status)
    said = interlock(*RUN, "freeze-worker", "-t", "shop.local", "--yes-this-is-staging", *REMOTE, *more)
    assert said.code == code
    assert ("run-00000000000000ff" in said.err) is bool(code)
    assert len(played) == (code == exit_codes.OK)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_ends_it_as_an_interrupt_does(
    name: str, interlock: Interlock, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    import signal

    number = signal.Signals[name]
    before = signal.getsignal(number)

    def play(client: object, out: object, plan: Plan) -> Verdict:
        os.kill(os.getpid(), number)
        raise AssertionError("the signal was not noticed")

    monkeypatch.setattr(chaos, "_play", play)
    said = interlock(*RUN, "freeze-worker", "-t", "shop.local", "--yes-this-is-staging", *REMOTE)
    assert said.code == exit_codes.CANCELED
    assert signal.getsignal(number) is before
