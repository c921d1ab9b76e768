"""The resident loop that watches leases: it expires them, ends embargoes, repeats revocations and settles runs.

Several may run side by side. What it does is decided by pure code (`shared.lease.observer` about leases, `settlement`
about runs) and checked again where it takes effect: in Redis by scripts that name the lease, in the database under the
target's lock.

It wakes up every `observe_ms` and on every published change of a lease; being woken is never needed for safety. Each
pass looks at the targets with an active run, with an open revocation, or that were found held or embargoed; all other
targets are looked through every few seconds, to find such ones.
"""

import logging
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from redis.exceptions import RedisError
from sqlalchemy import select, update

from scheduler import leases
from scheduler.context import SchedulerContext
from scheduler.dispatch import publish
from scheduler.rows import lock_target
from scheduler.settlement import ActiveRun, Decision, Step, Waited, decide, end_run, fence, mark_acquired
from scheduler.tables import ACTIVE_STATUSES, RevocationRow, RunRow, TargetRow
from shared.errors import InterlockError, Unavailable
from shared.lease.commands import Cleared
from shared.lease.keys import EVENTS_CHANNEL
from shared.lease.machine import State
from shared.lease.observer import Action, Expire, Mark, TargetObserver
from shared.lease.view import LeaseView
from shared.log import log_event

log = logging.getLogger(__name__)

#: How often all targets are looked through, and how often the list of live nodes is read.
SWEEP_MS = 2_000
NODES_MS = 1_000
#: A failure that lasts is logged this often.
COMPLAIN_MS = 10_000
#: A node says every few seconds what it attempts: it is not given up on sooner, however short the TTL.
MIN_PATIENCE_MS = 5_000
#: A worker that is alive has this long, from its release on, to report.
REPORT_LIMIT_MS = 120_000
#: After a longer pause between two passes nothing counts as observed without interruption.
MAX_GAP_MS = 2_000
#: A thread that is told to stop notices within this time.
MAX_SLICE_MS = 500


@dataclass(frozen=True, kw_only=True)
class Revocation:
    """An operator's wish that has not been seen to take."""

    id: int
    """Its row."""
    target: str
    """Whose lease."""
    epoch: int
    """Up to this epoch."""
    reason: str
    """What the holder is told."""


@dataclass(frozen=True, kw_only=True)
class Watched:
    """What the database says should be looked at."""

    runs: tuple[ActiveRun, ...]
    """Active runs."""
    revocations: tuple[Revocation, ...]
    """Open revocations."""
    epochs: dict[str, int]
    """Every target that is due to be looked at, with its epoch."""


class Stopwatch:
    """For how long conditions have held without interruption, as this process saw it."""

    def __init__(self) -> None:
        """Nothing holds yet."""
        self._since_ms: dict[tuple[str, str], int] = {}

    def held_ms(self, subject: str, condition: str, holds: bool, now_ms: int) -> int:
        """Milliseconds since `condition` of `subject` began to hold; 0 when it does not hold, or only from now on."""
        if not holds:
            self._since_ms.pop((subject, condition), None)
            return 0
        return now_ms - self._since_ms.setdefault((subject, condition), now_ms)

    def forget_all_but(self, subjects: set[str]) -> None:
        """Drop what is known of subjects that are gone."""
        self._since_ms = {key: since for key, since in self._since_ms.items() if key[0] in subjects}


