"""Roll-outs as they travel."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from shared.models import Priority, RunKind, RunStatus
from shared.rollouts import Rollout, RolloutPhase, RolloutStatus, RolloutTarget, Stage

AT = datetime(2026, 1, 1, tzinfo=UTC)
#: The names by which users of Terraform Cloud know where a run stands.
KNOWN = ["pending", "planning", "planned", "confirmed", "applying", "applied", "errored", "canceled", "discarded"]


def test_the_stages_of_a_target_are_the_names_that_are_known() -> None:
    assert [stage.value for stage in Stage] == KNOWN


def test_each_stage_is_one_of_four() -> None:
    for stage in Stage:
        assert [stage is Stage.PENDING, stage.in_flight, stage.has_plan, stage.settled].count(True) == 1


def test_what_failed_is_settled_and_was_not_applied() -> None:
    assert {stage.value for stage in Stage if stage.failed} == {"errored", "canceled", "discarded"}
    assert all(stage.settled for stage in Stage if stage.failed)


@pytest.mark.parametrize("kind", list(RunKind))
@pytest.mark.parametrize("status", list(RunStatus))
def test_each_status_of_a_run_is_shown_by_a_known_name(status: RunStatus, kind: RunKind) -> None:
    shown = status.shown(kind)
    assert shown.split(" ")[0] in KNOWN
    assert shown == status.value or shown.endswith(f"({status.value})")


def test_a_run_that_settles_is_shown_as_what_it_was() -> None:
    assert RunStatus.SETTLING.shown(RunKind.PLAN) == "planning (settling)"
    assert RunStatus.SETTLING.shown(RunKind.APPLY) == "applying (settling)"
    assert RunStatus.LOST.shown(RunKind.APPLY) == "errored (lost)"


def test_rollback_comes_before_apply_before_plan_before_drift() -> None:
    assert sorted(Priority, key=lambda one: one.rank) == ["rollback", "apply", "plan", "drift"]


def test_a_roll_out_is_over_when_it_succeeded_failed_or_was_canceled() -> None:
    assert {status.value for status in RolloutStatus if status.over} == {"succeeded", "failed", "canceled"}


def test_a_roll_out_finds_its_targets_and_reads_back_what_it_wrote() -> None:
    phase = RolloutPhase(name="one", max_concurrent=1, failure_tolerance=0, bake_s=0, approval=False)
    value = Rollout(
        id="rollout-" + "0" * 16,
        flock="web",
        release_digest="sha256:" + "0" * 64,
        phases=(phase,),
        targets=(RolloutTarget(id="web.one", phase="one"),),
        created_at=AT,
    )
    assert value.target("web.one") is value.targets[0]
    assert value.target("web.two") is None
    assert Rollout.model_validate_json(value.model_dump_json()) == value
    with pytest.raises(ValidationError):
        Rollout.model_validate({**value.model_dump(), "id": "rollout-x"})
