"""One scenario against a deployment that is played: the order of things, and what happens when they go wrong."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from cli.chaos import story as telling
from cli.chaos.scenarios import SCENARIOS
from cli.chaos.story import Plan, Story
from cli.chaos.strikes import Strike
from shared.errors import ConfigurationError, Unavailable
from shared.models import RunStatus
from tests.unit.cli.chaos.support import TARGET, Deployment, record, view


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "LOOK_S", 0.0)
    monkeypatch.setattr(telling, "AFTERWARDS_S", 0.0)


class Play:
    """A deployment that does what a healthy one does, told by how often its lease was looked at."""

    def __init__(self, directory: Path, scenario: str = "freeze-worker") -> None:
        self.directory = directory
        self.deployment = Deployment(step=self.step)
        self.said: list[str] = []
        self.scenario = SCENARIOS[scenario]
        self.values: Mapping[str, str] = {}
        self.recovers_after = 5
        self.survives = False
        self.late_call = False

    def struck(self) -> bool:
        return (self.directory / "struck").exists()

    def healed(self) -> bool:
        return (self.directory / "healed").exists()

    def step(self, deployment: Deployment) -> None:
        made = deployment.runs_made
        if deployment.looks == 1:
            deployment.change(1, status=RunStatus.APPLYING, epoch=4, node=deployment.node)
            deployment.shown = view(4)
            deployment.calls = [record(4) for _ in range(3)]
        if not self.struck() or len(made) < 2:
            return
        self.recovers_after -= 1
        canceled = made["run-0000000000000001"].cancel_requested
        held = deployment.shown.lease_epoch == 4 and deployment.shown.state == "held"
        if held and (self.recovers_after <= 0 or (self.survives and canceled)):
            deployment.shown = view(4, "severed", pttl_ms=-2)
            deployment.change(1, status=RunStatus.LOST)
        elif deployment.shown.state == "severed":
            if self.late_call:
                deployment.calls.append(record(4))
            deployment.calls.append(record(5))
            deployment.shown = view(5)

    def plan(self, **changes: Any) -> Plan:
        def strike(values: Mapping[str, str]) -> Strike:
            self.values = values
            remedy = ("touch", str(self.directory / "healed")) if self.scenario.lasts else None
            return Strike(what="a blow", blow=("touch", str(self.directory / "struck")), remedy=remedy)

        known: dict[str, Any] = {
            "scenario": self.scenario,
            "target": TARGET,
            "argv": ("call",),
            "strike": strike,
            "blow": None,
            "node": "n1",
            "hold_s": 60.0,
            "limit_s": 120.0,
        }
        return Plan(**{**known, **changes})

    def story(self) -> Story:
        return Story(cast(Any, self.deployment), self.deployment.clock, self.said.append, actor="chaos")

    def nothing_is_left(self) -> bool:
        return all(run.status.terminal for run in self.deployment.runs_made.values())


def test_the_blow_falls_in_the_middle_of_a_run_while_another_waits_and_all_of_it_ends(tmp_path: Path) -> None:
    play = Play(tmp_path)
    verdict = play.story().play(play.plan())
    assert verdict.passed, verdict.reasons
    assert play.struck()
    assert play.healed()
    assert len(play.deployment.runs_made) == 2
    assert play.nothing_is_left()
    assert play.values == {
        "node": "n1",
        "role": "worker",
        "scenario": "freeze-worker",
        "target": TARGET,
        "run": "run-0000000000000001",
    }
    told = "\n".join(play.said)
    for word in ("holds epoch 4 on n1", "struck: a blow", "the lease has ended", "a newer epoch is held", "healed"):
        assert word in told


def test_a_call_of_the_struck_epoch_after_its_end_fails(tmp_path: Path) -> None:
    play = Play(tmp_path)
    play.late_call = True
    verdict = play.story().play(play.plan())
    assert not verdict.passed
    assert verdict.after_end == 1


def test_a_blow_that_lasts_is_healed_after_its_time_although_nothing_recovered(tmp_path: Path) -> None:
    play = Play(tmp_path)
    play.recovers_after = 40
    verdict = play.story().play(play.plan(hold_s=2.0))
    assert verdict.healed_after_s is not None
    assert verdict.ended_after_s is not None
    assert 2.0 <= verdict.healed_after_s < verdict.ended_after_s
    assert verdict.passed


def test_a_target_that_never_recovers_is_stuck_and_healed_all_the_same(tmp_path: Path) -> None:
    play = Play(tmp_path)
    play.recovers_after = 100_000
    verdict = play.story().play(play.plan(limit_s=10.0))
    assert verdict.stuck == 1
    assert play.healed()
    assert play.nothing_is_left()


def test_only_a_frozen_proxy_has_its_lease_revoked(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    frozen, other = Play(tmp_path / "a", "freeze-proxy"), Play(tmp_path / "b", "freeze-worker")
    for play in (frozen, other):
        assert play.story().play(play.plan()).passed
    assert frozen.deployment.revoked == ["chaos: freeze-proxy"]
    assert other.deployment.revoked == []


def test_a_lease_that_survives_a_failover_is_given_up_so_that_the_next_one_is_seen(tmp_path: Path) -> None:
    play = Play(tmp_path, "redis-failover")
    play.survives, play.recovers_after = True, 100_000
    honest = play.step

    def step(deployment: Deployment) -> None:
        honest(deployment)
        if play.struck():
            deployment.shown = deployment.shown.model_copy(update={"incarnation": "i:2"})

    play.deployment.step = step
    verdict = play.story().play(play.plan(hold_s=2.0))
    assert verdict.passed, verdict.reasons
    assert verdict.survived
    assert play.deployment.runs_made["run-0000000000000001"].cancel_requested


def test_a_failover_that_nobody_sees_shows_nothing(tmp_path: Path) -> None:
    play = Play(tmp_path, "redis-failover")
    assert play.story().play(play.plan()).reasons == ("shown nothing: Redis was the same incarnation all the time",)


def test_a_run_on_a_node_that_cannot_be_struck_is_canceled_and_nothing_is_struck(tmp_path: Path) -> None:
    play = Play(tmp_path)
    play.deployment.node = "n2"
    with pytest.raises(ConfigurationError, match="went to n2") as caught:
        play.story().play(play.plan())
    assert "--strike-command" in caught.value.hint
    assert not play.struck()
    assert play.nothing_is_left()


def test_a_run_that_ends_before_the_blow_shows_its_last_words(tmp_path: Path) -> None:
    play = Play(tmp_path)

    def ends(deployment: Deployment) -> None:
        play.step(deployment)
        deployment.change(1, status=RunStatus.ERRORED, reason="no python3")

    play.deployment.step = ends
    with pytest.raises(Unavailable, match="ended before it was struck: errored no python3") as caught:
        play.story().play(play.plan())
    assert "its last words" in caught.value.hint
    assert not play.struck()


def test_a_run_that_cannot_call_is_not_struck(tmp_path: Path) -> None:
    play = Play(tmp_path)

    def silent(deployment: Deployment) -> None:
        play.step(deployment)
        deployment.calls = [record(4, outcome="refused") for _ in range(9)]

    play.deployment.step = silent
    ticking = play.deployment.journal

    def journal(**choice: Any) -> Any:
        play.deployment.clock.advance(1000)
        return ticking(**choice)

    play.deployment.journal = journal  # type: ignore[method-assign]  # time passes while nobody answers
    with pytest.raises(Unavailable, match="its calls are answered"):
        play.story().play(play.plan())
    assert not play.struck()
    assert play.nothing_is_left()


def test_an_api_that_is_away_during_the_blow_is_waited_for(tmp_path: Path) -> None:
    play = Play(tmp_path)
    honest, missed = play.step, [0]

    def step(deployment: Deployment) -> None:
        honest(deployment)
        deployment.failure = None
        if play.struck() and missed[0] < 20:
            missed[0] += 1
            deployment.failure = Unavailable("cut off")

    play.deployment.step = step
    play.recovers_after = 30
    assert play.story().play(play.plan()).passed
    assert missed == [20]


def test_somebody_waits_all_the_time_also_when_a_run_fails_in_the_middle_of_the_blow(tmp_path: Path) -> None:
    play = Play(tmp_path)
    honest = play.step

    def step(deployment: Deployment) -> None:
        honest(deployment)
        if play.recovers_after == 3:
            deployment.change(2, status=RunStatus.ERRORED, reason="not durable")

    play.deployment.step = step
    assert play.story().play(play.plan()).passed
    assert len(play.deployment.runs_made) == 3
    assert any("ended: errored not durable" in line for line in play.said)
    assert play.nothing_is_left()


def test_an_interrupt_heals_and_cancels(tmp_path: Path) -> None:
    play = Play(tmp_path)
    honest = play.step

    def step(deployment: Deployment) -> None:
        honest(deployment)
        if play.struck():
            raise KeyboardInterrupt

    play.deployment.step = step
    with pytest.raises(KeyboardInterrupt):
        play.story().play(play.plan())
    assert play.healed()
    assert play.nothing_is_left()
