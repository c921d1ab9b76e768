"""From what makes a rollback necessary to its begin: a health check that fails, and a worker that is killed."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from deploy.demo.fleet import Fleet
from deploy.demo.home import home_of
from deploy.demo.stage import HOSTS, Stage
from shared.models import Run, RunKind, RunStatus
from shared.rollback.standing import Rollback
from tests.bench.report import percentile, progress, record, spread_of
from tests.integration.system import eventually

ROUNDS = 10
TARGET = "bench.here"
GENERIC = 'variable "value" {\n  type = string\n}\nresource "terraform_data" "it" {\n  input = var.value\n}\n'


class Service(ThreadingHTTPServer):
    """What is deployed: well, until it is told not to be."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.well = True
        self.bad_at: float | None = None
        """When it first answered that it is not."""

    def fail(self) -> None:
        """Be ill from now on."""
        self.bad_at, self.well = None, False


class _Handler(BaseHTTPRequestHandler):
    server: Service

    def do_GET(self) -> None:
        if not self.server.well and self.server.bad_at is None:
            self.server.bad_at = time.time()
        self.send_response(200 if self.server.well else 500)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


class _Stage(Stage):
    """The demo's, whose workers may ask the service."""

    def _environment(self, host: str, **more: str) -> dict[str, str]:
        kill_is_final = {"INTERLOCK_CHECK_HOSTS": "127.0.0.1", "INTERLOCK_MAX_ATTEMPTS": "1"}
        return super()._environment(host, **kill_is_final, **more)


class Installation:
    """A scheduler and two hosts, one target, and two releases of it for each cause."""

    def __init__(self, fleet: Fleet, service: Service) -> None:
        self._fleet = fleet
        self.service = service
        health = {
            "name": "health",
            "type": "http",
            "url": f"http://127.0.0.1:{service.server_address[1]}/",
            "missing_data": "ignore",
            "every_s": 1,
        }
        self._sections: dict[str, dict[str, Any]] = {
            "first": {},
            "health": {"bake_s": 600, "checks": [health]},
            "kill": {"bake_s": 600},
        }
        for name, section in self._sections.items():
            self._write(name, section)
        plugins = fleet.home / "plugins"
        plugins.mkdir()
        self.stage = _Stage(fleet, plugin_dir=plugins, flock=fleet.home / "first" / "flock.yaml")
        self._releases: dict[str, str] = {}
        self._workers: dict[str, str] = {}

    def start(self) -> None:
        """Start everything, and deploy the first release."""
        self.stage.start()
        for name in self._sections:
            code, output = self.stage.command("release", "publish", str(self._fleet.home / name), "--json")
            assert code == 0, output
            self._releases[name] = json.loads(output[output.index("{") :])["digest"]
        self.stage.api.put_flock(TARGET.partition(".")[0], self._releases["first"])
        for host in HOSTS:
            self._start_worker(host)
        self._until(self._run("first"), RunStatus.APPLIED)

    def failed_check_s(self) -> float:
        """Seconds from the service's bad answer to the begin of the rollback."""
        self.service.well = True
        run = self._baking("health")
        self.service.fail()
        back = self._rolled_back(run)
        assert back.started_at is not None
        assert self.service.bad_at is not None
        return back.started_at.timestamp() - self.service.bad_at

    def killed_worker_s(self) -> float:
        """Seconds from the SIGKILL to the begin of the rollback, on the other host."""
        run = self._baking("kill")
        host = run.node or ""
        at = time.time()
        self._fleet.kill(self._workers[host])
        back = self._rolled_back(run)
        self._start_worker(host)
        assert back.started_at is not None
        return back.started_at.timestamp() - at

    def by_hand_s(self) -> float:
        """Seconds from the order of a run to its claim."""
        at = time.time()
        run = self.stage.api.create_run(TARGET, RunKind.PLAN, release_digest=self._releases["first"])
        run = self._until(run, RunStatus.PLANNED)
        assert run.claimed_at is not None
        return run.claimed_at.timestamp() - at

    def _write(self, name: str, section: dict[str, Any]) -> None:
        folder = self._fleet.home / name
        (folder / "configuration").mkdir(parents=True)
        (folder / "configuration" / "main.tf").write_text(GENERIC)
        targets = [{"region": "here", "provider_region": "eu-west-1", "variables": {"value": name}}]
        flock = {"name": "bench", "configuration": "configuration", "targets": targets, "rollback": section}
        (folder / "flock.yaml").write_text(json.dumps(flock))

    def _start_worker(self, host: str) -> None:
        name = f"worker-{host}-{time.monotonic_ns()}"
        self._workers[host] = name
        self.stage.start_worker(name, host, ("here",), concurrency=1)
        eventually(lambda: self.stage.worker_ready(name), f"{name} is ready")

    def _run(self, release: str) -> Run:
        return self.stage.api.create_run(TARGET, RunKind.APPLY, release_digest=self._releases[release])

    def _baking(self, release: str) -> Run:
        return self._until(self._run(release), RunStatus.BAKING)

    def _until(self, run: Run, status: RunStatus) -> Run:
        def look() -> Run | None:
            found = self.stage.api.run(run.id)
            assert found.status is status or not found.status.terminal, f"{found}\n{self.stage.api.logs(run.id).text}"
            return found if found.status is status else None

        found = eventually(look, f"{run.id} is {status}")
        assert found is not None
        return found

    def _rolled_back(self, run: Run) -> Rollback:
        def look() -> Rollback | None:
            listed = [one for one in self.stage.api.rollbacks(target=TARGET) if one.run_id == run.id]
            assert not any(one.status.stuck for one in listed), listed
            over = [one for one in listed if not one.status.at_work]
            return self.stage.api.rollback(over[0].id) if over else None

        found = eventually(look, f"{run.id} is taken back")
        assert found is not None
        return found


@contextmanager
def installation() -> Iterator[Installation]:
    """Everything started; everything it started is ended at the end."""
    service = Service()
    threading.Thread(target=service.serve_forever, daemon=True).start()
    try:
        with home_of("bench") as home:
            with Fleet(Path(home.path)) as fleet:
                whole = Installation(fleet, service)
                try:
                    whole.start()
                    yield whole
                finally:
                    whole.stage.close()
            home.finished = True
    finally:
        service.shutdown()
        service.server_close()


def measure() -> None:
    """rollback.trigger_to_start_p99_ms: half of the triggers are failed checks, half are killed workers."""
    with installation() as whole:
        ways: dict[str, Callable[[], float]] = {
            "failed check": whole.failed_check_s,
            "killed worker": whole.killed_worker_s,
            "run by hand": whole.by_hand_s,
        }
        took: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(ROUNDS):
            for name, way in ways.items():
                took[name].append(way() * 1000)
            progress("rollback: " + ", ".join(f"{name} {values[-1]:.0f} ms" for name, values in took.items()))
    values, by_hand = took["failed check"] + took["killed worker"], percentile(took["run by hand"], 0.99)
    value = percentile(values, 0.99)
    record(
        "rollback.trigger_to_start_p99_ms",
        value=value,
        unit="ms",
        goal=5_000,
        n=len(values),
        spread=spread_of(values),
        partner={"what": "a fresh run queued by hand, until a worker has it", "value": round(by_hand)},
        ratio=by_hand / value,
    )
