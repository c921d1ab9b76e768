"""Routes: safety plans, their approvals, and what a run may have signed."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from scheduler import releases
from scheduler.tables import SafetyPlanRow
from shared.errors import ApiError, InterlockError
from shared.models import RunKind
from shared.safety.rules import SafetyRules
from shared.safety.verdict import Decision
from tests.unit.scheduler.api.conftest import AppClient, Clients
from tests.unit.scheduler.support import TARGET, World
from tests.unit.shared.safety.support import entry, plan

PLAN = plan(entry("delete", "aws_sqs_queue.a"))


def test_a_plan_is_delivered_shown_approved_and_its_next_run_may_do_it(world: World, client: Clients) -> None:
    digest = world.publish(TARGET, safety=SafetyRules())
    releases.register(world.context, "web", release_digest=digest)
    run, lease = world.begin(holder="h")
    worker, admin, proxy = client("worker"), client("admin"), client("proxy")
    held = worker.deliver_safety_plan(run.run.id, holder="h", plan=PLAN)
    assert held.verdict.decision is Decision.HELD
    assert admin.safety_plan(run.run.id) == held
    assert proxy.allowance(run.run.id).mode == "reads"
    approved = admin.approve_safety_plan(run.run.id, held.digest, actor="anna")
    assert (approved.verdict.decision, approved.verdict.approvers) == (Decision.ACCEPTED, ("anna",))
    world.sever(TARGET, lease)
    with pytest.raises(ApiError) as early:
        admin.unused_of_safety_plan(run.run.id)
    assert early.value.code == "not_applied"


def test_the_proxy_learns_what_a_run_may_do(world: World, client: Clients) -> None:
    run, _ = world.begin(holder="h")
    assert client("proxy").allowance(run.run.id).mode == "reads"
    client("worker").deliver_safety_plan(run.run.id, holder="h", plan=PLAN)
    allowance = client("proxy").allowance(run.run.id)
    assert [(one.type, one.operation) for one in allowance.entries] == [("aws_sqs_queue", "delete")]


@pytest.mark.parametrize("verdict", [{}, {"decision": "yes"}])
def test_from_what_the_scheduler_cannot_read_the_proxy_learns_nothing(
    world: World, client: Clients, verdict: dict[str, str]
) -> None:
    run, _ = world.begin(holder="h")
    client("worker").deliver_safety_plan(run.run.id, holder="h", plan=PLAN)
    with world.context.database.write() as session:
        session.execute(update(SafetyPlanRow).values(verdict=verdict))
    with pytest.raises(InterlockError):
        client("proxy").allowance(run.run.id)


def test_nobody_else_may(world: World, client: Clients, raw: AppClient) -> None:
    run, _ = world.begin(TARGET, RunKind.EXEC)
    path = f"/v1/runs/{run.run.id}"
    assert raw.get(f"{path}/allowance").status_code == 401
    for role, ask in (
        ("proxy", lambda one: one.safety_plan(run.run.id)),
        ("proxy", lambda one: one.deliver_safety_plan(run.run.id, holder="h", plan=PLAN)),
        ("worker", lambda one: one.approve_safety_plan(run.run.id, PLAN.digest, actor="anna")),
        ("worker", lambda one: one.unused_of_safety_plan(run.run.id)),
    ):
        with pytest.raises(ApiError) as refused:
            ask(client(role))
        assert refused.value.status == 403


def test_what_is_no_safety_plan_is_refused(client: Clients, raw: AppClient, world: World) -> None:
    run, _ = world.begin(holder="h")
    bearer = {"Authorization": "Bearer worker-token"}
    for plan_ in ({"entries": [{"address": "a.b", "type": "a", "operation": "explode"}]}, {"entry": []}, []):
        body = {"holder": "h", "plan": plan_}
        assert raw.post(f"/v1/runs/{run.run.id}/safety-plan", json=body, headers=bearer).status_code in (400, 422)
