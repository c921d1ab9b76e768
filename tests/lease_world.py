"""The lease protocol in the hands of a hostile scheduler: several holders, proxies and observers on one target.

`LeaseWorld` is a Hypothesis state machine. Each rule is one step that a part of the system may take, in any order:
replies are lost or come late, proxies reboot, keys vanish, the server restarts empty or with old data, a failover
loses writes and leaves a deposed primary that goes on answering. Time is a manual clock; the hosts' own clocks run at
different rates. After every step the world checks what the protocol promises.

The same machine runs on fakeredis (unit tests) and on real Valkey servers (integration tests).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from shared.lease import keys
from shared.lease.commands import Attached, Granted, Refusal, Refused, Renewed
from shared.lease.gate import NOT_ATTACHED, ProxyGate, Shut
from shared.lease.observer import Action, Clear, TargetObserver
from shared.lease.store import LeaseStore
from shared.lease.timing import LeaseTiming
from shared.lease.view import LeaseView
from shared.testing import FakeServer

TARGET = "web.eu"
TIMING = LeaseTiming(ttl_ms=10_000)
STORED_TTL_MS = 3_600_000
"""Redis's own clock plays no part here: keys vanish by a rule, not because the test is slow."""
SLOW, FAST = 0.995, 1.005
"""Rates of the proxies' and the observers' clocks: as far apart as rho allows, in the dangerous direction."""


class Backend(Protocol):
    """A server that a test can hurt."""

    @property
    def client(self) -> Any: ...
    def store(self) -> LeaseStore: ...
    def restart(self, *, empty: bool) -> None: ...
    def fail_over(self) -> None: ...


def snapshot(backend: Backend) -> dict[str, Any]:
    """Copy the target's keys: what a replica has, or a file on disk."""
    kept: dict[str, Any] = {}
    for key in keys.target_keys(TARGET).as_list():
        kind = _text(backend.client.type(key))
        if kind == "hash":
            kept[key] = {_text(k): _text(v) for k, v in backend.client.hgetall(key).items()}
        elif kind == "string":
            kept[key] = _text(backend.client.get(key))
    return kept


def restore(backend: Backend, kept: dict[str, Any]) -> None:
    """Make the target's keys what they were."""
    names = keys.target_keys(TARGET)
    backend.client.delete(*names.as_list())
    for key, value in kept.items():
        if isinstance(value, dict):
            backend.client.hset(key, mapping=value)
        elif key == names.lease:
            backend.client.set(key, value, px=STORED_TTL_MS)
        else:
            backend.client.set(key, value)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


@dataclass
class Holder:
    """One execution: claims an epoch, acquires, renews, confirms."""

    epoch: int
    acquire_id: str
    lease_id: str = ""
    unconfirmed: tuple[str, int] | None = None
    durable: tuple[str, int] | None = None


@dataclass
class Call:
    """A signed call that is under way; the cloud may see it until `until_ms` (true time)."""

    lease_id: str
    until_ms: float = math.inf


@dataclass
class Boot:
    """One boot of one proxy."""

    proxy_id: str
    boot_id: str
    gates: dict[str, ProxyGate] = field(default_factory=dict)
    pending: list[tuple[str, LeaseView, int]] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    cut_at_ms: dict[str, float] = field(default_factory=dict)


