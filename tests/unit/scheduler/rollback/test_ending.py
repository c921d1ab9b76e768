"""A run is over: is its deployment taken back, and who does it?"""

from __future__ import annotations

import pytest
from sqlalchemy import select

from scheduler import journal, runs
from scheduler.rollback import requests
from scheduler.settlement import end_run
from scheduler.tables import NotificationRow, RunRow, TargetRow
from shared import exit_codes
from shared.errors import ApiError
from shared.models import Assignment, JournalOutcome, RunKind, RunStatus
from shared.rollback.records import Residue, ResidueKind, RollbackState
from shared.rollback.settings import RollbackSettings, Trigger
from shared.rollback.standing import RollbackStatus
from tests.unit.scheduler.rollback.support import (
    NOT_FOR_A_LOSS,
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
    rollback_run,
    rows,
    says,
    taking_back,
    waiting,
    write,
)
from tests.unit.scheduler.support import TARGET, World, metric

LEFT = Residue(kind=ResidueKind.LEFT, address=TOPIC, type="aws_sns_topic", id="id-of-b", reason="it says no")


def second(world: World, settings: RollbackSettings | None = None) -> Assignment:
    """A second release is being applied."""
    deployed(world, "one", QUEUE, serial=1)
    run = begun(world, release(world, "two", rollback=settings or RollbackSettings()))
    write(world, run, objects(2, QUEUE, TOPIC))
    return run


def halt(world: World, run: Assignment) -> None:
    """The proxy refuses a call of it."""
    call = world.journal(run, "DeleteQueue")
    journal.record_outcome(
        world.context, JournalOutcome(call_id=call.call_id, outcome="refused", error_code="not_allowed")
    )


@pytest.mark.parametrize(
    ("status", "trigger"),
    [
        (RunStatus.ERRORED, Trigger.APPLY_ERROR),
        (RunStatus.HALTED, Trigger.HALTED),
        (RunStatus.LOST, Trigger.LOST),
    ],
)
def test_what_ends_badly_after_it_began_is_followed_by_a_rollback_in_the_same_transaction(
    world: World, status: RunStatus, trigger: Trigger
) -> None:
    run = second(world)
    if status is RunStatus.LOST:
        lose(world, run)
    else:
        finish(world, run, status, exit_code=1)
    back = of(world, run)
    assert (back.status, back.reserved, back.trigger) == (RollbackStatus.QUEUED, True, trigger)
    follows = rollback_run(world)
    assert (follows.retry_of, follows.id, follows.release_digest) == (
        run.run.id,
        back.current_run_id,
        run.run.release_digest,
    )
    with world.context.database.read() as session:
        assert session.scalars(select(RunRow.priority).where(RunRow.id == follows.id)).one() == 0
    if status is not RunStatus.LOST:  # then the observer publishes
        assert (TARGET.split(".")[1], follows.id) in world.publisher.hints


def test_a_run_that_the_proxy_halted_is_taken_back_however_it_ended(world: World) -> None:
    run = second(world)
    halt(world, run)
    lose(world, run)
    assert runs.get(world.context, run.run.id).status is RunStatus.HALTED
    assert of(world, run).trigger is Trigger.HALTED


def test_whoever_settles_it_twice_queues_one(world: World) -> None:
    run = second(world)
    lose(world, run)
    assert end_run(world.context, run.run.id, epoch=run.epoch, reason="again") == []
    assert len(rows(world)) == len(waiting(world)) == 1


def test_a_flock_that_does_not_take_back_for_it_goes_on_as_before(world: World) -> None:
    run = second(world, RollbackSettings.model_validate({"on": ["health"]}))
    lose(world, run)
    (follows,) = waiting(world)
    assert (follows.kind, follows.retry_of) == (RunKind.APPLY, run.run.id)
    assert rows(world) == []


@pytest.mark.parametrize("how", ["planned badly", "was away"])
def test_what_never_began_to_apply_is_not_taken_back(world: World, how: str) -> None:
    deployed(world, "one", QUEUE, serial=1)
    if how == "planned badly":
        finish(world, claimed(world, release(world, "two")), RunStatus.ERRORED, exit_code=1)
    else:
        finish(world, begun(world, release(world, "two")), RunStatus.ERRORED, exit_code=exit_codes.UNAVAILABLE)
    assert rows(world) == []
    assert waiting(world) == []


