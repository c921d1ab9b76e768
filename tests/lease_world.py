"""The lease protocol in the hands of a hostile scheduler: several holders, proxies and observers on one target.

`LeaseWorld` is a Hypothesis state machine. Each rule is one step that a part of the system may take, in any order:
replies are lost or come late, commands are executed late and twice, proxies reboot, keys vanish, the server restarts
empty or with old data, a failover loses writes and leaves a deposed primary that goes on answering. Time is a manual
clock; the hosts' own clocks run at different rates. After every step the world checks what the protocol promises.

Steps are chosen at random, but large enough to get somewhere: `take` and `work` open gates, `somebody_wants_it…` waits
as long as an observer has to and acquires; the rules between them are what may go wrong meanwhile.
tests/lease_mutants.py holds the proof that this finds something.

The same machine runs on fakeredis (unit tests) and on real Valkey servers (integration tests).
"""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from shared.errors import PeerError
from shared.lease import commands, keys
from shared.lease.commands import Attached, Command, Granted, Refusal, Refused, Renewed
from shared.lease.gate import NOT_ATTACHED, ProxyGate, Shut
from shared.lease.machine import State
from shared.lease.observer import Action, Clear, Mark, TargetObserver
from shared.lease.store import LeaseStore
from shared.lease.timing import LeaseTiming
from shared.lease.view import LeaseView
from shared.testing import FakeServer

TARGET = "web.eu"
TIMING = LeaseTiming(ttl_ms=10_000)
MAX_EPOCH = 12
HOW = ["usual", "usual", "slow attach", "slow network", "no attach"]
"""How a run works."""
MAX_SENT = 24
"""Commands that may arrive once more."""
STORED_TTL_MS = 3_600_000
"""Redis's own clock plays no part here: keys vanish by a rule, not because the test is slow."""
SLOW, FAST = 0.995, 1.005
"""Rates of the proxies' and the observers' clocks: as far apart as rho allows, in the dangerous direction."""


THEMES: dict[str, set[str]] = {
    "silence": {"now", "wait", "long", "hangs", "works"},
    "hand-over": {"now", "cut", "ends", "attach"},
    "proxies": {"now", "cut", "work", "reboot"},
    "network": {"now", "wait", "work", "cut", "arrive"},
    "late commands": {"now", "cut", "again"},
    "losses": {"now", "again", "vanish"},
    "restarts": {"long", "empties"},
    "embargoes": {"now", "wait", "ends", "empties"},
    "stopped": {"wait", "goes on"},
    "deletions": {"now", "again", "deleted"},
    "slow network": {"wait", "work"},
    "cuts": {"now", "cut", "arrive"},
    "failover": {"now", "ends", "works"},
    "observers": {"now", "stopped", "goes on", "act", "watch", "vanish", "ends", "forget"},
}
"""What may happen in one example, besides everything: a few kinds of steps together get further than all of them."""


def themed(kind: str) -> Callable[[Any], bool]:
    """Return a precondition: this kind of step belongs to the theme of the example."""
    return lambda world: kind in THEMES.get(world.theme, {kind})


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


class Recorder:
    """Sends commands through a store's own sender and remembers them, so that each can arrive once more."""

    def __init__(self, world: LeaseWorld, backend: Backend) -> None:
        self.world, self.backend = world, backend
        self.store = backend.store()
        self.sender = self.store._sender
        self.store._sender = self  # type: ignore[assignment]  # it has what single commands need

    def run(self, command: Command[Any]) -> Any:
        """Send one command and check what it granted."""
        call = command.call
        if call.script == "view":
            return self.sender.run(command)
        if call not in [old.call for old in self.world.sent]:
            self.world.sent.append(command)
            del self.world.sent[:-MAX_SENT]
        if call.script == "attach":
            reply = self.sender.run(command)
            seen: LeaseView = self.sender.run(commands.view(TARGET))
            assert not isinstance(reply, Attached) or seen.state is State.HELD, (
                f"attached to a lease that is {seen.state}"
            )
            return reply
        if call.script != "acquire" or self.backend is not self.world.primary:
            return self.sender.run(command)
        before: LeaseView = self.sender.run(commands.view(TARGET))
        reply = self.sender.run(command)
        if isinstance(reply, Granted) and reply.lease_id != before.lease_id:
            self.world.check_grant(before, reply)
        return reply


