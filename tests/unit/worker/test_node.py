"""The sign of life of a worker host."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shared.constants import TASK_RUN
from shared.errors import Unavailable
from shared.settings import Settings
from shared.testing import fake_lease_store
from tests.unit.worker.support import RUN
from worker import node
from worker.node import BEAT_S, NodeBeat, attempted_runs, beat_step


class Request:
    """A task that the pool has, as Celery keeps it."""

    def __init__(self, name: str, *args: object) -> None:
        self.name = name
        self.args = args


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, node="host-a", regions=("here", "there"))


def test_a_beat_says_who_where_and_what(settings: Settings) -> None:
    store = fake_lease_store()
    beat = NodeBeat(settings, store)
    assert not beat.fresh
    beat.send([RUN, RUN])
    payload = store.nodes()["host-a"]
    assert payload["runs"] == [RUN]
    assert payload["regions"] == ["here", "there"]
    assert payload["timing"] == settings.timing.model_dump()
    assert beat.fresh


def test_a_beat_repeats_what_the_installation_has_agreed_on(settings: Settings) -> None:
    store = fake_lease_store()
    NodeBeat(settings, store).send([])
    agreed = store.agreed()
    assert agreed is not None
    assert json.loads(agreed) == settings.timing.model_dump()


def test_a_redis_that_is_away_stops_no_worker(settings: Settings) -> None:
    class Away:
        def beat(self, *_: object) -> None:
            raise Unavailable("away", hint="")

    beat = NodeBeat(settings, Away())  # type: ignore[arg-type]  # the used part
    beat.send([])
    assert not beat.fresh


def test_the_runs_are_those_of_the_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    other = "run-fedcba9876543210"
    monkeypatch.setattr(node.celery_state, "reserved_requests", {Request(TASK_RUN, RUN), Request("other", "run-x")})
    monkeypatch.setattr(node.celery_state, "active_requests", {Request(TASK_RUN, [other])})
    assert sorted(attempted_runs()) == [RUN, other]


def test_the_step_beats_at_once_and_from_the_workers_own_timer(settings: Settings) -> None:
    scheduled: list[tuple[float, Any]] = []

    class Entry:
        canceled = False

        def cancel(self) -> None:
            self.canceled = True

    entry = Entry()

    class Timer:
        def call_repeatedly(self, seconds: float, function: Any) -> Entry:
            scheduled.append((seconds, function))
            return entry

    class Parent:
        timer = Timer()
        steps: tuple[Any, ...] = ()

    store, counts = fake_lease_store(), []
    step = beat_step(NodeBeat(settings, store), counts.append)(Parent())
    step.start(Parent())
    assert "host-a" in store.nodes()
    assert [seconds for seconds, _ in scheduled] == [BEAT_S]
    scheduled[0][1]()
    assert counts == [0, 0]
    step.stop(Parent())
    assert entry.canceled
