"""What people do with roll-outs."""

from __future__ import annotations

import pytest
from sqlalchemy import delete

from scheduler import releases, runs
from scheduler.rollout import service
from scheduler.rollout.drive import change, drive_all
from scheduler.tables import TargetRow
from shared.errors import ApiError
from shared.models import RunKind, RunStatus
from shared.rollouts import Rollout, RolloutStatus
from tests.unit.scheduler.rollout.support import phase, publish, queued, stages, statuses, work
from tests.unit.scheduler.support import World

TARGETS = ["web.r1", "web.r2", "web.r3"]


def begin(world: World, *, approval: bool = False, max_concurrent: int = 3) -> Rollout:
    made = phase("one", approval=approval, max_concurrent=max_concurrent)
    digest = publish(world, made, phase("two", after=("one",)), targets={"one": TARGETS, "two": ["web.r4"]})
    return service.start(world.context, digest, actor="anna")


def test_a_roll_out_takes_phases_and_targets_from_its_release(world: World) -> None:
    value = begin(world, max_concurrent=2)
    assert [one.id for one in value.targets] == [*TARGETS, "web.r4"]
    assert (value.flock, value.actor, value.phases[0].max_concurrent) == ("web", "anna", 2)
    assert service.get(world.context, value.id) == value
    (summary,) = service.listed(world.context, flock=None, limit=10)
    assert (summary.id, summary.status) == (value.id, RolloutStatus.RUNNING)
    assert service.listed(world.context, flock="other", limit=10) == []


def test_an_unknown_release_or_roll_out_is_a_404(world: World) -> None:
    for ask in (
        lambda: service.start(world.context, "sha256:" + "0" * 64, actor="anna"),
        lambda: service.get(world.context, "rollout-" + "0" * 16),
        lambda: service.pause(world.context, "rollout-" + "0" * 16),
    ):
        with pytest.raises(ApiError) as refused:
            ask()
        assert refused.value.status == 404


def test_a_flock_has_one_roll_out_at_a_time(world: World) -> None:
    value = begin(world)
    with pytest.raises(ApiError, match=value.id) as refused:
        service.start(world.context, value.release_digest, actor="bert")
    assert refused.value.code == "rollout_unfinished"
    service.cancel(world.context, value.id, actor="anna")
    change(world.context, value.id)
    again = service.start(world.context, value.release_digest, actor="bert")
    assert again.status is RolloutStatus.RUNNING


def test_the_index_refuses_a_second_one_even_where_nobody_looked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    value = begin(world)
    monkeypatch.setattr(service, "_unfinished", lambda *_: None)
    with pytest.raises(ApiError, match="started in this moment"):
        service.start(world.context, value.release_digest, actor="bert")


def test_a_release_with_a_target_that_is_not_registered_is_refused_by_name(world: World) -> None:
    digest = publish(world, phase("one"), targets={"one": TARGETS})
    with world.context.database.write() as session:
        session.execute(delete(TargetRow).where(TargetRow.id == "web.r2"))
    with pytest.raises(ApiError, match=r"not registered: web\.r2") as refused:
        service.start(world.context, digest, actor="anna")
    assert refused.value.code == "target_not_registered"


def test_while_it_is_paused_no_worker_gets_what_is_queued(world: World) -> None:
    value = begin(world)
    run = queued(world, "web.r1")
    service.pause(world.context, value.id)
    with pytest.raises(ApiError, match="is paused"):
        world.claim(run)
    world.publisher.hints.clear()
    service.resume(world.context, value.id)
    assert ("r1", run.id) in world.publisher.hints
    assert world.claim(run).run.id == run.id


def test_what_is_at_work_when_it_is_paused_goes_on_to_its_end(world: World) -> None:
    value = begin(world)
    assignment = world.claim(queued(world, "web.r1"))
    service.pause(world.context, value.id)
    assert not runs.get(world.context, assignment.run.id).cancel_requested


def test_cancel_takes_back_what_is_queued_and_asks_the_rest_to_stop(world: World) -> None:
    value = begin(world)
    assignment = world.claim(queued(world, "web.r1"))
    service.cancel(world.context, value.id, actor="bert")
    assert runs.get(world.context, assignment.run.id).cancel_requested
    assert runs.listed(world.context, target=None, status=RunStatus.PENDING, limit=10) == []
    drive_all(world.context)
    assert service.get(world.context, value.id).status is RolloutStatus.CANCELING


def test_a_failed_phase_takes_back_what_is_queued_and_lets_end_what_is_at_work(world: World) -> None:
    value = begin(world)
    at_work = world.claim(queued(world, "web.r1"))
    work(world, "web.r2", RunStatus.ERRORED)
    drive_all(world.context)
    drive_all(world.context)
    halting = service.get(world.context, value.id)
    assert (halting.status, stages(halting)) == (
        RolloutStatus.HALTING,
        ["planning", "errored", "canceled", "pending"],
    )
    assert statuses(halting) == ["failed", "frozen"]
    assert not runs.get(world.context, at_work.run.id).cancel_requested


