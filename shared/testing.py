"""The fakes that ship with the code: a Redis in memory that can restart, be failed over and lose replies.

Only tests import this; it needs `fakeredis[lua]`.
"""

from __future__ import annotations

from typing import Final

import fakeredis

from shared.clock import ManualClock as ManualClock
from shared.lease.store import AsyncLeaseStore, LeaseStore

INCARNATION_KEY: Final = "interlock:1:test:incarnation"

PRELUDE: Final = f"""
local function incarnation() return redis.call('GET', '{INCARNATION_KEY}') end
"""
"""fakeredis has no INFO; this reads the incarnation that the test has set."""


class FakeServer:
    """One Redis server in memory. Stores made from it share its data."""

    def __init__(self) -> None:
        """Start empty, as incarnation `run0:repl0`."""
        self._server = fakeredis.FakeServer()
        self._runs = 0
        self._replids = 0
        self.durable = True
        """What `LeaseStore.durable` answers."""
        self.client = fakeredis.FakeRedis(server=self._server)
        self._announce()

    @property
    def incarnation(self) -> str:
        """The present incarnation."""
        return f"run{self._runs}:repl{self._replids}"

    def store(self) -> FakeLeaseStore:
        """Return a store on this server."""
        return FakeLeaseStore(self)

    def async_store(self) -> AsyncLeaseStore:
        """Return an asyncio store on this server."""
        return AsyncLeaseStore(fakeredis.FakeAsyncRedis(server=self._server), prelude=PRELUDE)

    def restart(self, *, empty: bool) -> None:
        """Start the process again, with its data or without: run_id and replid change."""
        if empty:
            self.client.flushall()
        self._runs += 1
        self._replids += 1
        self._announce()

    def fail_over(self) -> None:
        """Promote: replid changes, run_id may stay (a process that is promoted again)."""
        self._replids += 1
        self._announce()

    def _announce(self) -> None:
        self.client.set(INCARNATION_KEY, self.incarnation)


class FakeLeaseStore(LeaseStore):
    """A store on a fake server."""

    def __init__(self, server: FakeServer) -> None:
        """Use `server`."""
        super().__init__(fakeredis.FakeRedis(server=server._server), prelude=PRELUDE)
        self.server = server

    def durable(self, target: str, replicas_timeout_ms: int, *, incarnation: str | None = None) -> bool:
        """Answer what the fake server was told to."""
        return self.server.durable

    def check_server(self) -> None:
        """Accept the fake."""


def fake_lease_store() -> FakeLeaseStore:
    """Return a store on a fake server of its own."""
    return FakeServer().store()