class LeaseWorld(RuleBasedStateMachine):
    """See the module's text. Subclasses say on which servers it runs."""

    make_backends: Callable[[], tuple[Backend, Backend]] = staticmethod(lambda: (FakeServer(), FakeServer()))
    observer_class: type[TargetObserver] = TargetObserver
    gate_class: type[ProxyGate] = ProxyGate

    def __init__(self) -> None:
        super().__init__()
        self.now_ms = 1_000_000.0  # true time
        self.primary, self.spare = type(self).make_backends()
        self.deposed: Backend | None = None
        self.db_epoch = 0
        self.nonce = 0
        self.holders: list[Holder] = []
        self.observers = [self.observer_class(TARGET, TIMING) for _ in range(2)]
        self.due: list[Action] = []
        self.boots = [self._boot("p1"), self._boot("p2")]
        self.dead: list[Boot] = []
        self.replica: dict[str, Any] = {}
        self.highest_open = 0

    @initialize()
    def first_look(self) -> None:
        """A new installation: the target is cleared before it is first claimed."""
        for _ in range(2):
            self._look(0)
        self._act(self.due.pop(), deposed=False)
        self.replica = snapshot(self.primary)

    # Time

    @rule(ms=st.sampled_from([1, 500, 2_000, 5_000, 12_000]))
    def time_passes(self, ms: int) -> None:
        self.now_ms += ms

    # The database and the holders

    @rule(data=st.data(), claim=st.booleans(), deposed=st.booleans(), lost=st.sampled_from([False, False, True]))
    def take(self, data: st.DataObject, claim: bool, deposed: bool, lost: bool) -> None:
        """Claim the next epoch, or try again with an old one; acquire; begin to work.

        The database may give out the next epoch whenever it likes: safety does not rest on its timing.
        """
        if self.db_epoch < 6 and (claim or not self.holders):
            self.db_epoch += 1
            self.holders.append(Holder(epoch=self.db_epoch, acquire_id=self._nonce()))
            holder = self.holders[-1]
        else:
            holder = data.draw(st.sampled_from(self.holders))
        self._acquire(holder, self._server(deposed), lost=lost)
        if holder.lease_id and not deposed:
            self.work(data, holder.lease_id)

    @precondition(lambda self: any(holder.lease_id for holder in self.holders))
    @rule(data=st.data())
    def work(self, data: st.DataObject, lease_id: str = "") -> None:
        """Attach, renew, confirm, poll, sign: the ordinary course, with some of the proxies."""
        lease_id = lease_id or self._granted(data).lease_id
        boots = data.draw(st.sampled_from([self.boots, self.boots, self.boots[:1], self.boots[1:]]))
        store = self.primary.store()
        for boot in boots:
            self._attach(boot, lease_id, store)
            self._poll(boot, lease_id, store, late=False)
        reply = store.renew(TARGET, lease_id)
        if isinstance(reply, Renewed):
            self.replica = snapshot(self.primary)
            store.confirm(TARGET, lease_id, reply.incarnation, reply.seq)
        self.now_ms += 500
        for boot in boots:
            self._poll(boot, lease_id, store, late=False)
            if lease_id in boot.gates:
                self._sign(boot, lease_id)

    @precondition(lambda self: any(holder.lease_id for holder in self.holders))
    @rule(data=st.data(), deposed=st.booleans(), reply_lost=st.booleans())
    def renew(self, data: st.DataObject, deposed: bool, reply_lost: bool) -> None:
        holder = self._granted(data)
        reply = self._server(deposed).store().renew(TARGET, holder.lease_id)
        if isinstance(reply, Renewed) and not reply_lost:
            holder.unconfirmed = (reply.incarnation, reply.seq)

    @precondition(lambda self: any(holder.unconfirmed or holder.durable for holder in self.holders))
    @rule(data=st.data(), deposed=st.booleans(), again=st.booleans())
    def confirm(self, data: st.DataObject, deposed: bool, again: bool) -> None:
        """WAIT says yes only where the replicas are, and then they have everything; CONFIRM may come late."""
        holder = data.draw(st.sampled_from([h for h in self.holders if h.unconfirmed or h.durable]))
        if holder.unconfirmed:
            self.replica = snapshot(self.primary)
            holder.durable, holder.unconfirmed = holder.unconfirmed, None
            return
        assert holder.durable is not None
        self._server(deposed).store().confirm(TARGET, holder.lease_id, *holder.durable)
        if not again:
            holder.durable = None

    @precondition(lambda self: any(holder.lease_id for holder in self.holders))
    @rule(data=st.data(), deposed=st.booleans(), operator=st.booleans())
    def give_up(self, data: st.DataObject, deposed: bool, operator: bool) -> None:
        holder, store = self._granted(data), self._server(deposed).store()
        if operator:
            store.revoke(TARGET, holder.lease_id, "operator")
        else:
            store.release(TARGET, holder.lease_id)

    # The proxies

    @precondition(lambda self: any(holder.lease_id for holder in self.holders))
    @rule(data=st.data(), deposed=st.booleans())
    def attach(self, data: st.DataObject, deposed: bool) -> None:
        boot, holder = data.draw(st.sampled_from(self.boots)), self._granted(data)
        self._attach(boot, holder.lease_id, self._server(deposed).store())

    @precondition(lambda self: any(boot.gates for boot in self.boots))
    @rule(data=st.data(), deposed=st.booleans(), late=st.booleans())
    def poll(self, data: st.DataObject, deposed: bool, late: bool) -> None:
        boot, lease_id = self._gate(data)
        self._poll(boot, lease_id, self._server(deposed).store(), late=late)
        self._sign(boot, lease_id)

    @precondition(lambda self: any(boot.pending for boot in self.boots))
    @rule(data=st.data())
    def a_late_reply_arrives(self, data: st.DataObject) -> None:
        boot = data.draw(st.sampled_from([boot for boot in self.boots if boot.pending]))
        lease_id, view, sent_ms = boot.pending.pop(0)
        self._judge(boot, lease_id, view, sent_ms)

    @precondition(lambda self: any(boot.calls for boot in self.boots))
    @rule(data=st.data())
    def answers_arrive(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from([boot for boot in self.boots if boot.calls])).calls.clear()

    @precondition(lambda self: any(boot.gates for boot in self.boots))
    @rule(data=st.data(), deposed=st.booleans(), revoke=st.booleans(), acknowledge=st.booleans())
    def cut(self, data: st.DataObject, deposed: bool, revoke: bool, acknowledge: bool) -> None:
        """The worker died, or D passed: shut, cut, revoke, acknowledge; any of the last two may get lost."""
        boot, lease_id = self._gate(data)
        boot.gates[lease_id].shut("worker died")
        self._cut(boot, lease_id)
        store = self._server(deposed).store()
        if revoke:
            store.revoke(TARGET, lease_id, "worker died")
        if acknowledge:
            unknown = [c for c in boot.calls if c.lease_id == lease_id and c.until_ms > self.now_ms]
            store.acknowledge(TARGET, lease_id, boot.proxy_id, boot.boot_id, len(unknown))

    @precondition(lambda self: len(self.dead) < 3)
    @rule(which=st.integers(0, 1))
    def reboot(self, which: int) -> None:
        """The process dies: gates and sockets are gone, calls on the way may still arrive, nobody acknowledges."""
        boot = self.boots[which]
        for lease_id in boot.gates:
            self._cut(boot, lease_id)
        boot.gates.clear()
        boot.pending.clear()
        self.dead.append(boot)
        self.boots[which] = self._boot(boot.proxy_id)

    # The observers

    @rule(
        which=st.integers(0, 1),
        deposed=st.sampled_from([False, False, True]),
        looks=st.sampled_from([0, 1, 4, 6, 7, 11, 14, 15]),
        act=st.sampled_from([True, True, False]),
    )
    def watch(self, which: int, deposed: bool, looks: int, act: bool) -> None:
        """Look every two seconds for a while and, unless something holds the observer up, do what is due."""
        for _ in range(looks):
            self._look(which, deposed=deposed)
            self.now_ms += TIMING.renew_ms * SLOW
        self._look(which, deposed=deposed)
        while act and self.due:
            self._act(self.due.pop(), deposed)

    @precondition(lambda self: self.due)
    @rule(data=st.data(), deposed=st.booleans(), again=st.booleans())
    def act_late(self, data: st.DataObject, deposed: bool, again: bool) -> None:
        """Carry out something that was due much earlier, perhaps twice, perhaps at the wrong server."""
        action = data.draw(st.sampled_from(self.due))
        if not again:
            self.due.remove(action)
        self._act(action, deposed)

    # Faults of the server

    @rule(fault=st.sampled_from(["lease key", "lease key", "attach records", "state", "everything", "replicate"]))
    def something_vanishes(self, fault: str) -> None:
        """A key may vanish at any time: that covers every jump of Redis's wall clock, eviction and DEL."""
        names = keys.target_keys(TARGET)
        if fault == "replicate":
            self.replica = snapshot(self.primary)
        elif fault == "lease key":
            self.primary.client.delete(names.lease)
        elif fault == "attach records":
            self.primary.client.delete(names.attach)
        else:
            # What the observer promises: it notices an absence that comes and goes if it looks in between.
            for which in range(2):
                self._look(which)
            self.due = [action for action in self.due if not isinstance(action, Clear)]
            self.primary.client.delete(*(names.as_list() if fault == "everything" else [names.state]))

    @rule(fault=st.sampled_from(["failover", "failover", "kept", "old", "none"]))
    def the_server_ends(self, fault: str) -> None:
        """It comes back with all data, what was on disk, or none; or the replica is promoted without the writes it
        never got, and the deposed primary goes on answering."""
        if fault == "failover":
            if self.deposed is None:
                restore(self.spare, self.replica)
                self.spare.fail_over()
                self.primary, self.deposed = self.spare, self.primary
            return
        self.primary.restart(empty=fault == "none")
        if fault == "old":
            restore(self.primary, self.replica)
        self.replica = snapshot(self.primary)

    # What is promised

    @invariant()
    def at_most_one_epoch_is_signed_for(self) -> None:
        now_ms = self._slow()
        signing = {
            lease_id
            for boot in self.boots
            for lease_id, gate in boot.gates.items()
            if copy.deepcopy(gate).check(now_ms).allowed
        }
        assert len(signing) <= 1, f"gates are open for {signing}"
        for lease_id in signing:
            epoch = int(lease_id.partition("-")[0])
            assert epoch >= self.highest_open, f"epoch {epoch} is signed for after epoch {self.highest_open}"
            self.highest_open = epoch

    def _check_grant(self, before: LeaseView, grant: Granted) -> None:
        assert not before.embargoed
        assert before.state is not None
        assert before.state.grantable
        assert grant.epoch > before.epoch
        now_ms = self._slow()
        for boot in self.boots:
            for lease_id, gate in boot.gates.items():
                assert not copy.deepcopy(gate).check(now_ms).allowed, f"{lease_id} is open, {grant.lease_id} granted"
        for boot in [*self.boots, *self.dead]:
            for call in boot.calls:
                until_ms = min(call.until_ms, self._latest_arrival(boot, call.lease_id))
                assert self.now_ms >= until_ms, f"a call of {call.lease_id} may arrive after {grant.lease_id}"

    def _latest_arrival(self, boot: Boot, lease_id: str) -> float:
        gate = boot.gates.get(lease_id)
        if gate is None or gate.deadline_ms is None:
            return math.inf
        return gate.deadline_ms / SLOW + TIMING.unknown_ms * SLOW

    # Helpers

    def _acquire(self, holder: Holder, server: Backend, *, lost: bool) -> None:
        before = server.store().view(TARGET)
        reply = server.store().acquire(
            TARGET,
            epoch=holder.epoch,
            acquire_id=holder.acquire_id,
            ttl_ms=STORED_TTL_MS,
            holder="h",
            run_id="r",
            node="n",
        )
        if not isinstance(reply, Granted):
            return
        if server is self.primary and before.lease_id != reply.lease_id:
            self._check_grant(before, reply)
        if not lost and not holder.lease_id:
            holder.lease_id = reply.lease_id
            holder.unconfirmed = (reply.incarnation, reply.seq)

    def _act(self, action: Action, deposed: bool) -> None:
        store = self._server(deposed).store()
        if isinstance(action, Clear):
            store.clear(TARGET, action.incarnation, action.epoch)
        else:
            store.expire(TARGET, action.incarnation, action.lease_id, action.seq)

    def _sign(self, boot: Boot, lease_id: str) -> None:
        if boot.gates[lease_id].check(self._slow()).allowed:
            boot.calls.append(Call(lease_id=lease_id))

    def _server(self, deposed: bool) -> Backend:
        return self.deposed if deposed and self.deposed is not None else self.primary

    def _slow(self) -> int:
        return math.floor(self.now_ms * SLOW)

    def _fast(self) -> int:
        return math.floor(self.now_ms * FAST)

    def _nonce(self) -> str:
        self.nonce += 1
        return f"{self.nonce:032x}"

    def _boot(self, proxy_id: str) -> Boot:
        return Boot(proxy_id=proxy_id, boot_id=self._nonce())

    def _granted(self, data: st.DataObject) -> Holder:
        return data.draw(st.sampled_from([holder for holder in self.holders if holder.lease_id]))

    def _gate(self, data: st.DataObject) -> tuple[Boot, str]:
        pairs = [(boot, lease_id) for boot in self.boots for lease_id in boot.gates]
        return data.draw(st.sampled_from(pairs))

    def _attach(self, boot: Boot, lease_id: str, store: LeaseStore) -> None:
        reply = store.attach(TARGET, lease_id, boot.proxy_id, boot.boot_id)
        if isinstance(reply, Attached) and lease_id not in boot.gates:
            boot.gates[lease_id] = self.gate_class(lease_id, TARGET, boot.proxy_id, boot.boot_id, TIMING)
        if isinstance(reply, Refused):
            assert reply.reason is not Refusal.EMBARGOED

    def _poll(self, boot: Boot, lease_id: str, store: LeaseStore, *, late: bool) -> None:
        if lease_id not in boot.gates:
            return
        sent_ms = self._slow()
        view = store.view(TARGET)
        # Only the TTL of the protocol counts, see STORED_TTL_MS.
        life_ms = 2 * TIMING.ttl_ms if view.pttl_ms > 0 else view.pttl_ms
        view = view.model_copy(update={"ttl_ms": TIMING.ttl_ms, "pttl_ms": life_ms})
        if late:
            boot.pending.append((lease_id, view, sent_ms))
        else:
            self._judge(boot, lease_id, view, sent_ms)

    def _judge(self, boot: Boot, lease_id: str, view: LeaseView, sent_ms: int) -> None:
        answer = boot.gates[lease_id].on_poll(view, sent_ms=sent_ms, now_ms=self._slow())
        if isinstance(answer, Shut) and answer.cut:
            self._cut(boot, lease_id)
        elif isinstance(answer, Shut) and answer.reason == NOT_ATTACHED:
            self._attach(boot, lease_id, self.primary.store())

    def _cut(self, boot: Boot, lease_id: str) -> None:
        """Abort the connections: what has left may arrive for Q, counted from the cut (or from D)."""
        cut_ms = min(self.now_ms + TIMING.unknown_ms * SLOW, self._latest_arrival(boot, lease_id))
        for call in boot.calls:
            if call.lease_id == lease_id:
                call.until_ms = min(call.until_ms, cut_ms)

    def _look(self, which: int, *, deposed: bool = False) -> None:
        view = self._server(deposed).store().view(TARGET)
        view = view.model_copy(update={"ttl_ms": TIMING.ttl_ms if view.ttl_ms else 0})
        now_ms = self._fast()
        actions = self.observers[which].on_view(view, replied_ms=now_ms, now_ms=now_ms, db_epoch=self.db_epoch)
        self.due.extend(action for action in actions if action not in self.due)
        del self.due[:-8]
