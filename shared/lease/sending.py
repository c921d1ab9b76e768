"""How a command reaches the server that owns its keys, and how redis-py's errors become ours.

A script goes by its digest; a server that does not know it gets the text. In a cluster a slot may have moved: then its
new owner is asked, a bounded number of times. Many commands go in one batch to each server.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import redis
import redis.asyncio
from redis import exceptions as redis_errors

from shared.errors import InterlockError, PeerError, Unavailable
from shared.lease import commands
from shared.lease.commands import Call, Command
from shared.redis_client import AsyncServers, Servers

MAX_REDIRECTS: Final = 3
"""Servers of a cluster that are asked in turn when a slot has moved."""

_PASSES: Final = re.compile(r"(?:^|caused error: )(?:BUSY|MISCONF|NOREPLICAS|UNBLOCKED) ")
"""Refusals of a server that is in trouble, for which redis-py has no class of their own."""


class Scripts:
    """The text and the digest of every script."""

    def __init__(self, prelude: str | None) -> None:
        """Put the texts together; `prelude` replaces the Lua text that finds the incarnation."""
        chosen = prelude or commands.info_prelude()
        self.texts = {name: commands.script_text(name, chosen) for name in commands.SCRIPTS}
        self.digests = {
            name: hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest() for name, text in self.texts.items()
        }

    def by_digest(self, call: Call) -> Sequence[Any]:
        """Return the arguments of EVALSHA: no text, for a server that has seen it."""
        return [self.digests[call.script], len(call.keys), *call.keys, *call.args]

    def by_text(self, call: Call) -> Sequence[Any]:
        """Return the arguments of EVAL, after which the server has seen the script."""
        return [self.texts[call.script], len(call.keys), *call.keys, *call.args]


class Sender:
    """Sends commands to `servers`. Safe to share between threads."""

    def __init__(self, servers: Servers, prelude: str | None) -> None:
        """Use `servers`; `prelude` as for `LeaseStore`."""
        self._servers = servers
        self._scripts = Scripts(prelude)

    def run[T](self, command: Command[T]) -> T:
        """Send one command. Raises `Unavailable` and `PeerError`."""
        call = command.call
        return command.parse(guarded(lambda: self.at_owner(call.keys[0], lambda server: self._send(server, call))))

    def run_all[T](self, batch: Sequence[Command[T]]) -> list[T | InterlockError]:
        """Send many; an error stands in the place of what it kept from answering.

        Raises `Unavailable` when no server answered.
        """
        return _parsed(batch, self._send_all([command.call for command in batch]))

    def at_owner[T](self, key: str, work: Callable[[redis.Redis], T]) -> T:
        """Do `work` with the server that owns `key`. Raises redis-py's errors."""
        for tries in range(MAX_REDIRECTS + 1):
            server = self._servers.owner(key)
            try:
                return work(server)
            except redis_errors.RedisError as error:
                if not self._servers.learn(server, error) or tries == MAX_REDIRECTS:
                    raise
        raise AssertionError("the last try returns or raises")

    def _send(self, server: redis.Redis, call: Call) -> Any:
        try:
            return server.evalsha(*self._scripts.by_digest(call))
        except redis_errors.NoScriptError:
            return server.eval(*self._scripts.by_text(call))

    def _send_all(self, calls: Sequence[Call]) -> list[Any]:
        """Send the calls in one batch to each server; an error stands in the place of what it kept from answering."""
        answers: list[Any] = [None] * len(calls)
        groups: dict[redis.Redis, list[int]] = {}
        for position, call in enumerate(calls):
            try:
                groups.setdefault(self._servers.owner(call.keys[0]), []).append(position)
            except redis_errors.RedisError as error:
                answers[position] = error
        for server, positions in groups.items():
            replies = self._send_group(server, [calls[position] for position in positions])
            for position, reply in zip(positions, replies, strict=True):
                answers[position] = self._elsewhere(server, calls[position], reply)
        return _answered(answers)

    def _send_group(self, server: redis.Redis, calls: Sequence[Call]) -> list[Any]:
        """The answers of `server`, asked once more where `learn` says so; or its error in each place."""
        try:
            return self._send_batch(server, calls)
        except redis_errors.RedisError as error:
            lost: redis_errors.RedisError = error
        try:
            if self._servers.learn(server, lost):
                return self._send_batch(self._servers.owner(calls[0].keys[0]), calls)
        except redis_errors.RedisError as error:
            lost = error
        return [lost] * len(calls)

    def _send_batch(self, server: redis.Redis, calls: Sequence[Call]) -> list[Any]:
        with server.pipeline(transaction=False) as pipe:
            for call in calls:
                pipe.evalsha(*self._scripts.by_digest(call))
            replies: list[Any] = pipe.execute(raise_on_error=False)
        if any(isinstance(reply, redis_errors.NoScriptError) for reply in replies):
            with server.pipeline(transaction=False) as pipe:
                for call in calls:
                    pipe.eval(*self._scripts.by_text(call))
                replies = pipe.execute(raise_on_error=False)
        return replies

    def _elsewhere(self, server: redis.Redis, call: Call, reply: Any) -> Any:
        """`reply`, or that of the server to which the key has moved."""
        if not isinstance(reply, redis_errors.MovedError):
            return reply
        self._servers.learn(server, reply)
        try:
            return self.at_owner(call.keys[0], lambda owner: self._send(owner, call))
        except redis_errors.RedisError as error:
            return error


