"""Routes: roll-outs and plan files."""

from __future__ import annotations

import hashlib

import pytest
from sqlalchemy import update

from scheduler.api.limits import limit_for
from scheduler.tables import RunRow
from shared.constants import MAX_PLAN_BYTES
from shared.errors import ApiError
from shared.models import RunKind, RunStatus
from tests.unit.scheduler.api.conftest import AppClient, Clients
from tests.unit.scheduler.rollout.support import phase, publish, queued, work
from tests.unit.scheduler.support import TARGET, World

ONE = "web.r1"


def release(world: World) -> str:
    return publish(world, phase("one", approval=True), targets={"one": [ONE]})


def test_a_roll_out_is_started_looked_at_approved_and_seen_through(world: World, client: Clients) -> None:
    admin = client("admin")
    value = admin.start_rollout(release(world), actor="anna")
    assert [one.id for one in admin.rollouts(flock="web")] == [value.id]
    assert admin.rollouts(flock="other") == []
    worker = client("worker")
    claimed = worker.claim(queued(world, ONE).id, node="n", holder="h")
    world.acquire(claimed)
    worker.store_plan(claimed.run.id, holder="h", content=b"plan", changes=True)
    view = world.store.view(ONE)
    assert view.lease_id is not None
    world.store.release(ONE, view.lease_id)
    worker.finish(claimed.run.id, holder="h", epoch=1, exit_code=2, status=RunStatus.PLANNED)
    # The report of the run moved its roll-out: nobody waited for a tick.
    (target,) = admin.rollout(value.id).targets
    assert (target.stage.value, target.plan_digest) == ("planned", f"sha256:{hashlib.sha256(b'plan').hexdigest()}")
    admin.decide_plans(value.id, "approve", {ONE: str(target.plan_digest)}, actor="bert")
    applied = worker.claim(queued(world, ONE).id, node="n", holder="h2")
    assert applied.plan is not None
    assert worker.plan_to_apply(applied.run.id, holder="h2") == b"plan"
    assert applied.run.actor == "bert"


def test_pause_resume_cancel_and_what_does_not_fit(world: World, client: Clients) -> None:
    admin = client("admin")
    value = admin.start_rollout(release(world))
    assert admin.command_rollout(value.id, "pause").status.value == "paused"
    assert admin.command_rollout(value.id, "resume").status.value == "running"
    assert admin.command_rollout(value.id, "cancel", actor="anna").status.value == "canceling"
    with pytest.raises(ApiError) as refused:
        admin.command_rollout(value.id, "pause")
    assert (refused.value.status, refused.value.code) == (409, "illegal_transition")


def test_a_plan_is_discarded_by_its_digest(world: World, client: Clients) -> None:
    admin = client("admin")
    value = admin.start_rollout(release(world))
    work(world, ONE)
    (target,) = admin.command_rollout(value.id, "resume").targets
    after = admin.decide_plans(value.id, "discard", {ONE: str(target.plan_digest)}, actor="anna")
    assert (after.status.value, after.targets[0].stage.value) == ("failed", "discarded")


def test_canceling_a_queued_run_moves_its_roll_out(world: World, client: Clients) -> None:
    admin = client("admin")
    value = admin.start_rollout(release(world))
    admin.cancel_run(queued(world, ONE).id)
    assert admin.rollout(value.id).status.value == "failed"


def test_a_failed_roll_out_is_tried_again(world: World, client: Clients) -> None:
    admin = client("admin")
    value = admin.start_rollout(release(world))
    admin.cancel_run(queued(world, ONE).id)
    again = admin.retry_rollout(value.id, [ONE], actor="anna")
    assert (again.status.value, again.targets[0].stage.value) == ("running", "planning")
    with pytest.raises(ApiError) as refused:
        admin.retry_rollout(value.id)
    assert (refused.value.status, refused.value.code) == (409, "illegal_transition")


def test_only_an_administrator_rolls_out(world: World, client: Clients) -> None:
    digest = release(world)
    for role in ("worker", "proxy"):
        for call in (
            lambda one: one.start_rollout(digest),
            lambda one: one.rollouts(),
            lambda one: one.rollout("rollout-" + "0" * 16),
            lambda one: one.command_rollout("rollout-" + "0" * 16, "cancel"),
            lambda one: one.retry_rollout("rollout-" + "0" * 16),
            lambda one: one.decide_plans("rollout-" + "0" * 16, "approve", {ONE: digest}),
        ):
            with pytest.raises(ApiError) as refused:
                call(client(role))
            assert refused.value.status == 403


def test_the_proxy_sees_no_plan(world: World, client: Clients) -> None:
    with pytest.raises(ApiError) as refused:
        client("proxy").plan_to_apply("run-" + "0" * 16, holder="h")
    assert refused.value.status == 403


def test_a_plan_that_is_not_there_is_a_404(world: World, client: Clients) -> None:
    assignment, _ = world.begin(TARGET, RunKind.APPLY)
    with world.context.database.write() as session:
        session.execute(update(RunRow).where(RunRow.id == assignment.run.id).values(plan_run_id="run-" + "9" * 16))
    with pytest.raises(ApiError) as refused:
        client("worker").plan_to_apply(assignment.run.id, holder="holder-1")
    assert (refused.value.status, refused.value.code) == (404, "unknown_plan")


def test_a_malformed_request_is_a_422(raw: AppClient) -> None:
    headers = {"Authorization": "Bearer admin-token"}
    for path, body in (
        ("/v1/rollouts", {"release": "latest"}),
        ("/v1/rollouts", {"release": "sha256:" + "0" * 64, "urgent": True}),
        ("/v1/rollouts/rollout-x/approve", {"plans": {}}),
        ("/v1/rollouts/rollout-x/approve", {"plans": {"web.r1": "yes"}}),
    ):
        assert raw.post(path, headers=headers, json=body).status_code == 422


def test_a_plan_may_be_as_large_as_is_kept() -> None:
    assert limit_for("/v1/runs/run-0123456789abcdef/plan") == MAX_PLAN_BYTES
