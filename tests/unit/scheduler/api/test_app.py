"""The app as a whole: a run's life through our own client."""

from __future__ import annotations

import httpx
import pytest
from fastapi import FastAPI

from shared.errors import ApiError
from shared.models import JournalOutcome, RunKind, RunStatus
from tests.releases import packed_release
from tests.unit.scheduler.api.conftest import AppClient, Clients
from tests.unit.scheduler.support import TARGET, World, state


def test_a_run_from_the_release_to_the_end(world: World, client: Clients, raw: AppClient) -> None:
    admin, worker, proxy = client("admin"), client("worker"), client("proxy")
    release = admin.publish_release(packed_release("db.north", provider_region="eu-1"), actor="anna")
    flock = admin.put_flock("db", release.digest)
    assert admin.flocks()[0] == flock
    assert [target.id for target in admin.targets()] == ["db.north", TARGET]
    assert worker.target("db.north").release_digest == release.digest

    run = admin.create_run("db.north", RunKind.APPLY, actor="anna")
    assignment = worker.claim(run.id, node="node-1", holder="h", regions=["north"])
    assert assignment.run.release_digest == release.digest
    lease = world.acquire(assignment)
    assert worker.progress(run.id, holder="h", status=RunStatus.PLANNING).status is RunStatus.PLANNING
    worker.append_log(run.id, holder="h", offset=0, text="planned\n")
    intent = world.journal(assignment).model_copy(update={"call_id": "1" * 32})
    proxy.journal_intent(intent)
    proxy.journal_intent(intent)
    proxy.journal_outcome(JournalOutcome(call_id=intent.call_id, outcome="answered", http_status=200))
    auth = (assignment.state_username, assignment.state_password)
    assert raw.post("/v1/state/db.north", content=state(1), auth=auth).status_code == 200
    settling = worker.finish(run.id, holder="h", epoch=1, exit_code=0, status=RunStatus.APPLIED)
    assert settling.status is RunStatus.SETTLING
    world.store.release("db.north", lease)
    assert worker.finish(run.id, holder="h", epoch=1, exit_code=0, status=RunStatus.APPLIED).status.terminal

    log = admin.logs(run.id)
    assert (log.text, log.complete) == ("planned\n", True)
    assert [record.outcome for record in admin.journal(run=run.id, target="db.north", epoch=1)] == ["answered", None]
    assert admin.runs(target="db.north", status="applied")[0].id == run.id
    assert admin.run(run.id).exit_code == 0
    assert admin.lease("db.north").run_id == run.id
    assert [view.target for view in admin.leases()] == ["db.north", TARGET]
    assert admin.healthy()


def test_a_cut_and_its_recovery(world: World, client: Clients) -> None:
    admin, worker, proxy = client("admin"), client("worker"), client("proxy")
    first, lease = world.begin()
    world.journal(first, "CreateQueue", QueueName="q")
    proxy.quarantine_state(TARGET, epoch=1, run=first.run.id, state=state(2))
    world.sever(TARGET, lease)
    with pytest.raises(ApiError, match="lost already"):
        worker.finish(first.run.id, holder="holder-1", epoch=1, exit_code=1, status=RunStatus.ERRORED)
    (follower,) = admin.runs(status="pending")
    second = worker.claim(follower.id, node="n", holder="h2")
    world.acquire(second)
    found = worker.recovery(TARGET, run=follower.id, holder="h2")
    assert second.recovers == first.run.id
    assert [create.resource for create in found.creates] == [{"QueueName": "q"}]
    assert found.quarantine is not None
    worker.accept_quarantine(TARGET, epoch=1, run=follower.id, holder="h2")
    assert worker.recovery(TARGET, run=follower.id, holder="h2").quarantine is None
    assert admin.cancel_run(follower.id).cancel_requested
    assert admin.revoke_lease(TARGET, "enough").reason == "enough"


def test_the_openapi_document_describes_every_endpoint_and_field(app: FastAPI) -> None:
    document = app.openapi()
    paths = document["paths"]
    assert "/v1/runs/{run_id}/claim" in paths
    assert "/v1/state/{target}" in paths
    for path, operations in paths.items():
        for method, operation in operations.items():
            assert operation.get("description"), f"{method} {path} says nothing"
    for name, schema in document["components"]["schemas"].items():
        if name in {"HTTPValidationError", "ValidationError"}:
            continue
        for field, described in schema.get("properties", {}).items():
            assert described.get("description"), f"{name}.{field} says nothing"


def test_an_unknown_path_is_answered_in_our_form(raw: AppClient) -> None:
    answer: httpx.Response = raw.get("/v2/nothing")
    assert answer.status_code == 404
    assert set(answer.json()["error"]) == {"code", "message", "hint"}
