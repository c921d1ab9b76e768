"""Roll-outs for tests, as short as they can be said."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from scheduler import claims, plans, runs, terraform_state
from scheduler.rollout.advance import Advanced, advance
from scheduler.rollout.events import PlanReady, RunApplied, record
from scheduler.terraform_state import StateCaller
from shared.models import ReleasePhase, Run, RunKind, RunStatus
from shared.rollouts import Rollout, RolloutPhase, RolloutTarget, Stage
from tests.unit.scheduler.support import World, state

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
DIGEST = "sha256:" + "a" * 64


def phase(name: str, *, after: tuple[str, ...] = (), **options: Any) -> RolloutPhase:
    """A phase that does one target at a time, tolerates nothing, bakes nothing and asks nobody."""
    values: dict[str, Any] = {"max_concurrent": 1, "failure_tolerance": 0, "bake_s": 0, "approval": False, **options}
    return RolloutPhase(name=name, after=after, **values)


def rollout(*phases: tuple[RolloutPhase, int]) -> Rollout:
    """A roll-out with so many targets in each phase: `web.one-0`, `web.one-1` and so on for phase `one`."""
    return Rollout(
        id="rollout-" + "0" * 16,
        flock="web",
        release_digest=DIGEST,
        actor="anna",
        phases=tuple(one for one, _ in phases),
        targets=tuple(
            RolloutTarget(id=f"web.{one.name}-{number}", phase=one.name)
            for one, count in phases
            for number in range(count)
        ),
        created_at=NOW,
    )


def run_ids() -> Callable[[], str]:
    """Run ids that count."""
    counter = itertools.count(1)
    return lambda: f"run-{next(counter):016x}"


def go(value: Rollout, ids: Callable[[], str], now: datetime = NOW) -> Advanced:
    """Advance with both clocks at `now`."""
    return advance(value, now=now, wall=now, new_run_id=ids)


def digest_of(run_id: str) -> str:
    """The digest of the plan that a run makes: another one for each run."""
    return f"sha256:{run_id.removeprefix('run-'):0>64}"


def end(value: Rollout, target: str, *, changes: bool = True) -> Rollout:
    """The target's run ends well: planned with changes, or applied."""
    known = value.target(target)
    assert known is not None
    assert known.run_id is not None
    if known.stage is Stage.PLANNING:
        event = PlanReady(target=target, run_id=known.run_id, digest=digest_of(known.run_id), changes=changes)
        return record(value, event)
    assert known.stage is Stage.APPLYING
    return record(value, RunApplied(target=target, run_id=known.run_id))


def stages(value: Rollout) -> list[str]:
    """Where each target stands."""
    return [target.stage.value for target in value.targets]


def statuses(value: Rollout) -> list[str]:
    """Where each phase stands."""
    return [one.status.value for one in value.phases]


def publish(world: World, *phases: RolloutPhase, targets: dict[str, list[str]]) -> str:
    """Publish a release with these targets in these phases; returns its digest."""
    made = [
        ReleasePhase(targets=tuple(sorted(targets[one.name])), **one.model_dump(exclude={"status", "bake_until"}))
        for one in phases
    ]
    return world.publish(*[name for names in targets.values() for name in names], phases=made)


def queued(world: World, target: str) -> Run:
    """The run of the target that waits for a worker."""
    (run,) = runs.listed(world.context, target=target, status=RunStatus.PENDING, limit=10)
    return run


def work(
    world: World,
    target: str,
    status: RunStatus | None = None,
    *,
    plan: bytes = b"a plan",
    changes: bool = True,
    writes: int | None = None,
    exit_code: int = 0,
) -> Run:
    """Do the target's queued run as its worker would, to its end; `writes` is the serial of a state that it writes."""
    assignment = claims.claim(world.context, queued(world, target).id, node="n", holder=secrets.token_hex(8))
    lease = world.acquire(assignment)
    run = assignment.run
    if assignment.keep_plan and status is None:
        plans.store_plan(world.context, run.id, holder=assignment.holder, content=plan, changes=changes)
    if writes is not None:
        caller = StateCaller(run_id=run.id, target=target, epoch=assignment.epoch)
        terraform_state.write_state(world.context, caller, state(writes), lock_id=None)
    world.store.release(target, lease)
    well = RunStatus.PLANNED if run.kind is RunKind.PLAN else RunStatus.APPLIED
    return runs.finish(
        world.context,
        run.id,
        holder=assignment.holder,
        epoch=assignment.epoch,
        exit_code=exit_code,
        status=status or well,
        reason="" if status is None else f"it is {status}",
    )
