"""Errors as JSON."""

from __future__ import annotations

import pytest
from starlette.requests import ClientDisconnect

from scheduler.api.failures import error_response
from shared.errors import ConfigurationError, Unavailable
from tests.unit.scheduler.api.conftest import AppClient
from tests.unit.scheduler.support import World

ADMIN = {"Authorization": "Bearer admin-token"}


def test_an_error_has_code_message_and_hint() -> None:
    assert error_response(404, "c", "m", "h").body == b'{"error":{"code":"c","message":"m","hint":"h"}}'
    assert "www-authenticate" in error_response(401, "c", "m").headers


@pytest.mark.parametrize(
    ("failure", "status", "code", "message"),
    [
        (Unavailable("Redis is away", hint="start it"), 503, "unavailable", "Redis is away"),
        (ConfigurationError("a bad key"), 500, "internal", "a bad key"),
        (ClientDisconnect(), 400, "hung_up", "the connection ended before the request did"),
        (RuntimeError("a secret of our insides"), 500, "internal", "the scheduler failed on this request"),
    ],
)
def test_failures_of_ours_are_told_without_our_insides(
    world: World,
    raw: AppClient,
    monkeypatch: pytest.MonkeyPatch,
    failure: Exception,
    status: int,
    code: str,
    message: str,
) -> None:
    def fail(_target: str) -> None:
        raise failure

    monkeypatch.setattr(world.store, "view", fail)
    answer = raw.get("/v1/leases/web.north", headers=ADMIN)
    assert answer.status_code == status
    assert answer.json()["error"]["code"] == code
    assert answer.json()["error"]["message"] == message
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    "body",
    [{}, {"target": "web.north", "kind": "dance"}, {"target": "UPPER", "kind": "plan"}, {"kind": "plan", "x": 1}],
)
def test_a_malformed_request_says_where(raw: AppClient, body: dict[str, object]) -> None:
    answer = raw.post("/v1/runs", headers=ADMIN, json=body)
    assert answer.status_code == 422
    assert "body." in answer.json()["error"]["message"]


def test_what_is_no_json_is_refused(raw: AppClient) -> None:
    answer = raw.post("/v1/runs", headers={**ADMIN, "Content-Type": "application/json"}, content=b"{")
    assert answer.status_code == 422
