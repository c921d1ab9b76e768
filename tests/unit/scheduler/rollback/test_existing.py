"""What a deployment would take over is kept with its plan, and never destroyed by its rollback."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from scheduler import runs, safety_plans
from scheduler.rollback import requests
from scheduler.tables import RunRow
from shared.models import RunKind, RunStatus
from shared.rollback.precedents import Precedents
from shared.rollback.records import Residue, ResidueKind, RollbackState, RollbackVerdict
from shared.safety.entries import Existing, SafetyPlan
from shared.safety.verdict import Decision
from tests.unit.scheduler.rollback.support import (
    ADDS,
    QUEUE,
    SETTINGS,
    TOPIC,
    begun,
    claim_rollback,
    claimed,
    deliver_safety_plan,
    deployed,
    finish,
    item,
    lose,
    of,
    plans_back,
    release,
    says,
    taking_back,
)
from tests.unit.scheduler.support import World

THERE = Existing(address=TOPIC, type="aws_sns_topic", id="id-of-b", certain=True)
TAKES_OVER = SafetyPlan(entries=ADDS.entries, existing=frozenset({THERE}))
DELETED = item("delete", TOPIC)


def consented(world: World, digest: str) -> None:
    """Somebody agrees that the deployment takes it over."""
    held = claimed(world, digest)
    deliver_safety_plan(world, held, TAKES_OVER)
    record = safety_plans.get(world.context, held.run.id)
    assert record.verdict.decision is Decision.HELD
    finish(world, held, RunStatus.PLANNED)
    approved = safety_plans.approve(world.context, held.run.id, digest=record.digest, actor="anna", consents=[TOPIC])
    assert approved.verdict.decision is Decision.ACCEPTED


def test_what_would_be_taken_over_is_held_until_somebody_names_it_and_shown_with_the_plan(world: World) -> None:
    deployed(world, "one", QUEUE, serial=1)
    two = release(world, "two")
    consented(world, two)
    run = begun(world, two, does=TAKES_OVER)
    kept = safety_plans.get(world.context, run.run.id)
    assert kept.verdict.decision is Decision.ACCEPTED
    assert kept.plan.existing == {THERE}


def test_consent_to_the_deployment_is_none_to_the_end_of_what_was_there(world: World) -> None:
    deployed(world, "one", QUEUE, serial=1)
    two = release(world, "two")
    consented(world, two)
    run = begun(world, two, does=TAKES_OVER)
    taking_back(world, run)
    verdict: RollbackVerdict = plans_back(world, run, DELETED)
    assert [one.item for one in verdict.refused] == [DELETED]
    assert "its name was there" in verdict.refused[0].reason
    left = Residue(kind=ResidueKind.LEFT, address=TOPIC, type="aws_sns_topic", reason="refused")
    says(world, run, RollbackState.PARTIAL, refused=verdict.refused, residue=(left,))
    finish(world, run, RunStatus.ERRORED, exit_code=1)

    requests.retry(world.context, of(world, run).id, actor="anna", consents=[TOPIC])
    assert plans_back(world, claim_rollback(world), DELETED).allowed == (DELETED,)


def test_what_the_first_try_found_counts_for_the_rollback_of_a_later_one(world: World) -> None:
    deployed(world, "one", QUEUE, serial=1)
    two = release(world, "two")
    consented(world, two)
    cut = begun(world, two, does=TAKES_OVER)
    runs.cancel(world.context, cut.run.id)
    finish(world, cut, RunStatus.CANCELED)
    # By now the topic is what the first try left.
    again = begun(world, two, does=ADDS)
    assert again.precedents == Precedents(tries=(cut.run.id,), existing=frozenset({THERE}))
    lose(world, again)
    assert plans_back(world, claim_rollback(world), DELETED).allowed == ()


def test_a_plan_is_told_of_the_tries_that_the_next_apply_continues(world: World) -> None:
    deployed(world, "one", QUEUE, serial=1)
    two = release(world, "two")
    fresh = claimed(world, two, kind=RunKind.PLAN)
    assert fresh.precedents == Precedents()
    finish(world, fresh, RunStatus.PLANNED)
    cut = begun(world, two)
    assert cut.precedents == Precedents()
    runs.cancel(world.context, cut.run.id)
    finish(world, cut, RunStatus.CANCELED)
    told = claimed(world, two, kind=RunKind.PLAN)
    assert told.precedents is not None
    assert told.precedents.tries == (cut.run.id,)


def test_of_what_nobody_takes_back_nobody_asks_what_is_there(world: World) -> None:
    without = release(world, "none", rollback=None)
    for kind in (RunKind.PLAN, RunKind.APPLY):
        run = claimed(world, without, kind=kind)
        assert run.precedents is None
        finish(world, run, RunStatus.ERRORED)
    destroys = claimed(world, release(world, "two"), kind=RunKind.DESTROY)
    assert destroys.precedents is None


def test_what_got_the_name_after_the_approval_is_outside_of_the_approved_plan(world: World) -> None:
    deployed(world, "one", QUEUE, serial=1)
    two = release(world, "two")
    for consents, decision in (((), Decision.OUTSIDE), ((TOPIC,), Decision.ACCEPTED)):
        if consents:
            consented(world, two)
        planned = claimed(world, two, kind=RunKind.PLAN)
        deliver_safety_plan(world, planned, ADDS)
        finish(world, planned, RunStatus.PLANNED)
        run = claimed(world, two)
        with world.context.database.write() as session:
            session.execute(update(RunRow).where(RunRow.id == run.run.id).values(plan_run_id=planned.run.id))
        deliver_safety_plan(world, run, TAKES_OVER)
        assert safety_plans.get(world.context, run.run.id).verdict.decision is decision
        finish(world, run, RunStatus.HALTED)


def test_a_deployment_that_never_comes_to_an_end_is_handed_out_all_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scheduler.rollback.existing.MAX_TRIES", 2)
    monkeypatch.setattr("scheduler.rollback.order.MAX_TRIES", 2)
    deployed(world, "one", QUEUE, serial=1)
    two = release(world, "two", rollback=SETTINGS.model_copy(update={"on": ()}))
    runs = []
    for _ in range(4):
        runs.append(begun(world, two))
        finish(world, runs[-1], RunStatus.ERRORED)
    again = claimed(world, two)
    newest = tuple(one.run.id for one in runs[-2:])
    assert again.precedents is not None
    assert again.rollback is not None
    assert (again.precedents.tries, again.rollback.tries) == (newest, newest)
