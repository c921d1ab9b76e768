"""What `redis_url` says: one server, the primary that Sentinels name, or a cluster. Pure, and quick to import.

    redis://…  rediss://…  unix://…                                    one server
    redis+sentinel://[user:password@]host:port,host:port/<name>[/<db>]  the primary that the Sentinels name
    redis+cluster://[user:password@]host:port,host:port                 the primary that owns a key's slot

`rediss+sentinel` and `rediss+cluster` speak TLS. What follows a `?` goes to redis-py (`ssl_ca_certs=…`, for example);
`sentinel_username` and `sentinel_password` log in at the Sentinels themselves.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final
from urllib.parse import unquote

MAX_HOSTS: Final = 64

_DEFAULT_PORT: Final = {"sentinel": 26379, "cluster": 6379}
_FOR_SENTINELS: Final = {"sentinel_username": "username", "sentinel_password": "password"}

type Address = tuple[str, int]


class Topology(StrEnum):
    """How the servers are put together."""

    ONE = "one"
    SENTINEL = "sentinel"
    CLUSTER = "cluster"


ONE_SCHEMES: Final = ("redis", "rediss", "unix")
SEVERAL_SCHEMES: Final = ("redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster")


@dataclass(frozen=True, kw_only=True)
class RedisAddress:
    """What a Redis URL says."""

    topology: Topology
    """How many servers there are, and who says which one is the primary."""
    url: str = field(repr=False)
    """The URL itself, where it names one server."""
    hosts: tuple[Address, ...] = ()
    """Sentinels, or some nodes of the cluster."""
    master_name: str = ""
    """What the Sentinels call the set."""
    tls: bool = False
    """Whether Sentinels and servers are spoken to in TLS."""
    options: dict[str, Any] = field(default_factory=dict, repr=False)
    """User, password, database and the rest for the servers, as redis-py's arguments."""
    sentinel_options: dict[str, Any] = field(default_factory=dict, repr=False)
    """User and password for the Sentinels."""


def parse_address(url: str) -> RedisAddress:
    """Read a Redis URL. Raises ValueError, whose text never repeats a password, for one that cannot be right."""
    scheme, _, rest = url.partition("://")
    if scheme in ONE_SCHEMES:
        return RedisAddress(topology=Topology.ONE, url=url, tls=scheme == "rediss")
    base, _, kind = scheme.partition("+")
    if scheme not in SEVERAL_SCHEMES:
        raise ValueError("is no Redis URL")
    rest, _, query = rest.partition("?")
    place, _, path = rest.partition("/")
    login, _, listed = place.rpartition("@")
    hosts = tuple(_host(one, _DEFAULT_PORT[kind]) for one in listed.split(",") if one)
    if not 1 <= len(hosts) <= MAX_HOSTS:
        raise ValueError(f"must name 1 to {MAX_HOSTS} hosts, as host:port,host:port")
    name, _, database = path.partition("/")
    if kind == "cluster":
        if path.strip("/") not in ("", "0"):
            raise ValueError("a cluster has the database 0 only")
        database = "0"
    elif not name:
        raise ValueError("must say what the Sentinels call the set: redis+sentinel://host:port/<name>/<db>")
    if not (database or "0").isdigit():
        raise ValueError("its database is no number")
    from redis.connection import parse_url

    options = parse_url(  # type: ignore[no-untyped-call]  # redis-py's
        f"{base}://{login}{'@' if login else ''}host:1/{database or '0'}?{query}"
    )
    for unwanted in ("host", "port", "connection_class"):
        options.pop(unwanted, None)
    if kind == "cluster":
        options.pop("db")
    sentinel = {ours: options.pop(given) for given, ours in _FOR_SENTINELS.items() if given in options}
    if base == "rediss":
        options["ssl"] = True
        sentinel |= {key: value for key, value in options.items() if key.startswith("ssl")}
    return RedisAddress(
        topology=Topology(kind),
        url=url,
        hosts=hosts,
        master_name=unquote(name) if kind == "sentinel" else "",
        tls=base == "rediss",
        options=options,
        sentinel_options=sentinel,
    )


def _host(text: str, default_port: int) -> Address:
    if text.startswith("["):
        host, _, after = text[1:].partition("]")
        port = after.removeprefix(":")
    else:
        host, _, port = text.partition(":")
    if not host:
        raise ValueError("names a host without a name")
    if port and not (port.isdigit() and 0 < int(port) < 65_536):
        raise ValueError("its port is no number between 1 and 65535")
    return host, int(port) if port else default_port
