"""Checks for tests, as short as they can be said."""

from __future__ import annotations

import secrets
from typing import Any

from sqlalchemy import select

from scheduler import claims, releases, runs
from scheduler.drift import intake
from scheduler.notifications import Event, Kind
from scheduler.tables import DriftStandingRow, NotificationRow, RunRow
from shared.drift.report import AttributeChange, Cause, DriftReport, ResourceDrift, ResourceStatus
from shared.drift.settings import DriftSettings
from shared.models import Assignment, Run, RunKind, RunStatus
from tests.unit.scheduler.support import TARGET, World

IN_SYNC = DriftReport()
BLIND = DriftReport(gaps=("the state is gone",))


def drifted(*paths: str, address: str = "aws_sqs_queue.orders", **fields: Any) -> DriftReport:
    """A report in which one queue was changed outside, in these attributes."""
    changes = tuple(AttributeChange(path=path, before="1", after="2") for path in paths or ("delay_seconds",))
    resource = ResourceDrift.model_validate(
        {
            "address": address,
            "type": "aws_sqs_queue",
            "status": ResourceStatus.MODIFIED,
            "cause": Cause.CHANGED_OUTSIDE,
            "attributes": changes,
            **fields,
        }
    )
    return DriftReport(resources=(resource,))


def deploy(world: World, *targets: str, deployed: bool = True, **settings: Any) -> str:
    """Publish and register a release with a `drift` section, and apply it to each target. Returns its digest."""
    names = targets or (TARGET,)
    more = {name: settings.pop(name) for name in ("safety", "phases") if name in settings}
    digest = world.publish(*names, drift=DriftSettings.model_validate(settings), **more)
    releases.register(world.context, names[0].split(".")[0], release_digest=digest)
    if deployed:
        for name in names:
            end(world, *world.begin(name, holder=secrets.token_hex(8)), status=RunStatus.APPLIED)
    return digest


def end(
    world: World, assignment: Assignment, lease: str, *, status: RunStatus, exit_code: int | None = 0, reason: str = ""
) -> Run:
    """The run's worker releases its lease and reports."""
    world.store.release(assignment.run.target, lease)
    return world.finish(assignment, status, exit_code=exit_code, reason=reason)


def queued(world: World, target: str = TARGET) -> list[Run]:
    """The checks of a target that wait for a worker."""
    found = runs.listed(world.context, target=target, status=RunStatus.PENDING, kind=RunKind.DRIFT, limit=10)
    return list(reversed(found))


def begin_check(world: World, target: str = TARGET) -> tuple[Assignment, str]:
    """A check at work and its lease; the one that is queued, or one that is asked for."""
    waiting = queued(world, target)
    run = waiting[0] if waiting else world.submit(target, RunKind.DRIFT)
    assignment = claims.claim(world.context, run.id, node="n", holder=secrets.token_hex(8))
    assert assignment.run.kind is RunKind.DRIFT
    return assignment, world.acquire(assignment)


def check(
    world: World,
    report: DriftReport | None,
    target: str = TARGET,
    *,
    status: RunStatus = RunStatus.CHECKED,
    exit_code: int | None = 0,
    reason: str = "",
) -> Run:
    """Do a check as its worker would, to its end."""
    assignment, lease = begin_check(world, target)
    if report is not None:
        intake.deliver(world.context, assignment.run.id, holder=assignment.holder, report=report)
    return end(world, assignment, lease, status=status, exit_code=exit_code, reason=reason)


def standing(world: World, target: str = TARGET) -> DriftStandingRow:
    """Where a target stands, by its row."""
    with world.context.database.read() as session:
        return session.get_one(DriftStandingRow, target)


def told(world: World, kind: Kind = Kind.DRIFT) -> list[Event]:
    """What people were told, the first first."""
    query = select(NotificationRow).where(NotificationRow.kind == kind).order_by(NotificationRow.sequence)
    with world.context.database.read() as session:
        return [Event.stored(row.document) for row in session.scalars(query)]


def statuses(world: World, target: str = TARGET, kind: RunKind = RunKind.DRIFT) -> list[str]:
    """How the target's runs of that kind stand, the first first."""
    query = select(RunRow.status).where(RunRow.target == target, RunRow.kind == kind).order_by(RunRow.sequence)
    with world.context.database.read() as session:
        return list(session.scalars(query))


def later(world: World, seconds: float) -> None:
    """Time goes by."""
    world.clock.advance(int(seconds * 1000))