@pytest.mark.parametrize("how", ["canceled", "revoked"])
def test_what_a_person_stopped_is_that_persons_matter(world: World, how: str) -> None:
    run = second(world)
    if how == "canceled":
        runs.cancel(world.context, run.run.id)
        finish(world, run, RunStatus.CANCELED)
    else:
        from scheduler import leases

        leases.revoke(world.context, TARGET, reason="enough")
        end_run(world.context, run.run.id, epoch=run.epoch, reason="revoked")
    assert rows(world) == []
    assert waiting(world) == []


def test_taken_back_by_its_own_run_it_is_over_with_it(world: World) -> None:
    run = second(world)
    taking_back(world, run)
    says(world, run)
    assert finish(world, run, RunStatus.ROLLED_BACK).status is RunStatus.ROLLED_BACK
    back = of(world, run)
    assert (back.status, back.reserved) == (RollbackStatus.ROLLED_BACK, False)
    assert back.finished_at is not None
    assert waiting(world) == []
    with world.context.database.read() as session:
        assert session.get_one(TargetRow, TARGET).release_digest == back.first.release_digest
    assert metric(world, "rollbacks_total", status="ROLLED_BACK") == 1
    # The target takes other runs again.
    assert claimed(world, release(world, "three")).epoch == 3


def test_its_result_counts_though_its_holder_was_lost_before_it_could_report(world: World) -> None:
    run = second(world)
    taking_back(world, run)
    says(world, run)
    lose(world, run)
    assert runs.get(world.context, run.run.id).status is RunStatus.ROLLED_BACK
    assert of(world, run).status is RollbackStatus.ROLLED_BACK
    assert waiting(world) == []


def test_who_says_that_it_is_back_and_not_what_came_of_it_is_not_believed(world: World) -> None:
    run = second(world)
    assert finish(world, run, RunStatus.ROLLED_BACK).status is RunStatus.ERRORED
    assert of(world, run).status is RollbackStatus.QUEUED


@pytest.mark.parametrize("state", [RollbackState.PARTIAL, RollbackState.FAILED])
def test_one_that_is_not_whole_keeps_its_target_until_a_person_decides(world: World, state: RollbackState) -> None:
    run = second(world)
    taking_back(world, run)
    says(world, run, state, residue=(LEFT,))
    finish(world, run, RunStatus.ERRORED, exit_code=1)
    back = of(world, run)
    assert (back.status.value, back.reserved) == (state.value, True)
    assert waiting(world) == []
    other = world.submit(release_digest=release(world, "three"))
    with pytest.raises(ApiError, match=f"{TARGET} is kept for {back.id}"):
        world.claim(other)
    with world.context.database.read() as session:
        told = [row.document for row in session.scalars(select(NotificationRow).order_by(NotificationRow.sequence))]
    assert [one["standing"] for one in told] == [None, state.value]
    assert told[1]["items"] == [f"left {TOPIC} (id-of-b): it says no"]


def test_a_rollback_run_that_is_lost_is_followed_up_and_at_last_given_up(world: World) -> None:
    run = second(world)
    lose(world, run)
    for attempt in range(1, world.context.settings.max_attempts + 1):
        again = claim_rollback(world)
        assert again.run.attempt == attempt
        assert again.recovers is not None
        lose(world, again)
    back = of(world, run)
    assert (back.status, back.reserved) == (RollbackStatus.FAILED, True)
    assert "not tried again" in back.reason
    assert waiting(world) == []


def test_one_that_began_under_its_own_lease_and_was_lost_goes_on_in_a_rollback_run(world: World) -> None:
    run = second(world)
    taking_back(world, run, Trigger.HEALTH, "no answer")
    lose(world, run)
    again = claim_rollback(world)
    assert again.rollback is not None
    assert (again.rollback.trigger, again.rollback.reason, again.rollback.rollback_only) == (
        Trigger.HEALTH,
        "no answer",
        True,
    )
    says(world, again)
    assert finish(world, again, RunStatus.ROLLED_BACK).status is RunStatus.ROLLED_BACK
    assert of(world, run).status is RollbackStatus.ROLLED_BACK


