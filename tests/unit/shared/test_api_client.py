"""The API's client: what is sent where, and what each kind of answer becomes."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from shared.api_client import ApiClient
from shared.errors import ApiError, PeerError, Unavailable
from shared.lease.timing import LeaseTiming
from shared.models import JournalIntent, JournalOutcome, RunKind, RunStatus
from shared.recovery.orphans import PlannedResources
from shared.rollback.settings import Trigger

RUN = {
    "id": "run-0123456789abcdef",
    "target": "web.eu",
    "region": "eu",
    "kind": "apply",
    "status": "pending",
    "created_at": "2026-01-01T00:00:00Z",
}
DIGEST = "sha256:" + "a" * 64
TARGET = {
    "id": "web.eu",
    "flock": "web",
    "region": "eu",
    "provider_region": "eu-west-1",
    "release_digest": DIGEST,
    "epoch": 0,
}
FLOCK = {"name": "web", "targets": [TARGET]}
RELEASE = {
    "digest": DIGEST,
    "flock": "web",
    "actor": "me",
    "created_at": "2026-01-01T00:00:00Z",
    "phases": [
        {
            "name": "all",
            "targets": ["web.eu"],
            "max_concurrent": 1,
            "failure_tolerance": 0,
            "bake_s": 0,
            "approval": False,
        }
    ],
    "targets": {
        "web.eu": {
            "region": "eu",
            "provider_region": "eu-west-1",
            "phase": "all",
            "configuration": ".",
            "rendered_digest": DIGEST,
        }
    },
}
LEASE = {"target": "web.eu", "incarnation": "i", "cleared": True, "state": "held"}
ASSIGNMENT = {
    "run": RUN,
    "target": TARGET,
    "epoch": 1,
    "holder": "h",
    "timing": LeaseTiming().model_dump(),
    "state_username": "u",
    "state_password": "p",
}
R = "run-0123456789abcdef"
ORPHANS: dict[str, Any] = {
    "run_id": R,
    "target": "web.eu",
    "flock": "web",
    "epoch": 1,
    "kind": "apply",
    "status": "lost",
    "ended_at": "2026-01-01T00:00:00Z",
    "reported_at": "2026-01-01T00:00:00Z",
    "looked_at": "2026-01-01T00:00:00Z",
    "open": False,
}
ROLLOUT: dict[str, Any] = {
    "id": "rollout-0123456789abcdef",
    "flock": "web",
    "release_digest": DIGEST,
    "phases": [{"name": "all", "max_concurrent": 1, "failure_tolerance": 0, "bake_s": 0, "approval": False}],
    "targets": [{"id": "web.eu", "phase": "all"}],
    "created_at": "2026-01-01T00:00:00Z",
}
INTENT = JournalIntent(
    run_id=R, target="web.eu", epoch=1, call_id="a" * 32, service="s3", operation="X", access="write", host="h",
    method="PUT", path="/", region="r", at_wall=datetime(2026, 1, 1, tzinfo=UTC),
)  # fmt: skip
OUTCOME = JournalOutcome(call_id="a" * 32, outcome="answered", http_status=200)


def client(handler: Callable[[httpx.Request], httpx.Response]) -> ApiClient:
    return ApiClient("http://api", "token", transport=httpx.MockTransport(handler))


@pytest.mark.parametrize(
    ("call", "request_line", "body", "answer"),
    [
        (lambda c: c.publish_release(b"x", actor="me"), "POST /v1/releases?actor=me", b"x", RELEASE),
        (lambda c: c.releases(flock="web"), "GET /v1/releases?flock=web&limit=100", b"", []),
        (lambda c: c.release(DIGEST), f"GET /v1/releases/{DIGEST}", b"", RELEASE),
        (lambda c: c.release_manifest(DIGEST), f"GET /v1/releases/{DIGEST}/manifest", b"", {}),
        (lambda c: c.release_files(DIGEST, "web.eu"), f"GET /v1/releases/{DIGEST}/targets/web.eu/files", b"", {}),
        (lambda c: c.put_flock("web", DIGEST), "PUT /v1/flocks/web", {"release_digest": DIGEST}, FLOCK),
        (lambda c: c.flocks(), "GET /v1/flocks", b"", [FLOCK]),
        (lambda c: c.targets(), "GET /v1/targets", b"", [TARGET]),
        (lambda c: c.target("web.eu"), "GET /v1/targets/web.eu", b"", TARGET),
        (
            lambda c: c.create_run("web.eu", RunKind.EXEC, argv=["true"], actor="me"),
            "POST /v1/runs",
            {"target": "web.eu", "kind": "exec", "argv": ["true"], "actor": "me"},
            RUN,
        ),
        (lambda c: c.runs(target="web.eu", limit=5), "GET /v1/runs?target=web.eu&limit=5", b"", [RUN]),
        (lambda c: c.run(R), f"GET /v1/runs/{R}", b"", RUN),
        (lambda c: c.cancel_run(R), f"POST /v1/runs/{R}/cancel", b"", RUN),
        (
            lambda c: c.create_run("web.eu", RunKind.APPLY, release_digest=DIGEST),
            "POST /v1/runs",
            {"target": "web.eu", "kind": "apply", "argv": [], "actor": "", "release_digest": DIGEST},
            RUN,
        ),
        (
            lambda c: c.claim(R, node="n", holder="h", regions=("eu",)),
            f"POST /v1/runs/{R}/claim",
            {"node": "n", "holder": "h", "regions": ["eu"]},
            ASSIGNMENT,
        ),
        (
            lambda c: c.raise_epoch(R, holder="h", above=9),
            f"POST /v1/runs/{R}/raise_epoch",
            {"holder": "h", "above": 9},
            ASSIGNMENT,
        ),
        (
            lambda c: c.progress(R, holder="h", status=RunStatus.PLANNING),
            f"POST /v1/runs/{R}/progress",
            {"holder": "h", "status": "planning"},
            RUN,
        ),
        (
            lambda c: c.append_log(R, holder="h", offset=3, text="x"),
            f"POST /v1/runs/{R}/logs",
            {"holder": "h", "offset": 3, "text": "x"},
            {},
        ),
        (
            lambda c: c.logs(R, offset=3),
            f"GET /v1/runs/{R}/logs?offset=3",
            b"",
            {"text": "x", "next_offset": 4, "complete": False},
        ),
        (
            lambda c: c.finish(R, holder="h", epoch=1, exit_code=0, status=RunStatus.APPLIED),
            f"POST /v1/runs/{R}/finish",
            {"holder": "h", "epoch": 1, "exit_code": 0, "status": "applied", "reason": ""},
            RUN,
        ),
        (
            lambda c: c.finish(
                R, holder="h", epoch=1, exit_code=1, status=RunStatus.ERRORED, reason="x", trigger=Trigger.HEALTH
            ),
            f"POST /v1/runs/{R}/finish",
            {"holder": "h", "epoch": 1, "exit_code": 1, "status": "errored", "reason": "x", "trigger": "health"},
            RUN,
        ),
        (
            lambda c: c.start_rollout(DIGEST, actor="me"),
            "POST /v1/rollouts",
            {"release": DIGEST, "actor": "me"},
            ROLLOUT,
        ),
        (lambda c: c.rollouts(flock="web"), "GET /v1/rollouts?flock=web&limit=100", b"", []),
        (lambda c: c.rollout(ROLLOUT["id"]), f"GET /v1/rollouts/{ROLLOUT['id']}", b"", ROLLOUT),
        (
            lambda c: c.command_rollout(ROLLOUT["id"], "pause", actor="me"),
            f"POST /v1/rollouts/{ROLLOUT['id']}/pause",
            {"actor": "me"},
            ROLLOUT,
        ),
        (
            lambda c: c.retry_rollout(ROLLOUT["id"], ["web.eu"], actor="me"),
            f"POST /v1/rollouts/{ROLLOUT['id']}/retry",
            {"targets": ["web.eu"], "actor": "me"},
            ROLLOUT,
        ),
        (
            lambda c: c.decide_plans(ROLLOUT["id"], "approve", {"web.eu": DIGEST}, actor="me"),
            f"POST /v1/rollouts/{ROLLOUT['id']}/approve",
            {"plans": {"web.eu": DIGEST}, "actor": "me"},
            ROLLOUT,
        ),
        (
            lambda c: c.store_plan(R, holder="h", content=b"plan", changes=True),
            f"POST /v1/runs/{R}/plan?holder=h&changes=true",
            b"plan",
            {"run_id": R, "digest": DIGEST},
        ),
        (lambda c: c.plan_to_apply(R, holder="h"), f"GET /v1/runs/{R}/plan?holder=h", b"", {}),
        (
            lambda c: c.orphans(target="web.eu"),
            "GET /v1/orphans?target=web.eu&all=false&limit=100",
            b"",
            [],
        ),
        (lambda c: c.orphans_of(R), f"GET /v1/runs/{R}/orphans", b"", ORPHANS),
        (
            lambda c: c.deliver_planned(R, holder="h", planned=PlannedResources(resources=())),
            f"POST /v1/runs/{R}/planned",
            {"holder": "h", "planned": {"resources": []}},
            {},
        ),
        (lambda c: c.recover(R, actor="me"), f"POST /v1/runs/{R}/recover", {"actor": "me"}, RUN),
        (lambda c: c.leases(), "GET /v1/leases", b"", [LEASE]),
        (lambda c: c.lease("web.eu"), "GET /v1/leases/web.eu", b"", LEASE),
        (lambda c: c.revoke_lease("web.eu", "x"), "POST /v1/leases/web.eu/revoke", {"reason": "x"}, LEASE),
        (
            lambda c: c.journal_intent(INTENT),
            "POST /v1/journal",
            INTENT.model_dump(mode="json"),
            {"call_id": INTENT.call_id},
        ),
        (
            lambda c: c.journal_outcome(OUTCOME),
            f"POST /v1/journal/{'a' * 32}/outcome",
            OUTCOME.model_dump(mode="json"),
            {},
        ),
        (
            lambda c: c.journal(run=R, epoch=0),
            f"GET /v1/journal?run={R}&epoch=0&limit=1000",
            b"",
            [INTENT.model_dump(mode="json")],
        ),
        (
            lambda c: c.quarantine_state("web.eu", epoch=1, run=R, state=b"{}"),
            f"POST /v1/targets/web.eu/quarantine?epoch=1&run={R}",
            b"{}",
            {},
        ),
        (
            lambda c: c.recovery("web.eu", run=R, holder="h"),
            f"GET /v1/targets/web.eu/recovery?run={R}&holder=h",
            b"",
            {"quarantine": None, "creates": []},
        ),
        (
            lambda c: c.accept_quarantine("web.eu", epoch=1, run=R, holder="h"),
            "POST /v1/targets/web.eu/quarantine/1/accept",
            {"run": R, "holder": "h"},
            {},
        ),
    ],
)
def test_each_method_calls_its_endpoint(
    call: Callable[[ApiClient], object], request_line: str, body: Any, answer: object
) -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=answer)

    with client(handler) as api:
        call(api)
    (request,) = seen
    assert f"{request.method} {request.url.raw_path.decode()}" == request_line
    assert request.headers["Authorization"] == "Bearer token"
    assert (request.content if isinstance(body, bytes) else json.loads(request.content)) == body


def test_an_error_of_the_api_keeps_what_it_says() -> None:
    error = {"error": {"code": "not_claimable", "message": "the run is over", "hint": "start another"}}
    with (
        client(lambda request: httpx.Response(409, json=error)) as api,
        pytest.raises(ApiError, match="the run is over") as caught,
    ):
        api.run(R)
    assert (caught.value.status, caught.value.code, caught.value.hint) == (409, "not_claimable", "start another")


def test_a_publication_without_a_digest_is_the_peers_fault() -> None:
    with client(lambda request: httpx.Response(200, json={})) as api, pytest.raises(PeerError, match="digest"):
        api.publish_release(b"")


def fail(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused", request=request)


def test_no_answer_is_unavailable() -> None:
    with client(fail) as api:
        with pytest.raises(Unavailable, match="http://api did not answer: refused"):
            api.run(R)
        assert not api.healthy()


def test_a_name_leads_to_no_other_endpoint() -> None:
    asked: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.raw_path.decode())
        return httpx.Response(404, json={"error": {"code": "unknown_target", "message": "m", "hint": ""}})

    with pytest.raises(ApiError):
        client(handler).lease("../targets?limit=1#x")
    assert asked == ["/v1/leases/..%2Ftargets%3Flimit%3D1%23x"]
