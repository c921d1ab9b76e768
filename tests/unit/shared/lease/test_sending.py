"""How commands reach servers, on fakes: by digest, elsewhere after a move, and each answer for itself."""

from __future__ import annotations

from typing import Any

import fakeredis
import pytest
import redis
from redis import exceptions as redis_errors

from shared.errors import InterlockError, PeerError, Unavailable
from shared.lease import commands
from shared.lease.sending import MAX_REDIRECTS, AsyncSender, Sender, guarded, ours
from shared.redis_client import AsyncServers, OnePrimary, Servers
from shared.testing import PRELUDE, FakeServer


def test_a_script_goes_by_its_digest_and_the_text_only_to_a_server_that_lacks_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = FakeServer().store().client
    texts: list[str] = []
    send = client.eval

    def counted(script: str, *arguments: Any) -> Any:
        texts.append(script)
        return send(script, *arguments)

    monkeypatch.setattr(client, "eval", counted)
    sender = Sender(OnePrimary(client), PRELUDE)
    for _ in range(3):
        assert sender.run(commands.view("web.eu")).embargoed
    assert len(texts) == 1
    client.script_flush()
    seen = sender.run_all([commands.view("web.eu"), commands.view("web.us")])
    assert all(not isinstance(view, InterlockError) for view in seen)


class Moving(Servers):
    """Two servers; the first says that everything has moved to the second."""

    def __init__(self, *, moves: int = 1) -> None:
        self.right = FakeServer().store().client
        self.wrong = fakeredis.FakeRedis()
        self.moves = moves
        self.wrong.evalsha = self.wrong.eval = self.moved  # type: ignore[method-assign]

    def moved(self, *_: object) -> Any:
        raise redis_errors.MovedError("5 10.0.0.1:1")

    def owner(self, key: str) -> redis.Redis:
        return self.wrong if self.moves > 0 else self.right

    def primaries(self) -> list[redis.Redis]:
        return [self.right]

    def close(self) -> None:
        pass

    def learn(self, server: redis.Redis, error: Exception) -> bool:
        self.moves -= 1
        return isinstance(error, redis_errors.MovedError)


def test_a_slot_that_has_moved_is_asked_for_at_its_new_owner() -> None:
    assert Sender(Moving(), PRELUDE).run(commands.view("web.eu")).embargoed


def test_a_slot_that_moves_for_ever_is_given_up_after_a_few_servers() -> None:
    servers = Moving(moves=100)
    with pytest.raises(Unavailable, match="not ready"):
        Sender(servers, PRELUDE).run(commands.view("web.eu"))
    assert 100 - servers.moves == MAX_REDIRECTS + 1


def test_one_target_with_broken_keys_costs_no_other_its_view() -> None:
    server = FakeServer()
    store = server.store()
    server.client.set("interlock:1:{web.bad}:state", "no hash")
    server.client.hset("interlock:1:{web.worse}:state", mapping={"state": "unheard of"})
    bad, worse, good = store.views(["web.bad", "web.worse", "web.eu"])
    assert isinstance(bad, PeerError)
    assert isinstance(worse, PeerError)
    assert not isinstance(good, InterlockError)
    assert good.target == "web.eu"


async def test_the_asynchronous_sender_keeps_targets_apart_too() -> None:
    server = FakeServer()
    server.client.set("interlock:1:{web.bad}:state", "no hash")
    store = server.async_store()
    bad, good = await store.views(["web.bad", "web.eu"])
    assert isinstance(bad, PeerError)
    assert not isinstance(good, InterlockError)
    assert await store.views([]) == []
    await store.close()


class HalfAway(Servers):
    """Of two shards one does not answer."""

    def __init__(self, *, away: tuple[str, ...] = ("web.us",)) -> None:
        self.alive = FakeServer().store().client
        self.away = away

    def owner(self, key: str) -> redis.Redis:
        if any(name in key for name in self.away):
            raise redis_errors.ConnectionError("refused")
        return self.alive

    def primaries(self) -> list[redis.Redis]:
        return [self.alive]

    def close(self) -> None:
        pass


def test_a_server_that_is_away_costs_only_its_own_targets() -> None:
    eu, us = Sender(HalfAway(), PRELUDE).run_all([commands.view("web.eu"), commands.view("web.us")])
    assert not isinstance(eu, InterlockError)
    assert isinstance(us, Unavailable)


def test_when_every_server_is_away_that_is_raised() -> None:
    with pytest.raises(Unavailable, match="refused"):
        Sender(HalfAway(away=("web.eu", "web.us")), PRELUDE).run_all([commands.view("web.eu"), commands.view("web.us")])


async def test_when_every_server_is_away_the_asynchronous_sender_raises_too() -> None:
    class Away(AsyncServers):
        async def owner(self, key: str) -> redis.asyncio.Redis:
            raise redis_errors.ConnectionError("refused")

        async def primaries(self) -> list[redis.asyncio.Redis]:
            return []

        async def close(self) -> None:
            pass

    sender = AsyncSender(Away(), PRELUDE)
    with pytest.raises(Unavailable, match="refused"):
        await sender.run(commands.view("web.eu"))
    with pytest.raises(Unavailable, match="refused"):
        await sender.run_all([commands.view("web.eu")])


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (redis_errors.MovedError("5 h:1"), Unavailable),
        (redis_errors.AskError("5 h:1"), Unavailable),
        (redis_errors.ClusterDownError("down"), Unavailable),
        (redis_errors.TryAgainError("later"), Unavailable),
        (redis_errors.ReadOnlyError("a replica"), Unavailable),
        (redis_errors.ResponseError("BUSY Valkey is busy running a script."), Unavailable),
        (redis_errors.ResponseError("MISCONF Valkey is configured to save snapshots, but cannot."), Unavailable),
        (redis_errors.ResponseError("NOREPLICAS Not enough good replicas to write. script: on x"), Unavailable),
        (redis_errors.ResponseError("Command # 1 (SET a 1) of pipeline caused error: NOREPLICAS Not"), Unavailable),
        (redis_errors.ResponseError("Command # 2 (WAIT 1 9) of pipeline caused error: UNBLOCKED force"), Unavailable),
        (redis_errors.ResponseError("Command # 1 (SET node:BUSY 1) of pipeline caused error: ERR no"), PeerError),
        (redis_errors.NoPermissionError("no"), PeerError),
    ],
)
def test_what_may_pass_is_unavailable_and_what_will_not_is_a_peers_fault(
    error: Exception, kind: type[InterlockError]
) -> None:
    assert type(ours(error)) is kind

    def fail() -> None:
        raise error

    with pytest.raises(kind):
        guarded(fail)
