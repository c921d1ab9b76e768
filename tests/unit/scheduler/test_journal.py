"""The journal."""

from __future__ import annotations

import pytest

from scheduler import journal
from scheduler.settlement import end_run
from shared.errors import ApiError
from shared.models import JournalOutcome
from tests.unit.scheduler.support import TARGET, World


def outcome(call_id: str, kind: str = "answered", status: int | None = 200) -> JournalOutcome:
    return JournalOutcome.model_validate(
        {"call_id": call_id, "outcome": kind, "http_status": status, "resource": {"QueueUrl": "u"}}
    )


def listed(world: World) -> list[tuple[str, str | None]]:
    records = journal.listed(world.context, target=TARGET, run_id=None, epoch=None, limit=100)
    return [(record.operation, record.outcome) for record in records]


def test_an_intent_is_recorded_and_its_outcome_joins_it(world: World) -> None:
    assignment, _ = world.begin()
    intent = world.journal(assignment, "CreateQueue", QueueName="q")
    assert listed(world) == [("CreateQueue", None)]
    journal.record_outcome(world.context, outcome(intent.call_id))
    (record,) = journal.listed(world.context, target=None, run_id=assignment.run.id, epoch=1, limit=10)
    assert (record.resource, record.outcome_resource) == ({"QueueName": "q"}, {"QueueUrl": "u"})
    assert (record.outcome, record.http_status, record.at_wall) == ("answered", 200, intent.at_wall)
    assert journal.listed(world.context, target=None, run_id=None, epoch=2, limit=10) == []


def test_the_newest_calls_are_listed_first_and_kept_by_a_limit(world: World) -> None:
    assignment, _ = world.begin()
    for operation in ("CreateQueue", "TagQueue", "SetQueueAttributes"):
        world.journal(assignment, operation)
    records = journal.listed(world.context, target=TARGET, run_id=None, epoch=None, limit=2)
    assert [record.operation for record in records] == ["SetQueueAttributes", "TagQueue"]


def test_repeating_an_intent_is_harmless_and_reusing_its_id_is_not(world: World) -> None:
    assignment, _ = world.begin()
    intent = world.journal(assignment)
    assert journal.record_intent(world.context, intent) is False
    with pytest.raises(ApiError) as refused:
        journal.record_intent(world.context, intent.model_copy(update={"operation": "DeleteQueue"}))
    assert refused.value.code == "call_id_taken"
    assert len(listed(world)) == 1


def test_no_change_is_journaled_for_a_run_that_is_not_live(world: World) -> None:
    assignment, lease = world.begin()
    intent = world.journal(assignment).model_copy(update={"call_id": "0" * 32})
    for wrong in ({"epoch": 2}, {"target": "web.south"}):
        with pytest.raises(ApiError) as refused:
            journal.record_intent(world.context, intent.model_copy(update=wrong))
        assert refused.value.code == "lease_lost"
    world.finish(assignment)
    for ended in (False, True):
        if ended:
            world.store.release(TARGET, lease)
            end_run(world.context, assignment.run.id, epoch=1, reason="")
        with pytest.raises(ApiError) as refused:
            journal.record_intent(world.context, intent)
        assert refused.value.code == "lease_lost"
    assert len(listed(world)) == 1


def test_a_read_is_written_down_behind_the_call_also_when_its_run_is_over(world: World) -> None:
    assignment, lease = world.begin()
    world.finish(assignment)
    world.journal(assignment, "ListQueues", access="read")
    world.store.release(TARGET, lease)
    end_run(world.context, assignment.run.id, epoch=1, reason="")
    late = world.journal(assignment, "GetQueueUrl", access="read")
    assert listed(world) == [("GetQueueUrl", None), ("ListQueues", None)]
    for wrong in ({"epoch": 2}, {"target": "web.south"}):
        with pytest.raises(ApiError) as refused:
            journal.record_intent(world.context, late.model_copy(update={**wrong, "call_id": "0" * 32}))
        assert refused.value.code == "lease_lost"


def test_an_outcome_may_come_late_and_a_known_one_replaces_unknown(world: World) -> None:
    assignment, _ = world.begin()
    intent = world.journal(assignment)
    end_run(world.context, assignment.run.id, epoch=1, reason="lost")
    journal.record_outcome(world.context, outcome(intent.call_id, "unknown", None))
    journal.record_outcome(world.context, outcome(intent.call_id))
    journal.record_outcome(world.context, outcome(intent.call_id))
    journal.record_outcome(world.context, outcome(intent.call_id, "unknown", None))
    assert listed(world) == [("CreateQueue", "answered")]
    with pytest.raises(ApiError) as contradiction:
        journal.record_outcome(world.context, outcome(intent.call_id, "refused", None))
    assert contradiction.value.code == "outcome_known"


def test_an_outcome_without_an_intent_is_a_404(world: World) -> None:
    with pytest.raises(ApiError) as refused:
        journal.record_outcome(world.context, outcome("0" * 32))
    assert refused.value.status == 404
