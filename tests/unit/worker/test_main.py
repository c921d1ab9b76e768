"""What a worker refuses before it starts; a running one: tests/integration/test_system.py."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery, signals

from shared.errors import ConfigurationError
from shared.settings import Settings
from shared.testing import fake_lease_store
from worker import main
from worker.sandbox_setup import UNENFORCED


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", sandbox="none", token="t", node="host-a", http_port=0)


@pytest.fixture(autouse=True)
def nothing_is_really_started(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    started: list[Any] = []
    monkeypatch.setattr(main.LeaseStore, "from_settings", lambda settings: fake_lease_store())
    monkeypatch.setattr(main, "_celery", lambda app, settings: started.append(app) or 0)
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    changed = (signals.worker_process_init, signals.setup_logging, signals.worker_shutting_down)
    kept = [(one, list(one.receivers)) for one in changed]
    yield started
    root.handlers[:], root.level = handlers, level
    for one, receivers in kept:
        one.receivers = receivers


def test_a_worker_without_a_sandbox_says_so_at_every_start(
    settings: Settings, capsys: pytest.CaptureFixture[str], nothing_is_really_started: list[Any]
) -> None:
    for _ in range(2):
        assert main.run_worker(settings) == 0
    assert capsys.readouterr().err.count(UNENFORCED[:40]) == 2
    assert len(nothing_is_really_started) == 2


def test_a_missing_token_is_refused_at_start(settings: Settings, nothing_is_really_started: list[Any]) -> None:
    with pytest.raises(ConfigurationError, match="no API token"):
        main.run_worker(settings.model_copy(update={"token": None}))
    assert nothing_is_really_started == []


def test_a_redis_that_must_not_hold_leases_is_refused_at_start(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, nothing_is_really_started: list[Any]
) -> None:
    class Replica:
        def check_server(self) -> None:
            raise ConfigurationError("Redis is a replica", hint="")

        def close(self) -> None:
            pass

    monkeypatch.setattr(main.LeaseStore, "from_settings", lambda settings: Replica())
    with pytest.raises(ConfigurationError, match="replica"):
        main.run_worker(settings)
    assert nothing_is_really_started == []


def test_a_platform_that_forbids_the_sandbox_is_refused_at_start(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, nothing_is_really_started: list[Any]
) -> None:
    def forbidden(*_: object) -> None:
        raise ConfigurationError("the platform forbids it", hint="use --sandbox=none")

    monkeypatch.setattr(main, "decide_confinement", forbidden)
    with pytest.raises(ConfigurationError, match="forbids"):
        main.run_worker(settings.model_copy(update={"sandbox": "bubblewrap"}))
    assert nothing_is_really_started == []


def test_a_drain_has_a_bound_and_then_turns_cold(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []
    over = threading.Event()
    app = Celery("x", set_as_current=False)
    app.conf.worker_soft_shutdown_timeout = 20

    def note(pid: int, number: int) -> None:
        sent.append(number)
        over.set()

    monkeypatch.setattr("worker.main.os.kill", note)
    main.bound_the_drain(app, 0.01)
    signals.worker_shutting_down.send(sender="w", sig="SIGQUIT", how="Cold", exitcode=1)
    assert not over.wait(0.1)
    signals.worker_shutting_down.send(sender="w", sig="SIGTERM", how="Warm", exitcode=0)
    assert over.wait(5)
    assert (sent, app.conf.worker_soft_shutdown_timeout) == ([signal.SIGQUIT], 0)
