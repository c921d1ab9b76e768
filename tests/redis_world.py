"""A worker, a proxy and an observer around one target, as threads with the real protocol objects on real servers.

Each has a store of its own, as the processes have. The proxy "signs" as often as it can: whenever its gate says that a
call may leave. What was signed is the only thing that the tests judge by.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from typing import Self

from shared.clock import SystemClock
from shared.errors import InterlockError
from shared.lease.commands import Granted, Refusal, Refused, Renewed
from shared.lease.gate import NOT_ATTACHED, Open, ProxyGate, Shut
from shared.lease.holder import HolderDeadline
from shared.lease.observer import Clear, Expire, TargetObserver
from shared.lease.store import LeaseStore, connect
from shared.lease.timing import LeaseTiming

TIMEOUT_S = 1.0
DURABLE_MS = 1_000
OBSERVE_S = 0.05
SIGN_S = 0.002
CLOCK = SystemClock()


class Part:
    """A thread that repeats a step until it is stopped. What goes wrong in it fails the test that closes it."""

    def __init__(self, name: str, store: LeaseStore) -> None:
        self.store = store
        self.errors: list[InterlockError] = []
        """Answers that Redis did not give; a part goes on after them."""
        self._problem: BaseException | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> Self:
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop it, as SIGKILL would: nothing is given back."""
        self._stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive(), self._thread.name
        self.store.close()
        if self._problem is not None:
            raise self._problem

    def step(self) -> float:
        """Do one thing; the seconds until the next."""
        raise NotImplementedError

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                pause_s = self.step()
            except InterlockError as error:
                self.errors.append(error)
                pause_s = 0.05
            except BaseException as error:
                self._problem = error
                return
            self._stop.wait(pause_s)


class Holder(Part):
    """A worker: acquires, makes durable, confirms, renews; stops at its own deadline or at a refusal."""

    def __init__(self, store: LeaseStore, target: str, epoch: int, timing: LeaseTiming) -> None:
        super().__init__(f"holder {epoch}", store)
        self.target, self.epoch, self.timing = target, epoch, timing
        self.acquire_id = secrets.token_hex(16)
        self.lease_id: str | None = None
        """The lease, once it counts."""
        self.granted_ms: int | None = None
        """When it began to count."""
        self.refusals: set[Refusal] = set()
        """Why it had to wait, or was turned away."""
        self.renewals = 0
        """Accepted ones."""
        self.confirmations = 0
        """Confirmed ones: only these let a proxy go on."""
        self.incarnations: set[str] = set()
        """Servers that confirmed one."""
        self.over = False
        self._deadline = HolderDeadline(timing)

    def step(self) -> float:
        if self.over:
            return 0.05
        sent_ms = CLOCK.boot_ms()
        if self.lease_id is None:
            return self._acquire(sent_ms)
        if self._deadline.expired(sent_ms):
            self.over = True
            return 0.05
        reply = self.store.renew(self.target, self.lease_id)
        if isinstance(reply, Refused):
            self.refusals.add(reply.reason)
            self.over = True
            return 0.05
        assert isinstance(reply, Renewed)
        self.renewals += 1
        if self._confirmed(reply.incarnation, reply.seq):
            self._deadline.on_renewed(sent_ms, reply.seq)
            return self.timing.renew_ms / 1000
        return 0.05

    def _acquire(self, sent_ms: int) -> float:
        reply = self.store.acquire(
            self.target, epoch=self.epoch, acquire_id=self.acquire_id, ttl_ms=self.timing.ttl_ms,
            holder=f"h{self.epoch}", run_id=f"run-{self.epoch}", node=f"host-{self.epoch}",
        )  # fmt: skip
        if isinstance(reply, Refused):
            self.refusals.add(reply.reason)
            return 0.05
        assert isinstance(reply, Granted)
        if self._confirmed(reply.incarnation, reply.seq):
            self._deadline.on_renewed(sent_ms, reply.seq)
            self.granted_ms, self.lease_id = CLOCK.boot_ms(), reply.lease_id
            return self.timing.renew_ms / 1000
        return 0.05

    def _confirmed(self, incarnation: str, seq: int) -> bool:
        lease_id = self.lease_id or self._granted_id()
        durable = self.store.durable(self.target, DURABLE_MS)
        if not durable or not self.store.confirm(self.target, lease_id, incarnation, seq):
            return False
        self.confirmations += 1
        self.incarnations.add(incarnation)
        return True

    def _granted_id(self) -> str:
        return self.store.view(self.target).lease_id


