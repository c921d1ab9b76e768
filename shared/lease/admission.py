"""What is refused at start: servers that must not hold leases, and hosts whose lease durations differ.

Each refusal is a ConfigurationError that says what was found, where and what to set. `interlock doctor` finds the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Any, Final

import redis
from pydantic import ValidationError
from redis import exceptions as redis_errors

from shared.errors import ConfigurationError, PeerError
from shared.lease import keys
from shared.lease.machine import State
from shared.lease.sending import passes
from shared.lease.timing import LeaseTiming
from shared.redis_client import Servers

NEEDED_COMMANDS: Final = ("EVALSHA", "HSET", "INFO", "PEXPIRE", "PTTL", "PUBLISH", "WAIT", "WAITAOF")
MAX_TRIAL_KEYS: Final = 100_000
"""Names tried until one lies in a slot of a given server; with 1,000 equal primaries 20,000 fail once in 10^8."""
TRIAL_TTL_MS: Final = 1_000

TIMING_HINT: Final = (
    "give every process the same INTERLOCK_TTL_MS and the other durations that go with it; to change them, stop all "
    f"first: what they agreed on ({keys.TIMING_KEY}) is forgotten ten seconds later"
)
_VERSION_HINT: Final = "use Valkey 7.2 or Redis 7.2, or a later version, and rename or forbid none of its commands"


def check_servers(servers: Servers, *, replicas: int, look: Callable[[str], object]) -> None:
    """Check every primary.

    Args:
        servers: all of them.
        replicas: how many of each primary are waited for.
        look: looks at one target.

    Raises:
        ConfigurationError: one must not hold leases.
        redis.RedisError: one does not answer.
    """
    for server in servers.primaries():
        _check_one(server, replicas=replicas)
        _try_scripts(servers, server, look)
    known = servers.known_replicas()
    if known > replicas:
        raise _too_many("its primary" if known == 1 else "a primary", known, replicas)


def check_timing(nodes: Mapping[str, Mapping[str, Any]], timing: LeaseTiming, node: str) -> None:
    """Compare the durations of this host with those that the others publish with their beats.

    Args:
        nodes: the payloads of the hosts that are alive.
        timing: this host's.
        node: this host; its own last beat may be from before a change.

    Raises:
        ConfigurationError: another host's differ.
    """
    others = differing(nodes, timing, node)
    if others:
        name, difference = next(iter(others.items()))
        more = f" (and {len(others) - 1} more hosts)" if len(others) > 1 else ""
        raise ConfigurationError(
            f"this host's lease durations differ from those of {name}{more}: {difference}",
            hint=TIMING_HINT,
        )


def check_agreed(agreed: str, timing: LeaseTiming) -> None:
    """Compare our durations with what the processes that are alive have agreed on. Pure.

    Raises:
        ConfigurationError: they differ.
    """
    if difference := _difference(_json(agreed), timing):
        raise ConfigurationError(
            f"other lease durations are in use on this Redis than this process has: {difference}", hint=TIMING_HINT
        )


def differing(nodes: Mapping[str, Mapping[str, Any]], timing: LeaseTiming, node: str) -> dict[str, str]:
    """Return the hosts other than `node` whose durations differ from `timing`, each with what differs. Pure."""
    found = {}
    for name, payload in sorted(nodes.items()):
        published = payload.get("timing")
        if name == node or published is None:
            continue
        if difference := _difference(published, timing):
            found[name] = difference
    return found


def _difference(published: object, timing: LeaseTiming) -> str:
    try:
        theirs = LeaseTiming.model_validate(published).model_dump()
    except ValidationError:
        return f"it published {published!r}, which no host can be configured with"
    ours = timing.model_dump()
    return ", ".join(f"{key} is {ours[key]} here and {theirs[key]} there" for key in ours if ours[key] != theirs[key])


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _check_one(server: redis.Redis, *, replicas: int) -> None:
    where = _where(server)
    try:
        replication, memory = server.info("replication"), server.info("memory")
    except redis_errors.ResponseError as error:
        if passes(error):
            raise
        raise ConfigurationError(f"{where} refuses INFO: {error}", hint=_VERSION_HINT) from error
    if replication.get("role") != "master":
        raise ConfigurationError(
            f"{where} is a replica",
            hint="set INTERLOCK_REDIS_URL to the primary: leases are read and written there",
        )
    connected = int(replication.get("connected_slaves", 0))
    if connected > replicas:
        raise _too_many(where, connected, replicas)
    policy = memory.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        raise ConfigurationError(
            f"{where} may evict keys (maxmemory-policy {policy})", hint="set maxmemory-policy noeviction"
        )
    try:
        known = {str(name).upper() for name in server.command()}
    except redis_errors.ResponseError:
        return  # a user may be denied this list; the trial tells what else is denied
    missing = [name for name in NEEDED_COMMANDS if name not in known]
    if missing:
        raise ConfigurationError(f"{where} lacks {', '.join(missing)}", hint=_VERSION_HINT)


def _try_scripts(servers: Servers, server: redis.Redis, look: Callable[[str], object]) -> None:
    """Do once what leases need, on a key that goes by itself: a user's permissions show only when they are used."""
    where, target = _where(server), _target_on(servers, server)
    try:
        look(target)
    except PeerError as error:
        raise ConfigurationError(
            f"{where} cannot run the lease scripts: {error}", hint="scripts must be allowed to call INFO"
        ) from error
    trial = (files(__package__) / "lua" / "trial.lua").read_text(encoding="utf-8")
    # Well-formed, and about a target that nobody has.
    event = json.dumps({"target": target, "lease_id": "", "state": State.FREE, "epoch": 0})
    barrier = keys.barrier_key(target)
    try:
        denied: Any = server.eval(trial, 1, barrier, TRIAL_TTL_MS, keys.EVENTS_CHANNEL, event)
        with server.pipeline(transaction=False) as pipe:
            pipe.set(barrier, "1", px=TRIAL_TTL_MS)
            pipe.get(barrier)
            pipe.wait(0, 1)
            pipe.execute()
        next(server.scan_iter(match=keys.NODE_PATTERN, count=1), None)
        _subscribe_once(server)
    except redis_errors.ResponseError as error:
        if passes(error):
            raise
        raise ConfigurationError(f"{where} refuses what leases need: {error}", hint=_VERSION_HINT) from error
    if denied:
        first = denied[0].decode() if isinstance(denied[0], bytes) else str(denied[0])
        raise ConfigurationError(f"{where} refuses what the lease scripts call: {first}", hint=_VERSION_HINT)


