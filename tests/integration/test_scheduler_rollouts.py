"""Roll-outs and the order of claims, on SQLite and on PostgreSQL, under everything that happens at the same time."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from scheduler import claims, releases, retention, runs
from scheduler.database import Database
from scheduler.rollout import drive, service
from scheduler.rollout.drive import change, drive_all
from scheduler.rows import new_run_id
from scheduler.settlement import end_run
from scheduler.tables import ACTIVE_STATUSES, PlanRow, RunRow, TargetRow
from shared.errors import ApiError
from shared.models import Assignment, Release, Run, RunKind, RunStatus
from shared.rollouts import PhaseStatus, Rollout, RolloutStatus, Stage
from tests.integration.test_scheduler_database import at_once, failures
from tests.releases import packed_release
from tests.unit.scheduler.rollout.support import phase, publish, work
from tests.unit.scheduler.support import World, make_world

THREADS = 6


def begin(world: World, count: int = 4, **options: Any) -> Rollout:
    """Two phases, each target in a region of its own."""
    first = [f"web.r{number}" for number in range(count)]
    digest = publish(
        world,
        phase("one", **options),
        phase("two", after=("one",)),
        targets={"one": first, "two": ["web.last"]},
    )
    return service.start(world.context, digest, actor="anna")


def of_rollout(world: World, rollout: Rollout) -> list[RunRow]:
    with world.context.database.read() as session:
        query = select(RunRow).where(RunRow.rollout_id == rollout.id).order_by(RunRow.sequence)
        return list(session.scalars(query))


def test_many_beats_and_reports_at_once_start_each_run_once(world: World) -> None:
    value = begin(world, max_concurrent=2)
    for _ in range(20):
        assert failures(at_once(*[lambda: drive_all(world.context)] * THREADS)) == []
        value = service.get(world.context, value.id)
        if value.status.over:
            break
        in_flight = [target for target in value.targets if target.stage.in_flight]
        assert 1 <= len(in_flight) <= 2
        for target in in_flight:
            work(world, target.id)
    assert value.status is RolloutStatus.SUCCEEDED
    kinds = [(run.target, run.kind) for run in of_rollout(world, value)]
    assert len(kinds) == len(set(kinds)) == 2 * len(value.targets)


def test_of_many_that_start_one_at_once_one_does(world: World) -> None:
    digest = publish(world, phase("one"), targets={"one": ["web.r0"]})
    results = at_once(*[lambda: service.start(world.context, digest, actor="anna")] * THREADS)
    assert len(failures(results)) == THREADS - 1
    assert {getattr(error, "code", error) for error in failures(results)} == {"rollout_unfinished"}
    assert len(service.listed(world.context, flock="web", limit=10)) == 1


def test_pausing_and_claiming_at_once_leaves_a_run_either_at_work_or_waiting(world: World) -> None:
    value = begin(world, count=1)
    for _ in range(5):
        (run,) = runs.listed(world.context, target="web.r0", status=RunStatus.PENDING, limit=1)
        claimed, paused = at_once(
            lambda run=run: claims.claim(world.context, run.id, node="n", holder="h"),  # type: ignore[misc]  # bound now
            lambda: service.pause(world.context, value.id),
        )
        assert failures([paused]) == []
        now = runs.get(world.context, run.id)
        if isinstance(claimed, Assignment):
            assert now.status is RunStatus.CLAIMED
            return
        assert isinstance(claimed, ApiError)
        assert now.status is RunStatus.PENDING
        service.resume(world.context, value.id)


@pytest.mark.parametrize("seed", range(4))
def test_a_scheduler_that_is_killed_anywhere_loses_nothing_and_goes_on(
    world: World, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Each drive dies at a place drawn by the seed, before or after its commit, as often as it likes."""
    chance = random.Random(seed)
    value = begin(world, count=3, max_concurrent=2, failure_tolerance=1, bake_s=5, approval=True)

    class KilledError(BaseException):
        """Nothing catches it."""

    def deadly(module: Any, name: str) -> None:
        real = getattr(module, name)

        def maybe(*arguments: Any, **named: Any) -> Any:
            moment = chance.random()
            if moment < 0.15:
                raise KilledError
            result = real(*arguments, **named)
            if moment > 0.85:
                raise KilledError
            return result

        monkeypatch.setattr(module, name, maybe)

    for name in ("_ended", "_queued", "_write", "_carry_out", "publish", "plan_marks"):
        deadly(drive, name)
    for _ in range(300):
        try:
            value = change(world.context, value.id)
        except KilledError:
            continue
        if value.status.over:
            break
        check(world, value)
        for target in value.targets:
            if target.stage.in_flight and chance.random() < 0.5:
                last_well = target.phase == "two" or target.losses > 0
                bad = chance.random() < 0.1 and not last_well
                work(world, target.id, RunStatus.LOST if bad else None)
        waiting = {target.id: str(target.plan_digest) for target in value.targets if target.stage is Stage.PLANNED}
        if waiting and value.status is RolloutStatus.RUNNING:
            try:
                service.approve(world.context, value.id, waiting, actor="bert")
            except KilledError:
                pass
        world.clock.advance(3_000)
    assert value.status is RolloutStatus.SUCCEEDED, value
    assert not [run for run in of_rollout(world, value) if run.finished_at is None]
    with world.context.database.read() as session:
        assert session.scalar(select(func.count()).where(PlanRow.ciphertext.is_not(None))) == 0


def check(world: World, value: Rollout) -> None:
    """The document and the runs say the same, and no phase begins before its time."""
    in_flight = {target.run_id for target in value.targets if target.stage.in_flight}
    unfinished = {run.id for run in of_rollout(world, value) if run.finished_at is None}
    assert unfinished <= in_flight
    one, two = value.phases
    if two.status is not PhaseStatus.WAITING:
        assert one.status is PhaseStatus.DONE
    assert sum(target.stage.in_flight for target in value.targets if target.phase == "one") <= 2


