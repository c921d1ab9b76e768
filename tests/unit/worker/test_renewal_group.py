"""One renewal for all runs of a worker, and only for those that ask for it."""

from __future__ import annotations

import secrets
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from shared.clock import ManualClock, SystemClock
from shared.errors import PeerError, Unavailable
from shared.lease.commands import Granted, Refusal, Refused, Renewed
from shared.testing import FakeLeaseStore, fake_lease_store
from worker.renewal_group import Alone, GroupMember, RenewalGroup, Renewer

# Long, so that nobody gives up on the group because the machine is slow.
RENEW_MS = 120_000


class World:
    """A group, its members, and the calls that reached the store."""

    def __init__(self) -> None:
        self.store: FakeLeaseStore = fake_lease_store()
        self.calls: list[list[str]] = []
        self.members: list[GroupMember] = []
        self.hold = threading.Event()
        self.hold.set()
        self.called = threading.Semaphore(0)
        self._renew_many = self.store.renew_many
        self.store.renew_many = self.renew_many  # type: ignore[method-assign]  # a store that a test can hold up
        self.group = RenewalGroup(self.store, SystemClock(), renew_ms=RENEW_MS)
        self.group.start()

    def renew_many(self, leases: Sequence[tuple[str, str]], replicas_timeout_ms: int) -> Any:
        self.calls.append([target for target, _ in leases])
        self.called.release()
        assert self.hold.wait(60)
        return self._renew_many(leases, replicas_timeout_ms)

    def lease(self, target: str) -> str:
        self.store.clear(target, self.store.server.incarnation, 0)
        granted = self.store.acquire(
            target, epoch=1, acquire_id=secrets.token_hex(16), ttl_ms=600_000, holder="h", run_id="run-1", node="n"
        )
        assert isinstance(granted, Granted)
        return granted.lease_id

    def member(self) -> GroupMember:
        """A member that must not renew alone."""
        member = self.group.join(self.store)
        assert isinstance(member, GroupMember)
        member._alone = NoOne()
        self.members.append(member)
        return member

    def close(self) -> None:
        self.hold.set()
        self.group.close()
        for member in self.members:
            member.close()

    def seq(self, target: str) -> int:
        return self.store.view(target).confirmed_seq


class Telling:
    """A connection that tells when a question has gone into it."""

    def __init__(self, connection: socket.socket, sent: threading.Semaphore) -> None:
        self.recv, self.close = connection.recv, connection.close
        self._connection, self._sent = connection, sent

    def send(self, message: bytes) -> None:
        self._connection.send(message)
        self._sent.release()


class NoOne:
    def renew(self, target: str, lease_id: str) -> Renewed | Refused:
        raise AssertionError("renewed alone")


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.close()


