"""Where a blow falls on this machine: the processes of a role, the addresses of Redis and the API."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cli.chaos.strikes import Address
from cli.up_record import is_running, read_record
from shared.errors import ConfigurationError

if TYPE_CHECKING:
    from shared.settings import Settings

_PORTS = {"http": 80, "https": 443}


def processes_of(settings: Settings, name: str, pid: int | None) -> list[int]:
    """The processes of a role on this machine: its main process and what was forked from it, not what it runs.

    Args:
        settings: of this host; `interlock up` with this home is looked at.
        name: `worker`, `proxy` or `valkey`.
        pid: the main process, where the user named it.

    Raises ConfigurationError when there is none.
    """
    from deploy.demo.fleet import is_alive, worker_processes

    main = pid if pid is not None else _child_of_up(settings, name)
    if main is None:
        raise ConfigurationError(
            f"no {name} of an `interlock up` runs here (home {settings.home})",
            hint="name its process with --pid, or give --strike-command and --heal-command for the host it runs on",
        )
    if not is_alive(main):
        raise ConfigurationError(f"process {main} does not run", hint="--pid names the role's main process")
    return worker_processes(main)


def _child_of_up(settings: Settings, name: str) -> int | None:
    """The child that has this role now: after a restart it is not the one in the record."""
    record = read_record(settings.home)
    if record is None or not is_running(settings.home):
        return None
    try:
        tasks = list(Path(f"/proc/{record.pid}/task").iterdir())
        children = [int(word) for task in tasks for word in (task / "children").read_text().split()]
    except OSError:
        return None
    return next((child for child in children if plays(_command_line(child), name)), None)


def plays(command_line: Iterable[str], name: str) -> bool:
    """Whether a command line is that of `interlock up`'s child `name`. Pure."""
    words = list(command_line)
    if name == "valkey":
        return bool(words) and "valkey" in Path(words[0]).name
    return words[-3:] == ["-m", "cli", name]


def _command_line(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
    except OSError:
        return []


def control_addresses(settings: Settings) -> list[Address]:
    """What a worker's host must lose in a partition: every server of Redis and the API.

    Raises ConfigurationError for a Redis on a unix socket, which no packet filter sees, and for an unknown name;
    Unavailable when Sentinels or cluster don't say which servers there are.
    """
    from cli.chaos.failover import servers_behind
    from shared.redis_address import Topology, parse_address

    address = parse_address(settings.redis_url)
    if address.topology is Topology.ONE:
        parts = urlsplit(settings.redis_url)
        if parts.scheme == "unix":
            raise ConfigurationError(
                f"{settings.redis_url} is no network address", hint="name what to cut with --cut HOST:PORT"
            )
        servers = [(parts.hostname or "127.0.0.1", parts.port or 6379)]
    else:
        servers = [*address.hosts, *servers_behind(settings.redis_url)]
    api = urlsplit(settings.api_url)
    servers.append((api.hostname or "127.0.0.1", api.port or _PORTS.get(api.scheme, 80)))
    found = [one for host, port in servers for one in resolve(host, port)]
    return list(dict.fromkeys(found))


def resolve(host: str, port: int) -> list[Address]:
    """The addresses of a host, all families. Raises ConfigurationError for one that has none."""
    try:
        infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise ConfigurationError(f"{host} has no address: {error}", hint="check the name") from error
    return [Address(host=one, port=port) for one in dict.fromkeys(str(info[4][0]) for info in infos)]


def named(text: str) -> list[Address]:
    """The addresses of `HOST:PORT`. Raises ConfigurationError for anything else."""
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or port is None:
        raise ConfigurationError(f"{text!r} is not HOST:PORT", hint="as in db-1:6379 or [fd00::1]:6379")
    return resolve(host, port)
