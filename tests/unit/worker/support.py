"""Makes records for the worker's tests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from shared.lease.timing import LeaseTiming
from shared.models import Assignment, JournalRecord, Run, RunKind, RunStatus, Target

RUN = "run-0123456789abcdef"
TARGET = "orders.here"
HOLDER = "f" * 32
AT = datetime(2026, 1, 1, tzinfo=UTC)


def run(**changes: Any) -> Run:
    values: dict[str, Any] = {
        "id": RUN,
        "target": TARGET,
        "region": "here",
        "kind": RunKind.APPLY,
        "status": RunStatus.CLAIMED,
        "epoch": 1,
        "release_digest": "sha256:" + "0" * 64,
        "created_at": AT,
    }
    return Run(**{**values, **changes})


def assignment(*, kind: RunKind = RunKind.APPLY, epoch: int = 1, argv: tuple[str, ...] = ()) -> Assignment:
    return Assignment(
        run=run(kind=kind, epoch=epoch, argv=argv),
        target=Target(
            id=TARGET,
            flock="orders",
            region="here",
            provider_region="eu-west-1",
            release_digest="sha256:" + "0" * 64,
            epoch=epoch,
        ),
        epoch=epoch,
        holder=HOLDER,
        timing=LeaseTiming(),
        state_username=RUN,
        state_password="state-password",
    )


def record(
    service: str,
    operation: str,
    resource: dict[str, str] | None = None,
    answer: dict[str, str] | None = None,
    **changes: Any,
) -> JournalRecord:
    """A journaled write; answered with 200 when `answer` is given, of unknown outcome when it is not."""
    values: dict[str, Any] = {
        "run_id": RUN,
        "target": TARGET,
        "epoch": 1,
        "call_id": f"{abs(hash((service, operation, str(resource), str(answer)))):032x}"[-32:],
        "service": service,
        "operation": operation,
        "access": "write",
        "host": f"{service}.amazonaws.com",
        "method": "POST",
        "path": "/",
        "region": "eu-west-1",
        "resource": resource or {},
        "outcome_resource": answer or {},
        "at_wall": AT,
        "outcome": "unknown" if answer is None else "answered",
        "http_status": None if answer is None else 200,
    }
    return JournalRecord(**{**values, **changes})
