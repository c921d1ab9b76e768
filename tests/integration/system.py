"""The whole of Interlock as real processes on one machine, for tests that kill them.

A `System` owns every process it starts and ends them by id. It starts the same commands a service manager would:
`interlock server`, `beat`, `proxy` and `worker`.
"""

from __future__ import annotations

import itertools
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import redis

from shared.api_client import ApiClient
from shared.lease.store import LeaseStore
from shared.models import Run
from tests.releases import packed_release

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE_S = 120
FAST_LEASE = {
    "INTERLOCK_TTL_MS": "4000",
    "INTERLOCK_RENEW_MS": "500",
    "INTERLOCK_POLL_MS": "100",
    "INTERLOCK_DELTA_MS": "500",
    "INTERLOCK_GRACE_MS": "500",
    "INTERLOCK_UNKNOWN_MS": "2000",
    "INTERLOCK_OBSERVE_MS": "100",
}


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually[T](question: Callable[[], T], what: str, *, patience_s: float = PATIENCE_S) -> T:
    """Ask until the answer is truthy; fail with `what` after a generous bound."""
    until = time.monotonic() + patience_s
    while True:
        answer = question()
        if answer:
            return answer
        assert time.monotonic() < until, f"not within {patience_s:.0f} s: {what}"
        time.sleep(0.05)


def descendants(pid: int) -> list[int]:
    """Every live process below `pid`, by the kernel's own list."""
    found: list[int] = []
    queue = [pid]
    while queue:
        parent = queue.pop()
        try:
            tasks = list(Path(f"/proc/{parent}/task").iterdir())
        except FileNotFoundError:
            continue
        for task in tasks:
            try:
                children = [int(word) for word in (task / "children").read_text().split()]
            except (FileNotFoundError, ProcessLookupError):
                continue
            found += children
            queue += children
    return found