class AsyncSender:
    """The same for asyncio."""

    def __init__(self, servers: AsyncServers, prelude: str | None) -> None:
        """See `Sender`."""
        self._servers = servers
        self._scripts = Scripts(prelude)

    async def run[T](self, command: Command[T]) -> T:
        """See `Sender.run`."""
        call = command.call
        try:
            return command.parse(await self._at_owner(call.keys[0], lambda server: self._send(server, call)))
        except redis_errors.RedisError as error:
            raise ours(error) from error

    async def run_all[T](self, batch: Sequence[Command[T]]) -> list[T | InterlockError]:
        """See `Sender.run_all`."""
        return _parsed(batch, await self._send_all([command.call for command in batch]))

    async def _at_owner[T](self, key: str, work: Callable[[redis.asyncio.Redis], Awaitable[T]]) -> T:
        for tries in range(MAX_REDIRECTS + 1):
            server = await self._servers.owner(key)
            try:
                return await work(server)
            except redis_errors.RedisError as error:
                if not self._servers.learn(server, error) or tries == MAX_REDIRECTS:
                    raise
        raise AssertionError("the last try returns or raises")

    async def _send(self, server: redis.asyncio.Redis, call: Call) -> Any:
        try:
            return await server.evalsha(*self._scripts.by_digest(call))
        except redis_errors.NoScriptError:
            return await server.eval(*self._scripts.by_text(call))

    async def _send_all(self, calls: Sequence[Call]) -> list[Any]:
        """See `Sender._send_all`; here all servers are asked at once, so silence costs the batch one time-out."""
        answers: list[Any] = [None] * len(calls)
        groups: dict[redis.asyncio.Redis, list[int]] = {}
        for position, call in enumerate(calls):
            try:
                groups.setdefault(await self._servers.owner(call.keys[0]), []).append(position)
            except redis_errors.RedisError as error:
                answers[position] = error

        async def ask(server: redis.asyncio.Redis, positions: list[int]) -> None:
            replies = await self._send_group(server, [calls[position] for position in positions])
            for position, reply in zip(positions, replies, strict=True):
                answers[position] = await self._elsewhere(server, calls[position], reply)

        await asyncio.gather(*(ask(server, positions) for server, positions in groups.items()))
        return _answered(answers)

    async def _send_group(self, server: redis.asyncio.Redis, calls: Sequence[Call]) -> list[Any]:
        """See `Sender._send_group`."""
        try:
            return await self._send_batch(server, calls)
        except redis_errors.RedisError as error:
            lost: redis_errors.RedisError = error
        try:
            if self._servers.learn(server, lost):
                return await self._send_batch(await self._servers.owner(calls[0].keys[0]), calls)
        except redis_errors.RedisError as error:
            lost = error
        return [lost] * len(calls)

    async def _send_batch(self, server: redis.asyncio.Redis, calls: Sequence[Call]) -> list[Any]:
        async with server.pipeline(transaction=False) as pipe:
            for call in calls:
                pipe.evalsha(*self._scripts.by_digest(call))
            replies: list[Any] = await pipe.execute(raise_on_error=False)
        if any(isinstance(reply, redis_errors.NoScriptError) for reply in replies):
            async with server.pipeline(transaction=False) as pipe:
                for call in calls:
                    pipe.eval(*self._scripts.by_text(call))
                replies = await pipe.execute(raise_on_error=False)
        return replies

    async def _elsewhere(self, server: redis.asyncio.Redis, call: Call, reply: Any) -> Any:
        """See `Sender._elsewhere`."""
        if not isinstance(reply, redis_errors.MovedError):
            return reply
        self._servers.learn(server, reply)
        try:
            return await self._at_owner(call.keys[0], lambda owner: self._send(owner, call))
        except redis_errors.RedisError as error:
            return error


