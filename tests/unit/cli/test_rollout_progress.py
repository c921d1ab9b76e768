"""A roll-out as people see it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from cli.output import Output
from cli.rollout_progress import (
    MAX_FAILED_POLLS,
    Watcher,
    changes,
    phase_row,
    plans_that_wait,
    progress,
    target_row,
    waiting_for_approval,
)
from shared.errors import ConfigurationError, Unavailable
from shared.rollback.standing import RollbackStatus, TargetRollback
from shared.rollouts import PhaseStatus, Rollout, RolloutPhase, RolloutStatus, RolloutTarget, Stage

ID = "rollout-" + "0" * 16
DIGEST = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64


def value(*stages: Stage, status: RolloutStatus = RolloutStatus.RUNNING, **fields: Any) -> Rollout:
    """Two phases; the first target is in `canary`, the others are in `wide`."""
    phases = (
        RolloutPhase(name="canary", max_concurrent=1, failure_tolerance=0, bake_s=60, approval=True),
        RolloutPhase(name="wide", after=("canary",), max_concurrent=2, failure_tolerance=1, bake_s=0, approval=True),
    )
    targets = tuple(
        RolloutTarget(
            id=f"web.r{number}",
            phase="canary" if number == 0 else "wide",
            stage=stage,
            plan_digest=DIGEST if number == 0 else OTHER,
        )
        for number, stage in enumerate(stages)
    )
    return Rollout(
        id=ID,
        flock="web",
        release_digest=DIGEST,
        status=status,
        phases=phases,
        targets=targets,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        **fields,
    )


def test_progress_counts_targets_by_where_they_stand() -> None:
    one = value(Stage.APPLIED, Stage.APPLIED, Stage.ERRORED, Stage.PLANNING)
    assert progress(one, one.phases[0]) == "1/1 applied"
    assert progress(one, one.phases[1]) == "1/3 applied, 1 planning, 1 errored"


def test_what_is_different_is_said_once() -> None:
    before = value(Stage.PLANNING, Stage.PENDING)
    after = value(Stage.PLANNED, Stage.PENDING)
    assert list(changes(before, after)) == [
        "web.r0: planned",
        f"phase canary waits for approval: `interlock rollout approve {ID} --phase canary`",
    ]
    assert list(changes(after, after)) == []


def test_the_first_look_says_where_everything_stands() -> None:
    assert list(changes(None, value(Stage.PLANNING, Stage.PENDING))) == [
        f"{ID}: running",
        "phase canary: waiting, 0/1 applied, 1 planning",
        "phase wide: waiting, 0/1 applied, 1 pending",
    ]


def test_a_bake_says_until_when() -> None:
    before = value(Stage.APPLIED, Stage.PENDING)
    until = datetime(2026, 1, 1, 12, 30, 15, tzinfo=UTC)
    baking = before.phases[0].model_copy(update={"status": PhaseStatus.BAKING, "bake_until": until})
    after = before.model_copy(update={"phases": (baking, before.phases[1])})
    assert list(changes(before, after)) == ["phase canary: baking until 12:30:15, 1/1 applied"]


def test_phases_wait_for_approval_while_a_plan_of_theirs_does() -> None:
    assert waiting_for_approval(value(Stage.PLANNED, Stage.PLANNED)) == ["canary", "wide"]
    assert waiting_for_approval(value(Stage.CONFIRMED, Stage.APPLIED)) == []


@pytest.mark.parametrize("held", [True, False])
def test_a_phase_that_asks_nobody_waits_while_the_safety_rules_hold_a_plan(held: bool) -> None:
    one = value(Stage.PLANNED)
    open_phase = one.phases[0].model_copy(update={"approval": False})
    target = one.targets[0].model_copy(update={"held": held})
    changed = one.model_copy(update={"phases": (open_phase, one.phases[1]), "targets": (target,)})
    assert waiting_for_approval(changed) == (["canary"] if held else [])


def test_plans_that_wait_are_chosen_by_phase_and_target() -> None:
    one = value(Stage.PLANNED, Stage.PLANNED, Stage.PLANNED)
    assert plans_that_wait(one, phase=None, targets=[]) == {"web.r0": DIGEST, "web.r1": OTHER, "web.r2": OTHER}
    assert plans_that_wait(one, phase="canary", targets=[]) == {"web.r0": DIGEST}
    assert plans_that_wait(one, phase=None, targets=["web.r2"]) == {"web.r2": OTHER}


@pytest.mark.parametrize(
    ("phase", "targets", "why"),
    [
        ("none", [], "has no phase 'none'"),
        (None, ["web.r1"], "it is applying"),
        (None, ["web.r9"], "is not one of its targets"),
        ("wide", [], "no plan waits for approval"),
    ],
)
def test_a_choice_without_a_plan_is_refused_with_the_reason(phase: str | None, targets: list[str], why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        plans_that_wait(value(Stage.PLANNED, Stage.APPLYING), phase=phase, targets=targets)


def test_rows_say_what_the_columns_promise() -> None:
    one = value(Stage.PLANNED, Stage.APPLIED)
    assert phase_row(one, one.phases[0]) == ("canary", "waiting", "0/1 applied, 1 planned", 1, 0, "60 s", True)
    assert target_row(one.targets[0]) == ("web.r0", "canary", "planned", None, DIGEST, None, "")
    rollback = TargetRollback(id="rollback-0123456789abcdef", status=RollbackStatus.PARTIAL)
    back = one.targets[0].model_copy(update={"rollback": rollback, "reason": "taken back: it is ill"})
    assert target_row(back)[-1] == "rollback-0123456789abcdef PARTIAL: taken back: it is ill"


class Api:
    """Answers each look with the next value, or raises it."""

    def __init__(self, *answers: Rollout | Exception) -> None:
        self.answers = list(answers)

    def rollout(self, _id: str) -> Rollout:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.mark.parametrize(
    ("status", "code"), [(RolloutStatus.SUCCEEDED, 0), (RolloutStatus.FAILED, 1), (RolloutStatus.CANCELED, 130)]
)
def test_watching_ends_as_the_roll_out_did(
    capsys: pytest.CaptureFixture[str], status: RolloutStatus, code: int
) -> None:
    api = Api(value(Stage.APPLYING), value(Stage.APPLIED, status=status, reason="because"))
    assert Watcher(api, Output(as_json=False), ID, poll_s=0).to_the_end() == code  # type: ignore[arg-type]  # a stand-in
    said = capsys.readouterr()
    assert said.out == f"{ID} {status.value}: because\n"
    assert "web.r0: applied" in said.err


def test_an_api_that_is_away_for_a_moment_is_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    away = Unavailable("no answer")
    api = Api(value(Stage.APPLYING), away, away, value(Stage.APPLIED, status=RolloutStatus.SUCCEEDED))
    assert Watcher(api, Output(as_json=False), ID, poll_s=0).to_the_end() == 0  # type: ignore[arg-type]  # a stand-in
    assert capsys.readouterr().err.count("waiting for the API") == 1


def test_an_api_that_stays_away_is_not_waited_for_for_ever() -> None:
    api = Api(value(Stage.APPLYING), *[Unavailable("no answer")] * (MAX_FAILED_POLLS + 1))
    with pytest.raises(Unavailable):
        Watcher(api, Output(as_json=False), ID, poll_s=0).to_the_end()  # type: ignore[arg-type]  # a stand-in
