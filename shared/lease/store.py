"""The thin shell: the operations as methods, on the servers that `redis_url` names.

`LeaseStore` has them all, `AsyncLeaseStore` those on leases, for the proxy. Every method raises `Unavailable` when the
server cannot be reached, is loading, is a replica or did not answer in time (the operation may have happened or not),
and `PeerError` when it answers in a way that the contract does not know.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Final, Self

import redis
import redis.asyncio

from shared.errors import InterlockError, PeerError, Unavailable
from shared.lease import admission, commands, keys
from shared.lease.commands import Attached, Broken, Cleared, Command, Granted, Marked, Refused, Renewed
from shared.lease.machine import State
from shared.lease.sending import AsyncSender, Sender, guarded
from shared.lease.timing import LeaseTiming
from shared.lease.view import LeaseView
from shared.redis_client import AsyncOnePrimary, AsyncServers, OnePrimary, Servers
from shared.redis_client import connect as connect
from shared.redis_client import connect_async as connect_async
from shared.settings import Settings

MAX_NODES: Final = 10_000
MAX_TARGETS: Final = 10_000
BARRIER_TTL_MS: Final = 60_000
AGREED_MS: Final = 10_000
"""How long what a process said about the durations stands; workers and beats repeat it every two seconds."""
WAIT_SLICE_MS: Final = 1_000
"""Longest single wait for replicas or the disk: well below `TIMEOUT_S`, which ends a connection that is silent."""


class LeaseStore:
    """The leases, synchronously. Safe to share between threads."""

    def __init__(self, servers: Servers | redis.Redis, *, prelude: str | None = None, replicas: int = 0) -> None:
        """Use `servers`. `prelude` replaces the Lua text that finds the incarnation (fakeredis has no INFO).

        `replicas` is the number of replicas of each primary that may be promoted; `durable` waits for at least that
        many, so that a primary that was cut off from them cannot confirm anything.
        """
        self.servers = OnePrimary(servers) if isinstance(servers, redis.Redis) else servers
        self._replicas = replicas
        self._sender = Sender(self.servers, prelude)

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Connect lazily to the servers of `settings`."""
        return cls(connect(settings.redis_url), replicas=settings.redis_replicas)

    @property
    def client(self) -> redis.Redis:
        """A client of some primary, such as to subscribe with; in a cluster each knows some targets only."""
        return self.servers.any()

    def close(self) -> None:
        """Close all connections."""
        self.servers.close()

    def acquire(
        self,
        target: str,
        *,
        epoch: int,
        acquire_id: str,
        ttl_ms: int,
        holder: str,
        run_id: str,
        node: str,
        credential_hash: str = "",
    ) -> Granted | Refused:
        """Ask for the lease. It counts only after `durable` said yes and `confirm` of its seq was taken."""
        return self._sender.run(
            commands.acquire(
                target,
                epoch=epoch,
                acquire_id=acquire_id,
                ttl_ms=ttl_ms,
                holder=holder,
                run_id=run_id,
                node=node,
                credential_hash=credential_hash,
            )
        )

    def renew(self, target: str, lease_id: str) -> Renewed | Refused:
        """Prolong the lease by its recorded TTL; seq grows by one."""
        return self._sender.run(commands.renew(target, lease_id))

    def confirm(self, target: str, lease_id: str, incarnation: str, seq: int) -> bool:
        """Say that `seq` is durable; false when the lease or the incarnation is no longer the same."""
        return self._sender.run(commands.confirm(target, lease_id, incarnation, seq))

    def renew_many(
        self, leases: Sequence[tuple[str, str]], replicas_timeout_ms: int
    ) -> list[Renewed | Refused | InterlockError]:
        """Renew each (target, lease id), make all of it durable, and confirm it: a few calls for any number of leases.

        An answer is `Renewed` only when that renewal is confirmed. An error stands for itself: it concerns that lease
        and says that it may still be the holder's, as an exception of `renew` would.
        """
        answers = [_usable(answer) for answer in self._in_batches(commands.renew_many, leases)]
        renewed = {at: answer for at, answer in enumerate(answers) if isinstance(answer, Renewed)}
        # Before it is on the replicas a failover could forget it: no proxy counts on it, so nobody may. Servers, not
        # slots, have replicas: what WAIT says about one target holds for all that the same incarnation has renewed.
        problems: dict[str, InterlockError | None] = {}
        for at, renewal in list(renewed.items()):
            if renewal.incarnation not in problems:
                problems[renewal.incarnation] = self._not_durable(
                    leases[at][0], replicas_timeout_ms, renewal.incarnation
                )
            if (problem := problems[renewal.incarnation]) is not None:
                answers[at] = problem
                del renewed[at]
        confirmed = self._in_batches(commands.confirm_many, [(*leases[at], one) for at, one in renewed.items()])
        for (at, renewal), answer in zip(renewed.items(), confirmed, strict=True):
            answers[at] = _taken(renewal, answer)
        return answers

    def attach(self, target: str, lease_id: str, proxy_id: str, boot_id: str) -> Attached | Refused:
        """Put this boot on record; anew in every incarnation."""
        return self._sender.run(commands.attach(target, lease_id, proxy_id, boot_id))

    def release(self, target: str, lease_id: str) -> State | Refused:
        """Begin to give the lease back; repeating it tells the state."""
        return self._sender.run(commands.release(target, lease_id))

    def revoke(self, target: str, lease_id: str, reason: str) -> State | Refused:
        """Begin to take the lease from its holder; repeating it tells the state."""
        return self._sender.run(commands.revoke(target, lease_id, reason))

    def acknowledge(self, target: str, lease_id: str, proxy_id: str, boot_id: str, in_flight: int) -> State | Refused:
        """Say that this boot's gate is shut and its connections are cut; repeat until a view shows it."""
        return self._sender.run(commands.acknowledge(target, lease_id, proxy_id, boot_id, in_flight))

    def expire(
        self, target: str, incarnation: str, lease_id: str, seq: int, *, waited_unknown: bool = False
    ) -> State | Refused:
        """End a lease that an observer saw unchanged for W; `waited_unknown`: for W + Q."""
        return self._sender.run(commands.expire(target, incarnation, lease_id, seq, waited_unknown=waited_unknown))

    def mark(self, target: str, incarnation: str) -> Marked | Refused:
        """Name the absence of the state, so that `clear` can end this one and no other."""
        return self._sender.run(commands.mark(target, incarnation, commands.new_nonce()))

    def clear(self, target: str, incarnation: str, epoch: int, *, absence: str | None = None) -> Cleared | Refused:
        """End the embargo that an observer waited for; epochs below `epoch` are fenced off.

        `absence` is the name of the absence that was waited for, empty when there was a state. None takes what is
        there now: only for a target that was never claimed, under its lock in the database.
        """
        if absence is None:
            marked = self.mark(target, incarnation)
            if isinstance(marked, Refused):
                return marked
            absence = marked.absence
        return self._sender.run(commands.clear(target, incarnation, epoch, absence))

    def view(self, target: str) -> LeaseView:
        """Look at one target."""
        return self._sender.run(commands.view(target))

    def views(self, targets: Sequence[str]) -> list[LeaseView | InterlockError]:
        """Look at many targets in one round trip to each server; each view is consistent in itself.

        A target that cannot be seen (its server is away, its keys are not what they should be) has the error in its
        place and costs no other its view. Raises `Unavailable` when no server answered.
        """
        return self._sender.run_all([commands.view(target) for target in targets])

    def beat(self, node: str, payload: dict[str, Any], ttl_ms: int) -> None:
        """Say that a worker host is alive, with what it is doing."""
        key, value = keys.node_key(node), json.dumps(payload, sort_keys=True)
        guarded(lambda: self._sender.at_owner(key, lambda server: server.set(key, value, px=ttl_ms)))

    def nodes(self) -> dict[str, dict[str, Any]]:
        """Return the worker hosts that are alive, with their payloads. At most 10,000."""

        def read() -> dict[str, dict[str, Any]]:
            names: list[str] = []
            values: list[Any] = []
            for server in self.servers.primaries():
                found = _scan(server, keys.NODE_PATTERN, MAX_NODES - len(names))
                with server.pipeline(transaction=False) as pipe:
                    for name in found:
                        pipe.get(name)
                    values += pipe.execute()
                names += found
            return _nodes(names, values)

        return guarded(read)

    def targets(self) -> list[str]:
        """Return the targets that have a state, sorted. At most 10,000."""

        def read() -> list[str]:
            names: set[str] = set()
            for server in self.servers.primaries():
                names |= {keys.target_of(key) for key in _scan(server, keys.STATE_PATTERN, MAX_TARGETS - len(names))}
            return sorted(names)

        return guarded(read)

    def durable(self, target: str, replicas_timeout_ms: int, *, incarnation: str | None = None) -> bool:
        """Return whether everything written for `target` before is on all replicas, and on disk where that persists.

        Waits at most `replicas_timeout_ms` for each of the two. What counts as all: the replicas that are connected to
        the target's primary, and never fewer than the configured number. With `incarnation` it is true of that server
        only: in a cluster the target may have moved to another one since, which says nothing about the first.
        """
        barrier = keys.barrier_key(target)
        return guarded(
            lambda: self._sender.at_owner(
                barrier, lambda one: self._durable(one, barrier, replicas_timeout_ms, incarnation)
            )
        )

    def check_server(self) -> None:
        """Raise ConfigurationError when a server must not hold leases, `Unavailable` when there is none."""
        guarded(lambda: admission.check_servers(self.servers, replicas=self._replicas, look=self.view))

    def check_timing(self, timing: LeaseTiming, node: str) -> None:
        """Raise ConfigurationError when a host other than `node`, or any process, is alive with other durations."""
        admission.check_timing(self.nodes(), timing, node)
        self.agree(timing)

    def agree(self, timing: LeaseTiming) -> None:
        """Say that this process has these durations. Whoever speaks first is right, for as long as it is repeated.

        Of two that start at the same instant one comes second. Raises ConfigurationError when others were agreed on.
        """
        ours = json.dumps(timing.model_dump(), sort_keys=True)
        agreed = guarded(lambda: self._sender.at_owner(keys.TIMING_KEY, lambda server: _first_said(server, ours)))
        if agreed != ours:
            admission.check_agreed(agreed, timing)

    def agreed(self) -> str | None:
        """Return the durations that the processes which are alive have agreed on, as JSON."""
        said = guarded(lambda: self._sender.at_owner(keys.TIMING_KEY, lambda server: server.get(keys.TIMING_KEY)))
        return None if said is None else _decode(said)

    def _in_batches[L: tuple[Any, ...], T](
        self, command: Callable[[Sequence[L]], Command[list[T]]], leases: Sequence[L]
    ) -> list[T | InterlockError]:
        """Do `command` for leases, each of which begins with its target: in a cluster one call for each slot."""
        groups: dict[int, list[int]] = {}
        for position, lease in enumerate(leases):
            groups.setdefault(self.servers.slot(keys.target_keys(lease[0]).state), []).append(position)
        size = commands.MAX_MANY
        batches = [group[start : start + size] for group in groups.values() for start in range(0, len(group), size)]
        answers: dict[int, T | InterlockError] = {}
        try:
            replies = self._sender.run_all([command([leases[at] for at in batch]) for batch in batches])
        except Unavailable as error:
            return [error] * len(leases)
        for batch, reply in zip(batches, replies, strict=True):
            each = [reply] * len(batch) if isinstance(reply, InterlockError) else reply
            answers.update(zip(batch, each, strict=True))
        return [answers[position] for position in range(len(leases))]

    def _not_durable(self, target: str, timeout_ms: int, incarnation: str) -> InterlockError | None:
        try:
            if self.durable(target, timeout_ms, incarnation=incarnation):
                return None
        except InterlockError as error:
            return error
        return Unavailable("the replicas did not take a renewal in time", hint="look at replication lag")

    def _durable(self, server: redis.Redis, barrier: str, timeout_ms: int, incarnation: str | None) -> bool:
        replication = server.info("replication")
        if replication.get("role") != "master":
            return False
        if incarnation is not None and incarnation.rpartition(":")[2] != replication.get("master_replid"):
            return False
        replicas = max(self._replicas, int(replication.get("connected_slaves", 0)))
        on_disk = bool(int(server.info("persistence").get("aof_enabled", 0)))
        return any(
            _reached(server, barrier, replicas, on_disk=on_disk, timeout_ms=min(WAIT_SLICE_MS, timeout_ms - waited_ms))
            for waited_ms in range(0, timeout_ms, WAIT_SLICE_MS)
        )