def _subscribe_once(server: redis.Redis) -> None:
    events: Any = server.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]  # redis-py's
    try:
        events.subscribe(keys.EVENTS_CHANNEL)
        events.get_message(timeout=0.1)
    finally:
        events.close()


def _target_on(servers: Servers, server: redis.Redis) -> str:
    """Return a target that no flock has, whose keys this server owns."""
    for number in range(MAX_TRIAL_KEYS):
        target = f"interlock.check-{number}"
        if servers.owner(keys.barrier_key(target)) is server:
            return target
    raise ConfigurationError(f"{_where(server)} owns no slot", hint="give it slots, or take it out of the cluster")


def _too_many(where: str, found: int, replicas: int) -> ConfigurationError:
    return ConfigurationError(
        f"{where} has {found} replicas, but redis_replicas is {replicas}",
        hint=f"set INTERLOCK_REDIS_REPLICAS={found}: after a failover unconfirmed leases would come back",
    )


def _where(client: redis.Redis) -> str:
    arguments = client.connection_pool.connection_kwargs
    path, host = arguments.get("path"), arguments.get("host")
    if path or host:
        return f"Redis at {path or f'{host}:{arguments.get("port")}'}"
    return f"the Redis that Sentinel calls {getattr(client.connection_pool, 'service_name', '?')}"
