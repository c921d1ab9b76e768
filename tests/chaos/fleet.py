"""Interlock's own processes of one universe: two API servers, beat, and two worker hosts with a proxy each.

They are the real commands, with the real sandbox. Two API servers, because one that was stopped and goes on has stale
requests in its buffers: host a talks to the first, host b to the second.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from shared.api_client import ApiClient
from shared.errors import Unavailable
from shared.lease.timing import LeaseTiming
from tests.chaos import children
from tests.chaos.network import Network, address
from tests.integration.system import ROOT, descendants, eventually
from tests.releases import packed_release

REGION = "here"
ACCESS_KEY = "AKIAREALREALREALREAL"
SECRET_KEY = "real-secret-of-the-proxies-only"
CLOUD_PORT = 5001
HTTP_PORT = 9100
API_PORTS = {"api-1": 8420, "api-2": 8421}
#: Which API server a host talks to.
API_OF = {"a": "api-1", "b": "api-2"}
#: Everything that runs, in the order in which it has to start, and where.
PARTS = {
    "cloud": "cloud",
    "api-1": "ctl",
    "api-2": "ctl",
    "beat": "ctl",
    "proxy-a": "a",
    "proxy-b": "b",
    "worker-a": "a",
    "worker-b": "b",
}
#: As short as two busy cores allow. Everything below is in proportion to the defaults.
TIMING = LeaseTiming(ttl_ms=1500, renew_ms=300, poll_ms=100, delta_ms=300, grace_ms=200, unknown_ms=800)
PATIENCE_S = 240
ASK_S = 60.0


class Fleet:
    """The processes by name. Names are those of `PARTS`."""

    def __init__(
        self,
        network: Network,
        directory: Path,
        redis_url: str,
        *,
        timing: LeaseTiming = TIMING,
        builds: dict[str, str] | None = None,
        replicas: int = 2,
    ) -> None:
        """Nothing is started yet. `builds` maps a command (proxy, beat, server) to the test-only build that runs it."""
        self._network = network
        self._directory = directory
        self._redis_url = redis_url
        self._replicas = replicas
        self._builds = builds or {}
        self.timing = timing
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.cloud_log = directory / "cloud.jsonl"
        self._home = directory / "control"
        self._flocks = itertools.count(1)
        self._apis: dict[str, ApiClient] = {}

    @property
    def database(self) -> Path:
        """The SQLite file with runs, journal and state versions."""
        return self._home / "interlock.db"

    # Life

    def start_missing(self) -> list[str]:
        """Start whatever does not run and wait until all of it answers; returns what was started."""
        missing = [name for name in PARTS if name not in self.processes or self.processes[name].poll() is not None]
        for name in missing:
            self._start(name)
            if name in ("api-1", "cloud") or (name in API_PORTS and len(missing) > 3):
                # The first makes the tokens, and everything asks the API when it starts.
                self.await_ready(name)
        for name in missing:
            self.await_ready(name)
        return missing

    def revive(self, name: str) -> None:
        """Start a killed process again, without waiting for it. What still runs is left alone."""
        if self.processes[name].poll() is not None:
            self._start(name)

    def close(self) -> None:
        """Kill everything."""
        for api in self._apis.values():
            api.close()
        for process in reversed(self.processes.values()):
            children.end(process)

    def pids(self, name: str) -> list[int]:
        """The process and those below it that are Interlock's own: pool children, not what they run."""
        main = self.processes[name].pid
        return [main, *[pid for pid in descendants(main) if _same_program(pid, main)]]

    def provisioners(self, host: str) -> list[int]:
        """What runs inside the sandboxes of a host, shim and command, without bubblewrap itself."""
        main = self.processes[f"worker-{host}"].pid
        ours = set(self.pids(f"worker-{host}"))
        return [pid for pid in descendants(main) if pid not in ours and b"work.py" in _command_line(pid)]

    def log(self, name: str) -> str:
        """What a process printed."""
        return (self._directory / f"{name}.log").read_text(errors="replace")

    def _start(self, name: str) -> None:
        host = PARTS[name]
        command = {"api": "server", "beat": "beat", "proxy": "proxy", "worker": "worker"}.get(name.partition("-")[0])
        if command is None:
            words = ["tests.chaos.cloud", address(host), str(CLOUD_PORT), str(self.cloud_log), ACCESS_KEY, SECRET_KEY]
        elif command in self._builds:
            words = ["tests.chaos.builds", self._builds[command], command]
        else:
            words = ["cli", command]
        self.processes[name] = children.start(
            self._network.command(host, sys.executable, "-m", *words),
            self._directory / f"{name}.log",
            self._environment(name, host),
            self._directory,
        )

    def _environment(self, name: str, host: str) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("INTERLOCK_", "AWS_"))}
        api = API_OF.get(host, "api-1")
        environment = kept | {
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "INTERLOCK_HOME": str(self._home if host == "ctl" else self._directory / host),
            "INTERLOCK_REDIS_URL": self._redis_url,
            "INTERLOCK_REDIS_REPLICAS": str(self._replicas),
            "INTERLOCK_API_URL": f"http://{address('ctl')}:{API_PORTS[api]}",
            "INTERLOCK_API_HOST": address("ctl"),
            "INTERLOCK_API_PORT": str(API_PORTS.get(name, 0)),
            "INTERLOCK_HTTP_HOST": address(host),
            "INTERLOCK_OBSERVE_MS": "100",
            "INTERLOCK_REPUBLISH_AFTER_S": "0.5",
            "INTERLOCK_CLAIM_TIMEOUT_S": "8",
            "INTERLOCK_WORKER_CONCURRENCY": "3",
            "INTERLOCK_REGIONS": REGION,
            **{f"INTERLOCK_{key.upper()}": str(value) for key, value in self.timing.model_dump().items()},
        }
        if name.startswith(("beat", "proxy", "worker")):
            environment["INTERLOCK_HTTP_PORT"] = str(HTTP_PORT + list(PARTS).index(name))
        if host in API_OF:
            environment["INTERLOCK_NODE"] = f"host-{host}"
            environment["INTERLOCK_TOKEN"] = self.token(name.partition("-")[0])
        if name.startswith("proxy"):
            environment |= {
                "AWS_ACCESS_KEY_ID": ACCESS_KEY,
                "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
                "AWS_EC2_METADATA_DISABLED": "true",
                "INTERLOCK_UPSTREAM_OVERRIDES": json.dumps(
                    {"*.amazonaws.com": f"http://{address('cloud')}:{CLOUD_PORT}"}
                ),
            }
        return environment

    def await_ready(self, name: str) -> None:
        """Wait until a process answers; fails at once, with its log, when it has ended."""

        def answers() -> bool:
            assert self.processes[name].poll() is None, f"{name} ended:\n{self.log(name)[-3000:]}"
            return self.ready(name)

        eventually(answers, f"{name} is ready", patience_s=PATIENCE_S)

    def ready(self, name: str) -> bool:
        """Whether a process says that it is ready."""
        host = address(PARTS[name])
        try:
            if name == "cloud":
                httpx.get(f"http://{host}:{CLOUD_PORT}/", timeout=3, trust_env=False)
                return True
            port = API_PORTS.get(name) or HTTP_PORT + list(PARTS).index(name)
            return httpx.get(f"http://{host}:{port}/readyz", timeout=3, trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    # The API

    def token(self, role: str) -> str:
        """The token that the API made for `role`."""
        return (self._home / "tokens" / f"{role}.token").read_text().strip()

    def ask[T](self, question: Callable[[ApiClient], T], *, patience_s: float = ASK_S) -> T:
        """Ask the API servers in turn until one answers. Raises Unavailable when none does in time."""
        until = time.monotonic() + patience_s
        while True:
            for name in ("api-2", "api-1"):
                if name not in self._apis:
                    url = f"http://{address('ctl')}:{API_PORTS[name]}"
                    self._apis[name] = ApiClient(url, self.token("admin"), timeout_s=3)
                try:
                    return question(self._apis[name])
                except Unavailable:
                    if time.monotonic() > until:
                        raise

    def new_targets(self, count: int) -> list[str]:
        """Fresh targets whose configuration holds `work.py`."""
        flock = f"f{next(self._flocks)}"
        names = [f"{flock}.{REGION}.t{number}" for number in range(count)]
        generic = {
            "work.py": Path(__file__).with_name("work.py").read_bytes(),
            "signed_call.py": (ROOT / "worker" / "signed_call.py").read_bytes(),
        }
        packed = packed_release(*names, generic=generic, provider_region="us-east-1")
        release = self.ask(lambda api: api.publish_release(packed))
        self.ask(lambda api: api.put_flock(flock, release.digest))
        return names


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def _same_program(pid: int, main: int) -> bool:
    # A pool child is forked without exec: it has the command line of the main process (or a title made from it).
    line = _command_line(pid)
    try:
        same = Path(f"/proc/{pid}/exe").resolve() == Path(f"/proc/{main}/exe").resolve()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return same and b"shim" not in line and b"work.py" not in line and b"bwrap" not in line