class AsyncLeaseStore:
    """The leases, for asyncio."""

    def __init__(self, servers: AsyncServers | redis.asyncio.Redis, *, prelude: str | None = None) -> None:
        """Use `servers`; `prelude` as for `LeaseStore`."""
        self.servers = AsyncOnePrimary(servers) if isinstance(servers, redis.asyncio.Redis) else servers
        self._sender = AsyncSender(self.servers, prelude)

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Connect lazily to the servers of `settings`."""
        return cls(connect_async(settings.redis_url))

    async def close(self) -> None:
        """Close all connections."""
        await self.servers.close()

    async def acquire(
        self,
        target: str,
        *,
        epoch: int,
        acquire_id: str,
        ttl_ms: int,
        holder: str,
        run_id: str,
        node: str,
        credential_hash: str = "",
    ) -> Granted | Refused:
        """See `LeaseStore.acquire`."""
        return await self._sender.run(
            commands.acquire(
                target,
                epoch=epoch,
                acquire_id=acquire_id,
                ttl_ms=ttl_ms,
                holder=holder,
                run_id=run_id,
                node=node,
                credential_hash=credential_hash,
            )
        )

    async def renew(self, target: str, lease_id: str) -> Renewed | Refused:
        """See `LeaseStore.renew`."""
        return await self._sender.run(commands.renew(target, lease_id))

    async def confirm(self, target: str, lease_id: str, incarnation: str, seq: int) -> bool:
        """See `LeaseStore.confirm`."""
        return await self._sender.run(commands.confirm(target, lease_id, incarnation, seq))

    async def attach(self, target: str, lease_id: str, proxy_id: str, boot_id: str) -> Attached | Refused:
        """See `LeaseStore.attach`."""
        return await self._sender.run(commands.attach(target, lease_id, proxy_id, boot_id))

    async def release(self, target: str, lease_id: str) -> State | Refused:
        """See `LeaseStore.release`."""
        return await self._sender.run(commands.release(target, lease_id))

    async def revoke(self, target: str, lease_id: str, reason: str) -> State | Refused:
        """See `LeaseStore.revoke`."""
        return await self._sender.run(commands.revoke(target, lease_id, reason))

    async def acknowledge(
        self, target: str, lease_id: str, proxy_id: str, boot_id: str, in_flight: int
    ) -> State | Refused:
        """See `LeaseStore.acknowledge`."""
        return await self._sender.run(commands.acknowledge(target, lease_id, proxy_id, boot_id, in_flight))

    async def expire(
        self, target: str, incarnation: str, lease_id: str, seq: int, *, waited_unknown: bool = False
    ) -> State | Refused:
        """See `LeaseStore.expire`."""
        command = commands.expire(target, incarnation, lease_id, seq, waited_unknown=waited_unknown)
        return await self._sender.run(command)

    async def mark(self, target: str, incarnation: str) -> Marked | Refused:
        """See `LeaseStore.mark`."""
        return await self._sender.run(commands.mark(target, incarnation, commands.new_nonce()))

    async def clear(
        self, target: str, incarnation: str, epoch: int, *, absence: str | None = None
    ) -> Cleared | Refused:
        """See `LeaseStore.clear`."""
        if absence is None:
            marked = await self.mark(target, incarnation)
            if isinstance(marked, Refused):
                return marked
            absence = marked.absence
        return await self._sender.run(commands.clear(target, incarnation, epoch, absence))

    async def view(self, target: str) -> LeaseView:
        """See `LeaseStore.view`."""
        return await self._sender.run(commands.view(target))

    async def views(self, targets: Sequence[str]) -> list[LeaseView | InterlockError]:
        """See `LeaseStore.views`."""
        return await self._sender.run_all([commands.view(target) for target in targets])


def _usable(reply: Renewed | Refused | Broken | InterlockError) -> Renewed | Refused | InterlockError:
    if isinstance(reply, Broken):
        return PeerError(f"Redis cannot work with a lease: {reply.why}", hint="which process writes to its keys?")
    return reply


def _taken(renewed: Renewed, confirmed: bool | Broken | InterlockError) -> Renewed | Refused | InterlockError:
    if confirmed is True:
        return renewed
    if isinstance(confirmed, Broken | InterlockError):
        return _usable(confirmed)
    return Unavailable("Redis was restarted or failed over during a renewal", hint="it is tried again")


def _reached(server: redis.Redis, barrier: str, replicas: int, *, on_disk: bool, timeout_ms: int) -> bool:
    # WAIT covers what its own connection wrote, and on a connection that wrote nothing it says yes at once: sent again
    # by itself after a time-out, it would confirm what no replica has. In one batch a write of ours always goes before
    # it. That write, the barrier, is later in the stream than everything that any connection sent. The barrier is in
    # the target's slot: in a cluster all three go to the server that has the target's keys, or to none.
    with server.pipeline(transaction=False) as pipe:
        pipe.set(barrier, "1", px=BARRIER_TTL_MS)
        pipe.wait(replicas, timeout_ms)
        if on_disk:
            pipe.waitaof(1, 0, timeout_ms)
        _, copies, *disks = pipe.execute()
    return int(copies) >= replicas and all(int(local) >= 1 for local, _ in disks)


def _first_said(server: redis.Redis, ours: str) -> str:
    if server.set(keys.TIMING_KEY, ours, nx=True, px=AGREED_MS):
        return ours
    # Gone in between: then what was said lapsed, and is said again soon.
    said = _decode(server.get(keys.TIMING_KEY) or ours)
    if said == ours:
        server.pexpire(keys.TIMING_KEY, AGREED_MS)
    return said


def _scan(server: redis.Redis, pattern: str, limit: int) -> list[str]:
    found: list[str] = []
    for key in server.scan_iter(match=pattern, count=500):
        if len(found) >= limit:
            break
        found.append(_decode(key))
    return list(dict.fromkeys(found))  # SCAN may return a key twice


def _decode(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _nodes(names: Sequence[str], values: Sequence[Any]) -> dict[str, dict[str, Any]]:
    prefix = len(keys.NODE_PATTERN) - 1
    found: dict[str, dict[str, Any]] = {}
    for name, value in zip(names, values, strict=True):
        if value is None:
            continue  # it expired between SCAN and MGET
        try:
            payload = json.loads(_decode(value))
        except ValueError as error:
            raise PeerError(f"{name} does not hold JSON", hint="which process writes there?") from error
        if not isinstance(payload, dict):
            raise PeerError(f"{name} does not hold a JSON object", hint="which process writes there?")
        found[name[prefix:]] = payload
    return found
