"""Leases in view: opened, cut, acknowledged, and told to Redis until it shows."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable, Sequence

from shared.clock import ManualClock
from shared.errors import InterlockError, PeerError, Unavailable
from shared.lease.commands import Attached, Refusal, Refused
from shared.lease.gate import DEADLINE_PASSED, Open, Shut
from shared.lease.machine import State
from shared.lease.view import LeaseView
from signing_proxy.background import TaskKeeper
from signing_proxy.calls import Call
from signing_proxy.keeper import LeaseKeeper
from signing_proxy.kernel_gate import KernelLease, NoKernelGate
from signing_proxy.metrics import ProxyMetrics
from signing_proxy.runs import AttachedRun
from tests.unit.signing_proxy.helpers import BOOT, CLOUD, LEASE, TIMING, attach_message, view


class FakeLeases:
    """Answers what it is told to, and remembers what it was asked."""

    def __init__(self) -> None:
        self.shown: LeaseView | InterlockError = view(1)
        self.down = False
        self.attached: Attached | Refused = Attached(seq=1, incarnation="r:1")
        self.acknowledged: State | Refused = State.SEVERED
        self.asked: list[tuple[object, ...]] = []

    async def attach(self, target: str, lease_id: str, proxy_id: str, boot_id: str) -> Attached | Refused:
        self._note("attach", lease_id, proxy_id, boot_id)
        return self.attached

    async def revoke(self, target: str, lease_id: str, reason: str) -> State | Refused:
        self._note("revoke", lease_id, reason)
        return State.REVOKING

    async def acknowledge(
        self, target: str, lease_id: str, proxy_id: str, boot_id: str, in_flight: int
    ) -> State | Refused:
        self._note("acknowledge", lease_id, in_flight)
        return self.acknowledged

    async def views(self, targets: Sequence[str]) -> list[LeaseView | InterlockError]:
        self._note("views", *targets)
        return [self.shown for _ in targets]

    def count(self, what: str) -> int:
        return sum(1 for asked in self.asked if asked[0] == what)

    def _note(self, *asked: object) -> None:
        if self.down:
            raise Unavailable("no Redis", hint="This is a test.")
        self.asked.append(asked)


class KernelLeaseFake:
    """Notes what the kernel is told; ``broken`` makes it refuse."""

    def __init__(self) -> None:
        self.told: list[object] = []
        self.broken = False

    def open(self, deadline_ms: int) -> None:
        self._note(deadline_ms)

    def shut(self) -> None:
        self._note("shut")

    def bind(self, sock: socket.socket) -> Callable[[], None]:
        raise AssertionError("the keeper binds no socket")

    def _note(self, what: object) -> None:
        if self.broken:
            raise OSError(12, "Cannot allocate memory")
        self.told.append(what)


class KernelGateFake(NoKernelGate):
    def __init__(self) -> None:
        super().__init__("a stand-in")
        self.only = KernelLeaseFake()

    def lease(self) -> KernelLease:
        return self.only


class Scene:
    def __init__(self, *, max_runs: int = 1024) -> None:
        self.kernel_gate = KernelGateFake()
        self.kernel = self.kernel_gate.only
        self.clock = ManualClock(1000)
        self.leases = FakeLeases()
        self.metrics = ProxyMetrics()
        self.tasks = TaskKeeper()
        self.keeper = LeaseKeeper(
            leases=self.leases,
            clock=self.clock,
            metrics=self.metrics,
            tasks=self.tasks,
            proxy_id="host-a",
            boot_id=BOOT,
            poll_ms=500,
            kernel_gate=self.kernel_gate,
            max_runs=max_runs,
        )
        self.told: list[tuple[str, int]] = []

    async def attach(self) -> AttachedRun:
        result = await self.keeper.attach(attach_message())
        assert not isinstance(result, str)
        result[0].on_cut = lambda reason, in_flight: self.told.append((reason, in_flight))
        return result[0]

    async def open(self) -> AttachedRun:
        run = await self.attach()
        self.clock.advance(10)
        self.leases.shown = view(2)
        assert isinstance(await self.keeper.poll(run), Open)
        return run

    async def settle(self, condition: Callable[[], bool] = lambda: True) -> None:
        async with asyncio.timeout(30):
            while len(self.tasks) or not condition():
                await asyncio.sleep(0.001)


async def test_the_first_look_opens_nothing_and_a_renewal_after_it_does() -> None:
    scene = Scene()
    run = await scene.attach()
    assert not run.gate.check(scene.clock.boot_ms()).allowed
    scene.clock.advance(10)
    scene.leases.shown = view(2)
    result = await scene.keeper.poll(run)
    assert result == Open(deadline_ms=1000 + TIMING.holder_budget_ms)
    assert run.open
    await scene.tasks.close()


async def test_a_refused_attach_says_why_and_leaves_nothing() -> None:
    scene = Scene()
    scene.leases.attached = Refused(reason=Refusal.REVOKING, last_epoch=1)
    assert await scene.keeper.attach(attach_message()) == "revoking"
    assert scene.keeper.runs == []


async def test_a_lease_is_attached_once() -> None:
    scene = Scene()
    await scene.attach()
    assert await scene.keeper.attach(attach_message()) == "this lease is attached already"


async def test_an_attach_without_an_answer_may_be_on_record_and_is_acknowledged() -> None:
    scene = Scene()
    real = scene.leases.attach

    async def lost(*args: str) -> Attached | Refused:
        await real(*args)
        raise Unavailable("reply lost", hint="This is a test.")

    scene.leases.attach = lost  # type: ignore[method-assign]
    try:
        await scene.keeper.attach(attach_message())
        raise AssertionError("it should have said that there was no answer")
    except Unavailable:
        pass
    await scene.settle()
    assert ("acknowledge", LEASE, 0) in scene.leases.asked


async def test_a_cut_shuts_the_gate_before_it_severs() -> None:
    scene = Scene()
    run = await scene.open()
    order: list[bool] = []

    class Connection:
        def hang_up(self) -> None:
            order.append(run.gate.check(scene.clock.boot_ms()).allowed)

        def sever(self, why: str) -> None:
            self.hang_up()

    run.handlers = {Connection()}
    scene.keeper.cut(run, "worker died", revoke=True)
    assert order == [False, False]
    await scene.settle()
    assert scene.leases.asked[-2:] == [("revoke", LEASE, "worker died"), ("acknowledge", LEASE, 0)]
    assert scene.told == [("worker died", 0)]


async def test_a_second_cut_changes_nothing() -> None:
    scene = Scene()
    run = await scene.open()
    scene.keeper.cut(run, "worker died", revoke=True)
    scene.keeper.cut(run, "something else", revoke=True)
    await scene.settle()
    assert run.cut_reason == "worker died"
    assert scene.leases.count("revoke") == 1
    assert scene.metrics.registry.get_sample_value("interlock_proxy_cuts_total", {"reason": "worker died"}) == 1


async def test_a_poll_that_shows_another_state_cuts() -> None:
    scene = Scene()
    run = await scene.open()
    scene.leases.shown = view(2, state=State.REVOKING)
    result = await scene.keeper.poll(run)
    assert isinstance(result, Shut)
    assert run.cut_reason == "lease is revoking"


async def test_a_push_cuts_without_a_poll() -> None:
    scene = Scene()
    run = await scene.open()
    polls = scene.leases.count("views")
    scene.keeper.on_event(json.dumps({"target": "web.eu", "lease_id": LEASE, "state": "revoking", "epoch": 1}))
    assert run.cut_reason == "lease is revoking"
    assert scene.leases.count("views") == polls
    await scene.tasks.close()


async def test_a_push_about_another_lease_or_of_nonsense_cuts_nothing() -> None:
    scene = Scene()
    run = await scene.open()
    for event in (
        json.dumps({"lease_id": "2-" + "c" * 32, "state": "revoking"}),
        json.dumps({"lease_id": LEASE, "state": "held"}),
        json.dumps({"lease_id": LEASE, "state": "nonsense"}),
        json.dumps([]),
        "no json",
        b"\xff",
    ):
        scene.keeper.on_event(event)
    assert run.cut_reason is None
    await scene.tasks.close()


async def test_the_workers_own_release_is_no_news_to_it() -> None:
    scene = Scene()
    run = await scene.open()
    scene.keeper.on_event(json.dumps({"lease_id": LEASE, "state": "releasing"}))
    assert run.cut_reason == "lease is releasing"
    assert scene.told == []
    await scene.tasks.close()


async def test_without_answers_the_deadline_passes_and_cuts() -> None:
    scene = Scene()
    run = await scene.open()
    scene.leases.down = True
    assert isinstance(await scene.keeper.poll(run), Open)
    scene.clock.advance(TIMING.ttl_ms)
    assert isinstance(await scene.keeper.poll(run), Shut)
    assert run.cut_reason == "deadline passed"
    assert not scene.keeper.reachable
    await scene.tasks.close()


async def test_the_timer_cuts_at_the_deadline_without_a_poll() -> None:
    scene = Scene()
    run = await scene.open()
    scene.clock.advance(TIMING.ttl_ms)
    scene.keeper._deadline(run)
    assert run.cut_reason == "deadline passed"
    await scene.settle()
    assert ("revoke", LEASE, "deadline passed") in scene.leases.asked


async def test_a_timer_that_fires_early_is_set_again() -> None:
    scene = Scene()
    run = await scene.open()
    scene.keeper._deadline(run)
    assert run.cut_reason is None
    assert LEASE in scene.keeper._timers
    scene.keeper.cut(run, "worker died", revoke=False)
    assert scene.keeper._timers == {}
    await scene.tasks.close()


async def test_an_acknowledgement_that_did_not_arrive_is_repeated_until_a_poll_shows_it() -> None:
    scene = Scene()
    run = await scene.open()
    scene.leases.down = True
    scene.keeper.cut(run, "worker died", revoke=True)
    await scene.settle()
    assert not run.told.is_set()
    scene.leases.down = False
    await scene.keeper.poll(run)
    await scene.settle()
    assert scene.leases.count("revoke") == 1
    assert run.told.is_set()
    scene.leases.shown = view(2, state=State.REVOKING)
    await scene.keeper.poll(run)
    await scene.settle()
    assert scene.leases.count("acknowledge") == 2
    scene.leases.shown = view(2, state=State.REVOKING, acknowledged=True)
    await scene.keeper.poll(run)
    await scene.settle()
    assert scene.leases.count("acknowledge") == 2


async def test_calls_of_unknown_outcome_are_told_and_after_q_taken_back() -> None:
    scene = Scene()
    run = await scene.open()
    call = Call(run=run, upstream=CLOUD, sent=True)
    run.calls[call.call_id] = call
    run.settle(call, unknown=True, now_ms=scene.clock.boot_ms())
    scene.keeper.cut(run, "worker died", revoke=True)
    await scene.settle()
    assert scene.told == [("worker died", 1)]
    scene.leases.shown = view(2, state=State.REVOKING, acknowledged=True, in_flight=1)
    await scene.keeper.poll(run)
    await scene.settle()
    assert scene.leases.asked[-1] != ("acknowledge", LEASE, 0)
    scene.clock.advance(TIMING.unknown_ms)
    await scene.keeper.poll(run)
    await scene.settle()
    assert scene.leases.asked[-1] == ("acknowledge", LEASE, 0)


async def test_a_clean_end_is_acknowledged_without_a_revoke() -> None:
    scene = Scene()
    run = await scene.open()
    assert await scene.keeper.finish(run) == 0
    assert scene.leases.count("revoke") == 0
    assert scene.told == []


async def test_a_new_incarnation_is_attached_to_anew() -> None:
    scene = Scene()
    run = await scene.open()
    scene.clock.advance(10)
    moved = view(2).model_copy(update={"incarnation": "r:2", "confirmed_incarnation": "r:2"})
    scene.leases.shown = moved
    await scene.keeper.poll(run)
    await scene.settle()
    assert scene.leases.count("attach") == 2
    assert run.cut_reason is None
    assert not run.gate.check(scene.clock.boot_ms()).allowed
    await scene.tasks.close()


async def test_a_run_is_dropped_when_its_worker_is_gone_and_its_lease_is_over() -> None:
    scene = Scene()
    run = await scene.open()
    scene.keeper.cut(run, "worker died", revoke=True)
    scene.keeper.forget(run)
    scene.leases.shown = view(2, state=State.SEVERED, acknowledged=True)
    serving = asyncio.get_running_loop().create_task(scene.keeper.serve())
    async with asyncio.timeout(30):
        while scene.keeper.runs:
            await asyncio.sleep(0.001)
    serving.cancel()
    await scene.tasks.close()


async def test_stopping_cuts_and_acknowledges_every_run() -> None:
    scene = Scene()
    await scene.open()
    await scene.keeper.close()
    assert ("revoke", LEASE, "the proxy is stopping") in scene.leases.asked
    assert ("acknowledge", LEASE, 0) in scene.leases.asked
    await scene.tasks.close()


async def test_a_lease_that_was_cut_is_never_signed_for_again_even_if_redis_forgets_and_remembers() -> None:
    scene = Scene()
    run = await scene.open()
    scene.keeper.cut(run, "worker died", revoke=True)
    scene.keeper.forget(run)
    scene.leases.shown = view(2, state=None)
    serving = asyncio.get_running_loop().create_task(scene.keeper.serve())
    async with asyncio.timeout(30):
        while scene.keeper.runs:
            await asyncio.sleep(0.001)
    serving.cancel()
    scene.leases.shown = view(3)  # the old primary is back, with its old lease
    assert isinstance(await scene.keeper.attach(attach_message()), str)
    assert scene.leases.count("attach") == 1
    await scene.tasks.close()


async def test_a_lease_that_cannot_be_seen_lives_until_its_deadline_and_no_longer() -> None:
    scene = Scene()
    run = await scene.open()
    scene.leases.shown = PeerError("its keys are broken", hint="This is a test.")
    for _ in range(3):
        scene.clock.advance(10)
        await scene.keeper.poll(run)
    assert run.gate.check(scene.clock.boot_ms()).allowed
    assert scene.told == []
    scene.clock.advance(TIMING.ttl_ms)
    await scene.keeper.poll(run)
    assert not run.gate.check(scene.clock.boot_ms()).allowed
    assert [reason for reason, _ in scene.told] == [DEADLINE_PASSED]
    await scene.tasks.close()


# --- the same lease in the kernel


async def test_the_kernel_gets_each_deadline_and_is_shut_by_a_cut_before_anything_is_severed() -> None:
    scene = Scene()
    run = await scene.open()
    deadline_ms = run.gate.deadline_ms
    assert scene.kernel.told == ["shut", deadline_ms], "at first sight there is no deadline yet"
    scene.clock.advance(2000)
    scene.leases.shown = view(3)
    await scene.keeper.poll(run)
    assert scene.kernel.told[2:] == [run.gate.deadline_ms]

    class Handler:
        def hang_up(self) -> None:
            scene.kernel.told.append("hung up")

        def sever(self, why: str) -> None:
            scene.kernel.told.append("severed")

    run.handlers.add(Handler())
    scene.keeper.cut(run, "worker died", revoke=True)
    assert scene.kernel.told[3:] == ["shut", "hung up", "severed"]
    scene.leases.shown = view(4)
    await scene.keeper.poll(run)
    assert scene.kernel.told[6:] == [], "a cut lease is never opened again"
    await scene.tasks.close()


async def test_a_gate_that_pauses_is_shut_in_the_kernel_too() -> None:
    scene = Scene()
    run = await scene.open()
    scene.clock.advance(10)
    scene.leases.shown = view(3).model_copy(update={"attachments": ()})
    assert isinstance(await scene.keeper.poll(run), Shut)
    assert scene.kernel.told[-1] == "shut"
    scene.clock.advance(10)
    scene.leases.shown = view(4)
    assert isinstance(await scene.keeper.poll(run), Open)
    assert scene.kernel.told[-1] == run.gate.deadline_ms
    await scene.tasks.close()


async def test_a_lease_that_the_kernel_does_not_open_is_cut() -> None:
    scene = Scene()
    run = await scene.attach()
    scene.kernel.broken = True
    scene.clock.advance(10)
    scene.leases.shown = view(2)
    result = await scene.keeper.poll(run)
    assert result == Shut(reason="the kernel gate failed: Cannot allocate memory", cut=True)
    assert not run.gate.check(scene.clock.boot_ms()).allowed
    assert not run.open
    await scene.settle()
    assert scene.leases.count("revoke") == 1
    assert scene.leases.count("acknowledge") == 1
    failures = scene.metrics.registry.get_sample_value("interlock_proxy_kernel_gate_failures_total")
    assert failures == 2, "opening it, and shutting it"
    await scene.tasks.close()


async def test_no_more_runs_are_taken_than_files_allow() -> None:
    scene = Scene(max_runs=0)
    assert await scene.keeper.attach(attach_message()) == "this proxy serves 0 runs already"
    assert scene.leases.asked == []
    await scene.tasks.close()
