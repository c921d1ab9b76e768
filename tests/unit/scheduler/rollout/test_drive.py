"""The transaction that moves a roll-out."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import select

from scheduler import claims, plans, runs
from scheduler.dispatch import republish
from scheduler.notifications import Event
from scheduler.rollout import drive, service
from scheduler.rollout.drive import change, drive_all, drive_of_run, event_of
from scheduler.rollout.events import PlanReady, PlanStale, RunApplied, RunCanceled, RunFailed, RunLost
from scheduler.tables import NotificationRow, PlanRow, RolloutRow, RunRow, TargetRow
from shared import exit_codes
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


def at_work(world: World, target: str) -> Callable[[bytes, RunStatus], None]:
    """Claim the target's plan run; what is returned delivers its plan and reports how it ended."""
    assignment = claims.claim(world.context, queued(world, target).id, node="n", holder="h")
    lease = world.acquire(assignment)

    def end(plan: bytes, status: RunStatus) -> None:
        plans.store_plan(world.context, assignment.run.id, holder="h", content=plan, changes=True)
        world.store.release(target, lease)
        world.finish(assignment, status, exit_code=2)

    return end


def test_a_plan_that_comes_when_the_roll_out_was_canceled_is_discarded_and_let_go(world: World) -> None:
    value = begin(world)
    run = queued(world, ONE)
    end = at_work(world, ONE)
    service.cancel(world.context, value.id, actor="anna")
    end(b"a plan", RunStatus.PLANNED)
    over = change(world.context, value.id)
    assert (over.status, stages(over)) == (RolloutStatus.CANCELED, ["canceled", "canceled"])
    assert runs.get(world.context, run.id).status is RunStatus.DISCARDED
    assert not kept(world, run.id)


@pytest.mark.parametrize("status", [RunStatus.ERRORED, RunStatus.LOST, RunStatus.CANCELED])
def test_the_content_of_a_plan_whose_apply_ended_otherwise_is_let_go(world: World, status: RunStatus) -> None:
    value = begin(world)
    run = queued(world, ONE)
    work(world, ONE)
    change(world.context, value.id)
    work(world, ONE, status)
    change(world.context, value.id)
    assert not kept(world, run.id)


@pytest.mark.parametrize("status", [RunStatus.ERRORED, RunStatus.LOST, RunStatus.CANCELED])
def test_the_content_of_a_plan_is_let_go_whose_run_delivered_it_and_then_failed(
    world: World, status: RunStatus
) -> None:
    value = begin(world)
    run = queued(world, ONE)
    end = at_work(world, ONE)
    end(b"a plan", status)
    change(world.context, value.id)
    assert not kept(world, run.id)


def test_one_whose_document_makes_no_sense_holds_up_no_other(world: World) -> None:
    broken = begin(world)
    digest = publish(world, phase("one"), targets={"one": ["shop.r9"]})
    fine = service.start(world.context, digest, actor="anna")
    work(world, "shop.r9", changes=False)
    with world.context.database.write() as session:
        row = session.scalars(select(RolloutRow).where(RolloutRow.id == broken.id)).one()
        row.document = {**row.document, "phases": [{**row.document["phases"][0], "name": "other"}]}
    assert drive_all(world.context) == 2
    assert service.get(world.context, fine.id).status is RolloutStatus.SUCCEEDED


def test_after_a_restore_of_the_database_a_plan_made_before_is_void(world: World) -> None:
    """Redis knows epochs that this database does not: somebody was at work since the plan was made."""
    value = begin(world)
    work(world, ONE)
    change(world.context, value.id)
    apply = queued(world, ONE)
    assignment = world.claim(apply)
    for epoch in (assignment.epoch, assignment.epoch + 1):
        lease = world.acquire(assignment.model_copy(update={"epoch": epoch, "holder": "somebody"}))
        world.store.release(ONE, lease)
    with pytest.raises(ApiError, match=r"is void: epoch 3 of web\.r1 was at work since the plan was made"):
        claims.raise_epoch(world.context, apply.id, holder="holder-1", above=assignment.epoch + 1)
    runs.finish(
        world.context,
        apply.id,
        holder="holder-1",
        epoch=assignment.epoch,
        exit_code=1,
        status=RunStatus.ERRORED,
        reason="refused",
    )
    assert runs.get(world.context, apply.id).status is RunStatus.DISCARDED
    again = change(world.context, value.id).targets[0]
    assert (again.stage.value, again.plans) == ("planning", 2)
    anew = world.claim(queued(world, ONE))
    raised = claims.raise_epoch(world.context, anew.run.id, holder="holder-1", above=assignment.epoch + 1)
    assert raised.epoch == assignment.epoch + 2


