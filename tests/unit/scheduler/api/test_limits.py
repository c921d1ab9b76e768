"""Bounded bodies."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from scheduler.api import limits
from scheduler.api.limits import limit_for
from scheduler.state_documents import MAX_STATE_BYTES
from shared.release_pack import MAX_PACKED_BYTES
from tests.unit.scheduler.api.conftest import AppClient

ADMIN = {"Authorization": "Bearer admin-token", "Content-Type": "application/json"}


def test_each_path_has_its_limit() -> None:
    assert limit_for("/v1/releases") == MAX_PACKED_BYTES
    assert limit_for("/v1/state/web.north") == MAX_STATE_BYTES
    assert limit_for("/v1/targets/web.north/quarantine") == MAX_STATE_BYTES
    assert limit_for("/v1/runs/run-0/rollback-plan") == limits.MAX_ROLLBACK_BYTES
    assert limit_for("/v1/runs") == limits.MAX_JSON_BYTES


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_beyond_the_limit_is_refused(raw: AppClient, monkeypatch: pytest.MonkeyPatch, announced: bool) -> None:
    monkeypatch.setattr(limits, "MAX_JSON_BYTES", 100)

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * 10

    answer = raw.post("/v1/runs", headers=ADMIN, content=b" " * 200 if announced else pieces())
    assert answer.status_code == 413
    assert "larger than 100 bytes" in answer.json()["error"]["message"]
