"""A check's dealings with the scheduler."""

from __future__ import annotations

from typing import Any
from unittest.mock import create_autospec

import pytest

from shared.api_client import ApiClient
from shared.drift.records import DriftCheck
from shared.drift.report import DriftReport, RollUp
from shared.models import Recovery, RecoveryState, RunKind, RunStatus
from tests.unit.shared.drift.support import plan, resource
from tests.unit.worker.support import AT, HOLDER, RUN, TARGET, assignment, record, run
from worker.drift_delivery import DriftDelivery

CREATE = record("sqs", "CreateQueue", {"QueueName": "jobs"}, {"QueueUrl": "https://q/1/jobs"})
HELD = resource("aws_sqs_queue.jobs", {"id": "https://q/1/jobs", "name": "jobs", "url": "https://q/1/jobs"})


class World:
    def __init__(self, *, recovers: str | None = None, **left: Any) -> None:
        self.api = create_autospec(ApiClient, instance=True)
        self.api.recovery.return_value = Recovery(**left)
        self.api.run.return_value = run(status=RunStatus.ERRORED)
        self.notes: list[str] = []
        mine = assignment(kind=RunKind.DRIFT).model_copy(update={"recovers": recovers})
        self.delivery = DriftDelivery(self.api, mine, note=self.notes.append)


def test_where_nothing_was_left_there_is_nothing_to_say() -> None:
    world = World()
    assert world.delivery.in_the_way() is None
    assert world.delivery.left(plan()) == []
    assert world.api.recovery.call_args.kwargs == {"run": RUN, "holder": HOLDER}


def test_a_state_that_is_not_taken_over_yet_is_in_the_way() -> None:
    world = World(quarantine=RecoveryState(epoch=1, serial=4, lineage="x", run_id=RUN, state={}))
    why = world.delivery.in_the_way()
    assert why is not None
    assert RUN in why
    assert not world.api.accept_quarantine.called, "a check takes nothing over"


def test_what_an_earlier_run_made_is_a_gap_unless_the_state_holds_it() -> None:
    world = World(creates=(CREATE,))
    assert world.delivery.in_the_way() is None
    assert world.delivery.left(plan(prior=[HELD])) == []
    (gap,) = world.delivery.left(plan())
    assert "sqs:CreateQueue" in gap
    assert world.delivery.left(None) == [gap], "without a plan nothing is known to be held"


def test_what_the_command_of_an_exec_run_made_was_never_terraforms() -> None:
    world = World(creates=(CREATE,))
    world.api.run.return_value = run(kind=RunKind.EXEC, status=RunStatus.ERRORED)
    world.delivery.in_the_way()
    assert world.delivery.left(plan()) == []


@pytest.mark.parametrize(("status", "said"), [(RunStatus.LOST, 1), (RunStatus.ERRORED, 0)])
def test_after_a_cut_the_changes_of_the_cut_run_itself_look_like_somebody_elses(status: RunStatus, said: int) -> None:
    world = World(recovers=RUN)
    world.api.run.return_value = run(status=status)
    world.delivery.in_the_way()
    assert len(world.delivery.left(plan())) == said


def test_the_report_goes_to_the_scheduler_and_what_it_ignores_is_told() -> None:
    world, report = World(), DriftReport()
    world.api.deliver_drift_report.return_value = DriftCheck(
        run_id=RUN, target=TARGET, release_digest="sha256:" + "0" * 64, roll_up=RollUp.IN_SYNC, ignored=2, created_at=AT
    )
    world.delivery.deliver(report)
    world.api.deliver_drift_report.assert_called_once_with(RUN, holder=HOLDER, report=report)
    assert world.notes == ["2 changes are ignored by the flock's rules: in_sync"]
