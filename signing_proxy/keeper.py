"""Keeps the leases of the attached runs in view: opens their gates, cuts them, and tells Redis about it.

Safety lies in the gate and in the sockets that ask it. This loop makes cuts prompt: on a push from Redis, on a poll,
when the deadline timer fires, when the worker's socket closes. Each of them ends in ``cut``: gate first, then the
connections, then the acknowledgement, which is repeated until a poll shows it.
"""

import asyncio
import contextlib
import json
import logging
from collections import deque
from collections.abc import Sequence
from typing import Protocol

from shared.clock import Clock
from shared.control import Attach
from shared.errors import InterlockError
from shared.lease.commands import Attached, Refused
from shared.lease.gate import DEADLINE_PASSED, NOT_ATTACHED, Open, ProxyGate, Shut
from shared.lease.machine import State
from shared.lease.view import LeaseView
from shared.log import log_event
from signing_proxy.background import TaskKeeper
from signing_proxy.kernel_gate import KernelGate, NoKernelGate
from signing_proxy.metrics import ProxyMetrics
from signing_proxy.runs import AttachedRun

logger = logging.getLogger(__name__)

MAX_RUNS = 1024
# Leases of runs that were dropped: an old one can come back with a failover, hours later it can't.
MAX_BURNED = 4096
FINISH_STEP_S = 0.02
ACK_WAIT_S = 10.0
DRAIN_WAIT_S = 2.0


class Leases(Protocol):
    """The part of the lease store that a proxy uses. Every method raises InterlockError without an answer."""

    async def attach(self, target: str, lease_id: str, proxy_id: str, boot_id: str) -> Attached | Refused:
        """Put this boot on record."""

    async def revoke(self, target: str, lease_id: str, reason: str) -> State | Refused:
        """Begin the hand-over."""

    async def acknowledge(
        self, target: str, lease_id: str, proxy_id: str, boot_id: str, in_flight: int
    ) -> State | Refused:
        """Say that the gate is shut and the connections are cut."""

    async def views(self, targets: Sequence[str]) -> Sequence[LeaseView | InterlockError]:
        """Look at the targets; an error stands for one that cannot be seen."""


