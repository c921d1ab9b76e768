"""Who may call what."""

from __future__ import annotations

import base64

import pytest
from fastapi import FastAPI

from tests.unit.scheduler.api.conftest import AppClient
from tests.unit.scheduler.support import TARGET, World

#: (method, path) -> the roles beside admin that may use it. An endpoint that is missing here fails the test below.
ALLOWED: dict[tuple[str, str], set[str]] = {
    ("POST", "/v1/releases"): set(),
    ("POST", "/v1/releases/prune"): set(),
    ("GET", "/v1/releases"): {"worker"},
    ("GET", "/v1/releases/{digest}"): {"worker"},
    ("GET", "/v1/releases/{digest}/manifest"): {"worker"},
    ("GET", "/v1/releases/{digest}/targets/{target}/files"): {"worker"},
    ("POST", "/v1/configuration/inspect"): set(),
    ("POST", "/v1/configuration/validate"): set(),
    ("POST", "/v1/configuration/render"): set(),
    ("POST", "/v1/configuration/diff"): set(),
    ("POST", "/v1/configuration/region"): set(),
    ("POST", "/v1/configuration/import"): set(),
    ("GET", "/v1/notifications"): set(),
    ("GET", "/v1/notifications/{notification_id}"): set(),
    ("POST", "/v1/notifications/test"): set(),
    ("POST", "/v1/notifications/retry"): set(),
    ("PUT", "/v1/flocks/{name}"): set(),
    ("GET", "/v1/flocks"): {"worker"},
    ("GET", "/v1/targets"): {"worker"},
    ("GET", "/v1/targets/{target}"): {"worker"},
    ("POST", "/v1/runs"): set(),
    ("GET", "/v1/runs"): {"worker"},
    ("GET", "/v1/runs/{run_id}"): {"worker"},
    ("POST", "/v1/runs/{run_id}/cancel"): set(),
    ("POST", "/v1/runs/{run_id}/claim"): {"worker"},
    ("POST", "/v1/runs/{run_id}/raise_epoch"): {"worker"},
    ("POST", "/v1/runs/{run_id}/progress"): {"worker"},
    ("POST", "/v1/runs/{run_id}/logs"): {"worker"},
    ("GET", "/v1/runs/{run_id}/logs"): {"worker"},
    ("POST", "/v1/runs/{run_id}/finish"): {"worker"},
    ("POST", "/v1/rollouts"): set(),
    ("GET", "/v1/rollouts"): set(),
    ("GET", "/v1/rollouts/{rollout_id}"): set(),
    ("POST", "/v1/rollouts/{rollout_id}/pause"): set(),
    ("POST", "/v1/rollouts/{rollout_id}/resume"): set(),
    ("POST", "/v1/rollouts/{rollout_id}/cancel"): set(),
    ("POST", "/v1/rollouts/{rollout_id}/retry"): set(),
    ("POST", "/v1/rollouts/{rollout_id}/approve"): set(),
    ("POST", "/v1/rollouts/{rollout_id}/discard"): set(),
    ("POST", "/v1/rollbacks"): set(),
    ("GET", "/v1/rollbacks"): set(),
    ("GET", "/v1/rollbacks/{rollback_id}"): set(),
    ("POST", "/v1/rollbacks/{rollback_id}/retry"): set(),
    ("POST", "/v1/rollbacks/{rollback_id}/skip"): set(),
    ("POST", "/v1/runs/{run_id}/rollback-plan"): {"worker"},
    ("POST", "/v1/runs/{run_id}/rollback-result"): {"worker"},
    ("POST", "/v1/runs/{run_id}/plan"): {"worker"},
    ("GET", "/v1/runs/{run_id}/plan"): {"worker"},
    ("POST", "/v1/runs/{run_id}/safety-plan"): {"worker"},
    ("GET", "/v1/runs/{run_id}/safety-plan"): {"worker"},
    ("POST", "/v1/runs/{run_id}/safety-plan/approve"): set(),
    ("GET", "/v1/runs/{run_id}/safety-plan/unused"): set(),
    ("GET", "/v1/runs/{run_id}/allowance"): {"proxy", "worker"},
    ("POST", "/v1/runs/{run_id}/drift-report"): {"worker"},
    ("GET", "/v1/drift"): set(),
    ("GET", "/v1/drift/rules"): set(),
    ("GET", "/v1/drift/{target}"): set(),
    ("POST", "/v1/drift/checks"): set(),
    ("GET", "/v1/orphans"): set(),
    ("GET", "/v1/runs/{run_id}/orphans"): {"worker"},
    ("POST", "/v1/runs/{run_id}/planned"): {"worker"},
    ("POST", "/v1/runs/{run_id}/recover"): set(),
    ("GET", "/v1/leases"): {"worker", "proxy"},
    ("GET", "/v1/leases/{target}"): {"worker", "proxy"},
    ("POST", "/v1/leases/{target}/revoke"): set(),
    ("POST", "/v1/journal"): {"proxy"},
    ("POST", "/v1/journal/{call_id}/outcome"): {"proxy"},
    ("GET", "/v1/journal"): {"worker"},
    ("POST", "/v1/targets/{target}/quarantine"): {"proxy", "worker"},
    ("GET", "/v1/targets/{target}/recovery"): {"worker"},
    ("POST", "/v1/targets/{target}/quarantine/{epoch}/accept"): {"worker"},
}
OPEN = {("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/metrics")}
STATE = "/v1/state/{target}"