def test_a_rollback_that_a_person_cancels_has_failed_and_keeps_its_target(world: World) -> None:
    run = second(world)
    lose(world, run)
    again = claim_rollback(world)
    runs.cancel(world.context, again.run.id)
    finish(world, again, RunStatus.CANCELED)
    assert (of(world, run).status, of(world, run).reserved) == (RollbackStatus.FAILED, True)


def test_so_has_one_that_is_canceled_before_it_begins(world: World) -> None:
    run = second(world)
    lose(world, run)
    runs.cancel(world.context, rollback_run(world).id)
    back = of(world, run)
    assert (back.status, back.reserved) == (RollbackStatus.FAILED, True)
    assert "canceled before it began" in back.reason


def test_a_test_that_held_and_was_not_taken_back_by_its_own_run_is_taken_back(world: World) -> None:
    run = second(world, RollbackSettings(preproduction_test=True))
    finish(world, run)
    assert of(world, run).trigger is Trigger.PREPRODUCTION_TEST


def test_a_deployment_that_held_stays(world: World) -> None:
    finish(world, second(world))
    assert rows(world) == []


def test_a_way_back_that_is_gone_by_the_time_of_the_claim_is_told_and_nothing_runs(world: World) -> None:
    from sqlalchemy import delete

    from scheduler.tables import ReleaseRow

    run = second(world)
    lose(world, run)
    with world.context.database.write() as session:
        session.execute(delete(ReleaseRow).where(ReleaseRow.digest == of(world, run).first.release_digest))
    again = rollback_run(world)
    with pytest.raises(ApiError, match="it is errored"):
        world.claim(again)
    back = of(world, run)
    assert (back.status, back.reserved) == (RollbackStatus.FAILED, True)
    assert "nothing was executed" in back.reason


def test_a_run_that_claims_to_be_back_while_the_state_says_otherwise_is_not_and_its_target_is_kept(
    world: World,
) -> None:
    """A provider that says of everything that it is gone makes an empty plan."""
    deployed(world, "one", QUEUE, serial=1)
    run = begun(world, release(world, "two"))
    write(world, run, objects(2, QUEUE, TOPIC))
    taking_back(world, run)
    says(world, run, RollbackState.NOT_NEEDED, restored=False)
    ended = finish(world, run, RunStatus.ROLLED_BACK)
    assert ended.status is RunStatus.ERRORED
    assert "the stored state says otherwise" in ended.reason
    back = of(world, run)
    assert (back.status, back.reserved) == (RollbackStatus.PARTIAL, True)
    assert back.result is not None
    assert [one.address for one in back.result.residue] == [TOPIC]


@pytest.mark.parametrize(("began", "status"), [(True, RollbackStatus.ROLLED_BACK), (False, RollbackStatus.NOT_NEEDED)])
def test_a_try_that_finds_nothing_to_do_says_what_the_one_before_it_did(
    world: World, began: bool, status: RollbackStatus
) -> None:
    """That one was cut before it could tell."""
    run = second(world)
    taking_back(world, run)
    plans_back(world, run, item("delete" if began else "read", TOPIC, "id-of-b"))
    lose(world, run)
    again = claim_rollback(world)
    says(world, again, RollbackState.NOT_NEEDED)
    finish(world, again, RunStatus.ROLLED_BACK)
    assert of(world, run).status is status


@pytest.mark.parametrize("first_try", ["canceled", "lost"])
def test_one_that_never_began_is_followed_by_a_rollback_of_what_the_try_before_it_left(
    world: World, first_try: str
) -> None:
    run = second(world, NOT_FOR_A_LOSS)
    if first_try == "canceled":
        runs.cancel(world.context, run.run.id)
        finish(world, run, RunStatus.CANCELED)
    else:
        lose(world, run)
        runs.cancel(world.context, waiting(world)[0].id)
    follows = claimed(world, release(world, "three"))
    requests.start(world.context, target=TARGET, run_id=None, actor="anna", reason="")
    finish(world, follows, RunStatus.ERRORED, exit_code=1)
    back = of(world, follows)
    assert (back.status, back.reserved) == (RollbackStatus.QUEUED, True)
    again = claim_rollback(world)
    assert again.rollback is not None
    assert again.rollback.tries == (run.run.id,)
    assert plans_back(world, again, item("delete", TOPIC)).whole


