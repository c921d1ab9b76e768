"""API and beat as real processes: started, killed, started again, two at a time."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from shared.api_client import ApiClient
from shared.celery_config import queue_name
from shared.errors import InterlockError
from shared.lease.commands import Granted
from shared.lease.machine import State
from shared.lease.store import LeaseStore
from shared.models import Assignment, RunKind, RunStatus
from shared.settings import Settings
from tests.releases import packed_release
from tests.servers import ValkeyServer, wait_for
from tests.unit.scheduler.support import state

ROOT = Path(__file__).resolve().parent.parent.parent
TARGET = "web.north"
TIMING = {
    "TTL_MS": "8000",
    "RENEW_MS": "400",
    "POLL_MS": "100",
    "DELTA_MS": "300",
    "GRACE_MS": "100",
    "UNKNOWN_MS": "300",
}


class Installation:
    """One home folder, one Valkey, and processes on them."""

    def __init__(self, home: Path, valkey: ValkeyServer, stack: ExitStack) -> None:
        self.api_port = free_port()
        self._stack = stack
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("INTERLOCK_")},
            **{f"INTERLOCK_{name}": value for name, value in TIMING.items()},
            "INTERLOCK_HOME": str(home),
            "INTERLOCK_REDIS_URL": valkey.url,
            "INTERLOCK_API_PORT": str(self.api_port),
            "INTERLOCK_REPUBLISH_AFTER_S": "1",
            "INTERLOCK_OBSERVE_MS": "50",
            "PYTHONPATH": str(ROOT),
        }
        self.settings = Settings(home=home, redis_url=valkey.url, api_port=self.api_port)
        self.store = LeaseStore.from_settings(self.settings)
        stack.callback(self.store.close)

    def start(self, module: str, function: str, *, http_port: int | None = None) -> subprocess.Popen[bytes]:
        code = (
            f"from {module} import {function}; from shared.settings import load_settings; {function}(load_settings())"
        )
        environment = dict(self._environment)
        if http_port is not None:
            environment["INTERLOCK_HTTP_PORT"] = str(http_port)
        process = subprocess.Popen([sys.executable, "-c", code], env=environment, stdin=subprocess.DEVNULL)
        self._stack.callback(end, process)
        return process

    def start_api(self) -> subprocess.Popen[bytes]:
        process = self.start("scheduler.server", "run_api")
        wait_for("the API", lambda: answers(process, f"http://127.0.0.1:{self.api_port}/readyz"))
        return process

    def start_beat(self) -> tuple[subprocess.Popen[bytes], int]:
        port = free_port()
        process = self.start("scheduler.beat", "run_beat", http_port=port)
        wait_for("beat", lambda: answers(process, f"http://127.0.0.1:{port}/readyz"))
        return process, port

    def client(self, role: str = "admin") -> ApiClient:
        client = ApiClient(f"http://127.0.0.1:{self.api_port}", self.settings.read_token(role))
        self._stack.callback(client.close)
        return client

    def register(self) -> None:
        admin = self.client()
        admin.put_flock("web", admin.publish_release(packed_release(TARGET)).digest)

    def acquire(self, assignment: Assignment) -> str:
        granted = self.store.acquire(
            TARGET,
            epoch=assignment.epoch,
            acquire_id=f"{assignment.epoch:032x}",
            ttl_ms=8000,
            holder=assignment.holder,
            run_id=assignment.run.id,
            node="n",
        )
        assert isinstance(granted, Granted), granted
        return granted.lease_id

    def waiting_hints(self) -> int:
        return int(self.store.client.llen(queue_name("north")))


@pytest.fixture
def installation(tmp_path: Path, redis_server_factory: Callable[..., ValkeyServer]) -> Iterator[Installation]:
    with ExitStack() as stack:
        yield Installation(tmp_path / "home", redis_server_factory(), stack)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(process: subprocess.Popen[bytes], url: str) -> bool:
    assert process.poll() is None, f"{process.args!r} ended with {process.returncode}"
    try:
        return httpx.get(url, timeout=10).status_code == 200
    except httpx.HTTPError:
        return False


def end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait(60)


def test_the_first_start_makes_private_tokens_and_a_killed_api_forgets_nothing(installation: Installation) -> None:
    api = installation.start_api()
    home = installation.settings.home
    for secret in (*(home / "tokens").iterdir(), home / "state.key"):
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    tokens = {path.name: path.read_text() for path in (home / "tokens").iterdir()}
    installation.register()
    run = installation.client().create_run(TARGET, RunKind.APPLY, actor="anna")
    assignment = installation.client("worker").claim(run.id, node="n", holder="h")
    installation.acquire(assignment)
    url = f"http://127.0.0.1:{installation.api_port}/v1/state/{TARGET}"
    auth = (assignment.state_username, assignment.state_password)
    assert httpx.post(url, auth=auth, content=state(1)).status_code == 200
    api.kill()
    api.wait(60)
    with pytest.raises(InterlockError):
        installation.client().run(run.id)
    installation.start_api()
    assert {path.name: path.read_text() for path in (home / "tokens").iterdir()} == tokens
    assert installation.client("worker").claim(run.id, node="n", holder="h").state_password == auth[1]
    assert httpx.get(url, auth=auth).content == state(1)
    assert installation.waiting_hints() == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_api_that_is_asked_to_stop_stops_cleanly(installation: Installation, number: signal.Signals) -> None:
    api = installation.start_api()
    api.send_signal(number)
    assert api.wait(60) == 0


def test_a_second_api_on_the_same_port_ends_at_once(installation: Installation) -> None:
    first = installation.start_api()
    second = installation.start("scheduler.server", "run_api")
    assert second.wait(60) != 0
    assert first.poll() is None


def test_two_beats_are_harmless_and_one_that_is_killed_is_not_missed(installation: Installation) -> None:
    installation.start_api()
    installation.register()
    (first, _), (second, port) = installation.start_beat(), installation.start_beat()
    admin, worker = installation.client(), installation.client("worker")

    run = admin.create_run(TARGET, RunKind.APPLY)
    lease = installation.acquire(worker.claim(run.id, node="n", holder="h1"))
    assert installation.store.revoke(TARGET, lease, "worker died") is State.SEVERED
    wait_for("the follow-up", lambda: [later for later in admin.runs() if later.retry_of == run.id])
    (follower,) = (later for later in admin.runs() if later.retry_of == run.id)

    first.kill()
    first.wait(60)
    second_lease = installation.acquire(worker.claim(follower.id, node="n", holder="h2"))
    assert installation.store.revoke(TARGET, second_lease, "worker died") is State.SEVERED
    wait_for("the second follow-up", lambda: [later for later in admin.runs() if later.retry_of == follower.id])
    assert len(admin.runs()) == 3
    assert admin.run(run.id).status is RunStatus.LOST

    metrics = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text
    assert "interlock_scheduler_last_tick_age_seconds" in metrics
    assert "interlock_scheduler_last_observation_age_seconds" in metrics
    second.send_signal(signal.SIGTERM)
    assert second.wait(60) == 0


def test_a_hint_that_the_broker_lost_is_published_again(installation: Installation) -> None:
    installation.start_api()
    installation.register()
    installation.client().create_run(TARGET, RunKind.APPLY)
    installation.store.client.delete(queue_name("north"))
    installation.store.beat("node-1", {"runs": [], "regions": ["north"]}, 600_000)
    installation.start_beat()
    wait_for("the hint", lambda: installation.waiting_hints() > 0)


def test_a_holder_that_falls_silent_is_expired_by_a_beat_that_was_started_later(installation: Installation) -> None:
    installation.start_api()
    installation.register()
    admin = installation.client()
    run = admin.create_run(TARGET, RunKind.PLAN)
    installation.acquire(installation.client("worker").claim(run.id, node="n", holder="h"))
    installation.start_beat()
    wait_for("the end of the run", lambda: admin.run(run.id).status is RunStatus.LOST)
    assert installation.store.view(TARGET).state is State.EXPIRED
