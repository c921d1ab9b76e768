"""Everything that the demo plays on: the cloud, Valkey, the scheduler, and logical hosts.

A host is a home directory with a proxy and workers of its own; what is common to them is what would be
common to machines: Redis, the API and the cloud.
"""

import json
import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx
import redis

from deploy.demo.fleet import (
    Fleet,
    Part,
    answers,
    environment_of,
    fetch,
    first_line,
    free_port,
    interlock,
    valkey_binary,
)
from deploy.demo.inventory import CloudInventory
from scheduler.configuration.fleet import load_flock
from scheduler.configuration.targets import plan_targets
from shared.api_client import ApiClient
from shared.errors import Unavailable

FLOCK = Path(__file__).parent / "flock" / "flock.yaml"
READY_LIMIT_S = 90
COMMAND_LIMIT_S = 900
HOSTS = ("host-a", "host-b")


def proxy_of(host: str) -> str:
    """The name of a host's proxy."""
    return host.replace("host", "proxy", 1)


class Stage:
    """Starts the parts, in an order in which each finds what it needs."""

    def __init__(self, fleet: Fleet, *, plugin_dir: Path, unfenced: bool = False, flock: Path = FLOCK) -> None:
        """
        Args:
            fleet: owns the processes.
            plugin_dir: holds the provider.
            unfenced: put a proxy without a gate where the signing proxy stands.
            flock: the flock.yaml of what is deployed.
        """
        self._fleet = fleet
        self._home = fleet.home
        self._plugin_dir = plugin_dir
        self._unfenced = unfenced
        self._access_key = "AKIA" + secrets.token_hex(8).upper()
        self._secret_key = secrets.token_urlsafe(30)
        self.cloud_log = self._home / "cloud.jsonl"
        self.cloud_url = ""
        self.redis_url = ""
        self.api_url = ""
        self.api: ApiClient
        self._flock = flock
        self.plans = plan_targets(load_flock(flock))[0]
        self._status_urls: dict[str, str] = {}

    @property
    def targets(self) -> list[str]:
        """The ids of the flock's targets."""
        return [plan.id for plan in self.plans]

    def start(self, hosts: Sequence[str] = HOSTS) -> None:
        """Start the cloud, Valkey, the scheduler and the hosts' proxies."""
        cloud = self._start_cloud()
        self._start_valkey()
        server = self._start_server()
        self._wait_for_cloud(cloud)
        self._fleet.wait_ready(server.name, f"{self.api_url}/readyz")
        self.api = ApiClient(self.api_url, self._token("admin"))
        ready = [self._start_beat(), *(self._start_proxy(host) for host in hosts)]
        for name, url in ready:
            if url:
                self._fleet.wait_ready(name, url)

    def start_proxy(self, host: str) -> None:
        """Start the proxy of a further host and wait until it is ready."""
        name, url = self._start_proxy(host)
        if url:
            self._fleet.wait_ready(name, url)

    def register(self) -> None:
        """Register the flock: its targets deploy it when a run names no release."""
        code, output = self.command("flock", "register", str(self._flock), "--json")
        if code != 0:
            raise Unavailable("the demo's flock could not be registered", hint=output)

    def command(self, *words: str, show: Callable[[str], None] = lambda line: None) -> tuple[int, str]:
        """Run an `interlock` command as an operator would, in the demo's directory.

        Args:
            words: the command. It is killed after `COMMAND_LIMIT_S`.
            show: told each line of its stdout and stderr as it comes.

        Returns:
            Its exit code, and all that it printed.
        """
        lines = []
        with subprocess.Popen(
            interlock(*words),
            # A flock without a lock file gets one, made of the provider that the workers have.
            env=self._environment("control", INTERLOCK_PLUGIN_DIR=str(self._plugin_dir)),
            cwd=self._home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            limit = threading.Timer(COMMAND_LIMIT_S, process.kill)
            limit.start()
            try:
                for line in process.stdout or ():
                    lines.append(line)
                    show(line.rstrip())
            finally:
                limit.cancel()
        return process.returncode, "".join(lines)

    def start_worker(self, name: str, host: str, regions: tuple[str, ...], *, concurrency: int) -> None:
        """Start a worker on `host`; it is ready when `worker_ready` says so."""
        port = free_port()
        self._status_urls[name] = f"http://127.0.0.1:{port}/readyz"
        self._fleet.start(
            name,
            interlock("worker"),
            self._environment(
                host,
                INTERLOCK_TOKEN=self._token("worker"),
                INTERLOCK_REGIONS=",".join(regions),
                INTERLOCK_WORKER_CONCURRENCY=str(concurrency),
                INTERLOCK_PLUGIN_DIR=str(self._plugin_dir),
                INTERLOCK_HTTP_PORT=str(port),
            ),
        )

    def worker_ready(self, name: str) -> bool:
        """Whether a worker is ready to take runs."""
        return answers(self._status_urls[name])

    def in_flight(self, host: str, target: str) -> int | None:
        """Mutating calls that the host's proxy has sent for the target and got no answer to; None: unknown."""
        if self._unfenced:
            return 0
        page = fetch(f"{self._status_urls[proxy_of(host)]}/status")
        if page is None:
            return None
        runs = json.loads(page)["runs"]
        return sum(int(run["in_flight_mutating"]) for run in runs if run["target"] == target)

    def refused_calls(self, host: str) -> int:
        """How many calls the host's proxy has refused so far."""
        page = None if self._unfenced else fetch(f"{self._status_urls[proxy_of(host)]}/metrics")
        counters = (
            line
            for line in (page or b"").decode().splitlines()
            if line.startswith("interlock_proxy_calls_total{") and 'outcome="refused"' in line
        )
        return sum(int(float(line.rpartition(" ")[2])) for line in counters)

    def host_home(self, host: str) -> Path:
        """A host's home directory."""
        return self._home / host

    def inventory(self) -> CloudInventory:
        """Reads the cloud with the cloud's own key, in the regions of the flock."""
        return self.inventory_of(CloudInventory, [plan.provider_region for plan in self.plans])

    def inventory_of[T: CloudInventory](self, kind: type[T], regions: Sequence[str]) -> T:
        """The same, as another kind and in other regions."""
        return kind(endpoint=self.cloud_url, access_key=self._access_key, secret_key=self._secret_key, regions=regions)

    def state(self, target: str) -> dict[str, object]:
        """The target's current state, read with the operator's token; empty if there is none."""
        answer = httpx.get(
            f"{self.api_url}/v1/state/{target}",
            headers={"Authorization": f"Bearer {self._token('admin')}"},
            trust_env=False,
            timeout=30,
        )
        if answer.status_code == httpx.codes.NOT_FOUND:
            return {}
        if answer.status_code != httpx.codes.OK:
            raise Unavailable(f"the state of {target} could not be read: HTTP {answer.status_code}", hint=answer.text)
        loaded: dict[str, object] = answer.json()
        return loaded

    def close(self) -> None:
        """Close what is not a process."""
        if hasattr(self, "api"):
            self.api.close()

    def _start_cloud(self) -> Part:
        argv = [sys.executable, "-m", "deploy.demo.cloud", "--port", "0", "--log", str(self.cloud_log)]
        # The secret is the demo's own and worth nothing, so it may stand in an argument list.
        # In one word: every 64th secret begins with a hyphen and would be taken for an option.
        argv += ["--access-key", self._access_key, f"--secret-key={self._secret_key}"]
        argv += ["--issue-keys"] if self._unfenced else []
        return self._fleet.start("cloud", argv, environment_of(os.environ))

    def _wait_for_cloud(self, cloud: Part) -> None:
        line = self._fleet.wait_until("the cloud is ready", lambda: first_line(cloud), limit_s=READY_LIMIT_S)
        self.cloud_url = f"http://127.0.0.1:{line['port']}"

    def _start_valkey(self) -> None:
        port, password = free_port(), secrets.token_urlsafe(24)
        lines = (
            "bind 127.0.0.1",
            f"port {port}",
            f"requirepass {password}",
            "maxmemory-policy noeviction",
            'save ""',
            "appendonly no",
            "loglevel warning",
        )
        self._fleet.start(
            "valkey", [str(valkey_binary()), "-"], environment_of(os.environ), stdin="\n".join((*lines, "")).encode()
        )
        self.redis_url = f"redis://:{password}@127.0.0.1:{port}/0"
        client = redis.Redis.from_url(self.redis_url)

        def pings() -> bool | None:
            try:
                return bool(client.ping())
            except redis.RedisError:
                return None

        try:
            self._fleet.wait_until("Valkey answers", pings, limit_s=READY_LIMIT_S)
        finally:
            client.close()

    def _start_server(self) -> Part:
        self.api_url = f"http://127.0.0.1:{free_port()}"
        return self._fleet.start("server", interlock("server"), self._environment("control"))

    def _start_beat(self) -> tuple[str, str]:
        port = free_port()
        self._fleet.start("beat", interlock("beat"), self._environment("control", INTERLOCK_HTTP_PORT=str(port)))
        return "beat", f"http://127.0.0.1:{port}/readyz"

    def _start_proxy(self, host: str) -> tuple[str, str]:
        name = proxy_of(host)
        if self._unfenced:
            self.host_home(host).mkdir(mode=0o700)
            argv = [sys.executable, "-m", "deploy.demo.unfenced", "--cloud", self.cloud_url, "--api", self.api_url]
            argv += ["--socket", str(self.host_home(host) / "proxy.sock"), "--ca-dir", str(self.host_home(host) / "ca")]
            part = self._fleet.start(name, [*argv, "--secret", self._secret_key], environment_of(os.environ))
            self._fleet.wait_until(f"{name} is ready", lambda: first_line(part), limit_s=READY_LIMIT_S)
            return name, ""
        port = free_port()
        self._status_urls[name] = f"http://127.0.0.1:{port}"
        self._fleet.start(
            name,
            interlock("proxy"),
            self._environment(
                host,
                INTERLOCK_TOKEN=self._token("proxy"),
                INTERLOCK_HTTP_PORT=str(port),
                INTERLOCK_UPSTREAM_OVERRIDES=json.dumps({"*.amazonaws.com": self.cloud_url}),
                AWS_ACCESS_KEY_ID=self._access_key,
                AWS_SECRET_ACCESS_KEY=self._secret_key,
                AWS_EC2_METADATA_DISABLED="true",
                AWS_CONFIG_FILE=os.devnull,
                AWS_SHARED_CREDENTIALS_FILE=os.devnull,
            ),
        )
        return name, f"http://127.0.0.1:{port}/readyz"

    def _token(self, role: str) -> str:
        return (self._home / "control" / "tokens" / f"{role}.token").read_text().strip()

    def _environment(self, host: str, **more: str) -> dict[str, str]:
        return environment_of(
            os.environ,
            INTERLOCK_HOME=str(self._home / host),
            INTERLOCK_NODE=host,
            INTERLOCK_REDIS_URL=self.redis_url,
            INTERLOCK_API_URL=self.api_url,
            INTERLOCK_API_PORT=self.api_url.rpartition(":")[2],
            **more,
        )