def test_every_endpoint_is_in_the_table(app: FastAPI) -> None:
    found = {(method.upper(), path) for path, operations in app.openapi()["paths"].items() for method in operations}
    assert found == set(ALLOWED) | OPEN | {(method, STATE) for method in ("GET", "POST", "DELETE")}


@pytest.mark.parametrize(("method", "path"), sorted(ALLOWED))
def test_a_token_opens_what_its_role_may_do_and_nothing_else(raw: AppClient, method: str, path: str) -> None:
    url = path.format(
        digest="sha256:" + "0" * 64,
        name="x",
        target="no.such",
        run_id="run-x",
        rollout_id="rollout-x",
        rollback_id="rollback-x",
        notification_id="evt_x",
        call_id="0" * 32,
        epoch=1,
    )
    assert raw.request(method, url).status_code == 401
    assert raw.request(method, url, headers={"Authorization": "Bearer guess"}).status_code == 401
    for role in ("admin", "worker", "proxy"):
        answer = raw.request(method, url, headers={"Authorization": f"Bearer {role}-token"})
        allowed = role == "admin" or role in ALLOWED[method, path]
        assert (answer.status_code == 403) is not allowed, (role, answer.text)


@pytest.mark.parametrize(("method", "path"), sorted(OPEN))
def test_probes_need_no_token(raw: AppClient, method: str, path: str) -> None:
    assert raw.request(method, path).status_code == 200


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "LOCK", "UNLOCK"])
@pytest.mark.parametrize(
    "header",
    [
        None,
        "Bearer worker-token",
        "Bearer guess",
        "Basic !!!",
        "Basic " + base64.b64encode(b"no-colon").decode(),
        "Basic " + base64.b64encode(b"run-x:guess").decode(),
    ],
)
def test_the_state_needs_a_runs_own_credentials(raw: AppClient, method: str, header: str | None) -> None:
    answer = raw.request(method, f"/v1/state/{TARGET}", headers={"Authorization": header} if header else {})
    assert answer.status_code == 401
    assert "Basic" in answer.headers["www-authenticate"]


def test_an_operator_reads_a_state_and_writes_none(world: World, raw: AppClient) -> None:
    headers = {"Authorization": "Bearer admin-token"}
    assert raw.get(f"/v1/state/{TARGET}", headers=headers).status_code == 404
    assert raw.post(f"/v1/state/{TARGET}", headers=headers, content=b"{}").status_code == 401