class LeaseWorld(RuleBasedStateMachine):
    """See the module's text. Subclasses say on which servers it runs."""

    make_backends: Callable[[], tuple[Backend, Backend]] = staticmethod(lambda: (FakeServer(), FakeServer()))
    observer_class: type[TargetObserver] = TargetObserver
    gate_class: type[ProxyGate] = ProxyGate
    observer_timing: LeaseTiming = TIMING
    themes: Sequence[str] = ("everything", *THEMES)
    how: Sequence[str] = HOW
    waits_for_replicas = True
    """Whether a holder confirms only what WAIT said to be on the replica."""

    def __init__(self) -> None:
        super().__init__()
        self.now_ms = 1_000_000.0  # true time
        self.primary, self.spare = type(self).make_backends()
        self.deposed: Backend | None = None
        self.db_epoch = 0
        self.nonce = 0
        self.theme = "everything"
        self.holders: list[Holder] = []
        self.sent: list[Command[Any]] = []
        self.stopped: list[tuple[LeaseView, int] | None] = [None, None]
        self.recorders = {id(backend): Recorder(self, backend) for backend in (self.primary, self.spare)}
        self.observers = [self.observer_class(TARGET, self.observer_timing) for _ in range(2)]
        self.due: list[Action] = []
        self.boots = [self._boot("p1"), self._boot("p2")]
        self.dead: list[Boot] = []
        self.replica: dict[str, Any] = {}
        self.highest_open = 0

    @initialize(data=st.data())
    def first_run(self, data: st.DataObject) -> None:
        """A new installation: the target is cleared before it is first claimed; then the first run begins."""
        while self._store().view(TARGET).embargoed:
            self._look(0)
            while self.due:
                self._act(self.due.pop(), deposed=False)
        self.replica = snapshot(self.primary)
        self.theme = data.draw(st.sampled_from(self.themes), label="theme")
        self._acquire(self._claim(), self._store(), lost=False)
        self._work(data, self.holders[0].lease_id, how=data.draw(st.sampled_from(self.how), label="how"))

    # Time

    @precondition(themed("time"))
    @rule(ms=st.sampled_from([1, 500, 2_000, 5_000, 9_000]))
    def time_passes(self, ms: int) -> None:
        self.now_ms += ms

    # The database and the holders

    @precondition(themed("take"))
    @rule(data=st.data(), claim=st.booleans(), deposed=st.booleans(), lost=st.sampled_from([False, False, True]))
    def take(self, data: st.DataObject, claim: bool, deposed: bool, lost: bool) -> None:
        """Claim the next epoch, or try again with an old one; acquire; begin to work.

        The database may give out the next epoch whenever it likes: safety does not rest on its timing.
        """
        if self.db_epoch < MAX_EPOCH and (claim or not self.holders):
            holder = self._claim()
        else:
            holder = data.draw(st.sampled_from(self.holders))
        self._acquire(holder, self._store(deposed), lost=lost)
        if holder.lease_id and not deposed:
            self._work(data, holder.lease_id, how=data.draw(st.sampled_from(self.how), label="how"))

    @precondition(themed("work"))
    @precondition(lambda self: any(holder.lease_id for holder in self.holders))
    @rule(data=st.data())
    def work(self, data: st.DataObject) -> None:
        """Attach, poll, renew, confirm, poll, sign: with some of the proxies, slow ones, or a slow network."""
        self._work(data, self._granted(data).lease_id, how=data.draw(st.sampled_from(self.how), label="how"))

    @precondition(themed("works"))
    @precondition(lambda self: any(holder.lease_id for holder in self.holders))
    @rule(data=st.data(), deposed=st.booleans())
    def work_for_long(self, data: st.DataObject, deposed: bool) -> None:
        """Half a minute of ordinary work, perhaps with a deposed primary; an observer watches the other."""
        lease_id, boots = self._granted(data).lease_id, data.draw(st.sampled_from([self.boots, self.boots[:1]]))
        for _ in range(6):
            self._look(0)
            self.now_ms += 4_500
            self._work_with(boots, lease_id, how="usual", deposed=deposed)
        self._look(0)

    @precondition(themed("hangs"))
    @rule()
    def the_holder_hangs(self) -> None:
        """Half a minute in which nothing is renewed; the proxies go on polling, an observer goes on watching."""
        for _ in range(6):
            self._look(0)
            self.now_ms += 4_500
            for boot in self.boots:
                for lease_id in [name for name, gate in boot.gates.items() if not gate.burned]:
                    self._poll(boot, lease_id, self._store(), late=False)
                    self._sign(boot, lease_id)
        self._look(0)

    def _work(self, data: st.DataObject, lease_id: str, *, how: str) -> None:
        boots = data.draw(st.sampled_from([self.boots, self.boots, self.boots[:1], self.boots[1:]]))
        self._work_with(boots, lease_id, how=how)

    def _work_with(self, boots: list[Boot], lease_id: str, *, how: str, deposed: bool = False) -> None:
        store = self._store(deposed)
        for boot in boots:
            if how in ("slow attach", "no attach"):
                self._gate_of(boot, lease_id)
            else:
                self._attach(boot, lease_id, store)
            self._poll(boot, lease_id, store, late=how == "slow network", attach=False)
        reply = store.renew(TARGET, lease_id)
        if isinstance(reply, Renewed) and self._reaches_the_replica(deposed):
            store.confirm(TARGET, lease_id, reply.incarnation, reply.seq)
        if how == "slow attach":
            self._stop_after_look(0)
            for boot in boots:
                self._attach(boot, lease_id, store)
        for which in range(2):
            self._look(which)
        self.now_ms += 8_000 if how == "slow network" else 500
        for boot in boots:
            while boot.pending:
                self._judge(boot, *boot.pending.pop(0))
                self.now_ms += 2
            self._poll(boot, lease_id, store, late=False, attach=how != "no attach")
            if lease_id in boot.gates:
                self._sign(boot, lease_id)

    def _reaches_the_replica(self, deposed: bool) -> bool:
        """What WAIT answers: a deposed primary has no replica any more."""
        if deposed and self.deposed is not None:
            return not self.waits_for_replicas
        self.replica = snapshot(self.primary)
        return True

    @precondition(themed("renew"))
    @precondition(lambda self: any(holder.lease_id for holder in self.holders))
    @rule(data=st.data(), deposed=st.booleans(), reply_lost=st.booleans())
    def renew(self, data: st.DataObject, deposed: bool, reply_lost: bool) -> None:
        holder = self._granted(data)
        reply = self._store(deposed).renew(TARGET, holder.lease_id)
        if isinstance(reply, Renewed) and not reply_lost:
            holder.unconfirmed = (reply.incarnation, reply.seq)

    @precondition(themed("confirm"))
    @precondition(lambda self: any(holder.unconfirmed or holder.durable for holder in self.holders))
    @rule(data=st.data(), deposed=st.booleans(), again=st.booleans())
    def confirm(self, data: st.DataObject, deposed: bool, again: bool) -> None:
        """WAIT says yes only where the replicas are, and then they have everything; CONFIRM may come late."""
        holder = data.draw(st.sampled_from([h for h in self.holders if h.unconfirmed or h.durable]))
        if holder.unconfirmed:
            unconfirmed, holder.unconfirmed = holder.unconfirmed, None
            if self._reaches_the_replica(unconfirmed[0] != self._store().view(TARGET).incarnation):
                holder.durable = unconfirmed
            return
        assert holder.durable is not None
        self._store(deposed).confirm(TARGET, holder.lease_id, *holder.durable)
        if not again:
            holder.durable = None

    @precondition(themed("give_up"))
    @precondition(lambda self: any(holder.lease_id for holder in self.holders))
    @rule(data=st.data(), deposed=st.booleans(), operator=st.booleans())
    def give_up(self, data: st.DataObject, deposed: bool, operator: bool) -> None:
        holder, store = self._granted(data), self._store(deposed)
        if operator:
            store.revoke(TARGET, holder.lease_id, "operator")
        else:
            store.release(TARGET, holder.lease_id)

    # The proxies

    @precondition(themed("attach"))
    @precondition(lambda self: any(holder.lease_id for holder in self.holders))
    @rule(data=st.data(), deposed=st.booleans())
    def attach(self, data: st.DataObject, deposed: bool) -> None:
        boot, holder = data.draw(st.sampled_from(self.boots)), self._granted(data)
        self._attach(boot, holder.lease_id, self._store(deposed))

    @precondition(themed("poll"))
    @precondition(lambda self: any(boot.gates for boot in self.boots))
    @rule(data=st.data(), deposed=st.booleans(), late=st.booleans())
    def poll(self, data: st.DataObject, deposed: bool, late: bool) -> None:
        boot, lease_id = self._gate(data)
        self._poll(boot, lease_id, self._store(deposed), late=late)
        self._sign(boot, lease_id)

    @precondition(themed("arrive"))
    @precondition(lambda self: any(boot.pending for boot in self.boots))
    @rule(data=st.data())
    def a_late_reply_arrives(self, data: st.DataObject) -> None:
        boot = data.draw(st.sampled_from([boot for boot in self.boots if boot.pending]))
        lease_id, view, sent_ms = boot.pending.pop(data.draw(st.integers(0, len(boot.pending) - 1)))
        self._judge(boot, lease_id, view, sent_ms)
        self._sign(boot, lease_id)

    @precondition(themed("answers"))
    @precondition(lambda self: any(boot.calls for boot in self.boots))
    @rule(data=st.data())
    def answers_arrive(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from([boot for boot in self.boots if boot.calls])).calls.clear()

    @precondition(themed("cut"))
    @precondition(lambda self: any(boot.gates for boot in self.boots))
    @rule(data=st.data(), deposed=st.booleans(), revoke=st.booleans(), lost=st.sampled_from([False, False, True]))
    def cut(self, data: st.DataObject, deposed: bool, revoke: bool, lost: bool) -> None:
        """The worker died, or D passed: shut, cut, revoke, acknowledge; any of the last two may get lost."""
        boot, lease_id = self._gate(data)
        how = data.draw(st.sampled_from(["", "answered", "polling"]), label="how")
        if how:
            boot.calls.clear()
        if how == "polling":
            self.now_ms += 2
            self._poll(boot, lease_id, self._store(deposed), late=True)
        boot.gates[lease_id].shut("worker died")
        self._cut(boot, lease_id)
        store = self._store(deposed)
        if revoke:
            store.revoke(TARGET, lease_id, "worker died")
        if not lost:
            unknown = [c for c in boot.calls if c.lease_id == lease_id and c.until_ms > self.now_ms]
            store.acknowledge(TARGET, lease_id, boot.proxy_id, boot.boot_id, len(unknown))

    @precondition(themed("reboot"))
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

    @precondition(themed("watch"))
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

    @precondition(themed("now"))
    @rule(data=st.data(), which=st.integers(0, 1))
    def somebody_wants_it_now(self, data: st.DataObject, which: int) -> None:
        """Perhaps the holder is asked to go first."""
        if data.draw(st.booleans(), label="asked"):
            self._store().revoke(TARGET, self._granted(data).lease_id, "wanted")
        self._want(data, which, sleeps=False, wait_ms=0)

    @precondition(themed("wait"))
    @rule(
        data=st.data(), which=st.integers(0, 1), sleeps=st.booleans(), wait_ms=st.sampled_from([12_500, 15_500, 20_000])
    )
    def somebody_wants_it_and_waits(self, data: st.DataObject, which: int, sleeps: bool, wait_ms: int) -> None:
        """A little more than W, than Q, and than TTL + D."""
        self._want(data, which, sleeps=sleeps, wait_ms=wait_ms)

    @precondition(themed("long"))
    @rule(data=st.data(), which=st.integers(0, 1), sleeps=st.booleans())
    def somebody_wants_it_and_waits_long(self, data: st.DataObject, which: int, sleeps: bool) -> None:
        """A little more than W + Q."""
        self._want(data, which, sleeps=sleeps, wait_ms=27_500)

    def _want(self, data: st.DataObject, which: int, *, sleeps: bool, wait_ms: float) -> None:
        """An observer looks, waits, acts; then the next epoch acquires, or an old one."""
        for _ in range(2):
            self._look(which)
            self._do_what_is_due()
            self.now_ms += 1
        while wait_ms > 0:
            step_ms = wait_ms if sleeps else min(wait_ms, 3_000)
            self.now_ms += step_ms
            wait_ms -= step_ms
            self._look(which)
        self._do_what_is_due()
        who = data.draw(st.sampled_from(["next", "next", "first", "first", "any"]), label="who")
        if who == "next" and self.db_epoch < MAX_EPOCH:
            holder = self._claim()
        else:
            holder = self.holders[0] if who == "first" else data.draw(st.sampled_from(self.holders))
        if self._acquire(holder, self._store(), lost=False) and data.draw(
            st.sampled_from([True, True, False]), label="works"
        ):
            self._work(data, holder.lease_id, how=data.draw(st.sampled_from(self.how), label="how"))

    @precondition(themed("stopped"))
    @rule(which=st.integers(0, 1))
    def an_observer_is_stopped_after_its_look(self, which: int) -> None:
        self._stop_after_look(which)

    @precondition(themed("goes on"))
    @precondition(lambda self: any(self.stopped))
    @rule(which=st.integers(0, 1))
    def a_stopped_observer_goes_on(self, which: int) -> None:
        """It judges what it saw then by the time that it is now, and acts; somebody was waiting for that."""
        stopped, self.stopped[which] = self.stopped[which], None
        if stopped is not None:
            self._judge_look(which, *stopped)
            self._do_what_is_due()
            self._acquire(self._claim() if self.db_epoch < MAX_EPOCH else self.holders[-1], self._store(), lost=False)

    @precondition(themed("forget"))
    @rule(which=st.integers(0, 1))
    def an_observer_forgets(self, which: int) -> None:
        self.observers[which] = self.observer_class(TARGET, self.observer_timing)

    @precondition(themed("act"))
    @precondition(lambda self: self.due)
    @rule(data=st.data(), deposed=st.booleans(), again=st.booleans())
    def act_late(self, data: st.DataObject, deposed: bool, again: bool) -> None:
        """Carry out something that was due much earlier, perhaps twice, perhaps at the wrong server."""
        action = data.draw(st.sampled_from(self.due))
        if not again:
            self.due.remove(action)
        self._act(action, deposed)

    # Messages

    @precondition(themed("again"))
    @precondition(lambda self: self.sent)
    @rule(data=st.data(), deposed=st.sampled_from([False, False, True]))
    def a_command_arrives_again(self, data: st.DataObject, deposed: bool) -> None:
        """The network delivered it twice, or its sender saw a connection break and sent it again; the reply is lost."""
        kinds = sorted({command.call.script for command in self.sent})
        kind = data.draw(st.sampled_from(kinds), label="kind")
        alike = [old for old in self.sent if old.call.script == kind]
        for command in data.draw(st.sampled_from([alike, alike[-1:], alike[:1]]), label="commands"):
            with contextlib.suppress(PeerError):
                self._recorder(deposed).run(command)

    # Faults of the server

    @precondition(themed("vanish"))
    @rule(fault=st.sampled_from(["lease key", "attach records", "everything", "mark", "replicate"]))
    def something_vanishes(self, fault: str) -> None:
        """A key may vanish at any time: that covers every jump of Redis's wall clock, eviction and DEL."""
        names = keys.target_keys(TARGET)
        if fault == "replicate":
            self.replica = snapshot(self.primary)
        elif fault == "lease key":
            self.primary.client.delete(names.lease)
        elif fault == "attach records":
            self.primary.client.delete(names.attach)
        elif fault == "mark":
            self.primary.client.delete(names.absence)
        else:
            self.primary.client.delete(*names.as_list())

    @precondition(themed("deleted"))
    @rule()
    def the_state_is_deleted(self) -> None:
        self.primary.client.delete(keys.target_keys(TARGET).state)

    @precondition(themed("empties"))
    @rule()
    def the_server_comes_back_empty(self) -> None:
        self.primary.restart(empty=True)
        self.replica = snapshot(self.primary)

    @precondition(themed("ends"))
    @rule(fault=st.sampled_from(["failover", "failover", "kept", "old"]))
    def the_server_ends(self, fault: str) -> None:
        """It comes back with all data or what was on disk; or the replica is promoted without the writes it never got,
        and the deposed primary goes on answering."""
        if fault == "failover":
            if self.deposed is None:
                restore(self.spare, self.replica)
                self.spare.fail_over()
                self.primary, self.deposed = self.spare, self.primary
            return
        self.primary.restart(empty=False)
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

    def check_grant(self, before: LeaseView, grant: Granted) -> None:
        assert not before.embargoed
        assert before.state is not None
        assert before.state.grantable
        assert grant.epoch > before.epoch
        assert grant.epoch >= self.highest_open, (
            f"epoch {grant.epoch} is granted after epoch {self.highest_open} signed"
        )
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

    def _claim(self) -> Holder:
        self.db_epoch += 1
        self.holders.append(Holder(epoch=self.db_epoch, acquire_id=self._nonce()))
        return self.holders[-1]

    def _do_what_is_due(self) -> None:
        while self.due:
            self._act(self.due.pop(), deposed=False)

    def _acquire(self, holder: Holder, store: LeaseStore, *, lost: bool) -> bool:
        reply = store.acquire(
            TARGET,
            epoch=holder.epoch,
            acquire_id=holder.acquire_id,
            ttl_ms=STORED_TTL_MS,
            holder="h",
            run_id="r",
            node="n",
        )
        if not isinstance(reply, Granted):
            return False
        if not lost and not holder.lease_id:
            holder.lease_id = reply.lease_id
            holder.unconfirmed = (reply.incarnation, reply.seq)
        return bool(holder.lease_id)

    def _act(self, action: Action, deposed: bool) -> None:
        store = self._store(deposed)
        if isinstance(action, Clear):
            store.clear(TARGET, action.incarnation, action.epoch, absence=action.absence)
        elif isinstance(action, Mark):
            store.mark(TARGET, action.incarnation)
        else:
            store.expire(TARGET, action.incarnation, action.lease_id, action.seq, waited_unknown=action.waited_unknown)

    def _sign(self, boot: Boot, lease_id: str) -> None:
        if boot.gates[lease_id].check(self._slow()).allowed:
            boot.calls.append(Call(lease_id=lease_id))

    def _recorder(self, deposed: bool = False) -> Recorder:
        return self.recorders[id(self.deposed if deposed and self.deposed is not None else self.primary)]

    def _store(self, deposed: bool = False) -> LeaseStore:
        return self._recorder(deposed).store

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
        granted = [holder for holder in self.holders if holder.lease_id]
        return data.draw(st.sampled_from([granted[-1], granted[-1], *granted]))

    def _gate(self, data: st.DataObject) -> tuple[Boot, str]:
        pairs = [(boot, lease_id) for boot in self.boots for lease_id in boot.gates]
        alive = [(boot, lease_id) for boot, lease_id in pairs if not boot.gates[lease_id].burned]
        return data.draw(st.sampled_from(alive * 3 + pairs))

    def _attach(self, boot: Boot, lease_id: str, store: LeaseStore) -> None:
        reply = store.attach(TARGET, lease_id, boot.proxy_id, boot.boot_id)
        if isinstance(reply, Attached):
            self._gate_of(boot, lease_id)
        if isinstance(reply, Refused):
            assert reply.reason is not Refusal.EMBARGOED

    def _gate_of(self, boot: Boot, lease_id: str) -> ProxyGate:
        if lease_id not in boot.gates:
            boot.gates[lease_id] = self.gate_class(lease_id, TARGET, boot.proxy_id, boot.boot_id, TIMING)
        return boot.gates[lease_id]

    def _poll(self, boot: Boot, lease_id: str, store: LeaseStore, *, late: bool, attach: bool = True) -> None:
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
            self._judge(boot, lease_id, view, sent_ms, attach=attach)

    def _judge(self, boot: Boot, lease_id: str, view: LeaseView, sent_ms: int, *, attach: bool = True) -> None:
        answer = boot.gates[lease_id].on_poll(view, sent_ms=sent_ms, now_ms=self._slow())
        if isinstance(answer, Shut) and answer.cut:
            self._cut(boot, lease_id)
        elif attach and isinstance(answer, Shut) and answer.reason == NOT_ATTACHED:
            self._attach(boot, lease_id, self._store())

    def _cut(self, boot: Boot, lease_id: str) -> None:
        """Abort the connections: what has left may arrive for Q, counted from the cut (or from D)."""
        cut_ms = min(self.now_ms + TIMING.unknown_ms * SLOW, self._latest_arrival(boot, lease_id))
        for call in boot.calls:
            if call.lease_id == lease_id:
                call.until_ms = min(call.until_ms, cut_ms)

    def _look(self, which: int, *, deposed: bool = False) -> None:
        self._judge_look(which, self._store(deposed).view(TARGET), self._fast())

    def _stop_after_look(self, which: int) -> None:
        self.stopped[which] = (self._store().view(TARGET), self._fast())

    def _judge_look(self, which: int, view: LeaseView, replied_ms: int) -> None:
        view = view.model_copy(update={"ttl_ms": TIMING.ttl_ms if view.ttl_ms else 0})
        actions = self.observers[which].on_view(
            view, replied_ms=replied_ms, now_ms=self._fast(), db_epoch=self.db_epoch
        )
        self.due.extend(action for action in actions if action not in self.due)
        del self.due[:-8]