def test_a_run_that_could_not_begin_is_tried_again_and_fails_no_phase(world: World) -> None:
    """The scheduler, Redis or a proxy was away: the plan is made again, the approved plan stays approved."""
    value = begin(world, approval=True)
    work(world, ONE, RunStatus.ERRORED, exit_code=exit_codes.UNAVAILABLE)
    again = change(world.context, value.id).targets[0]
    assert (again.stage.value, again.plans, again.losses, again.reason) == ("planning", 2, 1, "it is errored")
    plan = work(world, ONE)
    digest = str(change(world.context, value.id).targets[0].plan_digest)
    service.approve(world.context, value.id, {ONE: digest}, actor="bert")
    work(world, ONE, RunStatus.ERRORED, exit_code=exit_codes.UNAVAILABLE)
    once_more = change(world.context, value.id).targets[0]
    assert (once_more.stage.value, once_more.plan_run_id, once_more.confirmed_by) == ("applying", plan.id, "bert")
    assert work(world, ONE, writes=1).plan_run_id == plan.id
    assert change(world.context, value.id).targets[0].stage.value == "applied"


def test_a_run_that_can_never_begin_fails_in_the_end(world: World) -> None:
    value = begin(world)
    for _ in range(world.context.settings.max_attempts):
        assert service.get(world.context, value.id).status is RolloutStatus.RUNNING
        work(world, ONE, RunStatus.ERRORED, exit_code=exit_codes.UNAVAILABLE)
        change(world.context, value.id)
    over = service.get(world.context, value.id)
    assert (over.status, stages(over), over.targets[0].reason) == (
        RolloutStatus.FAILED,
        ["errored", "pending"],
        "it is errored",
    )


def test_an_error_of_terraform_counts_at_once(world: World) -> None:
    value = begin(world)
    work(world, ONE, RunStatus.ERRORED, exit_code=exit_codes.ERROR)
    assert change(world.context, value.id).status is RolloutStatus.FAILED


def test_a_command_that_exits_with_that_number_was_at_work_all_the_same(world: World) -> None:
    value = begin(world, approval=True)
    work(world, ONE)
    plan = change(world.context, value.id).targets[0]
    world.submit(ONE, RunKind.EXEC, ["true"], release_digest=value.release_digest)
    work(world, ONE, RunStatus.ERRORED, exit_code=exit_codes.UNAVAILABLE)
    service.approve(world.context, value.id, {ONE: str(plan.plan_digest)}, actor="bert")
    stale = queued(world, ONE)
    with pytest.raises(ApiError, match="it is discarded"):
        world.claim(stale)


def test_a_plan_that_waits_for_approval_is_told_in_the_same_transaction(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told() -> list[Event]:
        with world.context.database.read() as session:
            return [Event.stored(row.document) for row in session.scalars(select(NotificationRow))]

    value = begin(world, approval=True)
    with monkeypatch.context() as patched:
        # The transaction fails after the event was recorded: nobody is told of what is not so.
        patched.setattr(drive, "log_event", lambda *_, **__: None)
        patched.setattr(drive, "approvals_wanted", lambda *_, **__: 1 / 0)
        work(world, ONE)
    assert told() == []
    value = change(world.context, value.id)
    (wanted,) = told()
    assert wanted.kind == "approval_wanted"
    assert (wanted.rollout_id, wanted.phase, wanted.target) == (value.id, "one", ONE)
    assert wanted.run_id == value.targets[0].plan_run_id
    change(world.context, value.id)
    assert len(told()) == 1
