"""The claim."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from scheduler import claims, releases, runs, turns
from scheduler.cipher import password_hash
from scheduler.settlement import FENCE_HOLDER, end_run
from scheduler.tables import ReleaseRow, RunRow, TargetRow
from shared.errors import ApiError
from shared.lease import keys
from shared.lease.commands import Refused
from shared.models import RunKind, RunStatus
from tests.unit.scheduler.support import TARGET, World, metric


def test_a_claim_gives_the_next_epoch_and_everything_the_worker_needs(world: World) -> None:
    run = world.submit()
    assignment = world.claim(run, holder="h", node="n")
    assert (assignment.epoch, assignment.run.status, assignment.run.node) == (1, RunStatus.CLAIMED, "n")
    assert assignment.run.claimed_at == world.clock.wall()
    assert assignment.target.epoch == 1
    assert assignment.timing == world.context.settings.timing
    assert assignment.state_username == run.id
    with world.context.database.read() as session:
        row = session.query(RunRow).one()
    assert row.state_password_hash == password_hash(assignment.state_password)
    assert assignment.recovers is None
    assert metric(world, "grants_total") == 1


def test_the_same_holder_asking_again_gets_the_same_answer(world: World) -> None:
    run = world.submit()
    first = world.claim(run, holder="h")
    assert world.claim(run, holder="h") == first
    assert metric(world, "grants_total") == 1
    assert metric(world, "duplicate_claims_total") == 0


def test_a_second_delivery_is_a_counted_no_op(world: World) -> None:
    run = world.submit()
    world.claim(run, holder="h")
    with pytest.raises(ApiError) as refused:
        world.claim(run, holder="another")
    assert (refused.value.status, refused.value.code) == (409, "not_claimable")
    assert metric(world, "duplicate_claims_total") == 1
    assert runs.get(world.context, run.id).epoch == 1


def test_one_active_run_keeps_the_others_of_its_target_waiting(world: World) -> None:
    world.claim(world.submit())
    second = world.submit()
    with pytest.raises(ApiError, match=f"{TARGET} is taken by"):
        world.claim(second, holder="other")
    assert runs.get(world.context, second.id).status is RunStatus.PENDING
    assert metric(world, "refused_claims_total") == 1


def test_the_index_refuses_a_second_active_run_even_without_the_lock(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.claim(world.submit())
    second = world.submit()
    monkeypatch.setattr(claims, "active_run", lambda *_: None)
    monkeypatch.setattr(turns, "next_run", lambda *_: (second.id, TARGET))
    with pytest.raises(ApiError, match="another claim of the same target was faster"):
        world.claim(second, holder="other")
    with world.context.database.read() as session:
        assert session.query(TargetRow).one().epoch == 1


def test_an_unknown_run_is_a_404(world: World) -> None:
    with pytest.raises(ApiError) as refused:
        claims.claim(world.context, "run-0000000000000000", node="n", holder="h")
    assert refused.value.status == 404


def test_nobody_claims_under_the_name_that_fences(world: World) -> None:
    with pytest.raises(ApiError, match="not a holder's name"):
        world.claim(world.submit(), holder=FENCE_HOLDER)


def test_the_first_claim_of_a_target_ends_its_embargo(world: World) -> None:
    assert world.store.view(TARGET).embargoed
    assignment = world.claim(world.submit())
    assert world.acquire(assignment).startswith("1-")


def test_the_first_claim_leaves_an_embargo_alone_where_redis_knows_of_a_grant(world: World) -> None:
    # The database was restored to a time before the first claim.
    assignment, _ = world.begin()
    end_run(world.context, assignment.run.id, epoch=1, reason="test")
    with world.context.database.write() as session:
        session.execute(update(TargetRow).values(epoch=0))
        session.execute(update(RunRow).values(epoch=None))
    assert world.server is not None
    world.server.restart(empty=False)
    world.claim(world.submit(kind=RunKind.PLAN), holder="h2")
    assert world.store.view(TARGET).embargoed


def test_a_claim_names_the_run_whose_cut_it_follows(world: World) -> None:
    assignment, lease = world.begin()
    world.sever(TARGET, lease)
    end_run(world.context, assignment.run.id, epoch=1, reason="severed")
    follower = runs.listed(world.context, target=TARGET, status=RunStatus.PENDING, limit=1)[0]
    assert world.claim(follower, holder="h2").recovers == assignment.run.id


def test_after_a_restore_of_the_database_the_claim_goes_above_what_redis_knows(world: World) -> None:
    assignment, lease = world.begin()
    world.store.release(TARGET, lease)
    world.finish(assignment)
    for _ in range(3):
        last = world.store.view(TARGET).epoch
        granted = world.store.acquire(
            TARGET, epoch=last + 1, acquire_id=f"{last:032x}", ttl_ms=900, holder="x", run_id="x", node="x"
        )
        world.store.release(TARGET, getattr(granted, "lease_id", ""))
    late = world.claim(world.submit(), holder="h")
    assert late.epoch == 2
    answer = world.store.acquire(
        TARGET, epoch=2, acquire_id="f" * 32, ttl_ms=900, holder="h", run_id=late.run.id, node="n"
    )
    assert isinstance(answer, Refused)
    raised = claims.raise_epoch(world.context, late.run.id, holder="h", above=answer.last_epoch)
    assert (raised.epoch, raised.target.epoch) == (5, 5)
    assert raised.state_password != late.state_password
    # Asked again, since the answer was lost: nothing more happens.
    assert claims.raise_epoch(world.context, late.run.id, holder="h", above=answer.last_epoch) == raised
    assert world.acquire(raised).startswith("5-")


@pytest.mark.parametrize("above", [1, 1_000_000])
def test_an_epoch_is_not_raised_beyond_what_redis_confirms(world: World, above: int) -> None:
    assignment = world.claim(world.submit())
    if above == 1:
        world.acquire(assignment)
        runs.progress(world.context, assignment.run.id, holder="holder-1", status=RunStatus.PLANNING)
    with pytest.raises(ApiError) as refused:
        claims.raise_epoch(world.context, assignment.run.id, holder="holder-1", above=above)
    assert refused.value.code == "not_raisable"
    assert runs.get(world.context, assignment.run.id).epoch == 1


def test_only_the_holder_raises_its_epoch(world: World) -> None:
    assignment = world.claim(world.submit())
    with pytest.raises(ApiError) as refused:
        claims.raise_epoch(world.context, assignment.run.id, holder="someone", above=1)
    assert refused.value.code == "lease_lost"


def test_no_run_is_claimed_under_durations_that_the_observers_do_not_wait_by(world: World) -> None:
    run = world.submit()
    timing = world.context.settings.timing
    world.store.server.client.set(keys.TIMING_KEY, timing.model_copy(update={"ttl_ms": 60_000}).model_dump_json())
    with pytest.raises(ApiError, match=f"ttl_ms is {timing.ttl_ms} here and 60000 there") as caught:
        world.claim(run)
    assert (caught.value.status, caught.value.code) == (409, "timing_differs")
    world.store.server.client.delete(keys.TIMING_KEY)
    assert world.claim(run).timing == timing


def test_a_hint_is_answered_with_the_run_whose_turn_it_is(world: World) -> None:
    world.register("web.north.a", "shop.north")
    for _ in range(3):
        hint = world.submit("web.north.a")
    world.claim(hint)
    other = world.submit("shop.north")
    waiting = world.submit()
    assert world.claim(waiting, holder="h2").run.id == other.id
    # And its own hint is not lost on another one.
    assert world.claim(other, holder="h3").run.id == waiting.id


def test_the_answer_to_a_hint_that_led_to_another_run_can_be_asked_for_again(world: World) -> None:
    first, second = world.submit(), world.submit()
    given = world.claim(second, holder="h")
    assert given.run.id == first.id
    assert world.claim(second, holder="h") == given
    assert metric(world, "grants_total") == 1


def test_the_embargo_of_a_fresh_target_is_ended_whichever_hint_led_to_it(world: World) -> None:
    world.register("shop.north")
    world.submit("shop.north")
    given = world.claim(world.submit())
    assert given.run.target == "shop.north"
    assert world.store.view("shop.north").cleared


def test_a_region_that_changes_under_ones_eyes_is_looked_at_anew_and_not_for_ever(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = world.submit()
    monkeypatch.setattr(claims, "_claim_next", lambda *_, **__: None)
    with pytest.raises(ApiError, match="others were faster 8 times"):
        world.claim(run)


def test_a_run_stays_in_its_region(world: World) -> None:
    run = world.submit()
    with pytest.raises(ApiError, match=f"{TARGET} is in region north, node-9 serves south, west") as refused:
        claims.claim(world.context, run.id, node="node-9", holder="h", regions=("south", "west"))
    assert refused.value.code == "not_claimable"
    assert runs.get(world.context, run.id).status is RunStatus.PENDING
    assert claims.claim(world.context, run.id, node="node-9", holder="h", regions=("south", "north")).epoch == 1


def test_a_run_works_in_the_clouds_region_of_its_release_whatever_was_registered_since(world: World) -> None:
    run = world.submit(release_digest=world.publish())
    releases.register(world.context, "web", release_digest=world.publish(provider_region="us-9"))
    assert world.claim(run).target.provider_region == "eu-1"


def test_a_release_that_cannot_be_read_holds_up_no_claim(world: World) -> None:
    """The worker refuses it and says why."""
    run = world.submit()
    with world.context.database.write() as session:
        session.execute(update(ReleaseRow).values(manifest=b"evil"))
    assert world.claim(run).target.provider_region == "eu-1"
