"""Routes: rollbacks."""

from __future__ import annotations

import pytest

from shared.errors import ApiError
from shared.models import RunStatus
from shared.rollback.records import Rearrangement, RollbackPlan, RollbackResult, RollbackState
from shared.rollback.settings import Trigger
from shared.rollback.standing import RollbackStatus
from tests.unit.scheduler.api.conftest import AppClient, Clients
from tests.unit.scheduler.rollback.support import (
    ADDS,
    QUEUE,
    TOPIC,
    claimed,
    deployed,
    finish,
    item,
    objects,
    release,
    rows,
    write,
)
from tests.unit.scheduler.support import TARGET, World

RESULT = RollbackResult(state=RollbackState.PARTIAL, trigger=Trigger.ALARM, reason="p99 is above 2 s")


def test_a_deployment_is_taken_back_over_the_api(world: World, client: Clients) -> None:
    deployed(world, "one", QUEUE, serial=1)
    run = claimed(world, release(world, "two"))
    worker, admin, proxy = client("worker"), client("admin"), client("proxy")
    worker.deliver_safety_plan(run.run.id, holder=run.holder, plan=ADDS, rearranged=Rearrangement())
    write(world, run, objects(2, QUEUE, TOPIC))
    worker.progress(
        run.run.id, holder=run.holder, status=RunStatus.ROLLING_BACK, trigger=Trigger.ALARM, reason="p99 is above 2 s"
    )
    assert proxy.allowance(run.run.id).mode == "reads"
    plan = RollbackPlan(items=(item("delete", TOPIC), item("delete", QUEUE)))
    verdict = worker.deliver_rollback_plan(run.run.id, holder=run.holder, plan=plan)
    assert [str(one) for one in verdict.allowed] == [f"delete {TOPIC}"]
    assert [(one.type, one.operation) for one in proxy.allowance(run.run.id).entries] == [("aws_sns_topic", "delete")]
    back = worker.deliver_rollback_result(run.run.id, holder=run.holder, result=RESULT)
    assert worker.deliver_rollback_result(run.run.id, holder=run.holder, result=RESULT) == back
    finish(world, run, RunStatus.ERRORED, exit_code=1)
    assert admin.rollback(back.id).status is RollbackStatus.PARTIAL
    assert admin.rollback(run.run.id) == admin.rollback(back.id)
    assert [one.id for one in admin.rollbacks(target=TARGET, unfinished=True)] == [back.id]
    again = admin.retry_rollback(back.id, actor="anna", consents=[QUEUE])
    assert again.status is RollbackStatus.QUEUED
    assert admin.skip_rollback(back.id, actor="anna", reason="kept").status is RollbackStatus.SKIPPED
    assert admin.start_rollback(target=TARGET, actor="anna", reason="after all").id == back.id
    assert admin.start_rollback(run=run.run.id, actor="bert").id == back.id


def test_only_persons_decide_and_only_workers_deliver(world: World, client: Clients, raw: AppClient) -> None:
    run = claimed(world, release(world, "one"))
    assert raw.get("/v1/rollbacks").status_code == 401
    for role, ask in (
        ("worker", lambda one: one.start_rollback(target=TARGET)),
        ("worker", lambda one: one.retry_rollback("rollback-0000000000000000")),
        ("worker", lambda one: one.skip_rollback("rollback-0000000000000000")),
        ("proxy", lambda one: one.deliver_rollback_plan(run.run.id, holder=run.holder, plan=RollbackPlan())),
        ("proxy", lambda one: one.deliver_rollback_result(run.run.id, holder=run.holder, result=RESULT)),
        ("worker", lambda one: one.rollbacks()),
    ):
        with pytest.raises(ApiError) as refused:
            ask(client(role))
        assert refused.value.status == 403


def test_what_makes_no_sense_is_refused(client: Clients, raw: AppClient) -> None:
    with pytest.raises(ApiError) as unknown:
        client("admin").rollback("rollback-0000000000000000")
    assert unknown.value.status == 404
    headers = {"Authorization": "Bearer admin-token"}
    for body in ({"target": "no target"}, {"target": TARGET, "surprise": 1}, {"run_id": "run-x"}):
        assert raw.post("/v1/rollbacks", json=body, headers=headers).status_code in (400, 422)
    too_many = {"consents": ["a.b"] * 1001}
    path = "/v1/rollbacks/rollback-0000000000000000/retry"
    assert raw.post(path, json=too_many, headers=headers).status_code in (400, 422)


@pytest.mark.parametrize("field", ["actor", "reason"])
def test_who_asks_and_why_is_one_line_of_what_can_be_printed(world: World, raw: AppClient, field: str) -> None:
    deployed(world, "one", QUEUE, serial=1)
    for path in ("/v1/rollbacks", "/v1/rollbacks/rollback-0/skip"):
        body = {"target": TARGET, "actor": "anna"} if path == "/v1/rollbacks" else {}
        headers = {"Authorization": "Bearer admin-token"}
        answer = raw.post(path, json=body | {field: "a\x00\n\x1b[31m"}, headers=headers)
        assert answer.status_code == 422
        assert f"body.{field}: Value error, one line of printable characters" in answer.json()["error"]["message"]
    assert rows(world) == []
