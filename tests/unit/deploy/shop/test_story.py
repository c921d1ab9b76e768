"""`run_shop`: what is printed, what is left behind, the exit code; the story itself is played by .ci/run."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from deploy.demo.fleet import Fleet
from deploy.demo.stage import Stage
from deploy.shop import story
from deploy.shop.story import EXAMPLE, Story, run_shop, shown
from deploy.shop.verdict import NEW_TARGET, Verdict
from shared.errors import ConfigurationError, Unavailable
from shared.models import Run, RunKind, RunStatus
from shared.rollouts import Rollout, RolloutPhase, RolloutStatus, RolloutTarget
from shared.rollouts import Stage as At

NOW = datetime(2026, 1, 1, tzinfo=UTC)
GOOD = Verdict(
    passed=True,
    reasons=(),
    provider="p",
    resources={"shop.eu-north-1": 5},
    hosts={"shop.eu-north-1": ["host-eu-north-1"]},
    writes={"shop.eu-north-1": [7, 0]},
)
BAD = replace(GOOD, passed=False, reasons=("shop.eu-north-1 lacks a queue",))


def plays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, result: Verdict | BaseException) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def play(home: Path, say: story.Say, plugin_dir: Path | None) -> Verdict:
        (home / "logs").mkdir()
        say("what happens")
        if isinstance(result, BaseException):
            raise result
        return result

    monkeypatch.setattr(story, "_play", play)


def test_with_json_the_verdict_is_all_that_is_printed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plays(monkeypatch, tmp_path, GOOD)
    assert run_shop(json_output=True) == 0
    assert json.loads(capsys.readouterr().out)["writes"] == {"shop.eu-north-1": [7, 0]}
    assert list(tmp_path.iterdir()) == []


def test_what_is_wrong_is_said_last_and_the_logs_are_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plays(monkeypatch, tmp_path, BAD)
    assert run_shop(json_output=False) == 1
    said = capsys.readouterr()
    assert said.out.splitlines()[0] == "what happens"
    assert said.out.splitlines()[-2:] == ["shop.eu-north-1 lacks a queue", "FAILED"]
    (home,) = tmp_path.iterdir()
    assert str(home / "logs") in said.err


def test_whoever_ends_it_finds_nothing_left(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plays(monkeypatch, tmp_path, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        run_shop(json_output=True)
    assert list(tmp_path.iterdir()) == []


def test_without_the_examples_it_says_where_it_works(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(story, "EXAMPLE", tmp_path / "none")
    with pytest.raises(ConfigurationError, match="does not exist"):
        run_shop(json_output=True)


def test_the_verdict_is_a_table_with_a_line_for_each_target() -> None:
    _, line, *_, last = shown(GOOD)
    assert line.split() == ["shop.eu-north-1", "5", "7", "+", "0", "host-eu-north-1"]
    assert last == "PASSED"


# The steps, on a stage whose processes are not started.


class FakeApi:
    """Answers with what a test gave it."""

    def __init__(self) -> None:
        self.found: Rollout
        self.its_runs: list[Run] = []

    def rollout(self, rollout_id: str) -> Rollout:
        return self.found

    def runs(self, *, target: str | None = None, status: str | None = None, limit: int = 100) -> list[Run]:
        return [run for run in self.its_runs if target in (None, run.target) and status in (None, run.status.value)]

    def logs(self, run_id: str) -> Any:
        return type("Chunk", (), {"text": "first\nlast"})()


@pytest.fixture
def api() -> FakeApi:
    return FakeApi()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def told(tmp_path: Path, api: FakeApi, said: list[str], monkeypatch: pytest.MonkeyPatch) -> Story:
    fleet = Fleet(tmp_path)
    stage = Stage(fleet, plugin_dir=tmp_path, flock=EXAMPLE / "flock.yaml")
    stage.api = api  # type: ignore[assignment]  # what of it is used
    return Story(fleet, stage, tmp_path, said.append)


def answers(told: Story, monkeypatch: pytest.MonkeyPatch, code: int, output: str) -> None:
    def command(*words: str, show: Any) -> tuple[int, str]:
        show(output)
        return code, output

    monkeypatch.setattr(told._stage, "command", command)


def rollout(status: RolloutStatus = RolloutStatus.RUNNING, **stages: At) -> Rollout:
    ids = {"north": "shop.eu-north-1", "new": NEW_TARGET}
    phase = RolloutPhase(name="staging", max_concurrent=1, failure_tolerance=0, bake_s=0, approval=False)
    return Rollout(
        id="rollout-0123456789abcdef",
        flock="shop",
        release_digest=f"sha256:{'0' * 64}",
        status=status,
        phases=(phase,),
        targets=tuple(RolloutTarget(id=ids[name], phase="staging", stage=stage) for name, stage in stages.items()),
        created_at=NOW,
    )


def run(target: str, status: RunStatus, node: str | None = None) -> Run:
    return Run(
        id="run-0123456789abcdef",
        target=target,
        region=target.split(".")[1],
        kind=RunKind.PLAN,
        status=status,
        node=node,
        reason="why",
        created_at=NOW,
    )


def test_a_release_and_a_roll_out_are_known_by_what_the_commands_print(
    told: Story, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    digest = f"sha256:{'ab' * 32}"
    answers(told, monkeypatch, 0, f"made a lock file\n{digest}  shop, 4 targets")
    assert told._publish() == "ab" * 6
    assert said[0] == "$ interlock release publish shop"
    answers(told, monkeypatch, 0, "rollout-0123456789abcdef\n`interlock rollout watch` follows it")
    assert told._start(digest) == "rollout-0123456789abcdef"
    answers(told, monkeypatch, 0, "nothing of the kind")
    with pytest.raises(Unavailable, match="did not print"):
        told._publish()


def test_a_command_that_fails_ends_the_story_with_the_run_that_went_wrong(
    told: Story, monkeypatch: pytest.MonkeyPatch, api: FakeApi
) -> None:
    api.its_runs = [run("shop.us-east-1", RunStatus.ERRORED)]
    answers(told, monkeypatch, 1, "it failed")
    with pytest.raises(Unavailable, match="exit code 1") as caught:
        told._interlock("rollout", "watch", "rollout-0123456789abcdef")
    assert caught.value.hint.splitlines() == ["it failed", "shop.us-east-1: why", "first", "last"]


@pytest.mark.parametrize(
    ("status", "node", "left_alone"),
    [
        (RunStatus.PENDING, None, True),
        (RunStatus.CLAIMED, "host-us-east-1", False),
        (RunStatus.APPLIED, "host-us-east-1", False),
    ],
)
def test_the_new_region_waits_only_if_nobody_took_its_run(
    told: Story, monkeypatch: pytest.MonkeyPatch, api: FakeApi, status: RunStatus, node: str | None, left_alone: bool
) -> None:
    answers(told, monkeypatch, 0, "shown")
    api.found = rollout(north=At.APPLIED, new=At.PLANNING)
    api.its_runs = [run(NEW_TARGET, status, node)]
    assert told._wait_for_the_others("rollout-0123456789abcdef") is left_alone


def test_a_roll_out_that_ended_is_not_waited_for(told: Story, api: FakeApi) -> None:
    api.found = rollout(RolloutStatus.FAILED, north=At.ERRORED)
    with pytest.raises(Unavailable, match="failed before it waits"):
        told._until(api.found.id, lambda found: story._waits(found, 2), "waits for approval")


def test_plans_that_wait_are_counted() -> None:
    assert story._waits(rollout(north=At.PLANNED, new=At.PLANNED), 2)
    assert not story._waits(rollout(north=At.PLANNED, new=At.PLANNING), 2)