def test_five_hundred_queued_runs_of_one_flock_and_one_of_another(world: World) -> None:
    """The one is claimed after one of the many, whoever's hints come in which order."""
    many = [f"many.north.t{number}" for number in range(100)]
    world.register(*many, "few.north")
    with world.context.database.write() as session:
        for number in range(500):
            session.add(
                RunRow(
                    id=new_run_id(),
                    target=many[number % 100],
                    region="north",
                    kind=RunKind.EXEC,
                    status=RunStatus.PENDING,
                    actor="anna",
                    argv=["true"],
                    created_at=world.clock.wall(),
                )
            )
    hints = runs.listed(world.context, target=None, status=RunStatus.PENDING, limit=500)
    waiting = world.submit("few.north", RunKind.EXEC, ["true"])
    claimed = []
    for hint in hints[:2]:
        given = claims.claim(world.context, hint.id, node="n", holder=hint.id)
        claimed.append(given.run.id)
        end_run(world.context, given.run.id, epoch=given.epoch, reason="done")
    assert waiting.id in claimed


@pytest.mark.parametrize(
    "limits",
    [{"max_runs_per_flock": {"web": 2}}, {"max_runs_per_region": {"north": 2}}, {"max_runs_per_flock": {"*": 2}}],
)
def test_claims_at_once_never_take_more_places_than_there_are(
    tmp_path: Path, database: Database, limits: dict[str, Any]
) -> None:
    world = make_world(tmp_path / "limited", database, **limits)
    names = [f"web.north.t{number}" for number in range(THREADS)]
    world.register(*names)
    waiting = [world.submit(name) for name in names]
    results = at_once(
        *[lambda run=run: claims.claim(world.context, run.id, node="n", holder=run.id) for run in waiting]
    )
    assert len(results) - len(failures(results)) == 2
    assert {getattr(error, "code", error) for error in failures(results)} == {"not_claimable"}
    with world.context.database.read() as session:
        assert session.scalar(select(func.count()).where(RunRow.status.in_(ACTIVE_STATUSES))) == 2
    world.store.close()


def test_a_limit_of_a_flock_holds_over_regions_that_claim_at_once(tmp_path: Path, database: Database) -> None:
    world = make_world(tmp_path / "limited", database, max_runs_per_flock={"web": 2})
    names = [f"web.r{number}" for number in range(THREADS)]
    world.register(*names)
    waiting = [world.submit(name) for name in names]
    results = at_once(
        *[lambda run=run: claims.claim(world.context, run.id, node="n", holder=run.id) for run in waiting]
    )
    assert {getattr(error, "code", error) for error in failures(results)} == {"not_claimable"}
    with world.context.database.read() as session:
        assert session.scalar(select(func.count()).where(RunRow.status.in_(ACTIVE_STATUSES))) == 2
        assert session.scalar(select(func.sum(TargetRow.epoch)).where(TargetRow.flock == "web")) == 2
    world.store.close()


def test_hints_of_one_region_at_once_are_all_answered_with_different_runs(world: World) -> None:
    names = [f"web.north.t{number}" for number in range(THREADS)]
    world.register(*names)
    waiting = [world.submit(name) for name in names]
    results = at_once(
        *[lambda run=run: claims.claim(world.context, run.id, node="n", holder=run.id) for run in waiting]
    )
    assert failures(results) == []
    given = [result.run.id for result in results if isinstance(result, Assignment)]
    assert sorted(given) == sorted(run.id for run in waiting)


def test_starting_and_registering_at_once_never_wait_for_each_other(world: World) -> None:
    """The one takes targets in the order of phases, the other by name: in two orders they would lock each other out."""
    digest = publish(
        world,
        phase("one", max_concurrent=20),
        phase("two", max_concurrent=20),
        targets={"one": [f"web.z{n}" for n in range(10)], "two": [f"web.a{n}" for n in range(10)]},
    )
    for _ in range(8):
        started, *registered = at_once(
            lambda: service.start(world.context, digest, actor="anna"),
            *[lambda: releases.register(world.context, "web", release_digest=digest)] * 3,
        )
        assert failures([started, *registered]) == []
        assert isinstance(started, Rollout)
        service.cancel(world.context, started.id, actor="anna")
        drive_all(world.context)
        assert service.get(world.context, started.id).status is RolloutStatus.CANCELED


def test_no_release_is_let_go_under_whoever_refers_to_it_at_the_same_time(world: World) -> None:
    """Either the run, the roll-out or the new release finds what it names, or it is told that this is gone."""
    for number in range(6):
        old = world.publish("web.r0", rendered={"a.json": str(number).encode()})
        # Shares its file with the old one.
        shared = packed_release("web.r0", provider_region="eu-1", rendered={"a.json": str(number).encode(), "b": b""})
        world.publish("web.r0", rendered={"a.json": b"newest", "c.json": str(number).encode()})
        submitted, published, _ = at_once(
            lambda old=old: world.submit("web.r0", release_digest=old),  # type: ignore[misc]  # bound now
            lambda shared=shared: releases.publish(world.context, shared, actor="anna"),  # type: ignore[misc]
            lambda: retention.prune(world.context, keep=1),
        )
        assert isinstance(published, Release)
        assert releases.target_files(world.context, published.digest, "web.r0")
        if isinstance(submitted, Run):
            assert releases.target_files(world.context, old, "web.r0")
            runs.cancel(world.context, submitted.id)
        else:
            assert getattr(submitted, "code", submitted) == "unknown_release"
