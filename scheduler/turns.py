"""Whose turn it is: which of the runs that wait in a region is claimed next. One query, on either database.

A hint says that there is work in a region; the claim says which. In this order:

1. priority: rollback, apply, plan, drift;
2. the flock that was served longest ago in this region;
3. the target of it that was served longest ago;
4. the run that was submitted first.

So five hundred runs of one flock delay the one of another by one claim. Strict priorities alone would still let a
stream of applies starve a plan: hence every `FAIR_EVERY`th claim of a region looks at priorities no further than to
put rollbacks first, and drift checks last, for they may delay nothing.

A run is no candidate while its target is taken or reserved for a rollback, its flock or its region has as many runs at
work as the settings allow, or its roll-out is not running. The row of the region's count is locked for a claim, and
with a limit the flock's row too, so that two claims never count the same place twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from sqlalchemy import ColumnElement, Select, String, bindparam, case, exists, func, literal, or_, select
from sqlalchemy.orm import Session, aliased

from scheduler.database import insert_into
from scheduler.rollback.reservation import kept_out
from scheduler.tables import ACTIVE_STATUSES, FlockRow, RolloutRow, RunRow, TargetRow, TurnRow
from shared.models import Priority, RunKind, RunStatus
from shared.settings import Settings

#: Every so many claims of a region go by waiting alone, rollbacks excepted.
FAIR_EVERY = 8
#: The name of the row that counts a region's claims.
_COUNT = ""


def rank_of(kind: RunKind) -> int:
    """The rank of a run that says nothing else about its priority."""
    own = {RunKind.PLAN: Priority.PLAN, RunKind.DRIFT: Priority.DRIFT, RunKind.ROLLBACK: Priority.ROLLBACK}
    return own.get(kind, Priority.APPLY).rank


def may_begin() -> ColumnElement[bool]:
    """Whether a pending run's roll-out lets it begin (one of no roll-out may), and no rollback keeps it out."""
    running = exists().where(RolloutRow.id == RunRow.rollout_id, RolloutRow.status == "running")
    return or_(RunRow.rollout_id.is_(None), running) & ~kept_out()


def lock_region(session: Session, region: str) -> int:
    """Lock the region's count until the transaction ends, and return how many claims it has seen."""
    missing = insert_into(session, TurnRow).values(region=region, name=_COUNT, served=0)
    session.execute(missing.on_conflict_do_nothing())
    query = select(TurnRow.served).where(TurnRow.region == region, TurnRow.name == _COUNT).with_for_update()
    return session.scalars(query).one()


def lock_flock(session: Session, settings: Settings, target: str) -> None:
    """Where the flock has a limit: keep claims in other regions from counting its runs at the same time."""
    flock = session.scalars(select(TargetRow.flock).where(TargetRow.id == target)).one()
    if _limit(settings.max_runs_per_flock, flock) is not None:
        session.execute(select(FlockRow.name).where(FlockRow.name == flock).with_for_update(key_share=True))


def next_run(session: Session, settings: Settings, region: str) -> tuple[str, str] | None:
    """The run that is claimed next in the region, as (run id, target), or None when there is none to be had.

    Without the locks, as for publishing hints, the answer is a guess that the claim corrects.
    """
    at_most = _limit(settings.max_runs_per_region, region)
    if at_most is not None:
        at_work = select(func.count()).where(RunRow.region == region, RunRow.status.in_(ACTIVE_STATUSES))
        if (session.scalar(at_work) or 0) >= at_most:
            return None
    counted = select(TurnRow.served).where(TurnRow.region == region, TurnRow.name == _COUNT)
    fair = (session.scalar(counted) or 0) % FAIR_EVERY == FAIR_EVERY - 1
    query = _candidates(tuple(sorted(settings.max_runs_per_flock.items())), fair)
    found = session.execute(query, {"region": region}).one_or_none()
    return None if found is None else (found[0], found[1])