def test_plans_are_approved_and_discarded_by_digest(world: World) -> None:
    value = begin(world, approval=True)
    for target in TARGETS:
        work(world, target, plan=target.encode())
    value = change(world.context, value.id)
    plans = {one.id: str(one.plan_digest) for one in value.targets if one.plan_digest}
    assert set(plans) == set(TARGETS)
    with pytest.raises(ApiError) as refused:
        service.approve(world.context, value.id, {**plans, "web.r1": "sha256:" + "0" * 64}, actor="bert")
    assert (refused.value.status, refused.value.code) == (409, "illegal_transition")
    assert stages(service.get(world.context, value.id))[:3] == ["planned"] * 3
    approved = service.approve(world.context, value.id, {"web.r1": plans["web.r1"]}, actor="bert")
    assert stages(approved)[:3] == ["applying", "planned", "planned"]
    assert queued(world, "web.r1").actor == "bert"
    discarded = service.discard(world.context, value.id, {"web.r2": plans["web.r2"]}, actor="bert")
    assert (discarded.status, stages(discarded)[:3]) == (
        RolloutStatus.HALTING,
        ["applying", "discarded", "discarded"],
    )


def test_what_does_not_fit_is_a_409_and_changes_nothing(world: World) -> None:
    value = begin(world)
    service.cancel(world.context, value.id, actor="anna")
    with pytest.raises(ApiError, match="cannot be resumed") as refused:
        service.resume(world.context, value.id)
    assert refused.value.code == "illegal_transition"


def failed(world: World) -> Rollout:
    """A roll-out whose only target failed."""
    digest = publish(world, phase("one"), targets={"one": ["web.r1"]})
    value = service.start(world.context, digest, actor="anna")
    work(world, "web.r1", RunStatus.ERRORED)
    over = change(world.context, value.id)
    assert over.status is RolloutStatus.FAILED
    return over


def test_a_failed_one_is_tried_again_to_its_end(world: World) -> None:
    value = failed(world)
    assert service.retry(world.context, value.id, [], actor="bert").targets[0].stage.value == "planning"
    work(world, "web.r1")
    change(world.context, value.id)
    work(world, "web.r1", writes=1)
    assert change(world.context, value.id).status is RolloutStatus.SUCCEEDED


def by_hand(world: World, kind: RunKind, release: str) -> str:
    """Somebody's own run, which succeeds."""
    assignment = world.claim(world.submit("web.r1", kind, release_digest=release))
    world.store.release("web.r1", world.acquire(assignment))
    world.finish(assignment)
    return assignment.run.id


@pytest.mark.parametrize("kind", [RunKind.APPLY, RunKind.DESTROY])
def test_a_target_that_somebody_applied_or_destroyed_since_is_not_tried_again(world: World, kind: RunKind) -> None:
    value = failed(world)
    run_id = by_hand(world, kind, value.release_digest)
    with pytest.raises(ApiError, match=rf"web\.r1 .*{run_id}") as refused:
        service.retry(world.context, value.id, [], actor="bert")
    assert refused.value.code == "rollout_superseded"
    assert service.get(world.context, value.id) == value


def test_what_was_applied_before_it_failed_hinders_no_retry(world: World) -> None:
    digest = publish(world, phase("one"), targets={"one": ["web.r1"]})
    value = service.start(world.context, digest, actor="anna")
    # Submitted after the roll-out's plan run, and over before that began.
    plan_run = queued(world, "web.r1")
    by_hand(world, RunKind.APPLY, digest)
    assert queued(world, "web.r1").id == plan_run.id
    work(world, "web.r1", RunStatus.ERRORED)
    change(world.context, value.id)
    assert service.retry(world.context, value.id, ["web.r1"], actor="bert").targets[0].stage.value == "planning"


def test_a_target_that_deploys_another_release_since_is_not_tried_again(world: World) -> None:
    first = world.publish("web.r1", rendered={"a.json": b"1"})
    second = world.publish("web.r1", rendered={"a.json": b"2"})
    releases.register(world.context, "web", release_digest=first)
    value = failed(world)
    releases.register(world.context, "web", release_digest=value.release_digest)
    releases.register(world.context, "web", release_digest=second)
    with pytest.raises(ApiError, match=rf"web\.r1 .*{second}") as refused:
        service.retry(world.context, value.id, [], actor="bert")
    assert refused.value.code == "rollout_superseded"
    releases.register(world.context, "web", release_digest=value.release_digest)
    assert service.retry(world.context, value.id, [], actor="bert").status is RolloutStatus.RUNNING


def test_the_release_that_it_deployed_when_it_failed_hinders_no_retry(world: World) -> None:
    releases.register(world.context, "web", release_digest=world.publish("web.r1", rendered={"a.json": b"1"}))
    value = failed(world)
    assert service.retry(world.context, value.id, [], actor="bert").status is RolloutStatus.RUNNING


def test_one_that_another_followed_is_not_tried_again(world: World) -> None:
    value = failed(world)
    later = service.start(world.context, value.release_digest, actor="anna")
    with pytest.raises(ApiError, match=f"{later.id} came later") as refused:
        service.retry(world.context, value.id, [], actor="bert")
    assert refused.value.code == "rollout_superseded"
    with pytest.raises(ApiError) as unknown:
        service.retry(world.context, "rollout-" + "f" * 16, [], actor="bert")
    assert unknown.value.status == 404