def test_where_no_try_ever_began_there_is_nothing_to_take_back(world: World) -> None:
    deployed(world, "one", QUEUE, serial=1)
    run = claimed(world, release(world, "two"))
    requests.start(world.context, target=TARGET, run_id=None, actor="anna", reason="")
    finish(world, run, RunStatus.CANCELED)
    assert (of(world, run).status, of(world, run).reserved) == (RollbackStatus.NOT_NEEDED, False)


WATCHED = RollbackSettings.model_validate(
    {
        "on": ["health"],
        "checks": [{"type": "command", "name": "smoke", "command": ["true"], "missing_data": "breaching"}],
    }
)
TEST = RollbackSettings.model_validate({"on": [], "preproduction_test": True})


def reports(world: World, run: Assignment, trigger: Trigger | None, status: RunStatus = RunStatus.ERRORED) -> None:
    """It gives its lease back and reports a failure, with what it could not say before."""
    view = world.store.view(TARGET)
    assert view.lease_id is not None
    world.store.release(TARGET, view.lease_id)
    runs.finish(
        world.context,
        run.run.id,
        holder=run.holder,
        epoch=run.epoch,
        exit_code=1,
        status=status,
        reason="smoke failed; the scheduler does not answer",
        trigger=trigger,
    )


def watched(world: World, run: Assignment) -> None:
    """It is applied, and watched."""
    runs.progress(world.context, run.run.id, holder=run.holder, status=RunStatus.BAKING)


@pytest.mark.parametrize(
    ("settings", "trigger"), [(WATCHED, Trigger.HEALTH), (TEST, Trigger.PREPRODUCTION_TEST)], ids=["health", "test"]
)
def test_a_trigger_that_could_not_be_told_before_counts_in_the_report(
    world: World, settings: RollbackSettings, trigger: Trigger
) -> None:
    run = second(world, settings)
    reports(world, run, trigger)
    back = of(world, run)
    assert (back.status, back.reserved, back.trigger) == (RollbackStatus.QUEUED, True, trigger)
    assert back.reason == "smoke failed; the scheduler does not answer"
    assert rollback_run(world).retry_of == run.run.id


def test_it_does_not_where_the_flock_does_not_take_back_for_it_nothing_began_or_a_person_stopped_it(
    world: World,
) -> None:
    reports(world, second(world, TEST), Trigger.HEALTH)
    reports(world, claimed(world, release(world, "three", rollback=WATCHED)), Trigger.HEALTH)
    run = begun(world, release(world, "four", rollback=WATCHED))
    runs.cancel(world.context, run.run.id)
    reports(world, run, Trigger.HEALTH)
    run = begun(world, release(world, "five", rollback=WATCHED))
    reports(world, run, Trigger.HEALTH, RunStatus.APPLIED)
    assert rows(world) == []


@pytest.mark.parametrize("status", [RunStatus.ERRORED, RunStatus.HALTED])
def test_what_ends_badly_while_it_is_watched_is_taken_back_whoever_says_why(world: World, status: RunStatus) -> None:
    run = second(world, WATCHED)
    watched(world, run)
    reports(world, run, None, status)
    assert of(world, run).trigger is Trigger.HEALTH


def test_what_is_lost_while_it_is_watched_is_watched_again_and_at_last_taken_back(world: World) -> None:
    run = second(world, WATCHED)
    for _ in range(world.context.settings.max_attempts - 1):
        watched(world, run)
        lose(world, run)
        assert rows(world) == []
        run = world.claim(waiting(world)[0], holder=f"after {run.run.id}")
        world.acquire(run)
        deliver_safety_plan(world, run)
        runs.progress(world.context, run.run.id, holder=run.holder, status=RunStatus.APPLYING)
    watched(world, run)
    lose(world, run)
    assert of(world, run).trigger is Trigger.HEALTH
    assert rollback_run(world).retry_of == run.run.id


def test_an_error_of_the_apply_itself_is_none_of_the_watching(world: World) -> None:
    finish(world, second(world, WATCHED), RunStatus.ERRORED, exit_code=1)
    run = begun(world, release(world, "three", rollback=RollbackSettings.model_validate({"on": [], "bake_s": 60})))
    watched(world, run)
    finish(world, run, RunStatus.ERRORED, exit_code=1)
    assert rows(world) == [], "nothing was evaluated"
