"""What people do with rollbacks."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import delete, update

from scheduler import runs
from scheduler.rollback import requests
from scheduler.rollback import rows as rollback_rows
from scheduler.rollback.consents import consents_of, to_destroy
from scheduler.tables import ReleaseRow, RunRow, StateVersionRow
from shared.errors import ApiError
from shared.models import Assignment, RunKind, RunStatus
from shared.rollback.records import NextStep, Refusal, RollbackState
from shared.rollback.settings import RollbackSettings, Trigger
from shared.rollback.standing import Rollback, RollbackStatus
from tests.unit.scheduler.rollback.support import (
    QUEUE,
    TOPIC,
    begun,
    claim_rollback,
    claimed,
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
from tests.unit.scheduler.support import TARGET, World


def start(world: World, **names: Any) -> Rollback:
    wanted = {"target": TARGET, "run_id": None, "actor": "anna", "reason": "it is slow", **names}
    return requests.start(world.context, **wanted)


def code(world: World, **names: Any) -> str:
    """Why it is refused; nothing was touched then."""
    before = [(run.id, run.status) for run in waiting(world)], [(row.status, row.reserved) for row in rows(world)]
    with pytest.raises(ApiError) as refused:
        start(world, **names)
    assert before == (
        [(run.id, run.status) for run in waiting(world)],
        [(row.status, row.reserved) for row in rows(world)],
    )
    assert refused.value.hint or refused.value.code == "rolled_back_already"
    return refused.value.code


def twice(world: World) -> str:
    """Two deployments that held; returns the second release."""
    deployed(world, "one", QUEUE, serial=1)
    return deployed(world, "two", QUEUE, TOPIC, serial=2)


def stuck(world: World, state: RollbackState = RollbackState.PARTIAL, **fields: Any) -> Rollback:
    """A rollback that is not whole."""
    deployed(world, "one", QUEUE, serial=1)
    run = begun(world, release(world, "two"))
    write(world, run, objects(2, QUEUE, TOPIC))
    taking_back(world, run)
    plans_back(world, run, item("delete", QUEUE), item("delete", TOPIC))
    says(world, run, state, **fields)
    finish(world, run, RunStatus.ERRORED, exit_code=1)
    return of(world, run)


def test_the_last_deployment_of_an_idle_target_is_taken_back_by_a_run_of_its_own(world: World) -> None:
    two = twice(world)
    back = start(world)
    assert (back.status, back.reserved, back.trigger, back.actor) == (
        RollbackStatus.QUEUED,
        True,
        Trigger.OPERATOR,
        "anna",
    )
    assert (back.release_digest, back.reason) == (two, "asked for by anna: it is slow")
    follows = rollback_run(world)
    assert follows.id == back.current_run_id
    assert world.publisher.hints[-1] == ("north", follows.id)
    again = claim_rollback(world)
    assert again.rollback is not None
    assert (again.rollback.undoes, again.rollback.release_digest) == (back.run_id, two)
    says(world, again)
    finish(world, again, RunStatus.ROLLED_BACK)
    assert requests.get(world.context, back.id).status is RollbackStatus.ROLLED_BACK


def test_asked_for_twice_it_is_one(world: World) -> None:
    twice(world)
    first = start(world)
    assert start(world, actor="bert") == first
    assert start(world, target=None, run_id=first.run_id) == first
    claim_rollback(world)
    assert start(world).id == first.id
    assert len(rows(world)) == 1


def test_a_deployment_that_is_at_work_is_asked_to_take_itself_back(world: World) -> None:
    run = begun(world, release(world, "one"))
    back = start(world)
    assert (back.run_id, back.current_run_id, back.status) == (run.run.id, run.run.id, RollbackStatus.QUEUED)
    assert runs.get(world.context, run.run.id).rollback_requested
    assert waiting(world) == []
    taking_back(world, run, Trigger.OPERATOR)
    says(world, run)
    finish(world, run, RunStatus.ROLLED_BACK)
    assert of(world, run).status is RollbackStatus.ROLLED_BACK


@pytest.mark.parametrize("end", ["applied", "lost", "canceled"])
def test_a_wish_that_its_run_did_not_see_any_more_is_fulfilled_by_another(world: World, end: str) -> None:
    run = begun(world, release(world, "one"))
    start(world)
    if end == "lost":
        lose(world, run)
    elif end == "canceled":
        runs.cancel(world.context, run.run.id)
        finish(world, run, RunStatus.CANCELED)
    else:
        finish(world, run)
    assert of(world, run).status is RollbackStatus.QUEUED
    assert rollback_run(world).retry_of == run.run.id


def test_a_wish_for_a_deployment_that_then_applied_nothing_needs_nothing(world: World) -> None:
    run = claimed(world, release(world, "one"))
    start(world)
    finish(world, run, RunStatus.ERRORED, exit_code=1)
    back = of(world, run)
    assert (back.status, back.reserved) == (RollbackStatus.NOT_NEEDED, False)
    assert waiting(world) == []


def test_a_target_never_released_is_refused(world: World) -> None:
    assert code(world) == "nothing_to_roll_back"


def test_so_is_one_whose_releases_record_no_first_state(world: World) -> None:
    deployed(world, "one", QUEUE, serial=1, rollback=None)
    assert code(world) == "nothing_to_roll_back"


def test_unknown_names_are_a_404_and_none_a_400(world: World) -> None:
    for wanted, status in (
        ({"target": "web.nowhere"}, 404),
        ({"target": None, "run_id": "run-0000000000000000"}, 404),
        ({"target": None}, 400),
    ):
        with pytest.raises(ApiError) as refused:
            start(world, **wanted)
        assert refused.value.status == status


@pytest.mark.parametrize("kind", [RunKind.EXEC, RunKind.DESTROY])
def test_while_another_run_holds_the_target_it_is_refused(world: World, kind: RunKind) -> None:
    twice(world)
    world.begin(TARGET, kind, holder="another")
    assert code(world) == "target_taken"


@pytest.mark.parametrize("kind", [RunKind.EXEC, RunKind.DESTROY, RunKind.APPLY])
def test_a_later_phase_takes_nothing_back_under_the_hands_of_another_run(world: World, kind: RunKind) -> None:
    twice(world)
    with world.context.database.read() as session:
        last = session.query(RunRow).filter(RunRow.epoch == 2).one().id
    busy, _ = world.begin(TARGET, kind, holder="another")
    with world.context.database.write() as session:
        standing, run = requests.take_phase_back(
            world.context, session, rollback_id="rollback-0000000000000001", run_id=last, reason="because"
        )
        assert run is None
        assert standing.status is RollbackStatus.FAILED
        assert f"{busy.run.id} ({kind}) is at work" in standing.reason


def test_an_earlier_deployment_than_the_last_is_refused(world: World) -> None:
    twice(world)
    with world.context.database.read() as session:
        first = session.query(RunRow).filter(RunRow.epoch == 1).one().id
    assert code(world, target=None, run_id=first) == "superseded"


def test_after_something_else_was_deployed_it_is_refused(world: World) -> None:
    twice(world)
    deployed(world, "three", QUEUE, serial=3, rollback=None)
    assert code(world) == "superseded"


@pytest.mark.parametrize("wrote", [True, False])
def test_a_command_that_wrote_state_since_stands_in_between_and_one_that_only_looked_does_not(
    world: World, wrote: bool
) -> None:
    twice(world)
    command, _ = world.begin(TARGET, RunKind.EXEC, holder="h")
    if wrote:
        write(world, command, objects(3, QUEUE, TOPIC))
    finish(world, command, RunStatus.SUCCEEDED)
    if wrote:
        assert code(world) == "superseded"
    else:
        start(world)


def test_what_is_back_already_is_refused(world: World) -> None:
    twice(world)
    start(world)
    again = claim_rollback(world)
    says(world, again, RollbackState.NOT_NEEDED)
    finish(world, again, RunStatus.ROLLED_BACK)
    assert code(world) == "rolled_back_already"


def test_where_a_rollback_is_stuck_it_says_what_to_do_about_that_one(world: World) -> None:
    back = stuck(world)
    assert code(world, target=None, run_id=back.run_id) == "rollback_stuck"


def test_a_state_that_was_replaced_by_hand_is_refused(world: World) -> None:
    twice(world)
    with world.context.database.write() as session:
        session.execute(update(StateVersionRow).where(StateVersionRow.serial == 2).values(lineage="another"))
    assert code(world) == "lineage_differs"


def test_so_is_one_of_a_first_deployment(world: World) -> None:
    deployed(world, "one", QUEUE, serial=1)
    command, _ = world.begin(TARGET, RunKind.PLAN, holder="another")
    finish(world, command, RunStatus.PLANNED)
    with world.context.database.write() as session:
        version = session.query(StateVersionRow).one()
        session.add(
            StateVersionRow(
                target=TARGET,
                run_id=command.run.id,
                epoch=command.epoch,
                serial=1,
                lineage="another",
                digest="0" * 64,
                size=1,
                deleted=False,
                ciphertext=version.ciphertext,
                created_at=version.created_at,
            )
        )
    assert code(world) == "lineage_differs"


def test_a_way_back_that_is_gone_is_refused(world: World) -> None:
    one = deployed(world, "one", QUEUE, serial=1)
    deployed(world, "two", QUEUE, TOPIC, serial=2)
    with world.context.database.write() as session:
        session.execute(delete(ReleaseRow).where(ReleaseRow.digest == one))
    assert code(world) == "no_first_state"


def test_one_that_is_not_whole_is_tried_again_from_the_start(world: World) -> None:
    back = stuck(world)
    assert NextStep.RETRY in back.options
    again = requests.retry(world.context, back.id, actor="anna")
    assert (again.status, again.attempts, again.actor) == (RollbackStatus.QUEUED, 1, "anna")
    assert again.options == ()
    # Asked for twice it is one.
    assert requests.retry(world.context, back.id, actor="anna") == again
    says(world, claim_rollback(world))


def test_what_was_left_the_last_time_is_no_reason_of_the_next_try(world: World) -> None:
    back = stuck(world)
    with world.context.database.write() as session:
        rollback_rows.find(session, back.id).reason = f"it is ill; {rollback_rows.left_over(2)}"
    assert requests.retry(world.context, back.id, actor="anna").reason == "it is ill"


def test_what_was_refused_is_done_with_consent_by_name(world: World) -> None:
    back = stuck(world, refused=(Refusal(item=item("delete", QUEUE), reason="it existed before"),))
    assert back.options == (NextStep.CONTINUE, NextStep.RETRY, NextStep.SKIP)
    requests.retry(world.context, back.id, actor="anna", consents=[QUEUE])
    again = claim_rollback(world)
    verdict = plans_back(world, again, item("delete", QUEUE), item("delete", TOPIC))
    assert verdict.whole
    with world.context.database.read() as session:
        assert consents_of(session, back.release_digest, TARGET) == frozenset(), "no plan was consented to"
        assert to_destroy(session, "rollback-0", planned={QUEUE}) == frozenset(), "nor another deployment's rollback"


def test_a_consent_needs_a_name_and_something_that_was_refused(world: World) -> None:
    back = stuck(world)
    for consents, actor in (([TOPIC], "anna"), ([QUEUE], "  ")):
        with pytest.raises(ApiError) as refused:
            requests.retry(world.context, back.id, actor=actor, consents=consents)
        assert refused.value.status == 400
    assert waiting(world) == []


def test_what_is_over_is_not_tried_again(world: World) -> None:
    back = stuck(world, RollbackState.FAILED)
    requests.skip(world.context, back.id, actor="anna", reason="")
    # Left as it was, it may be tried again, as long as nothing was deployed since.
    requests.retry(world.context, back.id, actor="anna")
    says(world, again := claim_rollback(world))
    finish(world, again, RunStatus.ROLLED_BACK)
    with pytest.raises(ApiError) as refused:
        requests.retry(world.context, back.id, actor="anna")
    assert refused.value.code == "rolled_back_already"


def test_left_as_it_is_the_target_takes_other_runs_again(world: World) -> None:
    back = stuck(world)
    other = world.submit(release_digest=release(world, "three"))
    world.publisher.hints.clear()
    left = requests.skip(world.context, back.id, actor="anna", reason="we keep it")
    assert (left.status, left.reserved, left.reason) == (
        RollbackStatus.SKIPPED,
        False,
        "left as it is by anna: we keep it",
    )
    assert world.publisher.hints == [("north", other.id)]
    assert requests.skip(world.context, back.id, actor="bert", reason="") == left
    following = world.claim(other)
    assert following.rollback is not None
    # What was left counts as there from now on.
    assert {one.address for one in following.rollback.first.resources} == {QUEUE, TOPIC}


def test_one_that_was_left_before_any_run_of_it_began_counts_as_left_as_well(world: World) -> None:
    deployed(world, "one", QUEUE, serial=1)
    cut = begun(world, release(world, "two"))
    write(world, cut, objects(2, QUEUE, TOPIC))
    lose(world, cut)
    (back,) = requests.listed(world.context, target=TARGET, flock=None, unfinished=True, limit=9)
    requests.skip(world.context, back.id, actor="anna", reason="we keep it")
    following = claimed(world, release(world, "three"))
    assert following.rollback is not None
    assert {one.address for one in following.rollback.first.resources} == {QUEUE, TOPIC}


def test_one_that_waits_is_skipped_with_its_run_and_one_at_work_is_not(world: World) -> None:
    twice(world)
    back = start(world)
    requests.skip(world.context, back.id, actor="anna", reason="")
    assert runs.get(world.context, back.current_run_id).status is RunStatus.CANCELED
    assert requests.get(world.context, back.id).status is RollbackStatus.SKIPPED
    assert start(world).id == back.id
    claim_rollback(world)
    with pytest.raises(ApiError) as refused:
        requests.skip(world.context, back.id, actor="anna", reason="")
    assert refused.value.code == "illegal_transition"


def test_they_are_listed_the_newest_first(world: World) -> None:
    back = stuck(world)
    assert [one.id for one in requests.listed(world.context, target=None, flock="web", unfinished=True, limit=9)] == [
        back.id
    ]
    requests.skip(world.context, back.id, actor="anna", reason="")
    assert requests.listed(world.context, target=TARGET, flock=None, unfinished=True, limit=9) == []
    deployed(world, "three", QUEUE, serial=3)
    later = start(world)
    found = requests.listed(world.context, target=TARGET, flock=None, unfinished=False, limit=9)
    assert [one.id for one in found] == [later.id, back.id]
    with pytest.raises(ApiError, match="there is no rollback"):
        requests.get(world.context, "rollback-0000000000000000")


def test_the_settings_of_the_deployed_release_go_with_the_order(world: World) -> None:
    deployed(world, "one", QUEUE, serial=1)
    deployed(world, "two", TOPIC, serial=2, rollback=RollbackSettings(bake_s=7))
    start(world)
    again: Assignment = claim_rollback(world)
    assert again.rollback is not None
    assert again.rollback.settings.bake_s == 7


@pytest.mark.parametrize("kind", [RunKind.PLAN, RunKind.DRIFT])
def test_a_run_that_only_looks_is_waited_for_or_gives_way(world: World, kind: RunKind) -> None:
    two = twice(world)
    looking = claimed(world, two, kind=kind)
    back = start(world)
    assert (back.status, back.reserved) == (RollbackStatus.QUEUED, True)
    assert runs.get(world.context, looking.run.id).cancel_requested is (kind is RunKind.DRIFT)
    with pytest.raises(ApiError, match="is taken by"):
        world.claim(rollback_run(world))
    finish(world, looking, RunStatus.CANCELED)
    says(world, claim_rollback(world))
