"""What `interlock up` starts, in which order, with which environment. Pure: nothing is started here.

Start: valkey, server, beat, proxy, worker. Stop: the other way round, so that a run that is ended loses first its
worker, then its way out, and only then the place where that is written down.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

VALKEY = "valkey"
SERVER = "server"
BEAT = "beat"
PROXY = "proxy"
WORKER = "worker"

START_ORDER = (VALKEY, SERVER, BEAT, PROXY, WORKER)
STOP_ORDER = tuple(reversed(START_ORDER))

# How long a child may take to end after SIGTERM before it is killed. A worker waits for its
# runs, which `up` canceled before: each ends the operation it is in, saves its state and gives its lease up.
STOP_BOUND_S: Mapping[str, int] = {WORKER: 120, PROXY: 15, BEAT: 15, SERVER: 15, VALKEY: 10}
# A worker cuts the runs that have not ended by then, and has the rest of its bound to end in good order.
WORKER_DRAIN_S = STOP_BOUND_S[WORKER] - 10
# How long a child may take until it is ready, on a slow machine that just installed it.
READY_BOUND_S = 90

RESTART_FIRST_DELAY_MS = 500
RESTART_MAX_DELAY_MS = 8_000
# A child that lived this long had a good start: its next death is counted anew.
RESTART_FORGIVEN_AFTER_MS = 60_000
RESTART_MAX_EARLY_DEATHS = 5


@dataclass(frozen=True, kw_only=True)
class ChildPlan:
    """One process to start."""

    name: str
    """Its name in logs and in up.json."""
    argv: tuple[str, ...]
    """Command and arguments."""
    environment: Mapping[str, str] = field(repr=False)
    """Its whole environment; holds the Redis password."""
    stdin: bytes = field(default=b"", repr=False)
    """What it reads from stdin before the end of file; holds the Redis password."""
    health_url: str | None = None
    """Base URL of /healthz and /readyz, where it serves them."""
    ready_path: str = "/readyz"
    """What answers 200 once it has started."""


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """Where the parts of one `interlock up` are found."""

    home: Path
    """State directory."""
    api_host: str
    """Address the API binds."""
    api_port: int
    """Port the API binds."""
    api_url: str
    """URL under which everything else reaches the API."""
    redis_url: str
    """URL of Redis, password included."""
    health_host: str
    """Address that the health servers of beat, proxy and worker bind."""
    health_ports: Mapping[str, int]
    """Port of the health server of beat, proxy and worker."""


def local_url(host: str, port: int) -> str:
    """The URL under which this machine reaches what listens on `host`."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"


def own_command(name: str) -> tuple[str, ...]:
    """The argv of `interlock NAME` with this very interpreter and this very code."""
    return (sys.executable, "-m", "cli", name)


def child_environment(base: Mapping[str, str], addresses: Addresses, *, health_port: int | None) -> dict[str, str]:
    """The environment of one of our own processes.

    INTERLOCK_TOKEN is dropped: the user's may be the admin's, and each process finds the token of its own role in the
    home directory. INTERLOCK_CONFIG stays: these variables win over the file.
    """
    environment = {
        name: value for name, value in base.items() if name not in ("INTERLOCK_TOKEN", "INTERLOCK_HTTP_PORT")
    }
    environment |= {
        "INTERLOCK_HOME": str(addresses.home),
        "INTERLOCK_REDIS_URL": addresses.redis_url,
        "INTERLOCK_API_HOST": addresses.api_host,
        "INTERLOCK_API_PORT": str(addresses.api_port),
        "INTERLOCK_API_URL": addresses.api_url,
        "PYTHONUNBUFFERED": "1",
    }
    if health_port is not None:
        environment["INTERLOCK_HTTP_PORT"] = str(health_port)
    environment.setdefault("INTERLOCK_WORKER_DRAIN_S", str(WORKER_DRAIN_S))
    # `python -m cli` must find this code wherever `up` was started from.
    root = str(Path(__file__).resolve().parent.parent)
    paths = [root, *[part for part in base.get("PYTHONPATH", "").split(":") if part and part != root]]
    environment["PYTHONPATH"] = ":".join(paths)
    return environment


def plan_children(base: Mapping[str, str], addresses: Addresses) -> list[ChildPlan]:
    """Our own four processes in start order, without Valkey."""
    plans = []
    for name in START_ORDER:
        if name == VALKEY:
            continue
        health_port = addresses.health_ports.get(name, 0)
        health_url = addresses.api_url if name == SERVER else local_url(addresses.health_host, health_port)
        plans.append(
            ChildPlan(
                name=name,
                argv=own_command(name),
                environment=child_environment(base, addresses, health_port=health_port or None),
                health_url=health_url,
                # A proxy without credentials refuses every call and is not ready; the rest may be used all the same.
                ready_path="/healthz" if name == PROXY else "/readyz",
            )
        )
    return plans


def valkey_plan(binary: Path, *, base: Mapping[str, str], directory: Path, port: int, password: str) -> ChildPlan:
    """The embedded Valkey. Its configuration goes in through stdin, so that the password stands in no argument list.

    It keeps nothing on disk: leases and queues may be lost whole without losing safety or history, a restart is a new
    incarnation and embargoed either way, and with a log on disk every grant would wait for an fsync.
    """
    lines = [
        "bind 127.0.0.1",
        f"port {port}",
        f"requirepass {password}",
        "protected-mode yes",
        "daemonize no",
        "maxmemory-policy noeviction",
        'save ""',
        "appendonly no",
        f"dir {_quoted(directory)}",
        "loglevel warning",
    ]
    return ChildPlan(
        name=VALKEY,
        argv=(str(binary), "-"),
        environment={name: value for name, value in base.items() if not name.startswith("INTERLOCK_")},
        stdin=("\n".join(lines) + "\n").encode(),
    )


def valkey_url(*, port: int, password: str) -> str:
    """The URL of the embedded Valkey."""
    return f"redis://:{quote(password, safe='')}@127.0.0.1:{port}/0"


@dataclass(kw_only=True)
class RestartPolicy:
    """Whether a child that died is started again: with growing delays, and not for ever."""

    early_deaths: int = 0
    """Deaths in a row, each soon after its start."""

    def on_death(self, *, lived_ms: int) -> int | None:
        """The delay in ms before the next start, or None when it died too often to go on."""
        self.early_deaths = 1 if lived_ms >= RESTART_FORGIVEN_AFTER_MS else self.early_deaths + 1
        if self.early_deaths > RESTART_MAX_EARLY_DEATHS:
            return None
        return min(RESTART_FIRST_DELAY_MS << (self.early_deaths - 1), RESTART_MAX_DELAY_MS)


def _quoted(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