class ObserverLoop:
    """One observer. `step` is one pass; `run` repeats it until it is told to stop."""

    def __init__(self, context: SchedulerContext) -> None:
        """Nothing has been seen yet: every window begins with the first pass."""
        self._context = context
        self._observers: dict[str, TargetObserver] = {}
        self._unsettled: set[str] = set()
        self._stopwatch = Stopwatch()
        self._nodes: dict[str, dict[str, Any]] | None = {}
        self._nodes_ms: int | None = None
        self._swept_ms: int | None = None
        self._passed_ms = context.clock.boot_ms()
        self._complaint: tuple[str, int] = ("", 0)

    def run(self, stop: threading.Event) -> None:
        """Pass after pass until `stop` is set. Raises nothing: a failed pass is counted, logged and repeated."""
        pause_s = self._context.settings.observe_ms / 1000
        while not stop.is_set():
            try:
                with self._subscribed() as events:
                    while not stop.is_set():
                        self.step()
                        self._wait(events, stop)
            except Exception as error:  # noqa: BLE001 - this thread must outlive whatever one pass runs into
                self._complain(error)
                stop.wait(pause_s)

    def _wait(self, events: Any, stop: threading.Event) -> None:
        """Wait for the next change of a lease, for `observe_ms` at most; in slices, so that a stop is noticed."""
        observe_ms = self._context.settings.observe_ms
        slices = math.ceil(observe_ms / MAX_SLICE_MS)
        for _ in range(slices):
            if stop.is_set():
                return
            if events.get_message(timeout=observe_ms / slices / 1000) is not None:
                # One pass answers everything that was published until now.
                while events.get_message(timeout=0) is not None:
                    pass
                return

    def _subscribed(self) -> Any:
        events: Any = self._context.store.client.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
        events.subscribe(EVENTS_CHANNEL)
        return events

    def step(self) -> None:
        """One pass.

        Raises `Unavailable` when the database or Redis does not answer; the next pass goes on from there.
        """
        self._note_gap()
        watched = self._load()
        views: dict[str, LeaseView] = {}
        seen = leases.views_of(self._context, sorted(watched.epochs))
        # Read after the last reply: a window that begins too late is safe, one that begins too early is not.
        replied_ms = self._context.clock.boot_ms()
        for target, view in zip(sorted(watched.epochs), seen, strict=True):
            if isinstance(view, InterlockError):
                # Of a lease that cannot be seen nothing is concluded; the others go on.
                self._complain(view, target)
                continue
            observe = partial(self._observe, view, replied_ms, watched.epochs[target])
            views[target] = self._guarded(target, observe, view)
        active = {run.target for run in watched.runs}
        for revocation in watched.revocations:
            if revocation.target not in views:
                continue
            repeat = partial(self._repeat, revocation, views[revocation.target], revocation.target in active)
            self._guarded(revocation.target, repeat, None)
        if watched.runs:
            self._read_nodes()
        for run in watched.runs:
            if run.target not in views:
                continue
            self._guarded(run.target, partial(self._settle, run, views[run.target]), None)
        self._stopwatch.forget_all_but({run.id for run in watched.runs})
        self._observers = {name: seen for name, seen in self._observers.items() if name in self._unsettled | active}
        self._passed_ms = self._context.clock.boot_ms()

    def age_s(self) -> float:
        """Seconds since the last complete pass."""
        return (self._context.clock.boot_ms() - self._passed_ms) / 1000

    def _note_gap(self) -> None:
        """Begin every waiting time anew after passes that failed or a beat that was stopped: nobody looked meanwhile.

        Leases need no such care: an unchanged seq says by itself that nothing was renewed in between.
        """
        gap_ms = self._context.clock.boot_ms() - self._passed_ms
        if gap_ms > MAX_GAP_MS + self._context.settings.observe_ms:
            self._stopwatch = Stopwatch()
            self._nodes_ms = None

    # What to look at

    def _load(self) -> Watched:
        now_ms = self._context.clock.boot_ms()
        sweep = self._swept_ms is None or now_ms - self._swept_ms >= SWEEP_MS
        with self._context.database.read() as session:
            runs = tuple(
                _active_run(row) for row in session.scalars(select(RunRow).where(RunRow.status.in_(ACTIVE_STATUSES)))
            )
            revocations = tuple(
                Revocation(id=row.id, target=row.target, epoch=row.epoch, reason=row.reason)
                for row in session.scalars(select(RevocationRow).where(RevocationRow.took_at.is_(None)))
            )
            query = select(TargetRow.id, TargetRow.epoch)
            if not sweep:
                named = {run.target for run in runs} | {wish.target for wish in revocations} | self._unsettled
                query = query.where(TargetRow.id.in_(named))
            epochs = {row[0]: row[1] for row in session.execute(query)}
        if sweep:
            self._agree()
            self._swept_ms = now_ms
        return Watched(runs=runs, revocations=revocations, epochs=epochs)

    def _agree(self) -> None:
        """Say which durations this observer waits by. Raises ConfigurationError, and nothing is done, by others."""
        try:
            self._context.store.agree(self._context.settings.timing)
        except Unavailable as error:
            self._complain(error)  # one server of a cluster is away

    def _read_nodes(self) -> None:
        now_ms = self._context.clock.boot_ms()
        if self._nodes_ms is None or now_ms - self._nodes_ms >= NODES_MS:
            self._nodes_ms = now_ms
            try:
                self._nodes = self._context.store.nodes()
            except InterlockError as error:
                # One server of a cluster is away. Nobody counts as gone because he cannot be seen.
                self._nodes = None
                self._complain(error)

    # Leases

    def _observe(self, view: LeaseView, replied_ms: int, epoch: int) -> LeaseView:
        """Do what the pure observer finds due, and return the lease as it is after that."""
        observer = self._observers.get(view.target)
        if observer is None:
            observer = self._observers[view.target] = TargetObserver(view.target, self._context.settings.timing)
        actions = observer.on_view(view, replied_ms=replied_ms, now_ms=self._context.clock.boot_ms(), db_epoch=epoch)
        for action in actions:
            self._act(view.target, action)
        if actions:
            view = self._context.store.view(view.target)
        busy = view.state in (State.HELD, State.RELEASING, State.REVOKING)
        (self._unsettled.add if busy or view.embargoed else self._unsettled.discard)(view.target)
        return view

    def _act(self, target: str, action: Action) -> None:
        context = self._context
        if isinstance(action, Expire):
            expired = context.store.expire(
                target, action.incarnation, action.lease_id, action.seq, waited_unknown=action.waited_unknown
            )
            if isinstance(expired, State):
                context.metrics.expirations.inc()
                log_event(log, "lease_expired", target=target, lease=action.lease_id, seq=action.seq)
            return
        if isinstance(action, Mark):
            context.store.mark(target, action.incarnation)
            return
        # Under the target's lock: no claim may slip in between the epoch that is the floor and the end of the embargo.
        with context.database.write() as session:
            epoch = lock_target(context.database, session, target).epoch
            if action.epoch == 0 and epoch != 0:
                return
            if isinstance(context.store.clear(target, action.incarnation, epoch, absence=action.absence), Cleared):
                context.metrics.clears.inc()
                log_event(log, "embargo_ended", target=target, incarnation=action.incarnation, epoch=epoch)

    def _repeat(self, revocation: Revocation, view: LeaseView, active: bool) -> None:
        context = self._context
        if leases.took(view, epoch=revocation.epoch, active=active):
            with context.database.write() as session:
                session.execute(
                    update(RevocationRow).where(RevocationRow.id == revocation.id).values(took_at=context.clock.wall())
                )
            return
        leases.carry_out(context, revocation.target, reason=revocation.reason, epoch=revocation.epoch, view=view)

    # Runs

    def _settle(self, run: ActiveRun, view: LeaseView) -> None:
        context = self._context
        decision = decide(run, view, self._waited(run, view))
        match decision.step:
            case Step.MARK_ACQUIRED:
                mark_acquired(context, run)
            case Step.FENCE if fence(context, run):
                self._end(run, decision)
            case Step.END:
                self._end(run, decision)

    def _end(self, run: ActiveRun, decision: Decision) -> None:
        for run_id, region in end_run(self._context, run.id, epoch=run.epoch, reason=decision.reason):
            publish(self._context, run_id, region)
        log_event(log, "run_ended", run=run.id, target=run.target, epoch=run.epoch, reason=decision.reason)

    def _waited(self, run: ActiveRun, view: LeaseView) -> Waited:
        settings, now_ms = self._context.settings, self._context.clock.boot_ms()
        patience_ms = max(settings.timing.ttl_ms, MIN_PATIENCE_MS)
        # Nobody can acquire during an embargo, however long that is.
        waiting = not run.acquired and not view.embargoed
        claimed_ms = self._stopwatch.held_ms(run.id, "claimed", waiting, now_ms)
        gone_ms = self._stopwatch.held_ms(run.id, "gone", not self._attempted(run), now_ms)
        released = view.lease_epoch == run.epoch and view.state is State.RELEASED
        released_ms = self._stopwatch.held_ms(run.id, "released", released, now_ms)
        return Waited(
            holder_vanished=gone_ms >= patience_ms or claimed_ms >= settings.claim_timeout_s * 1000,
            # A live worker goes on trying to deliver its report to an API that is away.
            report_overdue=released_ms >= (patience_ms if gone_ms >= patience_ms else REPORT_LIMIT_MS),
        )

    def _attempted(self, run: ActiveRun) -> bool:
        """Whether the run's node is alive and, as far as it says which runs it attempts, attempts this one."""
        if self._nodes is None:
            return True
        payload = self._nodes.get(run.node)
        if payload is None:
            return False
        attempts = payload.get("runs")
        return run.id in attempts if isinstance(attempts, list | dict) else True

    # Failures

    def _guarded[T](self, target: str, work: Callable[[], T], otherwise: T) -> T:
        """Do one target's part; its failure, whatever it is, must not starve the others'. The next pass tries again."""
        try:
            return work()
        except Exception as error:  # noqa: BLE001 - a row that the database refuses is one target's trouble as well
            self._complain(error, target)
            return otherwise

    def _complain(self, error: Exception, target: str | None = None) -> None:
        self._context.metrics.observer_errors.inc()
        text, now_ms = f"{target}: {error!r}", self._context.clock.boot_ms()
        if text != self._complaint[0] or now_ms - self._complaint[1] >= COMPLAIN_MS:
            self._complaint = (text, now_ms)
            expected = isinstance(error, InterlockError | RedisError)
            log_event(log, "observer_failed", level=logging.ERROR, target=target, error=error)
            if not expected:
                log.error("observer_failed_unexpectedly", exc_info=error)


def _active_run(row: RunRow) -> ActiveRun:
    return ActiveRun(
        id=row.id,
        target=row.target,
        epoch=row.epoch or 0,
        node=row.node or "",
        acquired=row.acquired,
        reported=row.reported_status is not None,
        revoked=row.revoke_requested,
    )
