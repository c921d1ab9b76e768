"""Whose turn it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select, update

from scheduler import claims, runs, turns
from scheduler.database import Database
from scheduler.rows import new_run_id
from scheduler.settlement import end_run
from scheduler.tables import RunRow, TurnRow
from shared.errors import ApiError
from shared.models import Assignment, Priority, Run, RunKind, RunStatus
from tests.unit.scheduler.support import World, make_world


def job(world: World, target: str) -> Run:
    """A run as urgent as an apply, that nobody repeats when it is lost."""
    return world.submit(target, RunKind.EXEC, ["true"])


def many(world: World, targets: list[str], count: int) -> list[Run]:
    """So many of them on each target, written in one go."""
    first = job(world, targets[0])
    with world.context.database.write() as session:
        for number in range(1, count * len(targets)):
            session.add(
                RunRow(
                    id=new_run_id(),
                    target=targets[number % len(targets)],
                    region="north",
                    kind=RunKind.EXEC,
                    status=RunStatus.PENDING,
                    actor="anna",
                    argv=["true"],
                    created_at=world.clock.wall(),
                )
            )
    return [first, *(run for run in runs.listed(world.context, target=None, status=None, limit=1000) if run != first)]


def submit(world: World, target: str, priority: Priority) -> Run:
    run = job(world, target)
    with world.context.database.write() as session:
        session.execute(update(RunRow).where(RunRow.id == run.id).values(priority=priority.rank))
    return run


def take(world: World, hint: Run, *, end: bool = True) -> Assignment:
    """Claim for a hint and, unless told otherwise, end the run at once."""
    given = claims.claim(world.context, hint.id, node="n", holder=f"for-{hint.id}-{world.clock.boot_ms()}")
    world.clock.advance(1)
    if end:
        end_run(world.context, given.run.id, epoch=given.epoch, reason="done")
    return given


def drain(world: World, hint: Run, count: int) -> list[str]:
    """The targets of the next claims."""
    return [take(world, hint).run.target for _ in range(count)]


def test_the_most_urgent_is_claimed_first_whatever_was_submitted_first(world: World) -> None:
    names = {priority: f"{priority}.north" for priority in reversed(Priority)}
    world.register(*names.values())
    hints = [submit(world, name, priority) for priority, name in names.items()]
    assert drain(world, hints[0], 4) == ["rollback.north", "apply.north", "plan.north", "drift.north"]


def test_an_apply_comes_before_a_plan_by_its_kind() -> None:
    assert turns.rank_of(RunKind.PLAN) == Priority.PLAN.rank
    for kind in (RunKind.APPLY, RunKind.DESTROY, RunKind.EXEC):
        assert turns.rank_of(kind) == Priority.APPLY.rank


def test_five_hundred_runs_of_one_flock_delay_the_one_of_another_by_one_claim(world: World) -> None:
    targets = [f"many.north.t{number}" for number in range(50)]
    world.register(*targets, "few.north")
    hints = many(world, targets, 10)
    assert len(hints) == 500
    take(world, hints[0])
    waiting = job(world, "few.north")
    # Nobody needs the hint of the one: it is claimed on a hint of the many.
    assert take(world, hints[1]).run.id == waiting.id


def test_five_hundred_runs_of_one_target_delay_the_one_of_its_sibling_by_one_claim(world: World) -> None:
    world.register("many.north.a", "many.north.b")
    hints = many(world, ["many.north.a"], 500)
    take(world, hints[0])
    waiting = job(world, "many.north.b")
    assert take(world, hints[1]).run.id == waiting.id


def test_flocks_take_turns(world: World) -> None:
    world.register("a.north", "b.north", "c.north")
    hints = [job(world, f"{flock}.north") for flock in "aaabbbccc"]
    assert [target[0] for target in drain(world, hints[0], 9)] == list("abcabcabc")


def test_a_plan_behind_endless_applies_waits_for_seven_of_them_at_most(world: World) -> None:
    world.register("busy.north", "calm.north")
    hints = [job(world, "busy.north") for _ in range(20)]
    world.submit("calm.north", RunKind.PLAN)
    claimed = drain(world, hints[0], turns.FAIR_EVERY)
    assert claimed.count("calm.north") == 1


def test_a_drift_check_is_claimed_last_whoever_waits_for_how_long(world: World) -> None:
    world.register("busy.north", "calm.north")
    world.submit("calm.north", RunKind.DRIFT)
    hints = [job(world, "busy.north") for _ in range(2 * turns.FAIR_EVERY)]
    assert set(drain(world, hints[0], 2 * turns.FAIR_EVERY)) == {"busy.north"}
    assert drain(world, hints[0], 1) == ["calm.north"]


def test_the_query_is_put_together_once_and_asked_for_each_region(world: World) -> None:
    turns._candidates.cache_clear()
    world.register("web.south")
    for _ in range(2 * turns.FAIR_EVERY):
        north, south = job(world, "web.north"), job(world, "web.south")
        assert [take(world, hint).run.id for hint in (north, south)] == [north.id, south.id]
    built = turns._candidates.cache_info()
    assert built.misses == 2, "once by priority and once by waiting alone"
    assert built.hits > 4 * turns.FAIR_EVERY


def test_a_claim_is_counted_for_its_region_its_flock_and_its_target_there(world: World) -> None:
    world.register("shop.north.a", "shop.north.b", "web.south")
    for name in ("shop.north.a", "web.south", "web.north", "shop.north.b"):
        take(world, job(world, name))
    with world.context.database.read() as session:
        served = {(row.region, row.name): row.served for row in session.scalars(select(TurnRow))}
    assert served == {
        ("north", ""): 3,
        ("north", "shop"): 3,
        ("north", "shop.north.a"): 1,
        ("north", "web"): 2,
        ("north", "web.north"): 2,
        ("north", "shop.north.b"): 3,
        ("south", ""): 1,
        ("south", "web"): 1,
        ("south", "web.south"): 1,
    }


def test_a_rollback_goes_before_everything_even_then(world: World) -> None:
    world.register("busy.north", "calm.north")
    hints = [submit(world, "busy.north", Priority.ROLLBACK) for _ in range(2 * turns.FAIR_EVERY)]
    job(world, "calm.north")
    assert set(drain(world, hints[0], 2 * turns.FAIR_EVERY)) == {"busy.north"}


def test_regions_do_not_take_each_others_runs(world: World) -> None:
    world.register("web.south")
    run = job(world, "web.south")
    job(world, "web.north")
    assert take(world, run).run.id == run.id


@pytest.mark.parametrize(
    ("limits", "allowed"),
    [
        ({"max_runs_per_flock": {"web": 2}}, 2),
        ({"max_runs_per_flock": {"*": 1}}, 1),
        ({"max_runs_per_flock": {"*": 1, "web": 3}}, 3),
        ({"max_runs_per_flock": {"other": 1}}, 4),
        ({"max_runs_per_region": {"north": 2}}, 2),
        ({"max_runs_per_region": {"*": 3}}, 3),
    ],
)
def test_no_more_runs_are_at_work_than_the_settings_allow(
    tmp_path: Path, database: Database, limits: dict[str, dict[str, int]], allowed: int
) -> None:
    world = make_world(tmp_path, database, **limits)
    names = [f"web.north.t{number}" for number in range(4)]
    world.register(*names)
    hints = [job(world, name) for name in names]
    given = [take(world, hint, end=False) for hint in hints[:allowed]]
    if allowed < len(names):
        with pytest.raises(ApiError, match="as many runs at work as the settings allow"):
            take(world, hints[-1])
        # What ends makes room, and wakes somebody who can use it.
        woken = end_run(world.context, given[0].run.id, epoch=given[0].epoch, reason="done")
        assert [run_id for run_id, _ in woken] == [hints[allowed].id]
        assert take(world, hints[-1]).run.id == hints[allowed].id
    world.store.close()


def test_a_flock_at_its_limit_does_not_hold_up_another(tmp_path: Path, database: Database) -> None:
    world = make_world(tmp_path, database, max_runs_per_flock={"web": 1})
    world.register("web.north.a", "web.north.b", "shop.north")
    hints = [job(world, name) for name in ("web.north.a", "web.north.b", "shop.north")]
    assert take(world, hints[0], end=False).run.id == hints[0].id
    assert take(world, hints[1], end=False).run.id == hints[2].id
    world.store.close()


def test_a_limit_of_a_flock_counts_its_runs_in_every_region(tmp_path: Path, database: Database) -> None:
    world = make_world(tmp_path, database, max_runs_per_flock={"web": 1})
    world.register("web.north", "web.south")
    north, south = job(world, "web.north"), job(world, "web.south")
    given = take(world, north, end=False)
    with pytest.raises(ApiError, match="as many runs"):
        take(world, south)
    woken = end_run(world.context, given.run.id, epoch=given.epoch, reason="done")
    assert woken == [(south.id, "south")]
    world.store.close()
