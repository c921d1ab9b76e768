"""Periodic work that several beats may attempt: the unique row (schedule, due) decides who does it.

The wall clock only names the slots. A clock that is set back finds its slots taken for at most a few periods; a beat
whose clock differs does the work once more, which is harmless: everything here may be repeated.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from scheduler import leases, orphan_requests, orphans
from scheduler.context import SchedulerContext
from scheduler.dispatch import republish
from scheduler.drift import giving_way, queueing, remediation, telling
from scheduler.retention import prune_by_settings
from scheduler.rollback import first_state
from scheduler.rollout.drive import drive_all
from scheduler.tables import ACTIVE_STATUSES, RunRow, TickRow
from shared.errors import Unavailable
from shared.log import log_event

log = logging.getLogger(__name__)

#: At the limit the worker interrupts its provisioner; it has this long to end in good order.
HARD_LIMIT_MARGIN_S = 300
#: Slots of a schedule that are remembered: a clock that is set back finds no more than these taken.
_KEPT_SLOTS = 5


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Something to do every so often."""

    name: str
    """Names its rows."""
    every_s: int
    """Length of a slot, in seconds."""
    work: Callable[[SchedulerContext], object]
    """What to do; may be repeated and may raise."""


def end_overlong_runs(context: SchedulerContext) -> int:
    """Revoke the lease of every run that outlived the hard limit and did not end by itself. Returns how many.

    The worker keeps the limit itself, by its boot clock; this is for one that does not. What follows a deployment has a
    time of its own: what watching it may take, and as long again to take it back.
    """
    limit_s = context.settings.run_hard_limit_s
    now = context.unstepped_wall()
    oldest = now - timedelta(seconds=limit_s + HARD_LIMIT_MARGIN_S)
    query = select(RunRow).where(
        RunRow.status.in_(ACTIVE_STATUSES), RunRow.claimed_at < oldest, RunRow.revoke_requested.is_(False)
    )
    with context.database.read() as session:
        overlong = []
        for run in session.scalars(query):
            more_s = first_state.more_time_s(session, run, limit_s=limit_s)
            if run.claimed_at is not None and run.claimed_at < oldest - timedelta(seconds=more_s):
                overlong.append((run.target, run.id, limit_s + more_s))
    for target, run_id, limit_s in overlong:
        try:
            leases.revoke(context, target, reason=f"{run_id} ran for more than {limit_s} s", only_run=run_id)
        except Unavailable as error:
            # The wish is recorded; the observer repeats it.
            log_event(log, "overlong_run_not_revoked_yet", level=logging.WARNING, run=run_id, error=error)
    return len(overlong)


SCHEDULES = (
    Schedule(name="dispatch", every_s=1, work=republish),
    Schedule(name="rollouts", every_s=1, work=drive_all),
    Schedule(name="drift_gives_way", every_s=1, work=giving_way.make_room_everywhere),
    Schedule(name="drift_checks", every_s=2, work=queueing.queue_due),
    Schedule(name="drift_schedule", every_s=30, work=queueing.schedule),
    Schedule(name="drift_told", every_s=5, work=telling.tell),
    Schedule(name="drift_remedies", every_s=5, work=remediation.remedy),
    Schedule(name="orphans", every_s=5, work=orphans.look_at_ended),
    Schedule(name="recover_by_rule", every_s=5, work=orphan_requests.apply_rules),
    Schedule(name="prune_releases", every_s=3600, work=prune_by_settings),
    Schedule(name="end_overlong_runs", every_s=10, work=end_overlong_runs),
)


class Ticker:
    """Runs what is due in this process, unless another beat took the slot."""

    def __init__(self, context: SchedulerContext, schedules: Sequence[Schedule] = SCHEDULES) -> None:
        """Nothing is due before the first `tick`."""
        self._context = context
        self._schedules = schedules
        self._attempted: dict[str, datetime] = {}
        self._ticked_ms = context.clock.boot_ms()

    def tick(self) -> list[str]:
        """Do what is due and return the names of what this process did. Raises nothing: a failed tick is counted."""
        done = []
        for schedule in self._schedules:
            due = slot(self._context.clock.wall(), schedule.every_s)
            if self._attempted.get(schedule.name) == due:
                continue
            self._attempted[schedule.name] = due
            try:
                if take(self._context, schedule, due):
                    schedule.work(self._context)
                    done.append(schedule.name)
            except Exception as error:  # noqa: BLE001 - the other schedules and the next slot must go on
                self._context.metrics.tick_errors.inc()
                log_event(log, "tick_failed", level=logging.ERROR, schedule=schedule.name, error=repr(error))
        self._ticked_ms = self._context.clock.boot_ms()
        return done

    def age_s(self) -> float:
        """Seconds since the last tick ended: beat can hang silently, so it is exported."""
        return (self._context.clock.boot_ms() - self._ticked_ms) / 1000


def slot(now: datetime, every_s: int) -> datetime:
    """The beginning of the slot that `now` lies in."""
    return datetime.fromtimestamp(now.timestamp() // every_s * every_s, tz=UTC)


def take(context: SchedulerContext, schedule: Schedule, due: datetime) -> bool:
    """Whether this process is the first to take the slot. Old slots are forgotten on the way."""
    kept = timedelta(seconds=schedule.every_s * _KEPT_SLOTS)
    try:
        with context.database.write() as session:
            session.execute(delete(TickRow).where(TickRow.schedule == schedule.name, TickRow.due_at < due - kept))
            session.add(TickRow(schedule=schedule.name, due_at=due))
    except IntegrityError:
        return False
    return True
