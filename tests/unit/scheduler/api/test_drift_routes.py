"""Routes: what drift checks found, where targets stand, checks on demand, ignore rules."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from scheduler.drift.remediation import remedy
from scheduler.drift.telling import tell
from shared.api_client import ApiClient
from shared.drift.ignoring import IgnoreRule
from shared.drift.report import RollUp
from shared.errors import ApiError
from shared.models import RunKind, RunStatus
from tests.unit.scheduler.api.conftest import AppClient, Clients
from tests.unit.scheduler.drift.support import begin_check, deploy, drifted, end, later
from tests.unit.scheduler.support import TARGET, World

RULE = IgnoreRule.model_validate({"address": "aws_x.*", "expires": "2999-01-01", "reason": "known"})


def test_a_check_is_asked_for_delivered_and_shown(world: World, client: Clients) -> None:
    deploy(world, ignore=(RULE,), confirm=False)
    admin, worker = client("admin"), client("worker")
    (run,) = admin.check_drift([TARGET], actor="anna").runs
    assert (run.kind, run.status, run.actor) == (RunKind.DRIFT, RunStatus.PENDING, "anna")
    assert [one.id for one in admin.check_drift([TARGET]).runs] == [run.id]
    assignment, lease = begin_check(world)
    check = worker.deliver_drift_report(run.id, holder=assignment.holder, report=drifted())
    assert check.roll_up is RollUp.DRIFTED
    end(world, assignment, lease, status=RunStatus.CHECKED)
    detail = admin.drift_of(TARGET)
    assert (detail.check, detail.report) == (check, drifted())
    assert detail.standing.roll_up is RollUp.DRIFTED
    assert detail.calls is not None
    assert detail.calls.writes == 0
    assert admin.drift(flock="web", roll_up=RollUp.DRIFTED) == [detail.standing]
    assert admin.drift(roll_up=RollUp.IN_SYNC) == []
    assert [use.rule for use in admin.drift_rules(flock="web")] == [RULE]
    assert [one.id for one in admin.runs(kind="drift")] == [run.id]
    assert admin.runs(kind="exec") == []


def test_who_may_not_is_told_so(world: World, client: Clients, raw: AppClient) -> None:
    assignment, _ = begin_check(world)
    questions: tuple[tuple[str, Callable[[ApiClient], object]], ...] = (
        ("proxy", lambda one: one.deliver_drift_report(assignment.run.id, holder="h", report=drifted())),
        ("worker", lambda one: one.check_drift([TARGET])),
        ("worker", lambda one: one.drift()),
        ("worker", lambda one: one.drift_of(TARGET)),
        ("worker", lambda one: one.drift_rules()),
    )
    for role, ask in questions:
        with pytest.raises(ApiError) as refused:
            ask(client(role))
        assert refused.value.status == 403
    assert raw.get("/v1/drift").status_code == 401


def test_what_is_no_request_is_refused(client: Clients, raw: AppClient, world: World) -> None:
    assignment, _ = begin_check(world)
    headers = {"Authorization": "Bearer admin-token"}
    for path, body in (
        ("/v1/drift/checks", {"targets": []}),
        ("/v1/drift/checks", {"targets": ["no target"]}),
        ("/v1/drift/checks", {"targets": [TARGET] * 1001}),
        (f"/v1/runs/{assignment.run.id}/drift-report", {"holder": "h", "report": {"resources": [{}]}}),
    ):
        assert raw.post(path, json=body, headers=headers).status_code == 422
    with pytest.raises(ApiError) as unknown:
        client("admin").drift_of("web.nowhere")
    assert unknown.value.status == 404


def test_a_roll_out_that_somebody_starts_has_the_one_about_drift_go(world: World, client: Clients) -> None:
    digest = deploy(world, remediation={"mode": "plan"}, confirm=False)
    assignment, lease = begin_check(world)
    client("worker").deliver_drift_report(assignment.run.id, holder=assignment.holder, report=drifted())
    end(world, assignment, lease, status=RunStatus.CHECKED)
    later(world, 60)
    assert (tell(world.context), remedy(world.context)) == (1, 1)
    admin = client("admin")
    started = admin.start_rollout(digest, actor="anna")
    assert [(one.id == started.id, one.status.value) for one in admin.rollouts()] == [
        (True, "running"),
        (False, "canceled"),
    ]