def to_wake(session: Session, settings: Settings, ended: RunRow) -> list[tuple[str, str]]:
    """The runs, as (run id, region), that may begin now that `ended` is over, as a guess: its target is free, its flock
    and its region have a place.
    """
    waiting = _waiting()
    found = {row[0]: row[1] for row in session.execute(waiting.where(RunRow.target == ended.target))}
    flock = session.scalars(select(TargetRow.flock).where(TargetRow.id == ended.target)).one()
    if _limit(settings.max_runs_per_flock, flock) is not None:
        found |= {row[0]: row[1] for row in session.execute(waiting.where(TargetRow.flock == flock))}
    if _limit(settings.max_runs_per_region, ended.region) is not None and (
        best := next_run(session, settings, ended.region)
    ):
        found[best[0]] = ended.region
    return list(found.items())


def served(session: Session, run: RunRow, target: TargetRow, count: int) -> None:
    """Note that the run was claimed, as number `count` of its region, whose lock the caller holds."""
    names = (_COUNT, target.flock, target.id)
    rows = [{"region": run.region, "name": name, "served": count} for name in names]
    query = insert_into(session, TurnRow).values(rows)
    changed = {"served": query.excluded.served}
    session.execute(query.on_conflict_do_update(index_elements=("region", "name"), set_=changed))


# Putting one of these queries together takes ten times as long as asking it, and a claim asks thrice, under a lock for
# which all other claims of the region wait. Hence once for each process and its limits.


@lru_cache(maxsize=1)
def _waiting() -> Select[str, str]:
    """The run that waits first, as (run id, region), among those whose target is free."""
    return (
        select(RunRow.id, RunRow.region)
        .join(TargetRow, TargetRow.id == RunRow.target)
        .where(RunRow.status == RunStatus.PENDING, ~_taken(), may_begin())
        .order_by(RunRow.priority, RunRow.sequence)
        .limit(1)
    )


@lru_cache(maxsize=8)
def _candidates(limits: tuple[tuple[str, int], ...], fair: bool) -> Select[str, str]:
    """The run that is claimed next in `:region`, as (run id, target)."""
    flock_turn, target_turn = aliased(TurnRow), aliased(TurnRow)
    region = bindparam("region", type_=String)
    busy_run, busy_target = aliased(RunRow), aliased(TargetRow)
    busy = (
        select(busy_target.flock.label("flock"), func.count().label("runs"))
        .join_from(busy_run, busy_target, busy_run.target == busy_target.id)
        .where(busy_run.status.in_(ACTIVE_STATUSES))
        .group_by(busy_target.flock)
        .subquery()
    )
    rollback = Priority.ROLLBACK.rank
    fairly = case((RunRow.priority <= rollback, 0), (RunRow.kind == RunKind.DRIFT, 2), else_=1)
    rank = fairly if fair else RunRow.priority
    query = (
        select(RunRow.id, RunRow.target)
        .join(TargetRow, TargetRow.id == RunRow.target)
        .outerjoin(flock_turn, (flock_turn.region == region) & (flock_turn.name == TargetRow.flock))
        .outerjoin(target_turn, (target_turn.region == region) & (target_turn.name == TargetRow.id))
        .where(RunRow.status == RunStatus.PENDING, RunRow.region == region, ~_taken(), may_begin())
        .order_by(rank, func.coalesce(flock_turn.served, 0), func.coalesce(target_turn.served, 0), RunRow.sequence)
        .limit(1)
    )
    if limits:
        query = query.outerjoin(busy, busy.c.flock == TargetRow.flock).where(
            func.coalesce(busy.c.runs, 0) < _limit_in_sql(dict(limits))
        )
    return query


def _taken() -> ColumnElement[bool]:
    """Whether some run has the target of this one."""
    other = aliased(RunRow)
    return exists().where(other.target == RunRow.target, other.status.in_(ACTIVE_STATUSES))


def _limit(limits: Mapping[str, int], name: str) -> int | None:
    return limits.get(name, limits.get("*"))


def _limit_in_sql(limits: Mapping[str, int]) -> ColumnElement[int]:
    """The limit of the row's flock; without one a number that is never reached."""
    named = {name: number for name, number in limits.items() if name != "*"}
    default = literal(limits.get("*", 2**31 - 1))
    return case(named, value=TargetRow.flock, else_=default) if named else default
