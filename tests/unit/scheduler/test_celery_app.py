"""The Celery app that publishes."""

from __future__ import annotations

import base64
import json
import socket
import time
from pathlib import Path

import pytest
import redis

import scheduler.celery_app
from scheduler.celery_app import CeleryPublisher, create_app
from shared.api_exchange import TIMEOUT_S
from shared.celery_config import TASK_RUN, queue_name
from shared.errors import Unavailable
from shared.settings import Settings


def test_a_hint_carries_the_run_id_on_the_queue_of_its_region(tmp_path: Path, valkey_url: str) -> None:
    app = create_app(Settings(home=tmp_path, redis_url=valkey_url))
    region = f"r-{tmp_path.name}"[:60]
    try:
        CeleryPublisher(app).publish(run_id="run-1", region=region)
    finally:
        app.close()
    with redis.Redis.from_url(valkey_url) as client:
        message = json.loads(client.lpop(queue_name(region)))
    assert message["headers"]["task"] == TASK_RUN
    assert json.loads(base64.b64decode(message["body"]))[0] == ["run-1"]


def test_a_broker_that_is_away_is_told_and_not_waited_for(tmp_path: Path) -> None:
    app = create_app(Settings(home=tmp_path, redis_url=f"unix://{tmp_path}/no-such-socket"))
    try:
        with pytest.raises(Unavailable, match="did not take the hint for run-1"):
            CeleryPublisher(app).publish(run_id="run-1", region="north")
    finally:
        app.close()


def test_a_broker_that_hangs_is_not_waited_for_longer_than_a_client_of_the_api_waits(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        app = create_app(Settings(home=tmp_path, redis_url=f"redis://127.0.0.1:{silent.getsockname()[1]}/0"))
        begun = time.monotonic()
        try:
            with pytest.raises(Unavailable, match="did not take the hint for run-1"):
                CeleryPublisher(app).publish(run_id="run-1", region="north")
        finally:
            app.close()
    assert time.monotonic() - begun < TIMEOUT_S


def test_celerys_own_commands_find_an_app(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("INTERLOCK_HOME", str(tmp_path))
    assert scheduler.celery_app.app.main == "interlock-scheduler"
    with pytest.raises(AttributeError):
        _ = scheduler.celery_app.nothing