def start(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_a_member_gets_its_renewal_confirmed(world: World) -> None:
    lease_id = world.lease("web.eu")
    assert world.member().renew("web.eu", lease_id) == Renewed(seq=2, incarnation=world.store.server.incarnation)
    assert world.seq("web.eu") == 2


def test_what_is_asked_meanwhile_goes_into_one_call_and_each_gets_its_own_answer(world: World) -> None:
    leases = {f"web.t{number}": world.lease(f"web.t{number}") for number in range(3)}
    world.store.revoke("web.t1", leases["web.t1"], "x")
    answers: dict[str, object] = {}
    world.hold.clear()
    first = world.member()
    busy = start(lambda: first.renew("web.t0", leases["web.t0"]))
    assert world.called.acquire(timeout=60), "the first call is on its way and held up"

    def ask(member: Renewer, target: str) -> None:
        answers[target] = member.renew(target, leases[target])

    members, asked = [world.member() for _ in leases], threading.Semaphore(0)
    for member in members:
        member._connection = Telling(member._connection, asked)  # type: ignore[assignment]  # what is used of a socket
    asking = [start(lambda m=member, t=target: ask(m, t)) for member, target in zip(members, leases, strict=True)]  # type: ignore[misc]
    for _ in members:
        assert asked.acquire(timeout=60)
    world.hold.set()
    for thread in (busy, *asking):
        thread.join(60)
    assert sorted(world.calls[1]) == sorted(leases)
    assert answers["web.t1"] == Refused(reason=Refusal.SEVERED, last_epoch=1)
    assert isinstance(answers["web.t2"], Renewed)
    assert world.seq("web.t2") == 2


def test_who_asks_for_nothing_is_not_renewed(world: World) -> None:
    silent, lease_id = world.lease("web.silent"), world.lease("web.eu")
    world.member()
    asking = world.member()
    for _ in range(3):
        asking.renew("web.eu", lease_id)
    assert (world.seq("web.eu"), world.store.view("web.silent").seq) == (4, 1)
    assert silent, "it holds a lease all the same"


def test_a_question_from_long_ago_is_no_sign_of_life(world: World) -> None:
    lease_id = world.lease("web.eu")
    past = ManualClock(SystemClock().boot_ms() - RENEW_MS - 1)
    member = world.member()
    member._clock = past
    member._connection.settimeout(1)
    with pytest.raises(AssertionError, match="renewed alone"):
        member.renew("web.eu", lease_id)
    assert world.calls == []


def test_a_late_answer_is_not_taken_for_the_present_one(world: World) -> None:
    lease_id = world.lease("web.eu")
    member = world.member()
    world.hold.clear()
    member._connection.settimeout(0.1)
    with pytest.raises(AssertionError, match="renewed alone"):
        member.renew("web.eu", lease_id)
    assert world.called.acquire(timeout=60), "the first question is being answered, late"
    world.hold.set()
    member._connection.settimeout(60)
    assert member.renew("web.eu", lease_id) == Renewed(seq=3, incarnation=world.store.server.incarnation)


def test_an_error_is_passed_on_as_one_to_try_again_after(world: World) -> None:
    lease_id = world.lease("web.eu")
    world.store.server.durable = False
    with pytest.raises(Unavailable, match="replicas"):
        world.member().renew("web.eu", lease_id)
    assert world.seq("web.eu") == 0


def test_what_one_call_runs_into_does_not_end_the_group(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    lease_id = world.lease("web.eu")
    member = world.member()

    def broken(*_: object) -> object:
        monkeypatch.undo()
        raise RuntimeError("a bug")

    monkeypatch.setattr(world, "_renew_many", broken)
    member._connection.settimeout(0.1)
    with pytest.raises(AssertionError, match="renewed alone"):
        member.renew("web.eu", lease_id)
    member._connection.settimeout(60)
    assert isinstance(member.renew("web.eu", lease_id), Renewed)


def test_a_group_that_goes_on_giving_no_answer_is_reported_once_and_so_is_its_return(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    lease_id = world.lease("web.eu")
    member = world.member()
    member._alone = Alone(world.store.server.store(), replicas_timeout_ms=1_000)
    world.hold.clear()
    member._connection.settimeout(0.05)
    with caplog.at_level("INFO"):
        for _ in range(3):
            assert isinstance(member.renew("web.eu", lease_id), Renewed)
        world.hold.set()
        member._connection.settimeout(60)
        for _ in range(2):
            assert isinstance(member.renew("web.eu", lease_id), Renewed)
    said = [record.getMessage().split()[0] for record in caplog.records]
    assert [word for word in said if word.startswith("renewing")] == ["renewing_alone", "renewing_together"]


def test_a_member_that_died_costs_the_others_nothing(world: World) -> None:
    lease_id = world.lease("web.eu")
    dead = world.member()
    dead.close()
    assert isinstance(world.member().renew("web.eu", lease_id), Renewed)


def test_a_member_whose_group_is_gone_renews_alone() -> None:
    world = World()
    lease_id = world.lease("web.eu")
    member = world.group.join(world.store)
    assert isinstance(member, GroupMember)
    world.group.close()
    assert isinstance(member.renew("web.eu", lease_id), Renewed)
    assert isinstance(world.group.join(world.store), Alone)
    member.close()


def test_alone_an_error_is_raised() -> None:
    store = fake_lease_store()
    store.server.client.set("interlock:1:{web.eu}:state", "no hash")
    with pytest.raises(PeerError):
        Alone(store, replicas_timeout_ms=1_000).renew("web.eu", f"1-{'a' * 32}")
