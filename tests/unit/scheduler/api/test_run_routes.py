"""Routes: runs."""

from __future__ import annotations

import pytest

from shared.errors import ApiError
from shared.models import RunKind, RunStatus
from shared.rollback.settings import RollbackSettings, Trigger
from tests.unit.scheduler.api.conftest import Clients
from tests.unit.scheduler.rollback.support import begun, release, rows
from tests.unit.scheduler.support import TARGET, World, metric


def code(refused: pytest.ExceptionInfo[ApiError]) -> tuple[int, str]:
    return refused.value.status, refused.value.code


def test_an_unknown_target_is_a_404(client: Clients) -> None:
    with pytest.raises(ApiError) as refused:
        client("admin").create_run("web.nowhere", RunKind.PLAN)
    assert code(refused) == (404, "unknown_target")


def test_a_second_claim_is_a_409_and_counted(world: World, client: Clients) -> None:
    run = client("admin").create_run(TARGET, RunKind.APPLY)
    worker = client("worker")
    first = worker.claim(run.id, node="n", holder="one")
    assert worker.claim(run.id, node="n", holder="one") == first
    with pytest.raises(ApiError) as refused:
        worker.claim(run.id, node="n", holder="two")
    assert code(refused) == (409, "not_claimable")
    assert metric(world, "duplicate_claims_total") == 1


def test_a_zombies_words_are_refused(world: World, client: Clients) -> None:
    assignment, lease = world.begin()
    world.sever(TARGET, lease)
    worker, run_id = client("worker"), assignment.run.id
    with pytest.raises(ApiError) as late:
        worker.finish(run_id, holder="holder-1", epoch=1, exit_code=0, status=RunStatus.APPLIED)
    assert code(late) == (409, "lease_lost")
    for call in (
        lambda: worker.progress(run_id, holder="holder-1", status=RunStatus.APPLYING),
        lambda: worker.append_log(run_id, holder="holder-1", offset=0, text="x"),
        lambda: worker.raise_epoch(run_id, holder="holder-1", above=1),
    ):
        with pytest.raises(ApiError) as refused:
            call()
        assert code(refused) == (409, "lease_lost")


def test_an_exec_keeps_its_command(client: Clients) -> None:
    run = client("admin").create_run(TARGET, RunKind.EXEC, argv=["make", "deploy"], actor="ci")
    assert client("worker").run(run.id).argv == ("make", "deploy")


def test_a_pending_run_is_canceled(client: Clients) -> None:
    admin = client("admin")
    run = admin.create_run(TARGET, RunKind.APPLY)
    assert admin.cancel_run(run.id).status is RunStatus.CANCELED
    assert admin.logs(run.id).complete


def test_a_report_carries_the_trigger_that_could_not_be_told_before(world: World, client: Clients) -> None:
    checks = [{"type": "command", "name": "smoke", "command": ["true"], "missing_data": "breaching"}]
    settings = RollbackSettings.model_validate({"on": ["health"], "checks": checks})
    run = begun(world, release(world, "one", rollback=settings))
    client("worker").finish(
        run.run.id,
        holder=run.holder,
        epoch=run.epoch,
        exit_code=1,
        status=RunStatus.ERRORED,
        reason="smoke failed",
        trigger=Trigger.HEALTH,
    )
    assert [(row.trigger, row.reason) for row in rows(world)] == [("health", "smoke failed")]
