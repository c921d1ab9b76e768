"""Runs."""

from __future__ import annotations

import pytest

from scheduler import runs
from shared.errors import ApiError, Unavailable
from shared.models import RunKind, RunStatus
from tests.unit.scheduler.support import TARGET, World, metric


def finish(world: World, run_id: str, status: RunStatus, *, epoch: int = 1, holder: str = "holder-1") -> RunStatus:
    report = runs.finish(
        world.context, run_id, holder=holder, epoch=epoch, exit_code=0, status=status, reason="as reported"
    )
    return report.status


def test_a_submitted_run_waits_and_its_hint_is_published(world: World) -> None:
    run = world.submit()
    assert (run.status, run.region, run.attempt, run.epoch) == (RunStatus.PENDING, "north", 1, None)
    assert world.publisher.hints == [("north", run.id)]


def test_a_broker_that_is_away_does_not_refuse_the_run(world: World) -> None:
    world.publisher.failure = Unavailable("the broker is away")
    run = world.submit()
    assert runs.get(world.context, run.id).status is RunStatus.PENDING
    assert metric(world, "publication_failures_total") == 1


def test_an_unknown_target_is_a_404(world: World) -> None:
    with pytest.raises(ApiError) as refused:
        world.submit("web.south")
    assert refused.value.status == 404


def test_an_exec_needs_a_command(world: World) -> None:
    with pytest.raises(ApiError, match="needs a command"):
        world.submit(kind=RunKind.EXEC)


def test_runs_are_listed_newest_first_and_filtered(world: World) -> None:
    world.register("web.south")
    first, second, other = world.submit(), world.submit(), world.submit("web.south")
    listed = runs.listed(world.context, target=None, status=None, limit=2)
    assert [run.id for run in listed] == [other.id, second.id]
    listed = runs.listed(world.context, target=TARGET, status=RunStatus.PENDING, limit=10)
    assert [run.id for run in listed] == [second.id, first.id]
    assert runs.listed(world.context, target=None, status=RunStatus.LOST, limit=10) == []


def test_a_pending_run_is_canceled_at_once_and_an_active_one_through_its_holder(world: World) -> None:
    pending = world.submit()
    assert runs.cancel(world.context, pending.id).status is RunStatus.CANCELED
    assignment, _ = world.begin()
    canceled = runs.cancel(world.context, assignment.run.id)
    assert (canceled.status, canceled.cancel_requested) == (RunStatus.CLAIMED, True)
    assert runs.progress(
        world.context, assignment.run.id, holder="holder-1", status=RunStatus.PLANNING
    ).cancel_requested


def test_progress_goes_forward_only_and_only_by_the_holder(world: World) -> None:
    assignment, _ = world.begin()
    run_id = assignment.run.id
    for status in (RunStatus.PLANNING, RunStatus.PLANNING, RunStatus.APPLYING):
        assert runs.progress(world.context, run_id, holder="holder-1", status=status).status is status
    with pytest.raises(ApiError) as back:
        runs.progress(world.context, run_id, holder="holder-1", status=RunStatus.PLANNING)
    assert back.value.code == "illegal_transition"
    with pytest.raises(ApiError) as other:
        runs.progress(world.context, run_id, holder="someone", status=RunStatus.APPLYING)
    assert other.value.code == "lease_lost"
    with pytest.raises(ApiError) as nonsense:
        runs.progress(world.context, run_id, holder="holder-1", status=RunStatus.APPLIED)
    assert nonsense.value.status == 400
    assert runs.get(world.context, run_id).status is RunStatus.APPLYING


def test_a_report_settles_until_redis_says_that_the_lease_ended(world: World) -> None:
    assignment, lease = world.begin()
    assert finish(world, assignment.run.id, RunStatus.APPLIED) is RunStatus.SETTLING
    # Repeating it changes nothing, neither before nor after the end.
    assert finish(world, assignment.run.id, RunStatus.APPLIED) is RunStatus.SETTLING
    world.store.release(TARGET, lease)
    assert finish(world, assignment.run.id, RunStatus.APPLIED) is RunStatus.APPLIED
    assert finish(world, assignment.run.id, RunStatus.APPLIED) is RunStatus.APPLIED


def test_a_report_after_a_clean_release_is_final_at_once(world: World) -> None:
    assignment, lease = world.begin()
    waiting = world.submit()
    world.publisher.hints.clear()
    world.store.release(TARGET, lease)
    assert finish(world, assignment.run.id, RunStatus.APPLIED) is RunStatus.APPLIED
    run = runs.get(world.context, assignment.run.id)
    assert (run.exit_code, run.reason, run.finished_at) == (0, "as reported", world.clock.wall())
    assert world.publisher.hints == [("north", waiting.id)]


def test_a_report_from_a_run_whose_lease_was_cut_is_refused(world: World) -> None:
    assignment, lease = world.begin()
    world.sever(TARGET, lease)
    with pytest.raises(ApiError) as refused:
        finish(world, assignment.run.id, RunStatus.APPLIED)
    assert (refused.value.status, refused.value.code) == (409, "lease_lost")
    lost, follower = reversed(runs.listed(world.context, target=TARGET, status=None, limit=2))
    assert (lost.status, follower.retry_of) == (RunStatus.LOST, lost.id)
    with pytest.raises(ApiError, match="it is lost already"):
        finish(world, assignment.run.id, RunStatus.APPLIED)


@pytest.mark.parametrize(("holder", "epoch"), [("someone", 1), ("holder-1", 2)])
def test_only_the_holder_reports_and_only_for_its_epoch(world: World, holder: str, epoch: int) -> None:
    assignment, _ = world.begin()
    with pytest.raises(ApiError) as refused:
        finish(world, assignment.run.id, RunStatus.APPLIED, holder=holder, epoch=epoch)
    assert refused.value.code == "lease_lost"


@pytest.mark.parametrize(
    ("kind", "status"),
    [(RunKind.PLAN, RunStatus.APPLIED), (RunKind.APPLY, RunStatus.SUCCEEDED), (RunKind.EXEC, RunStatus.PLANNED)],
)
def test_a_run_ends_as_its_kind_can(world: World, kind: RunKind, status: RunStatus) -> None:
    assignment, _ = world.begin(kind=kind)
    with pytest.raises(ApiError) as refused:
        finish(world, assignment.run.id, status)
    assert refused.value.status == 400


def test_a_report_stands_while_redis_is_away(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assignment, lease = world.begin()
    world.store.release(TARGET, lease)

    def away(_target: str) -> None:
        raise Unavailable("Redis is away")

    monkeypatch.setattr(world.store, "view", away)
    assert finish(world, assignment.run.id, RunStatus.ERRORED) is RunStatus.SETTLING


@pytest.mark.parametrize("status", [RunStatus.PLANNED, RunStatus.HALTED])
def test_an_apply_whose_plan_waits_or_that_was_halted_is_over_and_not_tried_again(
    world: World, status: RunStatus
) -> None:
    assignment, lease = world.begin()
    world.store.release(TARGET, lease)
    ended = world.finish(assignment, status, exit_code=77, reason="it is so")
    assert (ended.status, ended.reason) == (status, "it is so")
    assert [run.id for run in runs.listed(world.context, target=TARGET, status=None, limit=10)] == [ended.id]


def test_a_rollback_is_not_submitted_by_hand(world: World) -> None:
    with pytest.raises(ApiError, match="belongs to a deployment"):
        world.submit(kind=RunKind.ROLLBACK)
