"""The hosts of one universe: network namespaces with unique names on one bridge, and partitions between them.

Everything is made by `ip` and `nft` and removed by `close`; removing the namespaces takes links and rules along. A
partition is a rule in the receiver's namespace that drops what comes from the sender, so each direction is one rule.
"""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Callable
from pathlib import Path

SUBNET = "10.77.0"
#: Every host and the last byte of its address. `obs` is where the harness itself looks from; no fault touches it.
HOSTS = {"obs": 9, "a": 11, "b": 12, "ctl": 20, "cloud": 30, "r1": 41, "r2": 42, "r3": 43}
TABLE = "inet chaos"
_PATIENCE_S = 30
_NAMESPACES = Path("/run/netns")


def address(host: str) -> str:
    """The host's address, the same in every universe: no two of them share a wire."""
    return f"{SUBNET}.{HOSTS[host]}"


def fresh_name() -> str:
    """A name for a universe that says which process answers for it."""
    return f"ilc{os.getpid()}-{secrets.token_hex(3)}"


def remove(name: str) -> None:
    """Remove the namespaces of a universe; what is gone already is fine."""
    for host in (*HOSTS, "hub"):
        if (_NAMESPACES / f"{name}-{host}").exists():
            subprocess.run(["ip", "netns", "del", f"{name}-{host}"], timeout=_PATIENCE_S, check=False)


def sweep() -> None:
    """Remove what a suite left behind that was killed with everything it had started."""
    for path in _NAMESPACES.glob("ilc*-*-hub"):
        owner = path.name.removeprefix("ilc").partition("-")[0]
        if owner.isdigit() and not Path("/proc", owner).exists():
            remove(path.name.removesuffix("-hub"))


class Network:
    """The namespaces of one universe."""

    def __init__(self, name: str) -> None:
        """Make hub and hosts. What was made is removed again when that fails."""
        self.name = name
        self._rules: dict[str, list[str]] = {host: [] for host in HOSTS}
        try:
            self._hub()
            for host in HOSTS:
                self._join(host)
        except BaseException:
            self.close()
            raise

    def namespace(self, host: str) -> str:
        """The name of the host's namespace, as `ip netns` lists it."""
        return f"{self.name}-{host}"

    def enter(self, host: str) -> None:
        """Move the calling thread (and the threads it will start) onto a host."""
        fd = os.open(_NAMESPACES / self.namespace(host), os.O_RDONLY)
        try:
            os.setns(fd, os.CLONE_NEWNET)
        finally:
            os.close(fd)

    def command(self, host: str, *words: str) -> list[str]:
        """A command line that runs on the host."""
        return ["ip", "netns", "exec", self.namespace(host), *words]

    def drop(self, sender: str, receiver: str) -> Callable[[], None]:
        """Nothing that `sender` sends reaches `receiver` any more, until the result is called."""
        return self._rule(receiver, f"ip saddr {address(sender)} drop")

    def drop_answers(self, sender: str, port: int, receiver: str) -> Callable[[], None]:
        """What a server on `sender` answers is lost on its way to `receiver`; connections stay and requests arrive."""
        # A segment without payload has at most 20 bytes of IP header and 60 of TCP header.
        return self._rule(receiver, f"ip saddr {address(sender)} tcp sport {port} meta length > 80 drop")

    def heal(self) -> None:
        """Lift everything, everywhere."""
        for host in HOSTS:
            self._rules[host].clear()
            self._apply(host)

    def close(self) -> None:
        """Remove everything; what is gone already is fine."""
        remove(self.name)

    def _hub(self) -> None:
        hub = self.namespace("hub")
        self._run("ip", "netns", "add", hub)
        self._run("ip", "-n", hub, "link", "add", "br0", "type", "bridge")
        self._run("ip", "-n", hub, "link", "set", "br0", "up")

    def _join(self, host: str) -> None:
        hub, own = self.namespace("hub"), self.namespace(host)
        self._run("ip", "netns", "add", own)
        self._run("ip", "-n", own, "link", "add", "eth0", "type", "veth", "peer", "name", f"to-{host}", "netns", hub)
        self._run("ip", "-n", hub, "link", "set", f"to-{host}", "master", "br0", "up")
        self._run("ip", "-n", own, "link", "set", "lo", "up")
        self._run("ip", "-n", own, "addr", "add", f"{address(host)}/24", "dev", "eth0")
        self._run("ip", "-n", own, "link", "set", "eth0", "up")
        self._run(*self.command(host, "nft", "add", "table", *TABLE.split()))
        chain = "{ type filter hook input priority 0; policy accept; }"
        self._run(*self.command(host, "nft", "add", "chain", *TABLE.split(), "arriving", chain))

    def _rule(self, receiver: str, rule: str) -> Callable[[], None]:
        self._rules[receiver].append(rule)
        self._apply(receiver)

        def lift() -> None:
            if rule in self._rules[receiver]:
                self._rules[receiver].remove(rule)
                self._apply(receiver)

        return lift

    def _apply(self, host: str) -> None:
        # One transaction: the rules that stay are never away.
        lines = [f"flush chain {TABLE} arriving", *(f"add rule {TABLE} arriving {rule}" for rule in self._rules[host])]
        self._run(*self.command(host, "nft", "; ".join(lines)))

    @staticmethod
    def _run(*words: str) -> None:
        done = subprocess.run(words, capture_output=True, text=True, timeout=_PATIENCE_S, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip()}")
