"""Lease views and revocations."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from scheduler import leases, runs
from scheduler.settlement import end_run
from scheduler.tables import RevocationRow
from shared.errors import ApiError, Unavailable
from shared.lease import keys
from shared.lease.machine import State
from shared.lease.view import LeaseView
from tests.unit.scheduler.support import TARGET, World


def view(state: State | None, epoch: int) -> LeaseView:
    return LeaseView(target=TARGET, incarnation="i", cleared=True, state=state, lease_id=f"{epoch}-x", epoch=epoch)


def test_leases_of_all_targets_are_shown(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.register("web.south")
    world.begin()
    monkeypatch.setattr(leases, "BATCH", 1)
    assert [(seen.target, seen.state) for seen in leases.all_views(world.context)] == [
        (TARGET, State.HELD),
        ("web.south", None),
    ]
    assert leases.view_of(world.context, TARGET).run_id.startswith("run-")
    with pytest.raises(ApiError):
        leases.view_of(world.context, "web.nowhere")


def test_a_revocation_is_recorded_and_carried_out(world: World) -> None:
    assignment, _ = world.begin()
    seen = leases.revoke(world.context, TARGET, reason="maintenance")
    assert (seen.state, seen.reason) == (State.SEVERED, "maintenance")
    assert runs.get(world.context, assignment.run.id).revoke_requested


def test_a_revocation_outlives_a_redis_that_is_away(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.begin()

    def away(_target: str) -> None:
        raise Unavailable("Redis is away")

    with monkeypatch.context() as patch:
        patch.setattr(world.store, "view", away)
        with pytest.raises(Unavailable, match="is recorded"):
            leases.revoke(world.context, TARGET, reason="maintenance")
    with world.context.database.read() as session:
        wish = session.scalars(select(RevocationRow)).one()
    assert (wish.epoch, wish.reason, wish.took_at) == (1, "maintenance", None)


def test_a_lease_that_a_restored_database_does_not_know_is_meant_too(world: World) -> None:
    world.claim(world.submit())
    granted = world.store.acquire(
        TARGET, epoch=7, acquire_id="7" * 32, ttl_ms=900, holder="x", run_id="run-gone", node="x"
    )
    assert granted
    assert leases.revoke(world.context, TARGET, reason="unknown").state is State.SEVERED
    with world.context.database.read() as session:
        assert session.scalars(select(RevocationRow)).one().epoch == 7


def test_a_lease_that_was_granted_while_the_wish_was_carried_out_is_not_touched(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = world.store.view

    def after_a_claim(target: str) -> LeaseView:
        monkeypatch.setattr(world.store, "view", look)
        world.begin()
        return look(target)

    monkeypatch.setattr(world.store, "view", after_a_claim)
    assert leases.revoke(world.context, TARGET, reason="the one before").state is State.HELD
    with world.context.database.read() as session:
        assert session.scalars(select(RevocationRow)).one().epoch == 0


def test_a_revocation_that_means_one_run_does_not_touch_the_next(world: World) -> None:
    first, lease = world.begin()
    world.sever(TARGET, lease)
    end_run(world.context, first.run.id, epoch=1, reason="severed")
    second, _ = world.begin(holder="h2")
    assert leases.revoke(world.context, TARGET, reason="too long", only_run=first.run.id).state is State.HELD
    assert not runs.get(world.context, second.run.id).revoke_requested
    assert leases.revoke(world.context, TARGET, reason="too long", only_run=second.run.id).state is State.SEVERED


def test_a_younger_lease_is_not_touched(world: World) -> None:
    world.begin()
    leases.carry_out(world.context, TARGET, reason="old", epoch=0, view=world.store.view(TARGET))
    assert world.store.view(TARGET).state is State.HELD


@pytest.mark.parametrize(
    ("state", "epoch", "active", "done"),
    [
        (State.HELD, 3, True, False),
        (State.REVOKING, 3, True, True),
        (State.SEVERED, 3, False, True),
        (State.RELEASED, 2, True, False),
        (State.RELEASED, 2, False, True),
        (State.HELD, 2, False, False),
        (State.HELD, 4, True, True),
    ],
)
def test_a_revocation_is_repeated_until_it_took(state: State, epoch: int, active: bool, done: bool) -> None:
    assert leases.took(view(state, epoch), epoch=3, active=active) is done


def test_a_lease_that_cannot_be_read_is_shown_as_such_beside_the_others(world: World) -> None:
    world.register("web.south")
    world.begin()
    world.server.client.set(keys.target_keys("web.south").state, "no hash")
    good, bad = leases.all_views(world.context)
    assert (good.target, good.state) == (TARGET, State.HELD)
    assert (bad.target, bad.embargoed) == ("web.south", True)
    assert bad.reason.startswith("cannot be read: ")
