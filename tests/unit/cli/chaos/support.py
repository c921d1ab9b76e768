"""What the tests of `interlock chaos` are made of: journal records, and an API that plays a deployment."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from shared.clock import ManualClock
from shared.errors import InterlockError
from shared.lease.view import LeaseView
from shared.models import JournalRecord, LogChunk, Run, RunKind, RunStatus, Target

TARGET = "shop.local"
TTL_MS = 10_000
_numbers = itertools.count(1)


def record(epoch: int, *, access: str = "write", outcome: str | None = "answered") -> JournalRecord:
    """One call in the journal."""
    return JournalRecord.model_validate(
        {
            "run_id": "run-0123456789abcdef",
            "target": TARGET,
            "epoch": epoch,
            "call_id": f"{next(_numbers):032x}",
            "service": "sns",
            "operation": "Publish",
            "access": access,
            "host": "sns.local.amazonaws.com",
            "method": "POST",
            "path": "/",
            "region": "local",
            "at_wall": datetime(2026, 1, 1, tzinfo=UTC),
            "outcome": outcome,
        }
    )


def view(lease: int, state: str | None = "held", *, pttl_ms: int = 9_000, **more: Any) -> LeaseView:
    """A look at the lease of epoch `lease`; 0: there is none."""
    values = {
        "target": TARGET,
        "incarnation": "i:1",
        "cleared": True,
        "state": state,
        "lease_id": f"{lease}-{'a' * 32}" if lease else "",
        "epoch": lease,
        "ttl_ms": TTL_MS,
        "pttl_ms": pttl_ms,
    }
    return LeaseView.model_validate(values | more)


@dataclass
class Deployment:
    """An API behind which a test plays the deployment: `step` is asked to go on at each look at the lease."""

    clock: ManualClock = field(default_factory=lambda: ManualClock(1_000_000))
    step: Callable[[Deployment], None] = lambda deployment: None
    shown: LeaseView = field(default_factory=lambda: view(0, "free"))
    runs_made: dict[str, Run] = field(default_factory=dict)
    calls: list[JournalRecord] = field(default_factory=list)
    failure: InterlockError | None = None
    """Raised by every request while it is set."""
    revoked: list[str] = field(default_factory=list)
    node: str = "n1"
    looks: int = 0

    def _answer(self) -> None:
        if self.failure is not None:
            raise self.failure

    def lease(self, target: str) -> LeaseView:
        self.looks += 1
        self.clock.advance(100)
        self.step(self)
        self._answer()
        return self.shown

    def journal(self, *, target: str, limit: int) -> list[JournalRecord]:
        self._answer()
        return self.calls[::-1][:limit]

    def create_run(self, target: str, kind: RunKind, *, argv: tuple[str, ...] = (), actor: str = "") -> Run:
        self._answer()
        made = Run(
            id=f"run-{len(self.runs_made) + 1:016x}",
            target=target,
            region="local",
            kind=kind,
            status=RunStatus.PENDING,
            argv=argv,
            actor=actor,
            created_at=datetime(2026, 1, 1, tzinfo=UTC),
        )
        self.runs_made[made.id] = made
        return made

    def run(self, run_id: str) -> Run:
        self._answer()
        return self.runs_made[run_id]

    def change(self, number: int, **changes: Any) -> None:
        """Change what the API says of the run that was made as the `number`th."""
        run_id = f"run-{number:016x}"
        self.runs_made[run_id] = self.runs_made[run_id].model_copy(update=changes)

    def cancel_run(self, run_id: str) -> Run:
        self._answer()
        ended = {"cancel_requested": True, "status": RunStatus.CANCELED}
        self.runs_made[run_id] = self.runs_made[run_id].model_copy(update=ended)
        return self.runs_made[run_id]

    def revoke_lease(self, target: str, reason: str) -> LeaseView:
        self._answer()
        self.revoked.append(reason)
        return self.shown

    def logs(self, run_id: str) -> LogChunk:
        return LogChunk(text="its last words", next_offset=14, complete=True)

    def runs(self, *, target: str | None = None, status: str | None = None, limit: int = 100) -> list[Run]:
        self._answer()
        return [run for run in self.runs_made.values() if status is None or run.status == status]

    def target(self, target: str) -> Target:
        self._answer()
        return Target(
            id=target,
            flock="shop",
            region="local",
            provider_region="local",
            release_digest="sha256:" + "a" * 64,
            epoch=0,
        )