def alive(pid: int) -> bool:
    """Whether `pid` is a process that still runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except (FileNotFoundError, ProcessLookupError):
        return False


class System:
    """One installation: an API, a beat, and any number of hosts with a proxy and a worker each."""

    def __init__(self, directory: Path, redis_url: str, extra: Mapping[str, str] | None = None) -> None:
        self.directory = directory
        self.redis_url = redis_url
        self.api_port = free_port()
        self.api_url = f"http://127.0.0.1:{self.api_port}"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.home = directory / "control"
        self.extra = {**FAST_LEASE, **(extra or {})}
        self.target = ""
        self._flocks = itertools.count(1)
        self._api: ApiClient | None = None
        self._redis: redis.Redis | None = None

    def environment(self, host: str | None = None, **more: str) -> dict[str, str]:
        """What a process of `host` (or of the control host) gets; nothing of the test's own INTERLOCK_ settings."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("INTERLOCK_")}
        environment = (
            kept
            | self.extra
            | {
                "PYTHONPATH": str(ROOT),
                "PYTHONUNBUFFERED": "1",
                "INTERLOCK_HOME": str(self.home if host is None else self.directory / host),
                "INTERLOCK_REDIS_URL": self.redis_url,
                "INTERLOCK_API_URL": self.api_url,
                "INTERLOCK_API_PORT": str(self.api_port),
            }
        )
        if host is not None:
            environment["INTERLOCK_NODE"] = host
        return environment | more

    def start(self, name: str, *command: str, host: str | None = None, **more: str) -> subprocess.Popen[bytes]:
        """Start `interlock COMMAND` as process `name`; its output goes to a file beside its home."""
        self.directory.mkdir(parents=True, exist_ok=True)
        if name in self.processes:
            self.processes[name].wait(PATIENCE_S)
        with (self.directory / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "cli", *command],
                env=self.environment(host, **more),
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.processes[name] = process
        return process

    def log(self, name: str) -> str:
        """What process `name` has printed so far."""
        return (self.directory / f"{name}.log").read_text(errors="replace")

    def start_control(self) -> None:
        """Start the API, then beat, and wait until both answer."""
        self.start_server()
        self.start_beat("beat")

    def start_server(self) -> None:
        """Start the API and wait until it answers."""
        self.start("server", "server")
        self.ready("server", f"{self.api_url}/readyz")

    def is_up(self, name: str) -> bool:
        """Whether process `name` was started and has not ended."""
        return name in self.processes and self.processes[name].poll() is None

    def start_beat(self, name: str) -> None:
        """Start one beat and wait until its observer has ticked."""
        port = free_port()
        self.start(name, "beat", INTERLOCK_HTTP_PORT=str(port))
        self.ready(name, f"http://127.0.0.1:{port}/readyz")

    def start_proxy(self, host: str, **more: str) -> None:
        """Start the proxy of `host`."""
        port = free_port()
        self.start(
            f"{host}-proxy",
            "proxy",
            host=host,
            INTERLOCK_HTTP_PORT=str(port),
            INTERLOCK_TOKEN=self.token("proxy"),
            AWS_ACCESS_KEY_ID="AKIAREALREALREALREAL",
            AWS_SECRET_ACCESS_KEY="real-secret-of-the-proxy-only",
            AWS_EC2_METADATA_DISABLED="true",
            **more,
        )
        self.ready(f"{host}-proxy", f"http://127.0.0.1:{port}/readyz")

    def start_worker(self, host: str, region: str = "here", name: str | None = None, **more: str) -> None:
        """Start a worker on `host`."""
        port = free_port()
        name = name or f"{host}-worker"
        self.start(
            name,
            "worker",
            host=host,
            INTERLOCK_HTTP_PORT=str(port),
            INTERLOCK_REGIONS=region,
            INTERLOCK_TOKEN=self.token("worker"),
            **more,
        )
        self.ready(name, f"http://127.0.0.1:{port}/readyz")

    def ready(self, name: str, url: str) -> None:
        """Wait until `url` answers 200; fail at once, with its log, when the process has ended."""

        def answers() -> bool:
            assert self.processes[name].poll() is None, f"{name} ended:\n{self.log(name)[-3000:]}"
            try:
                return httpx.get(url, timeout=5).status_code == 200
            except httpx.TransportError:
                return False

        eventually(answers, f"{name} is ready at {url}\n{self.log(name)[-3000:]}")

    def token(self, role: str) -> str:
        """The token that the API made for `role`."""
        return (self.home / "tokens" / f"{role}.token").read_text().strip()

    def api(self) -> ApiClient:
        """A client with the administrator's token."""
        if self._api is None:
            self._api = ApiClient(self.api_url, self.token("admin"))
        return self._api

    def store(self) -> LeaseStore:
        """The lease store, to look at leases as a dashboard would."""
        if self._redis is None:
            self._redis = redis.Redis.from_url(self.redis_url)
        return LeaseStore(self._redis)

    def duplicate_claims(self) -> float:
        """How often the API was asked for a run that was no longer to be had."""
        page = httpx.get(f"{self.api_url}/metrics", timeout=10).text
        found = re.search(r"^interlock_scheduler_duplicate_claims_total (\S+)$", page, re.MULTILINE)
        assert found is not None
        return float(found[1])

    def run_until(self, run_id: str, accept: Callable[[Run], bool], what: str) -> Run:
        """Wait until the run is as wanted."""
        with_api = self.api()

        def look() -> Run | None:
            run = with_api.run(run_id)
            return run if accept(run) else None

        found = eventually(look, f"{run_id} {what}")
        assert found is not None
        return found

    def signal_worker(self, name: str, number: int) -> list[int]:
        """Signal a worker and its pool children, not what they run; returns the pids."""
        main = self.processes[name].pid
        pids = [main, *[pid for pid in descendants(main) if _is_python_of_ours(pid, main)]]
        for pid in pids:
            os.kill(pid, number)
        return pids

    def stop(self) -> None:
        """End every process this system started, newest first."""
        if self._api is not None:
            self._api.close()
        if self._redis is not None:
            self._redis.close()
        for process in reversed(self.processes.values()):
            pids = descendants(process.pid)
            for pid in (process.pid, *pids):
                _send(pid, signal.SIGCONT)
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait(20)
            for pid in pids:
                if alive(pid):
                    _send(pid, signal.SIGKILL)


def _send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def _is_python_of_ours(pid: int, main: int) -> bool:
    # A pool child is forked without exec: it has the command line of the main process.
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() == Path(f"/proc/{main}/cmdline").read_bytes() or (
            b"bwrap" not in Path(f"/proc/{pid}/cmdline").read_bytes()
            and Path(f"/proc/{pid}/exe").resolve() == Path(f"/proc/{main}/exe").resolve()
            and b"shim" not in Path(f"/proc/{pid}/cmdline").read_bytes()
        )
    except FileNotFoundError:
        return False


@contextmanager
def running(directory: Path, redis_url: str, **extra: Any) -> Iterator[System]:
    """A system with its control host started; everything it starts is ended at the end."""
    system = System(directory, redis_url, {name: str(value) for name, value in extra.items()})
    try:
        system.start_control()
        yield system
    finally:
        system.stop()


def register_empty_flock(system: System) -> None:
    """Make a fresh target that needs no Terraform (for `exec` runs) and let `system.target` name it."""
    system.target = f"job-{next(system._flocks)}.here"
    flock = system.target.partition(".")[0]
    api = system.api()
    api.put_flock(flock, api.publish_release(packed_release(system.target)).digest)
