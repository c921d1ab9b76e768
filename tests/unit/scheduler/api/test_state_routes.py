"""Routes: Terraform's HTTP backend, on the wire."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest

from scheduler import runs
from scheduler.settlement import end_run
from shared.models import Assignment
from tests.unit.scheduler.api.conftest import AppClient
from tests.unit.scheduler.support import TARGET, World, state

URL = f"/v1/state/{TARGET}"
INFO = {"ID": "11111111-2222", "Operation": "OperationTypeApply", "Info": "", "Who": "me@host", "Version": "1.11"}


def auth(assignment: Assignment) -> tuple[str, str]:
    return assignment.state_username, assignment.state_password


def md5(body: bytes) -> dict[str, str]:
    return {"Content-MD5": base64.b64encode(hashlib.md5(body).digest()).decode()}


def test_a_session_of_terraform(world: World, raw: AppClient) -> None:
    mine = auth(world.begin()[0])
    assert raw.get(URL, auth=mine).status_code == 404
    assert raw.request("LOCK", URL, auth=mine, json=INFO).status_code == 200
    body = state(1)
    assert raw.post(f"{URL}?ID={INFO['ID']}", auth=mine, content=body, headers=md5(body)).status_code == 200
    answer = raw.get(URL, auth=mine)
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, body, "application/json")
    assert raw.request("UNLOCK", URL, auth=mine, json=INFO).status_code == 200
    assert raw.request("UNLOCK", URL, auth=mine).status_code == 200
    assert raw.delete(URL, auth=mine).status_code == 200
    assert raw.get(URL, auth=mine).status_code == 404


def test_a_zombie_learns_who_holds_the_target(world: World, raw: AppClient) -> None:
    old, lease = world.begin()
    world.sever(TARGET, lease)
    follower = end_run(world.context, old.run.id, epoch=1, reason="severed")[0][0]
    young = world.claim(runs.get(world.context, follower), holder="h2", node="node-2")
    world.acquire(young)
    answer = raw.request("LOCK", URL, auth=auth(old), json=INFO)
    assert answer.status_code == 423
    assert (answer.json()["ID"], answer.json()["Who"]) == (young.run.id, "anna@node-2")
    assert raw.post(URL, auth=auth(old), content=state(5)).status_code == 409
    assert raw.get(URL, auth=auth(old)).status_code == 409


def test_a_second_process_of_the_run_is_told_of_the_first(world: World, raw: AppClient) -> None:
    mine = auth(world.begin()[0])
    raw.request("LOCK", URL, auth=mine, json=INFO)
    answer = raw.request("LOCK", URL, auth=mine, json={**INFO, "ID": "other"})
    assert (answer.status_code, answer.json()) == (423, INFO)
    assert raw.post(f"{URL}?ID=other", auth=mine, content=state(1)).status_code == 423


def test_a_body_that_was_damaged_on_the_way_is_refused(world: World, raw: AppClient) -> None:
    mine = auth(world.begin()[0])
    assert raw.post(URL, auth=mine, content=state(1), headers=md5(b"other")).status_code == 400
    assert raw.post(URL, auth=mine, content=state(1), headers={"Content-MD5": "?"}).status_code == 400
    assert raw.get(URL, auth=mine).status_code == 404


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"no json", json.dumps({"ID": "x" * 70_000}).encode()])
def test_a_lock_needs_terraforms_info(world: World, raw: AppClient, body: bytes) -> None:
    assert raw.request("LOCK", URL, auth=auth(world.begin()[0]), content=body).status_code == 400


def test_a_late_state_is_kept_and_not_written(world: World, raw: AppClient) -> None:
    assignment, lease = world.begin()
    world.sever(TARGET, lease)
    headers = {"Authorization": "Bearer worker-token"}
    url = f"/v1/targets/{TARGET}/quarantine?epoch=1&run={assignment.run.id}"
    answer = raw.post(url, headers=headers, content=state(3))
    assert (answer.status_code, answer.json()["serial"]) == (201, 3)
    assert raw.get(URL, headers={"Authorization": "Bearer admin-token"}).status_code == 404
