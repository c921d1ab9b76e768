"""What follows from where a roll-out stands. Pure: roll-out and time in, the next roll-out and what to do out.

    a phase that waits      begins once every phase it comes after is done, and while the roll-out is running
    a phase that runs       starts as many runs as `max_concurrent` leaves room for, applies before plans
                            is failed once more targets failed than its tolerance; then nothing new begins anywhere
                            bakes once all its targets are settled, and is done after the bake time
    a plan in hand          waits for persons in a phase with approval, and where the safety rules hold it
                            (`safety_gate`); is confirmed by itself elsewhere
    a target that is halted fails its phase at once, whatever that tolerates
    a roll-out that halts   takes back what is queued, lets end what is at work, drops its plans, freezes the rest;
                            then takes back what it deployed, where its release says so (`taking_back`)
    one that is canceled    the same, and asks what is at work to stop

`advance` goes as far as it can in one call, and calling it again without news changes nothing and starts nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from scheduler.rollout.taking_back import TakeBack, going
from shared.models import RunKind
from shared.rollouts import MAX_REASON, PhaseStatus, Rollout, RolloutPhase, RolloutStatus, RolloutTarget, Stage


@dataclass(frozen=True, kw_only=True)
class Start:
    """A run to queue."""

    run_id: str
    """The id it gets."""
    target: str
    """Where."""
    kind: RunKind
    """plan, or apply."""
    plan_run_id: str | None
    """For an apply: the run whose plan it applies."""


@dataclass(frozen=True, kw_only=True)
class Stop:
    """A run to take back."""

    run_id: str
    """The run."""
    at_work_too: bool
    """Whether one that has begun is asked to stop as well; otherwise only one that is still queued."""


@dataclass(frozen=True, kw_only=True)
class Advanced:
    """Where the roll-out stands now, and what to do so that it is true."""

    rollout: Rollout
    """The next value; written down together with the starts."""
    starts: tuple[Start, ...] = ()
    """Runs to queue, the most urgent first."""
    stops: tuple[Stop, ...] = ()
    """Runs to take back; asked for again at each call until they are over."""
    back: tuple[TakeBack, ...] = ()
    """Deployments to take back; written down together with the next value."""


class _Working:
    """A roll-out while it is worked on."""

    def __init__(self, rollout: Rollout) -> None:
        self.status = rollout.status
        self.reason = rollout.reason
        self.phases_done = rollout.phases_done
        self.phases = {phase.name: phase for phase in rollout.phases}
        self.targets = {target.id: target for target in rollout.targets}
        self.members: dict[str, list[str]] = {name: [] for name in self.phases}
        for target in rollout.targets:
            self.members[target.phase].append(target.id)

    def of(self, phase: str) -> list[RolloutTarget]:
        return [self.targets[name] for name in self.members[phase]]

    def phase(self, name: str, status: PhaseStatus, **fields: object) -> None:
        self.phases[name] = self.phases[name].model_copy(update={"status": status, **fields})

    def stage(self, target: RolloutTarget, stage: Stage, **fields: object) -> None:
        self.targets[target.id] = target.model_copy(update={"stage": stage, **fields})

    def in_flight(self) -> list[RolloutTarget]:
        return [target for target in self.targets.values() if target.stage.in_flight]


def advance(rollout: Rollout, *, now: datetime, wall: datetime, new_run_id: Callable[[], str]) -> Advanced:
    """Go as far as can be gone without news.

    A bake time begins at `wall` and ends by `now`, which is earlier than the wall clock where that was set forward:
    a clock that somebody sets must not end it early.
    """
    if rollout.status.over:
        return Advanced(rollout=rollout)
    work = _Working(rollout)
    starts: list[Start] = []
    stops: list[Stop] = []
    back: tuple[TakeBack, ...] = ()
    _judge_phases(work, now, wall)
    if work.status in (RolloutStatus.HALTING, RolloutStatus.CANCELING):
        stops, back = _wind_down(work, new_run_id)
    elif work.status is RolloutStatus.RUNNING:
        if all(phase.status is PhaseStatus.DONE for phase in work.phases.values()):
            work.status = RolloutStatus.SUCCEEDED
        for name, phase in work.phases.items():
            if phase.status is PhaseStatus.RUNNING:
                starts += _fill(work, name, phase, new_run_id)
    over = work.status.over
    return Advanced(
        rollout=rollout.model_copy(
            update={
                "status": work.status,
                "reason": work.reason,
                "phases": tuple(work.phases.values()),
                "targets": tuple(work.targets.values()),
                "finished_at": wall if over else None,
            }
        ),
        starts=tuple(sorted(starts, key=lambda start: start.kind is not RunKind.APPLY)),
        stops=tuple(stops),
        back=back,
    )


def _judge_phases(work: _Working, now: datetime, wall: datetime) -> None:
    """Open, fail, bake and finish phases until nothing changes any more; a phase can change three times at most."""
    for _ in range(3 * len(work.phases) + 1):
        before = dict(work.phases)
        for name in before:
            _judge(work, name, now, wall)
        if before == work.phases:
            return


def _judge(work: _Working, name: str, now: datetime, wall: datetime) -> None:
    phase = work.phases[name]
    match phase.status:
        case PhaseStatus.WAITING if work.status is RolloutStatus.RUNNING:
            if all(work.phases[earlier].status is PhaseStatus.DONE for earlier in phase.after):
                work.phase(name, PhaseStatus.RUNNING)
        case PhaseStatus.RUNNING | PhaseStatus.BAKING | PhaseStatus.DONE if _has_failed(work, name, phase):
            work.phase(name, PhaseStatus.FAILED)
        case PhaseStatus.RUNNING if work.status in (RolloutStatus.RUNNING, RolloutStatus.PAUSED):
            if not work.of(name):
                # Nothing was deployed, so there is nothing to watch.
                work.phase(name, PhaseStatus.DONE)
            elif all(target.stage.settled for target in work.of(name)):
                work.phase(name, PhaseStatus.BAKING, bake_until=wall + timedelta(seconds=phase.bake_s))
        case PhaseStatus.BAKING if phase.bake_s == 0 or (phase.bake_until is not None and now >= phase.bake_until):
            work.phase(name, PhaseStatus.DONE)
        case _:
            pass


def _has_failed(work: _Working, name: str, phase: RolloutPhase) -> bool:
    """Whether too many of its targets failed; the roll-out halts then. One that was done may: what was deployed there
    was taken back since.
    """
    if work.status not in (RolloutStatus.RUNNING, RolloutStatus.PAUSED):
        return False
    failed = [target for target in work.of(name) if target.stage.failed]
    halted = [target for target in failed if target.halted]
    if not halted and len(failed) <= phase.failure_tolerance:
        return False
    work.status = RolloutStatus.HALTING
    work.reason = _why_halted(halted) if halted else _why_failed(phase, failed)
    return True


def _why_failed(phase: RolloutPhase, failed: list[RolloutTarget]) -> str:
    shown = ", ".join(f"{target.id} ({target.stage})" for target in failed[:5])
    more = f" and {len(failed) - 5} more" if len(failed) > 5 else ""
    return f"phase {phase.name} failed: {shown}{more}; it tolerates {phase.failure_tolerance}"


def _why_halted(halted: list[RolloutTarget]) -> str:
    more = f" (and {len(halted) - 1} more)" if len(halted) > 1 else ""
    return f"{halted[0].id} was halted{more}: {halted[0].reason}"[:MAX_REASON]


def _wind_down(work: _Working, new_run_id: Callable[[], str]) -> tuple[list[Stop], tuple[TakeBack, ...]]:
    canceling = work.status is RolloutStatus.CANCELING
    for target in list(work.targets.values()):
        if target.stage.has_plan or (canceling and target.stage is Stage.PENDING):
            work.stage(target, Stage.CANCELED if canceling else Stage.DISCARDED, reason=target.reason or work.reason)
    for name, phase in work.phases.items():
        if phase.status in (PhaseStatus.WAITING, PhaseStatus.RUNNING, PhaseStatus.BAKING):
            # A phase in which something still runs is frozen too: nothing new begins in it.
            work.phase(name, PhaseStatus.FROZEN)
    if in_flight := work.in_flight():
        # What takes back is not stopped on its way.
        back = {one.id for one in in_flight if one.rollback is not None and one.rollback.status.at_work}
        return [Stop(run_id=str(one.run_id), at_work_too=canceling and one.id not in back) for one in in_flight], ()
    if not canceling:
        members = {name: work.of(name) for name in work.phases}
        phases = tuple(work.phases.values())
        next_back = going(phases, members, phases_done=work.phases_done, reason=work.reason, new_run_id=new_run_id)
        work.targets |= next_back.targets or {}
        if next_back.waits:
            return [], next_back.back
    work.status = RolloutStatus.CANCELED if canceling else RolloutStatus.FAILED
    return [], ()


def _fill(work: _Working, name: str, phase: RolloutPhase, new_run_id: Callable[[], str]) -> list[Start]:
    """Use the room that the phase has: first for plans that are confirmed, then for targets without one."""
    if not phase.approval:
        for target in work.of(name):
            if target.stage is Stage.PLANNED and not target.held:
                work.stage(target, Stage.CONFIRMED)
    members = work.of(name)
    room = phase.max_concurrent - sum(target.stage.in_flight for target in members)
    confirmed = [target for target in members if target.stage is Stage.CONFIRMED]
    waiting = [target for target in members if target.stage is Stage.PENDING]
    starts = []
    for target in [*confirmed, *waiting][: max(room, 0)]:
        run_id = new_run_id()
        if target.stage is Stage.CONFIRMED:
            plan = target.plan_run_id
            starts.append(Start(run_id=run_id, target=target.id, kind=RunKind.APPLY, plan_run_id=plan))
            work.stage(target, Stage.APPLYING, run_id=run_id)
        else:
            starts.append(Start(run_id=run_id, target=target.id, kind=RunKind.PLAN, plan_run_id=None))
            work.stage(target, Stage.PLANNING, run_id=run_id, plans=target.plans + 1)
    return starts


def plan_marks(before: Rollout, after: Rollout) -> Mapping[str, Stage]:
    """What became of plans between two values: plan run id -> CONFIRMED (approved), or DISCARDED (void from now on)."""
    marks: dict[str, Stage] = {}
    for old, new in zip(before.targets, after.targets, strict=True):
        if old.plan_run_id is not None and new.plan_run_id != old.plan_run_id:
            marks[old.plan_run_id] = Stage.DISCARDED
        if new.plan_run_id is None or new.stage is old.stage:
            continue
        if new.stage in (Stage.CONFIRMED, Stage.APPLYING):
            marks[new.plan_run_id] = Stage.CONFIRMED
        elif (new.stage in (Stage.DISCARDED, Stage.CANCELED) or new.halted) and old.stage is not Stage.APPLYING:
            # Also a plan that came when nobody wanted it any more: it was in flight and never in hand.
            marks[new.plan_run_id] = Stage.DISCARDED
    return marks


def plans_done_with(before: Rollout, after: Rollout) -> set[str]:
    """The plan runs whose plan files nobody will ask for any more: applied, void, or delivered by a run that failed."""
    done: set[str] = set()
    for old, new in zip(before.targets, after.targets, strict=True):
        if old == new:
            continue
        made = {old.plan_run_id, new.plan_run_id, old.run_id if old.stage is Stage.PLANNING else None}
        wanted = set() if new.stage.settled else {new.plan_run_id}
        if new.stage is Stage.PLANNING:
            wanted.add(new.run_id)
        done |= {run_id for run_id in made - wanted if run_id is not None}
    return done
