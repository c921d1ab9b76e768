"""`interlock rollout`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from shared.rollouts import Rollout, RolloutStatus, RolloutSummary, Stage
from tests.unit.cli.conftest import stand_in
from tests.unit.cli.test_rollout_progress import DIGEST, ID, OTHER, value

Interlock = Callable[..., Any]


class Api:
    """One roll-out with two plans that wait."""

    def __init__(self) -> None:
        self.value = value(Stage.PLANNED, Stage.PLANNED)
        self.asked: list[tuple[Any, ...]] = []

    def start_rollout(self, release: str, *, actor: str) -> Rollout:
        self.asked.append(("start", release, bool(actor)))
        return self.value

    def rollouts(self, *, flock: str | None, limit: int) -> list[RolloutSummary]:
        self.asked.append(("list", flock, limit))
        fields = {name: getattr(self.value, name) for name in RolloutSummary.model_fields}
        return [RolloutSummary(**fields)]

    def rollout(self, rollout_id: str) -> Rollout:
        self.asked.append(("rollout", rollout_id))
        return self.value

    def command_rollout(self, rollout_id: str, command: str, *, actor: str) -> Rollout:
        self.asked.append((command, rollout_id, bool(actor)))
        return self.value

    def retry_rollout(self, rollout_id: str, targets: Sequence[str], *, actor: str) -> Rollout:
        self.asked.append(("retry", rollout_id, tuple(targets), bool(actor)))
        return self.value

    def decide_plans(self, rollout_id: str, decision: str, plans: Mapping[str, str], *, actor: str) -> Rollout:
        self.asked.append((decision, rollout_id, dict(plans), bool(actor)))
        return self.value


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Api:
    made = Api()
    stand_in(monkeypatch, made)
    return made


def test_start_prints_the_id_of_what_it_began(interlock: Interlock, fake: Api) -> None:
    said = interlock("rollout", "start", DIGEST)
    assert said.out == f"{ID}\n"
    assert ("start", DIGEST, True) in fake.asked
    assert json.loads(interlock("rollout", "start", DIGEST, "--json").out)["id"] == ID


def test_start_and_watch_ends_as_the_roll_out_did(interlock: Interlock, fake: Api) -> None:
    fake.value = value(Stage.ERRORED, status=RolloutStatus.FAILED)
    assert interlock("rollout", "start", DIGEST, "--watch").code == 1


def test_list_shows_roll_outs_and_how_they_stand(interlock: Interlock, fake: Api) -> None:
    said = interlock("rollout", "list", "--flock", "web", "--limit", "5")
    assert ID in said.out
    assert "running" in said.out
    assert ("list", "web", 5) in fake.asked


def test_show_has_phases_and_targets(interlock: Interlock, fake: Api) -> None:
    said = interlock("rollout", "show", ID)
    for word in ("canary", "wide", "web.r0", "planned", DIGEST, "60 s"):
        assert word in said.out
    assert json.loads(interlock("rollout", "show", ID, "--json").out) == fake.value.model_dump(mode="json")


def test_watch_with_json_is_one_object_a_change(interlock: Interlock, fake: Api) -> None:
    fake.value = value(Stage.APPLIED, status=RolloutStatus.SUCCEEDED)
    said = interlock("rollout", "watch", ID, "--json")
    assert (said.code, [json.loads(line)["id"] for line in said.out.splitlines()]) == (0, [ID])


@pytest.mark.parametrize("command", ["pause", "resume", "cancel"])
def test_commands_say_where_it_stands_now(interlock: Interlock, fake: Api, command: str) -> None:
    assert interlock("rollout", command, ID).out == f"{ID} is running\n"
    assert (command, ID, True) in fake.asked


def test_retry_names_targets_or_means_all_that_failed(interlock: Interlock, fake: Api) -> None:
    assert interlock("rollout", "retry", ID).out == f"{ID} is running\n"
    fake.value = value(Stage.APPLIED, status=RolloutStatus.SUCCEEDED)
    assert interlock("rollout", "retry", ID, "--target", "web.r0", "--watch").code == 0
    assert [words for words in fake.asked if words[0] == "retry"] == [
        ("retry", ID, (), True),
        ("retry", ID, ("web.r0",), True),
    ]


def test_a_plan_that_needs_a_second_person_is_said_to_wait_still(interlock: Interlock, fake: Api) -> None:
    why = "approved by anna; 2 persons have to"
    first = fake.value.targets[0].model_copy(update={"held": True, "reason": why})
    fake.value = fake.value.model_copy(update={"targets": (first, *fake.value.targets[1:])})
    assert f"web.r0 still waits: {why}" in interlock("rollout", "approve", ID, "--yes").err


@pytest.mark.parametrize(("decision", "done"), [("approve", "approved"), ("discard", "discarded")])
def test_a_decision_names_the_plans_that_were_shown(interlock: Interlock, fake: Api, decision: str, done: str) -> None:
    said = interlock("rollout", decision, ID)
    assert f"2 plans {done}" in said.out
    assert DIGEST in said.err
    assert (decision, ID, {"web.r0": DIGEST, "web.r1": OTHER}, True) in fake.asked


def test_a_decision_can_be_about_one_phase_or_target(interlock: Interlock, fake: Api) -> None:
    interlock("rollout", "approve", ID, "--phase", "canary")
    interlock("rollout", "discard", ID, "--target", "web.r1", "--yes")
    assert ("approve", ID, {"web.r0": DIGEST}, True) in fake.asked
    assert ("discard", ID, {"web.r1": OTHER}, True) in fake.asked


def test_without_a_plan_that_waits_nothing_is_sent(interlock: Interlock, fake: Api) -> None:
    fake.value = value(Stage.APPLIED)
    said = interlock("rollout", "approve", ID)
    assert said.code != 0
    assert "no plan waits" in said.err
    assert [words[0] for words in fake.asked] == ["rollout"]
