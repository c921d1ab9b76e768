"""A scheduler in memory for tests: SQLite in a folder, fakeredis, a clock moved by hand, hints that are kept."""

from __future__ import annotations

import json
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scheduler import claims, journal, releases, runs
from scheduler.cipher import StateCipher
from scheduler.context import SchedulerContext
from scheduler.database import Database
from scheduler.publisher import MemoryPublisher
from shared.lease.commands import Granted
from shared.lease.machine import State
from shared.lease.store import LeaseStore
from shared.models import Assignment, JournalIntent, Run, RunKind, RunStatus
from shared.settings import Settings
from shared.testing import FakeServer, ManualClock
from tests.releases import packed_release

TARGET = "web.north"
#: fakeredis lets keys expire by the real clock: long enough for any machine, while the test's own clock jumps.
PATIENT: dict[str, Any] = {
    "ttl_ms": 30_000,
    "renew_ms": 5_000,
    "poll_ms": 1_000,
    "delta_ms": 2_000,
    "grace_ms": 1_000,
    "unknown_ms": 5_000,
}
#: Short, so that tests on a real server and a real clock do not wait.
FAST: dict[str, Any] = {
    "ttl_ms": 900,
    "renew_ms": 150,
    "poll_ms": 50,
    "delta_ms": 100,
    "grace_ms": 100,
    "unknown_ms": 300,
    "observe_ms": 20,
}
BOOT = "b" * 32


def state(serial: int, *, lineage: str = "lineage-a", note: str = "") -> bytes:
    """A Terraform state."""
    return json.dumps({"version": 4, "serial": serial, "lineage": lineage, "outputs": {}, "note": note}).encode()


def migrated_copy(template: Path, folder: Path) -> Database:
    """A database of its own that is migrated already."""
    path = folder / "interlock.db"
    shutil.copyfile(template, path)
    return Database(f"sqlite:///{path}")


@dataclass(kw_only=True)
class World:
    """A context and what tests do with it."""

    context: SchedulerContext
    clock: ManualClock
    server: FakeServer | None
    publisher: MemoryPublisher

    def publish(self, *targets: str, **choice: Any) -> str:
        """Publish a release of targets of one flock; returns its digest."""
        packed = packed_release(*targets or (TARGET,), **{"provider_region": "eu-1", **choice})
        return releases.publish(self.context, packed, actor="anna").digest

    def register(self, *targets: str) -> None:
        """Publish releases of targets and let them deploy these."""
        by_flock: dict[str, list[str]] = {}
        for target in targets or (TARGET,):
            by_flock.setdefault(target.split(".")[0], []).append(target)
        for flock, names in by_flock.items():
            releases.register(self.context, flock, release_digest=self.publish(*names))

    def submit(
        self,
        target: str = TARGET,
        kind: RunKind = RunKind.APPLY,
        argv: list[str] | None = None,
        *,
        release_digest: str | None = None,
    ) -> Run:
        """Queue a run."""
        return runs.submit(
            self.context, target=target, kind=kind, argv=argv or [], actor="anna", release_digest=release_digest
        )

    def claim(self, run: Run, *, holder: str = "holder-1", node: str = "node-1") -> Assignment:
        """Claim it."""
        return claims.claim(self.context, run.id, node=node, holder=holder)

    def acquire(self, assignment: Assignment) -> str:
        """Take the lease of the assignment, as its worker does, and return the lease id."""
        granted = self.store.acquire(
            assignment.run.target,
            epoch=assignment.epoch,
            acquire_id=secrets.token_hex(16),
            ttl_ms=self.context.settings.ttl_ms,
            holder=assignment.holder,
            run_id=assignment.run.id,
            node=assignment.run.node or "",
        )
        assert isinstance(granted, Granted), granted
        return granted.lease_id

    def begin(
        self, target: str = TARGET, kind: RunKind = RunKind.APPLY, *, holder: str = "holder-1"
    ) -> tuple[Assignment, str]:
        """Submit, claim and acquire: a run at work and its lease id."""
        assignment = self.claim(self.submit(target, kind, ["true"] if kind is RunKind.EXEC else None), holder=holder)
        return assignment, self.acquire(assignment)

    def finish(
        self,
        assignment: Assignment,
        status: RunStatus = RunStatus.APPLIED,
        *,
        exit_code: int | None = 0,
        reason: str = "",
    ) -> Run:
        """Report the end of a run that is at work, as its worker does."""
        return runs.finish(
            self.context,
            assignment.run.id,
            holder=assignment.holder,
            epoch=assignment.epoch,
            exit_code=exit_code,
            status=status,
            reason=reason,
        )

    def sever(self, target: str, lease_id: str, reason: str = "worker died") -> None:
        """Revoke a lease that no proxy is attached to: it is severed at once."""
        assert self.store.revoke(target, lease_id, reason) is State.SEVERED

    def journal(
        self, assignment: Assignment, operation: str = "CreateQueue", access: str = "write", **resource: str
    ) -> JournalIntent:
        """Journal a call of the assignment's run."""
        intent = JournalIntent.model_validate(
            {
                "run_id": assignment.run.id,
                "target": assignment.run.target,
                "epoch": assignment.epoch,
                "call_id": secrets.token_hex(16),
                "service": "sqs",
                "operation": operation,
                "access": access,
                "host": "sqs.eu-1.amazonaws.com",
                "method": "POST",
                "path": "/",
                "region": "eu-1",
                "resource": resource,
                "at_wall": self.clock.wall(),
            }
        )
        assert journal.record_intent(self.context, intent)
        return intent

    @property
    def store(self) -> LeaseStore:
        """The lease store."""
        return self.context.store


def make_world(
    home: Path, database: Database, *, store: LeaseStore | None = None, server: FakeServer | None = None, **options: Any
) -> World:
    """Put a world together. Without a `store` it has a fake server of its own."""
    clock = ManualClock(1_000_000)
    publisher = MemoryPublisher()
    if store is None:
        server = server or FakeServer()
        store = server.store()
    settings = Settings(home=home, database_url="sqlite:///unused", **{**PATIENT, **options})
    context = SchedulerContext(
        settings=settings,
        database=database,
        store=store,
        publisher=publisher,
        clock=clock,
        cipher=StateCipher(b"k" * 32),
    )
    return World(context=context, clock=clock, server=server, publisher=publisher)


def metric(world: World, name: str, **labels: str) -> float:
    """The present value of a metric."""
    return world.context.metrics.registry.get_sample_value(f"interlock_scheduler_{name}", labels) or 0.0
