"""The transaction that moves a roll-out."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from scheduler import claims, runs
from scheduler.dispatch import republish
from scheduler.rollout import drive, service
from scheduler.rollout.drive import change, drive_all, drive_of_run, event_of
from scheduler.rollout.events import PlanReady, PlanStale, RunApplied, RunCanceled, RunFailed, RunLost
from scheduler.tables import PlanRow, RolloutRow, RunRow, TargetRow
from shared.errors import ApiError, Unavailable
from shared.models import RunKind, RunStatus
from shared.rollouts import Rollout, RolloutStatus
from tests.unit.scheduler.rollout.support import phase, publish, queued, stages, statuses, work
from tests.unit.scheduler.support import World

ONE, TWO = "web.r1", "web.r2"


def begin(world: World, *, approval: bool = False, **options: int) -> Rollout:
    """Two phases of one target each."""
    digest = publish(
        world,
        phase("one", approval=approval, **options),
        phase("two", after=("one",)),
        targets={"one": [ONE], "two": [TWO]},
    )
    return service.start(world.context, digest, actor="anna")


def test_a_roll_out_goes_through_its_phases_as_its_runs_end(world: World) -> None:
    value = begin(world)
    assert (stages(value), statuses(value)) == (["planning", "pending"], ["running", "waiting"])
    run = queued(world, ONE)
    assert (run.kind, run.rollout_id, run.release_digest) == (RunKind.PLAN, value.id, value.release_digest)
    work(world, ONE)
    assert drive_all(world.context) == 1
    apply = queued(world, ONE)
    assert (apply.kind, apply.plan_run_id) == (RunKind.APPLY, run.id)
    assert runs.get(world.context, run.id).status is RunStatus.CONFIRMED
    work(world, ONE, writes=1)
    drive_all(world.context)
    work(world, TWO, changes=False)
    drive_all(world.context)
    over = service.get(world.context, value.id)
    assert (over.status, stages(over)) == (RolloutStatus.SUCCEEDED, ["applied", "applied"])
    with world.context.database.read() as session:
        deployed = set(session.scalars(select(TargetRow.release_digest).where(TargetRow.id.in_((ONE, TWO)))))
    assert deployed == {value.release_digest}
    assert drive_all(world.context) == 0


def test_hints_go_out_after_the_commit_to_the_regions_of_the_targets(world: World) -> None:
    begin(world)
    assert world.publisher.hints == [("r1", queued(world, ONE).id)]


def test_a_broker_that_is_away_costs_a_roll_out_nothing(world: World) -> None:
    world.publisher.failure = Unavailable("no broker")
    begin(world)
    assert queued(world, ONE).status is RunStatus.PENDING


def test_driving_it_again_without_news_changes_nothing(world: World) -> None:
    value = begin(world)
    before = world.publisher.hints.copy()
    assert change(world.context, value.id) == value
    assert world.publisher.hints == before
    with world.context.database.read() as session:
        assert len(list(session.scalars(select(RunRow)))) == 1


def test_killed_before_the_commit_nothing_of_it_is_there(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    value = begin(world)
    work(world, ONE)

    def killed(*_: object) -> None:
        raise SystemExit

    monkeypatch.setattr(drive.plans, "mark", killed)
    with pytest.raises(SystemExit):
        change(world.context, value.id)
    monkeypatch.undo()
    assert service.get(world.context, value.id) == value
    assert runs.listed(world.context, target=ONE, status=RunStatus.PENDING, limit=10) == []
    change(world.context, value.id)
    assert queued(world, ONE).kind is RunKind.APPLY


def test_killed_after_the_commit_its_run_is_there_and_its_hint_is_the_reconcilers(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = begin(world)
    work(world, ONE)

    def killed(*_: object) -> None:
        raise SystemExit

    monkeypatch.setattr(drive, "publish", killed)
    with pytest.raises(SystemExit):
        change(world.context, value.id)
    monkeypatch.undo()
    world.publisher.hints.clear()
    change(world.context, value.id)
    assert world.publisher.hints == []
    republish(world.context)
    assert world.publisher.hints == [("r1", queued(world, ONE).id)]


def test_a_plan_whose_state_moved_is_discarded_and_made_anew(world: World) -> None:
    value = begin(world, approval=True)
    first = queued(world, ONE)
    work(world, ONE)
    change(world.context, value.id)
    plan = service.get(world.context, value.id).targets[0]
    # Somebody applies by hand while the plan waits for its approval.
    other = world.submit(ONE, release_digest=value.release_digest)
    assert work(world, ONE, writes=1).id == other.id
    service.approve(world.context, value.id, {ONE: str(plan.plan_digest)}, actor="bert")
    stale = queued(world, ONE)
    with pytest.raises(ApiError, match="it is discarded"):
        world.claim(stale)
    assert "serial" in runs.get(world.context, stale.id).reason
    anew = change(world.context, value.id).targets[0]
    assert (anew.stage.value, anew.plans, anew.confirmed_by) == ("planning", 2, "")
    assert runs.get(world.context, first.id).status is RunStatus.DISCARDED
    work(world, ONE, plan=b"another plan")
    planned = change(world.context, value.id).targets[0]
    assert planned.stage.value == "planned"
    assert planned.plan_digest != plan.plan_digest
    with pytest.raises(ApiError, match="look at the new one"):
        service.approve(world.context, value.id, {ONE: str(plan.plan_digest)}, actor="bert")


def test_a_lost_apply_is_planned_anew_instead_of_being_followed_up(world: World) -> None:
    value = begin(world)
    work(world, ONE)
    change(world.context, value.id)
    lost = work(world, ONE, RunStatus.LOST)
    assert runs.listed(world.context, target=ONE, status=RunStatus.PENDING, limit=10) == []
    target = change(world.context, value.id).targets[0]
    assert (target.stage.value, target.losses) == ("planning", 1)
    again = queued(world, ONE)
    assert (again.kind, again.retry_of) == (RunKind.PLAN, None)
    # The new plan is the one that takes over what the lost run left.
    assert claims.claim(world.context, again.id, node="n", holder="h").recovers == lost.id


def test_a_target_whose_runs_are_lost_too_often_has_failed(world: World) -> None:
    value = begin(world)
    for _ in range(world.context.settings.max_attempts):
        work(world, ONE, RunStatus.LOST)
        drive_all(world.context)
    over = service.get(world.context, value.id)
    assert (over.status, stages(over), statuses(over)) == (
        RolloutStatus.FAILED,
        ["errored", "pending"],
        ["failed", "frozen"],
    )


def test_the_content_of_a_plan_is_let_go_once_it_was_applied_or_discarded(world: World) -> None:
    value = begin(world)
    run = queued(world, ONE)
    work(world, ONE)
    change(world.context, value.id)
    assert kept(world, run.id)
    work(world, ONE, writes=1)
    change(world.context, value.id)
    assert not kept(world, run.id)


def kept(world: World, run_id: str) -> bool:
    with world.context.database.read() as session:
        return bool(session.scalar(select(PlanRow.ciphertext.is_not(None)).where(PlanRow.run_id == run_id)))


def test_a_canceled_run_moves_its_roll_out(world: World) -> None:
    value = begin(world)
    run = runs.cancel(world.context, queued(world, ONE).id)
    drive_of_run(world.context, run.id)
    assert service.get(world.context, value.id).status is RolloutStatus.FAILED


def test_a_run_of_no_roll_out_moves_none(world: World) -> None:
    drive_of_run(world.context, world.submit().id)
    drive_of_run(world.context, "run-" + "0" * 16)


def test_one_that_cannot_be_moved_holds_up_no_other(world: World) -> None:
    broken = begin(world)
    digest = publish(world, phase("one"), targets={"one": ["shop.r9"]})
    fine = service.start(world.context, digest, actor="anna")
    work(world, "shop.r9", changes=False)
    with world.context.database.write() as session:
        row = session.scalars(select(RolloutRow).where(RolloutRow.id == broken.id)).one()
        row.document = {**row.document, "phases": []}
    assert drive_all(world.context) == 2
    assert service.get(world.context, fine.id).status is RolloutStatus.SUCCEEDED


@pytest.mark.parametrize(
    ("fields", "digest", "expected"),
    [
        ({"status": "planned"}, "sha256:" + "a" * 64, PlanReady),
        ({"status": "planned"}, None, RunFailed),
        ({"status": "applied"}, None, RunApplied),
        ({"status": "discarded"}, None, PlanStale),
        ({"status": "canceled"}, None, RunCanceled),
        ({"status": "errored"}, None, RunFailed),
        ({"status": "lost"}, None, RunLost),
        ({"status": "lost", "cancel_requested": True}, None, RunCanceled),
        ({"status": "lost", "revoke_requested": True}, None, RunFailed),
    ],
)
def test_what_the_end_of_a_run_means(fields: dict[str, object], digest: str | None, expected: type) -> None:
    values = {"cancel_requested": False, "revoke_requested": False, "reason": "", "kind": "plan", **fields}
    run = RunRow(id="run-" + "1" * 16, target=ONE, **values)
    assert type(event_of(run, digest=digest, changes=True, last_try=False)) is expected
