"""What the holder of a target says while it takes a deployment back, and what it may have signed for that."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import select, update

from scheduler import runs, safety_plans
from scheduler.rollback import at_work, requests
from scheduler.tables import FirstStateRow, NotificationRow, RollbackRow, StateVersionRow
from shared.errors import ApiError
from shared.models import Assignment, RunKind, RunStatus
from shared.rollback.records import (
    Moved,
    Presence,
    Rearrangement,
    Residue,
    ResidueKind,
    RollbackPlan,
    RollbackState,
)
from shared.rollback.settings import Trigger
from shared.rollback.standing import RollbackStatus
from shared.safety.entries import SafetyPlan
from shared.safety.verdict import Decision
from tests.unit.scheduler.rollback.support import (
    ADDS,
    QUEUE,
    TOPIC,
    begun,
    claim_rollback,
    claimed,
    deliver_safety_plan,
    deployed,
    finish,
    item,
    lose,
    objects,
    of,
    plans_back,
    release,
    rows,
    says,
    taking_back,
    write,
)
from tests.unit.scheduler.support import World, metric
from tests.unit.shared.safety.support import entry, plan


def mode(world: World, run_id: str) -> tuple[str, list[tuple[str, str]]]:
    allowance = safety_plans.allowance(world.context, run_id)
    return allowance.mode, [(one.type, one.operation) for one in allowance.entries]


def test_from_its_first_word_on_there_is_a_rollback_and_its_target_is_reserved(world: World) -> None:
    deployed(world, "one", QUEUE, serial=1)
    run = begun(world, release(world, "two"))
    taking_back(world, run, Trigger.ALARM, "p99 is above 2 s")
    back = of(world, run)
    assert (back.status, back.reserved, back.trigger, back.current_run_id) == (
        RollbackStatus.RUNNING,
        True,
        Trigger.ALARM,
        run.run.id,
    )
    assert back.reason == "p99 is above 2 s"
    # Said twice it is one, and people hear of it once.
    taking_back(world, run)
    assert len(rows(world)) == 1
    with world.context.database.read() as session:
        told = [row.document for row in session.scalars(select(NotificationRow))]
    assert [(one["kind"], one["rollback_id"], one["reason"]) for one in told] == [
        ("rollback", back.id, "p99 is above 2 s")
    ]


def test_a_run_without_a_first_state_takes_nothing_back(world: World) -> None:
    run = claimed(world, release(world, "one", rollback=None))
    with pytest.raises(ApiError, match="no first state"):
        taking_back(world, run)
    assert runs.get(world.context, run.run.id).status is RunStatus.CLAIMED


def test_while_it_is_watched_a_deployment_may_only_read(world: World) -> None:
    run = begun(world, release(world, "one"))
    assert mode(world, run.run.id)[0] == "entries"
    runs.progress(world.context, run.run.id, holder=run.holder, status=RunStatus.BAKING)
    assert mode(world, run.run.id) == ("reads", [])


def test_exactly_what_was_accepted_of_its_plan_is_signed_and_nothing_before_or_after(world: World) -> None:
    deployed(world, "one", QUEUE, serial=1)
    run = begun(world, release(world, "two"))
    write(world, run, objects(2, QUEUE, TOPIC))
    taking_back(world, run)
    assert mode(world, run.run.id) == ("reads", [])
    verdict = plans_back(world, run, item("delete", TOPIC), item("delete", QUEUE))
    assert [str(one) for one in verdict.allowed] == [f"delete {TOPIC}"]
    assert [str(one.item) for one in verdict.refused] == [f"delete {QUEUE}"]
    assert mode(world, run.run.id) == ("entries", [("aws_sns_topic", "delete")])
    # The next plan takes the place of this one.
    assert plans_back(world, run, item("delete", QUEUE)).allowed == ()
    assert mode(world, run.run.id) == ("reads", [])
    plans_back(world, run, item("delete", TOPIC))
    says(world, run)
    assert mode(world, run.run.id) == ("reads", [])


def test_what_another_run_was_allowed_counts_for_none_that_follows(world: World) -> None:
    deployed(world, "one", QUEUE, serial=1)
    run = begun(world, release(world, "two"))
    write(world, run, objects(2, QUEUE, TOPIC))
    taking_back(world, run)
    plans_back(world, run, item("delete", TOPIC))
    lose(world, run)
    again = claim_rollback(world)
    assert mode(world, again.run.id) == ("reads", [])
    plans_back(world, again, item("delete", TOPIC))
    assert mode(world, again.run.id)[0] == "entries"


@pytest.mark.parametrize("verdict", [{"allowed": "everything"}, [], {"allowed": [{"operation": "delete"}]}])
def test_a_verdict_that_cannot_be_read_allows_nothing(world: World, verdict: Any) -> None:
    deployed(world, "one", QUEUE, serial=1)
    run = begun(world, release(world, "two"))
    taking_back(world, run)
    plans_back(world, run, item("delete", TOPIC))
    assert mode(world, run.run.id)[0] == "entries"
    with world.context.database.write() as session:
        session.execute(update(RollbackRow).values(verdict=verdict))
    with pytest.raises(ValidationError):
        mode(world, run.run.id)


@pytest.mark.parametrize("verdict", [None, {}, {"allowed": []}])
def test_an_empty_verdict_allows_nothing(world: World, verdict: Any) -> None:
    run = begun(world, release(world, "one"))
    taking_back(world, run)
    plans_back(world, run, item("delete", TOPIC))
    with world.context.database.write() as session:
        session.execute(update(RollbackRow).values(verdict=verdict))
    assert mode(world, run.run.id) == ("reads", [])


def test_a_plan_over_which_the_bounds_break_allows_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    deployed(world, "one", QUEUE, serial=1)
    run = begun(world, release(world, "two"))
    taking_back(world, run)

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a bug in the bounds")

    with monkeypatch.context() as sick:
        sick.setattr(at_work.bounds, "verdict", fail)
        with pytest.raises(RuntimeError):
            plans_back(world, run, item("delete", TOPIC))
    assert mode(world, run.run.id) == ("reads", [])


def test_nobody_but_the_holder_says_anything(world: World) -> None:
    run = begun(world, release(world, "one"))
    taking_back(world, run)
    with pytest.raises(ApiError, match="not held by"):
        at_work.deliver_plan(world.context, run.run.id, holder="somebody", plan=RollbackPlan())


def test_a_run_that_does_not_take_back_delivers_no_plan(world: World) -> None:
    run = begun(world, release(world, "one"))
    with pytest.raises(ApiError) as refused:
        plans_back(world, run)
    assert refused.value.code == "not_rolling_back"


def test_a_state_that_was_replaced_by_hand_is_not_planned_against(world: World) -> None:
    deployed(world, "one", QUEUE, serial=1)
    run = begun(world, release(world, "two"))
    taking_back(world, run)
    with world.context.database.write() as session:
        session.execute(update(StateVersionRow).values(lineage="another"))
    with pytest.raises(ApiError) as refused:
        plans_back(world, run, item("delete", TOPIC))
    assert refused.value.code == "lineage_differs"
    assert mode(world, run.run.id) == ("reads", [])


def test_a_result_is_kept_with_what_differs_between_the_first_and_the_final_state(world: World) -> None:
    deployed(world, "one", QUEUE, serial=1)
    run = begun(world, release(world, "two"))
    write(world, run, objects(2, QUEUE, TOPIC, note="changed"))
    taking_back(world, run)
    left = Residue(kind=ResidueKind.LEFT, address=TOPIC, type="aws_sns_topic", id="id-of-b", reason="refused")
    back = says(world, run, RollbackState.PARTIAL, residue=(left,), start_ms=250)
    assert back.result is not None
    assert back.result.comparison is not None
    differs = {one.address: one for one in back.result.comparison.resources}
    assert differs[TOPIC].presence is Presence.ONLY_FINAL
    assert [one.path for one in differs[QUEUE].attributes] == ["note"]
    # The same again is harmless; another one is not taken.
    assert says(world, run, RollbackState.PARTIAL, residue=(left,), start_ms=250) == back
    with pytest.raises(ApiError) as refused:
        says(world, run, RollbackState.ROLLED_BACK)
    assert refused.value.code == "other_result"
    assert metric(world, "rollback_start_seconds_count") == 1
    assert metric(world, "rollback_start_seconds_sum") == 0.25


def test_the_time_that_a_rollback_waited_for_a_worker_counts(world: World) -> None:
    run = begun(world, release(world, "one"))
    lose(world, run)
    world.clock.advance(3_000)
    again = claim_rollback(world)
    says(world, again, start_ms=500)
    assert metric(world, "rollback_start_seconds_sum") == 3.5


def test_a_state_that_cannot_be_compared_costs_the_comparison_and_the_claim_to_be_whole(world: World) -> None:
    deployed(world, "one", QUEUE, serial=1)
    run = begun(world, release(world, "two"))
    taking_back(world, run)
    with world.context.database.write() as session:
        session.execute(update(StateVersionRow).values(ciphertext=b"\x01" + b"x" * 40))
    back = says(world, run, restored=False)
    assert back.result is not None
    assert back.result.comparison is None
    assert (back.result.state, [one.kind for one in back.result.residue]) == (
        RollbackState.PARTIAL,
        [ResidueKind.UNKNOWN],
    )


def test_what_a_plan_does_with_addresses_is_kept_for_whoever_has_to_turn_it_around(world: World) -> None:
    deployed(world, "one", QUEUE, serial=1)
    moved = Rearrangement(moved=(Moved(before=QUEUE, after="aws_sqs_queue.c"),))
    run = begun(world, release(world, "two"), rearranged=moved)
    # Delivered again, without: the worker that sends none takes nothing away.
    deliver_safety_plan(world, run, ADDS)
    lose(world, run)
    again = claim_rollback(world)
    assert again.rollback is not None
    assert again.rollback.rearranged == moved
    with world.context.database.read() as session:
        assert session.get_one(FirstStateRow, run.run.id).rearranged is not None


def test_a_rollback_run_begins_with_its_claim(world: World) -> None:
    run = begun(world, release(world, "one"))
    lose(world, run)
    assert of(world, run).status is RollbackStatus.QUEUED
    again = claim_rollback(world)
    back = requests.get(world.context, run.run.id)
    assert (back.status, back.current_run_id) == (RollbackStatus.RUNNING, again.run.id)
    assert again.run.kind is RunKind.ROLLBACK
    finish(world, again, RunStatus.ERRORED)


def consented(world: World, digest: str, does: SafetyPlan, address: str) -> Assignment:
    """A deployment at work whose plan was held, and consented to by name."""
    held = claimed(world, digest)
    deliver_safety_plan(world, held, does)
    finish(world, held, RunStatus.PLANNED)
    approve(world, held, address)
    run = claimed(world, digest)
    deliver_safety_plan(world, run, does)
    assert safety_plans.get(world.context, run.run.id).verdict.decision is Decision.ACCEPTED
    runs.progress(world.context, run.run.id, holder=run.holder, status=RunStatus.APPLYING)
    return run


def approve(world: World, run: Assignment, address: str) -> None:
    digest = safety_plans.get(world.context, run.run.id).digest
    safety_plans.approve(world.context, run.run.id, digest=digest, actor="bert", consents=[address])


@pytest.mark.parametrize("late", ["before its rollback", "during its rollback"])
def test_consent_to_an_upgrade_at_the_run_that_made_it_is_none_to_the_end_of_the_database(
    world: World, late: str
) -> None:
    database = "aws_db_instance.orders"
    deployed(world, "one", QUEUE, database, serial=1)
    upgrade = plan(entry("update", database)).model_copy(update={"one_way": frozenset({database})})
    run = consented(world, release(world, "two"), upgrade, database)
    write(world, run, objects(2, QUEUE, database, note="upgraded"))
    if late == "before its rollback":
        approve(world, run, database)
    taking_back(world, run)
    if late == "during its rollback":
        approve(world, run, database)
    verdict = plans_back(world, run, item("replace_delete_first", database))
    assert [one.item.address for one in verdict.refused] == [database]


def test_consent_to_a_deletion_is_used_up_once_the_deletion_is_taken_back(world: World) -> None:
    table = "aws_dynamodb_table.t"
    deployed(world, "one", QUEUE, table, serial=1)
    two, does = release(world, "two"), plan(entry("delete", table))
    run = consented(world, two, does, table)
    write(world, run, objects(2, QUEUE))
    taking_back(world, run)
    plans_back(world, run, item("create", table))
    says(world, run, done=(item("create", table),))
    finish(world, run, RunStatus.ROLLED_BACK, exit_code=1)
    again = claimed(world, two)
    deliver_safety_plan(world, again, does)
    assert safety_plans.get(world.context, again.run.id).verdict.decision is Decision.HELD