class LeaseKeeper:
    """All runs of one proxy boot."""

    def __init__(
        self,
        *,
        leases: Leases,
        clock: Clock,
        metrics: ProxyMetrics,
        tasks: TaskKeeper,
        proxy_id: str,
        boot_id: str,
        poll_ms: int,
        kernel_gate: KernelGate | None = None,
        max_runs: int = MAX_RUNS,
    ) -> None:
        self._leases = leases
        self._clock = clock
        self._metrics = metrics
        self._tasks = tasks
        self._proxy_id = proxy_id
        self._boot_id = boot_id
        self._poll_s = poll_ms / 1000
        self._kernel_gate = kernel_gate or NoKernelGate("none was given")
        self._max_runs = min(max_runs, MAX_RUNS)
        self._runs: dict[str, AttachedRun] = {}
        self._burned: deque[str] = deque(maxlen=MAX_BURNED)
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._wake = asyncio.Event()
        self.reachable = False
        """Whether the last poll was answered (true with no run attached, too: then nothing is asked)."""

    @property
    def runs(self) -> list[AttachedRun]:
        """The attached runs, cut ones included until their lease is over."""
        return list(self._runs.values())

    # --- attaching

    async def attach(self, attach: Attach) -> tuple[AttachedRun, int] | str:
        """Put a run on record and look at its lease once; the reason where that is refused. Raises InterlockError.

        The look comes before the answer on purpose: a deadline needs a poll that is older than a renewal.
        """
        if attach.lease_id in self._runs:
            return "this lease is attached already"
        if attach.lease_id in self._burned:
            return "this proxy has cut this lease before and never signs for it again"
        if len(self._runs) >= self._max_runs:
            return f"this proxy serves {self._max_runs} runs already"
        gate = ProxyGate(attach.lease_id, attach.target, self._proxy_id, self._boot_id, attach.timing)
        run = AttachedRun(attach, gate, self._kernel_gate.lease())
        self._runs[attach.lease_id] = run
        try:
            result = await self._leases.attach(attach.target, attach.lease_id, self._proxy_id, self._boot_id)
            if isinstance(result, Refused):
                del self._runs[attach.lease_id]
                return str(result.reason)
            await self.poll(run)
        except BaseException:
            # It may be on record all the same: keep it, cut, until the acknowledgement is through.
            self.cut(run, "attaching failed", revoke=True)
            run.closed = True
            raise
        return run, result.seq

    async def poll(self, run: AttachedRun) -> Open | Shut:
        """Look at one lease at once. Without an answer from Redis the gate decides by what it knows."""
        return (await self._poll([run]))[0]

    # --- ending

    def cut(self, run: AttachedRun, reason: str, *, revoke: bool, tell: bool = True) -> None:
        """Shut the gate, cut every connection, settle what was in flight; then tell worker and Redis. Idempotent."""
        run.gate.shut(reason)
        if run.cut_reason is not None:
            return
        run.cut_reason = reason
        run.open = False
        # Should the kernel refuse: its deadline stands, and what is severed leaves nothing behind to be sent.
        self._shut_kernel(run)
        connections = run.sever_all(f"cut: {reason}")
        in_flight = run.in_flight(self._clock.boot_ms())
        self._disarm(run)
        self._metrics.cuts.labels(reason=_label(reason)).inc()
        log_event(
            logger,
            "run_cut",
            level=logging.INFO if not tell else logging.WARNING,
            run=run.attach.run_id,
            target=run.attach.target,
            epoch=run.attach.epoch,
            reason=reason,
            connections=connections,
            in_flight=in_flight,
        )
        if tell and run.on_cut is not None:
            run.on_cut(reason, in_flight)
        self._tasks.start(self._hand_over(run, revoke=revoke), name=f"hand over {run.attach.lease_id}")

    async def finish(self, run: AttachedRun) -> int | None:
        """A clean end: let what is in flight end (bounded), cut, acknowledge.

        The number of calls of unknown outcome that Redis was told, or None when it could not be told in time; it will
        be as soon as it can.
        """
        run.gate.shut("the run is done")
        for _ in range(round(DRAIN_WAIT_S / FINISH_STEP_S)):
            if not run.mutating_in_flight:
                break
            await asyncio.sleep(FINISH_STEP_S)
        self.cut(run, "the run is done", revoke=False, tell=False)
        return await self.acknowledged(run, ACK_WAIT_S)

    async def acknowledged(self, run: AttachedRun, timeout_s: float) -> int | None:
        """Wait until Redis knows about a cut; the number it knows, or None when the time is over."""
        try:
            async with asyncio.timeout(timeout_s):
                await run.told.wait()
        except TimeoutError:
            return None
        return run.told_in_flight

    def forget(self, run: AttachedRun) -> None:
        """The worker's connection is gone: drop the run as soon as its lease is over."""
        run.closed = True
        self._wake.set()

    # --- the loop

    async def serve(self) -> None:
        """Poll for ever."""
        while True:
            self._wake.clear()
            await self._poll(self.runs)
            self._drop_finished()
            self._metrics.open_leases.set(sum(1 for run in self.runs if run.open))
            self._metrics.latched_runs.set(sum(1 for run in self.runs if run.latch is not None))
            now_ms = self._clock.boot_ms()
            self._metrics.in_flight.set(sum(run.in_flight(now_ms) for run in self.runs))
            self._count_withheld()
            try:
                async with asyncio.timeout(self._poll_s):
                    await self._wake.wait()
            except TimeoutError:
                pass

    def on_event(self, data: bytes | str) -> None:
        """A push from Redis: a lease that is no longer held is cut at once. Anything else only hastens the poll."""
        try:
            event = json.loads(data)
            lease_id, state = str(event["lease_id"]), State(event["state"])
        except (ValueError, KeyError, TypeError):
            self._wake.set()
            return
        run = self._runs.get(lease_id)
        if run is not None and state is not State.HELD:
            ending = state in (State.RELEASING, State.RELEASED)
            self.cut(run, f"lease is {state}", revoke=False, tell=not ending)

    async def _poll(self, runs: Sequence[AttachedRun]) -> list[Open | Shut]:
        sent_ms = self._clock.boot_ms()
        views: Sequence[LeaseView | None]
        try:
            answers = await self._leases.views([run.attach.target for run in runs])
            views = [self._seen(run, answer) for run, answer in zip(runs, answers, strict=True)]
            self.reachable = True
        except Exception as error:  # noqa: BLE001 -- whatever went wrong: no answer, and deadlines pass by themselves
            log_event(logger, "poll_failed", level=logging.WARNING, runs=len(runs), error=repr(error))
            self.reachable = False
            views = [None] * len(runs)
        return [self._apply(run, view, sent_ms) for run, view in zip(runs, views, strict=True)]

    def _seen(self, run: AttachedRun, answer: LeaseView | InterlockError) -> LeaseView | None:
        """A lease that cannot be seen is no answer: its deadline passes by itself, and costs no other run anything."""
        if isinstance(answer, LeaseView):
            return answer
        log_event(logger, "poll_failed", level=logging.WARNING, run=run.attach.run_id, error=answer)
        return None

    def _apply(self, run: AttachedRun, view: LeaseView | None, sent_ms: int) -> Open | Shut:
        result = run.gate.on_poll(view, sent_ms=sent_ms, now_ms=self._clock.boot_ms())
        if run.cut_reason is not None:
            if view is not None:
                self._reconcile(run, view)
            return Shut(reason=run.cut_reason, cut=True)
        if isinstance(result, Open):
            try:
                run.kernel.open(result.deadline_ms)
            except OSError as error:
                self._metrics.kernel_gate_failures.inc()
                self.cut(run, f"the kernel gate failed: {error.strerror or error}", revoke=True)
                return Shut(reason=run.gate.reason, cut=True)
            run.open = True
            self._arm(run, result.deadline_ms)
            return result
        run.open = False
        if result.cut:
            ours = view is not None and view.lease_id == run.attach.lease_id
            ending = view is not None and ours and view.state in (State.RELEASING, State.RELEASED)
            self.cut(run, result.reason, revoke=result.reason == DEADLINE_PASSED or ours, tell=not ending)
            return result
        self._shut_kernel(run)
        if result.reason == NOT_ATTACHED:
            self._tasks.start(self._attach_again(run), name=f"attach {run.attach.lease_id}")
        return result

    def _shut_kernel(self, run: AttachedRun) -> None:
        try:
            run.kernel.shut()
        except OSError as error:
            self._metrics.kernel_gate_failures.inc()
            log_event(logger, "kernel_gate_failed", level=logging.ERROR, run=run.attach.run_id, error=error)

    async def _attach_again(self, run: AttachedRun) -> None:
        """A new incarnation of Redis knows no attach record: make one. A refusal shows in the next poll."""
        try:
            await self._leases.attach(run.attach.target, run.attach.lease_id, self._proxy_id, self._boot_id)
        except InterlockError as error:
            log_event(logger, "attach_failed", level=logging.WARNING, run=run.attach.run_id, error=error)

    # --- the deadline

    def _arm(self, run: AttachedRun, deadline_ms: int) -> None:
        self._disarm(run)
        rest_s = max(0, deadline_ms - self._clock.boot_ms()) / 1000
        loop = asyncio.get_running_loop()
        self._timers[run.attach.lease_id] = loop.call_later(rest_s, self._deadline, run)

    def _disarm(self, run: AttachedRun) -> None:
        timer = self._timers.pop(run.attach.lease_id, None)
        if timer is not None:
            timer.cancel()

    def _deadline(self, run: AttachedRun) -> None:
        run.gate.check(self._clock.boot_ms())  # it notices a deadline that has passed
        if run.gate.burned:
            self.cut(run, run.gate.reason, revoke=True)
        elif run.gate.deadline_ms is not None:
            self._arm(run, run.gate.deadline_ms)

    # --- telling Redis

    async def _hand_over(self, run: AttachedRun, *, revoke: bool) -> None:
        """Right after the cut. What fails here is made good by ``_reconcile`` at the next polls."""
        attach, reason = run.attach, run.cut_reason or "cut"
        try:
            if revoke:
                await self._leases.revoke(attach.target, attach.lease_id, reason[:256])
            await self._acknowledge(run)
        except InterlockError as error:
            log_event(logger, "hand_over_failed", level=logging.WARNING, run=attach.run_id, error=error)

    async def _acknowledge(self, run: AttachedRun) -> None:
        in_flight = run.in_flight(self._clock.boot_ms())
        attach = run.attach
        result = await self._leases.acknowledge(
            attach.target, attach.lease_id, self._proxy_id, self._boot_id, in_flight
        )
        if isinstance(result, Refused):
            return  # not in a hand-over yet, or over already: the next poll shows which
        run.told_in_flight = in_flight
        run.told.set()
        log_event(logger, "lease_acknowledged", run=attach.run_id, lease=attach.lease_id, in_flight=in_flight)

    def _reconcile(self, run: AttachedRun, view: LeaseView) -> None:
        """Bring Redis to what is true here: this boot is cut, with so many calls of unknown outcome."""
        if view.lease_id != run.attach.lease_id or view.state is None or view.state.ended:
            run.over = True
            if not run.told.is_set():
                run.told_in_flight = run.in_flight(self._clock.boot_ms())
                run.told.set()
            return
        record = view.attachment(self._proxy_id, self._boot_id)
        now = run.in_flight(self._clock.boot_ms())
        held = view.state is State.HELD
        shown = record is not None and record.acknowledged and record.in_flight == now
        if (held or not shown) and (run.handing_over is None or run.handing_over.done()):
            work = self._hand_over(run, revoke=held)
            run.handing_over = self._tasks.start(work, name=f"hand over {run.attach.lease_id}")

    def _count_withheld(self) -> None:
        with contextlib.suppress(OSError):  # a number for people, no more
            self._metrics.kernel_gate_withheld.set(self._kernel_gate.withheld())

    def _drop_finished(self) -> None:
        for lease_id, run in list(self._runs.items()):
            if run.closed and run.over:
                del self._runs[lease_id]
                self._burned.append(lease_id)

    async def close(self) -> None:
        """Cut every run and wait, bounded, until Redis knows."""
        runs = self.runs
        for run in runs:
            self.cut(run, "the proxy is stopping", revoke=True)
        await asyncio.gather(*(self.acknowledged(run, ACK_WAIT_S / 2) for run in runs))


def _label(reason: str) -> str:
    """A reason as a metric label: few distinct values, whatever the reason's details."""
    for known in (
        DEADLINE_PASSED,
        "worker died",
        "the run is done",
        "the proxy is stopping",
        "attaching failed",
        "the kernel gate failed",
        "lease is revoking",
        "lease is releasing",
        "lease is expired",
    ):
        if reason.startswith(known):
            return known
    return "other"