class Proxy(Part):
    """A proxy boot that serves one lease: attaches, polls, attaches anew in a new incarnation, acknowledges its end."""

    def __init__(self, store: LeaseStore, holder: Holder, signed: list[tuple[int, int]]) -> None:
        super().__init__(f"proxy {holder.epoch}", store)
        assert holder.lease_id is not None
        self.holder, self.target, self.lease_id = holder, holder.target, holder.lease_id
        self.node, self.boot = f"host-{holder.epoch}", secrets.token_hex(16)
        self.gate = ProxyGate(self.lease_id, self.target, self.node, self.boot, holder.timing)
        self.opened: list[int] = []
        """Deadlines that were opened."""
        self._signed = signed
        self._signer = threading.Thread(target=self._sign, name=f"signer {holder.epoch}", daemon=True)

    def start(self) -> Self:
        self._signer.start()
        return super().start()

    def close(self) -> None:
        self._stop.set()
        self._signer.join(60)
        super().close()

    @property
    def open(self) -> bool:
        return self.gate.check(CLOCK.boot_ms()).allowed

    def step(self) -> float:
        sent_ms = CLOCK.boot_ms()
        (view,) = self.store.views([self.target])
        if isinstance(view, InterlockError):
            raise view
        result = self.gate.on_poll(view, sent_ms=sent_ms, now_ms=CLOCK.boot_ms())
        if isinstance(result, Open):
            self.opened.append(result.deadline_ms)
        elif isinstance(result, Shut) and result.cut and view.lease_id == self.lease_id:
            self.store.revoke(self.target, self.lease_id, result.reason)
            self.store.acknowledge(self.target, self.lease_id, self.node, self.boot, 0)
        elif result.reason == NOT_ATTACHED:
            self.store.attach(self.target, self.lease_id, self.node, self.boot)
        return self.holder.timing.poll_ms / 1000

    def _sign(self) -> None:
        while not self._stop.wait(SIGN_S):
            # In this order: a call may be late, but is not dated earlier than it was allowed.
            now_ms = CLOCK.boot_ms()
            if self.gate.check(now_ms).allowed:
                self._signed.append((now_ms, self.holder.epoch))


class Observer(Part):
    """An observer of one target, as the scheduler has it."""

    def __init__(self, store: LeaseStore, target: str, timing: LeaseTiming, db_epoch: Callable[[], int]) -> None:
        super().__init__(f"observer of {target}", store)
        self.target = target
        self._observer = TargetObserver(target, timing)
        self._db_epoch = db_epoch
        self.first_seen_ms: dict[str, int] = {}
        """When each incarnation was seen for the first time."""
        self.cleared_ms: dict[str, int] = {}
        """When each incarnation's embargo ended."""
        self.expired: list[str] = []
        """Leases that it ended."""

    def step(self) -> float:
        view = self.store.view(self.target)
        replied_ms = CLOCK.boot_ms()
        self.first_seen_ms.setdefault(view.incarnation, replied_ms)
        actions = self._observer.on_view(view, replied_ms=replied_ms, now_ms=CLOCK.boot_ms(), db_epoch=self._db_epoch())
        for action in actions:
            if isinstance(action, Expire):
                self.store.expire(
                    self.target, action.incarnation, action.lease_id, action.seq, waited_unknown=action.waited_unknown
                )
                self.expired.append(action.lease_id)
            elif isinstance(action, Clear):
                self.store.clear(self.target, action.incarnation, self._db_epoch(), absence=action.absence)
                self.cleared_ms.setdefault(action.incarnation, CLOCK.boot_ms())
            else:
                self.store.mark(self.target, action.incarnation)
        return OBSERVE_S


class World:
    """One target: its claims, holders, proxies and observer, and what was signed."""

    def __init__(self, url: str, *, replicas: int, target: str = "web.eu", timing: LeaseTiming) -> None:
        """Start the observer on the servers of `url`, each of whose primaries has `replicas` replicas."""
        self.url, self.replicas, self.target, self.timing = url, replicas, target, timing
        self.epoch = 0
        self.signed: list[tuple[int, int]] = []
        """(boot time in ms, epoch) of every call that was signed."""
        self._parts: list[Part] = []
        self.observer = Observer(self.store(), target, timing, lambda: self.epoch)
        self._begin(self.observer)

    def store(self, url: str | None = None) -> LeaseStore:
        """A store of its own; at another server than everybody's where `url` names one."""
        return LeaseStore(connect(url or self.url, timeout_s=TIMEOUT_S), replicas=self.replicas)

    def claim(self, *, url: str | None = None) -> Holder:
        """The next epoch, whose worker begins to ask for the lease."""
        self.epoch += 1
        return self._begin(Holder(self.store(url), self.target, self.epoch, self.timing))

    def serve(self, holder: Holder, *, url: str | None = None) -> Proxy:
        """A proxy for the lease that `holder` has."""
        return self._begin(Proxy(self.store(url), holder, self.signed))

    def last_signed_ms(self, epoch: int) -> int:
        """When the last call of `epoch` was signed."""
        return max(at_ms for at_ms, of in self.signed if of == epoch)

    def overlaps(self) -> list[tuple[int, int]]:
        """Calls of an epoch that were signed after one of a later epoch."""
        wrong, highest = [], 0
        for at_ms, epoch in sorted(self.signed):
            if epoch < highest:
                wrong.append((at_ms, epoch))
            highest = max(highest, epoch)
        return wrong

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        problems = []
        for part in self._parts:
            try:
                part.close()
            except BaseException as error:
                problems.append(error)
        if problems:
            raise problems[0]

    def _begin[P: Part](self, part: P) -> P:
        self._parts.append(part)
        return part.start()
