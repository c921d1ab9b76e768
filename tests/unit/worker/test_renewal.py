"""Keeping a lease alive, and noticing that it is lost."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from shared.clock import ManualClock
from shared.errors import LeaseLost, Unavailable
from shared.lease.commands import Granted
from shared.lease.timing import LeaseTiming
from shared.testing import FakeLeaseStore, fake_lease_store
from tests.unit.worker.support import RUN, TARGET
from worker.renewal import Renewal, _until_beat_ms
from worker.renewal_group import Alone

TIMING = LeaseTiming(ttl_ms=10_000, renew_ms=2_000)


class World:
    """A granted lease, a clock that stands still, and what was said about a loss."""

    def __init__(self) -> None:
        self.store: FakeLeaseStore = fake_lease_store()
        self.clock = ManualClock(1_000_000)
        self.store.clear(TARGET, self.store.server.incarnation, 0)
        granted = self.store.acquire(
            TARGET, epoch=1, acquire_id=secrets.token_hex(16), ttl_ms=10_000, holder="h", run_id=RUN, node="n"
        )
        assert isinstance(granted, Granted)
        self.lease_id = granted.lease_id
        self.lost: list[str] = []
        self.noticed = threading.Event()
        self.renewal = Renewal(
            Alone(self.store, replicas_timeout_ms=TIMING.renew_ms),
            target=TARGET,
            lease_id=self.lease_id,
            timing=TIMING,
            clock=self.clock,
            granted_at_ms=self.clock.boot_ms(),
            on_lost=self.on_lost,
        )

    def on_lost(self, reason: str) -> None:
        self.lost.append(reason)
        self.noticed.set()


@pytest.fixture
def world() -> World:
    return World()


def test_a_renewal_is_confirmed_and_moves_the_deadline(world: World) -> None:
    for _ in range(3):
        world.clock.advance(TIMING.holder_budget_ms - 1)
        world.renewal.renew_now()
    view = world.store.view(TARGET)
    assert (view.seq, view.confirmed_seq) == (4, 4)
    assert world.renewal.lost_because is None


def test_the_deadline_itself_is_too_late(world: World) -> None:
    """A worker that was stopped finds out by its own clock, before it asks anybody."""
    world.clock.advance(TIMING.holder_budget_ms)
    assert "deadline passed" in (world.renewal.lost_because or "")
    with pytest.raises(LeaseLost):
        world.renewal.renew_now()
    assert world.store.view(TARGET).seq == 1, "it renewed nothing"
    assert len(world.lost) == 1


def test_a_refused_renewal_is_a_loss_said_once(world: World) -> None:
    world.store.revoke(TARGET, world.lease_id, "operator")
    for _ in range(2):
        with pytest.raises(LeaseLost):
            world.renewal.renew_now()
    assert len(world.lost) == 1
    assert "refused" in world.lost[0]


def test_a_renewal_that_is_not_durable_moves_nothing(world: World) -> None:
    world.store.server.durable = False
    world.clock.advance(TIMING.holder_budget_ms - 1)
    with pytest.raises(Unavailable):
        world.renewal.renew_now()
    assert world.store.view(TARGET).confirmed_seq == 0
    world.clock.advance(1)
    assert world.renewal.lost_because is not None


def test_the_thread_notices_a_revocation(world: World) -> None:
    world.store.revoke(TARGET, world.lease_id, "operator")
    world.renewal.start()
    assert world.noticed.wait(60)
    world.renewal.stop()
    assert "refused" in world.lost[0]


def test_the_thread_renews_and_ends_when_told(world: World) -> None:
    world.renewal.start()
    waiting = threading.Event()
    for _ in range(3000):
        if world.store.view(TARGET).confirmed_seq >= 2:
            break
        waiting.wait(0.02)
    else:
        pytest.fail("the thread did not renew")
    world.renewal.stop()
    assert world.renewal.lost_because is None


def test_the_thread_goes_on_after_a_redis_that_was_away(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[int] = []
    original = world.store.renew_many

    def renew_many(leases: Sequence[tuple[str, str]], replicas_timeout_ms: int) -> list[Any]:
        tries.append(1)
        return [Unavailable("away", hint="")] if len(tries) < 3 else original(leases, replicas_timeout_ms)

    monkeypatch.setattr(world.store, "renew_many", renew_many)
    world.renewal.start()
    waiting = threading.Event()
    for _ in range(3000):
        if world.store.view(TARGET).confirmed_seq:
            break
        waiting.wait(0.02)
    world.renewal.stop()
    assert len(tries) >= 3
    assert world.lost == []


def test_all_runs_of_a_host_renew_at_the_same_instants() -> None:
    assert [_until_beat_ms(now_ms, 2_000) for now_ms in (0, 1, 1_999, 2_000, 5_500)] == [2_000, 1_999, 1, 2_000, 500]
