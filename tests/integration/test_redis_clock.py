"""The wall clock of the Redis host is set by an hour during a lease: key expiry believes it, nothing else does.

The server runs under a small library of ours that shifts its wall clock only (tests/clock_shim/); that needs a C
compiler.
"""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.lease.commands import Refusal
from shared.lease.timing import LeaseTiming
from tests.redis_world import CLOCK, World
from tests.servers import ValkeyServer, wait_for

pytestmark = pytest.mark.debian

HOUR_S = 3_600
TIMING = LeaseTiming(ttl_ms=6_000, renew_ms=500, poll_ms=100, delta_ms=300, grace_ms=300, unknown_ms=500)
SHIM = Path(__file__).parent.parent / "clock_shim" / "wall_clock.c"
PROGRAMS = [None, "redis-server"]


class WallClock:
    """A server whose wall clock can be set."""

    def __init__(self, directory: Path, factory: Callable[..., ValkeyServer], program: str | None) -> None:
        library, self._file = directory / "wall_clock.so", directory / "offset"
        subprocess.run(
            ["cc", "-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC", "-o", str(library), str(SHIM)], check=True
        )
        self.set(0)
        environment = {"LD_PRELOAD": str(library), "WALL_CLOCK_OFFSET": str(self._file)}
        self.server = factory(program=program, environment=environment)

    def set(self, offset_s: int) -> None:
        """From now on the server's wall clock is `offset_s` ahead of the host's."""
        with self._file.open("r+b" if self._file.exists() else "wb") as file:
            file.write(struct.pack("=q", offset_s))

    def now_s(self) -> int:
        """What the server takes for the time."""
        with self.server.client() as client:
            return int(client.time()[0])


@pytest.fixture(params=PROGRAMS)
def clock(
    request: pytest.FixtureRequest, tmp_path: Path, redis_server_factory: Callable[..., ValkeyServer]
) -> WallClock:
    """The wheel's Valkey, and Debian's Redis."""
    return WallClock(tmp_path, redis_server_factory, request.param)


def jump(clock: WallClock, offset_s: int) -> None:
    before_s = clock.now_s()
    clock.set(offset_s)
    wait_for("the jump", lambda: abs(clock.now_s() - before_s - offset_s) < HOUR_S / 2)


def test_an_hour_ahead_ends_the_lease_and_nobody_signs_beside_the_next_one(clock: WallClock) -> None:
    with World(clock.server.url, replicas=0, timing=TIMING) as world:
        first = world.claim()
        wait_for("the lease", lambda: first.lease_id is not None)
        proxy = world.serve(first)
        wait_for("the gate", lambda: proxy.open)
        second = world.claim()
        wait_for("the second one to wait", lambda: Refusal.HELD in second.refusals)
        jump(clock, HOUR_S)
        wait_for("the lease to end", lambda: first.over and not proxy.open)
        wait_for("the second grant", lambda: second.lease_id is not None)
        assert second.granted_ms is not None
        assert world.last_signed_ms(1) < second.granted_ms
        world.serve(second)
        wait_for("the second one to sign", lambda: any(epoch == 2 for _, epoch in world.signed))
        assert world.overlaps() == []


def test_an_hour_ahead_is_no_licence_while_a_proxy_has_not_acknowledged(clock: WallClock) -> None:
    """The key is gone at once; the observer waits all the same, by its own clock."""
    with World(clock.server.url, replicas=0, timing=TIMING) as world:
        first = world.claim()
        wait_for("the lease", lambda: first.lease_id is not None)
        proxy = world.serve(first)
        wait_for("the gate", lambda: proxy.open)
        second = world.claim()
        # The host is gone, with a proxy that never acknowledges.
        first.close()
        proxy.close()
        gone_ms = CLOCK.boot_ms()
        jump(clock, HOUR_S)
        wait_for("the second grant", lambda: second.lease_id is not None)
        assert second.granted_ms is not None
        assert second.granted_ms - gone_ms >= TIMING.window_ms + TIMING.unknown_ms - TIMING.renew_ms
        assert max(proxy.opened) < second.granted_ms
        assert world.observer.expired == [first.lease_id]


def test_an_hour_back_prolongs_no_gate_and_delays_no_take_over(clock: WallClock) -> None:
    with World(clock.server.url, replicas=0, timing=TIMING) as world:
        first = world.claim()
        wait_for("the lease", lambda: first.lease_id is not None)
        proxy = world.serve(first)
        wait_for("the gate", lambda: proxy.open)
        jump(clock, -HOUR_S)
        confirmed = first.confirmations
        wait_for("renewals to go on", lambda: first.confirmations > confirmed + 2)
        assert proxy.open, "a lease that is renewed lives on"
        first.close()
        last_ms = CLOCK.boot_ms()
        wait_for("the gate to shut by itself", lambda: not proxy.open)
        assert max(proxy.opened) <= last_ms + TIMING.holder_budget_ms, "not an hour later"
        second = world.claim()
        wait_for("the second grant", lambda: second.lease_id is not None)
        world.serve(second)
        wait_for("the second one to sign", lambda: any(epoch == 2 for _, epoch in world.signed))
        assert world.overlaps() == []


def test_an_hour_back_after_the_host_was_lost_leaves_the_key_and_ends_the_lease(clock: WallClock) -> None:
    with World(clock.server.url, replicas=0, timing=TIMING) as world:
        first = world.claim()
        wait_for("the lease", lambda: first.lease_id is not None)
        jump(clock, -HOUR_S)
        first.close()
        second = world.claim()
        wait_for("the second grant", lambda: second.lease_id is not None)
        assert world.observer.expired == [first.lease_id]
        with clock.server.client() as client:
            assert int(str(client.pttl(f"interlock:1:{{{world.target}}}:lease"))) <= TIMING.ttl_ms, "its successor's"