def guarded[T](work: Callable[[], T]) -> T:
    """Do `work`; redis-py's errors become ours."""
    try:
        return work()
    except redis_errors.RedisError as error:
        raise ours(error) from error


def ours(error: Exception) -> InterlockError:
    """Return what `error` of redis-py means here: `Unavailable` where trying again may help, else `PeerError`."""
    if isinstance(error, redis_errors.ReadOnlyError):
        return Unavailable(f"Redis is a replica: {error}", hint="point INTERLOCK_REDIS_URL at the primary")
    if passes(error):
        return Unavailable(f"Redis takes no commands now: {error}", hint="it is tried again; look at the server")
    if isinstance(error, redis_errors.OutOfMemoryError):
        return Unavailable(f"Redis has no memory left: {error}", hint="raise its maxmemory")
    if isinstance(error, redis_errors.ConnectionError | redis_errors.TimeoutError):
        return Unavailable(f"Redis did not answer: {error}", hint="is it running, and is INTERLOCK_REDIS_URL right?")
    if isinstance(error, redis_errors.AskError | redis_errors.ClusterDownError | redis_errors.TryAgainError):
        return Unavailable(f"the cluster is not ready for this target: {error}", hint="it is tried again")
    return PeerError(f"Redis refused a command: {error}", hint="`interlock doctor` checks the server")


def passes(error: Exception) -> bool:
    """Whether a server refused for what passes: it runs a script that is too slow, cannot write to its disk, has lost
    its replicas (min-replicas-to-write), or became a replica while a WAIT was under way.
    """
    return isinstance(error, redis_errors.ResponseError) and _PASSES.search(str(error)) is not None


def _answered(answers: list[Any]) -> list[Any]:
    """`answers`, unless there is nothing but servers that are away: then the first one's error."""
    silent = [answer for answer in answers if isinstance(answer, Exception) and isinstance(ours(answer), Unavailable)]
    if silent and len(silent) == len(answers):
        raise ours(silent[0]) from silent[0]
    return answers


def _parsed[T](batch: Sequence[Command[T]], answers: Sequence[Any]) -> list[T | InterlockError]:
    def one(command: Command[T], answer: Any) -> T | InterlockError:
        try:
            return ours(answer) if isinstance(answer, Exception) else command.parse(answer)
        except InterlockError as error:
            return error

    return [one(command, answer) for command, answer in zip(batch, answers, strict=True)]
