"""Where rollbacks stand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from shared.rollback.records import FirstState, NextStep, Refusal, RollbackPlanItem, RollbackResult, RollbackState
from shared.rollback.settings import Trigger
from shared.rollback.standing import Rollback, RollbackStatus
from shared.safety.entries import Operation

NOW = datetime(2026, 1, 2, tzinfo=UTC)
RUN = "run-0123456789abcdef"
ITEM = RollbackPlanItem(address="aws_sqs_queue.a", type="aws_sqs_queue", operation=Operation.DELETE)


def rollback(status: RollbackStatus, **fields: Any) -> Rollback:
    return Rollback(
        id="rollback-0123456789abcdef",
        target="web.north",
        flock="web",
        run_id=RUN,
        status=status,
        reserved=status.stuck,
        current_run_id=RUN,
        trigger=Trigger.HEALTH,
        triggered_at=NOW,
        first=FirstState(target="web.north", run_id=RUN, epoch=1, taken_at=NOW),
        **fields,
    )


@pytest.mark.parametrize("status", list(RollbackStatus))
def test_each_either_goes_on_by_itself_or_waits_for_a_person_or_is_over(status: RollbackStatus) -> None:
    over = status in (RollbackStatus.ROLLED_BACK, RollbackStatus.NOT_NEEDED, RollbackStatus.SKIPPED)
    assert status.at_work + status.stuck + over == 1


def test_every_result_is_a_status() -> None:
    assert {state.value for state in RollbackState} <= {status.value for status in RollbackStatus}


def test_a_person_may_go_on_with_consent_where_something_was_refused() -> None:
    refused = RollbackResult(
        state=RollbackState.PARTIAL, trigger=Trigger.HEALTH, refused=(Refusal(item=ITEM, reason="it existed"),)
    )
    back = rollback(RollbackStatus.PARTIAL, result=refused)
    assert back.options == (NextStep.CONTINUE, NextStep.RETRY, NextStep.SKIP)
    assert rollback(RollbackStatus.QUEUED, result=refused).options == ()
    assert rollback(RollbackStatus.FAILED).options == (NextStep.RETRY, NextStep.SKIP)
    # What was said before its last try failed says nothing any more.
    assert rollback(RollbackStatus.FAILED, result=refused).options == (NextStep.RETRY, NextStep.SKIP)
    assert rollback(RollbackStatus.SKIPPED, result=refused).options == ()
