"""A drift run delivers what it found. It is kept with the flock's ignore rules applied, and counts once the run is
over. What older runs of the target delivered is let go.

A report is never changed: the same one again gets the same answer, another one is refused.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session, undefer

from scheduler.context import SchedulerContext
from scheduler.drift.letting_go import let_calls_go, let_reports_go
from scheduler.drift.rules import rule_digest
from scheduler.drift.transitions import Finding, finding_of, in_common
from scheduler.problems import conflict, invalid
from scheduler.releases import get_manifest
from scheduler.rows import lock_run, require_holder
from scheduler.tables import DriftCheckRow, RunRow
from shared.drift.ignoring import apply
from shared.drift.records import DriftCheck
from shared.drift.report import Cause, DriftReport, ResourceDrift, ResourceStatus
from shared.models import RunKind
from shared.release_manifest import ManifestTarget
from shared.safety.entries import Place

MAX_ITEMS: Final = 20
_SHOWN_PATHS: Final = 3


def deliver(context: SchedulerContext, run_id: str, *, holder: str, report: DriftReport) -> DriftCheck:
    """Keep what a drift run found. Returns what it comes to.

    Raises `ApiError` 409 `lease_lost` for anybody but the holder, 409 `other_report` for a second, different report,
    and 400 for a run that checks nothing.
    """
    content = report.model_dump_json().encode()
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    with context.database.write() as session:
        run, _ = lock_run(context.database, session, run_id)
        require_holder(run, holder)
        if run.kind != RunKind.DRIFT or run.release_digest is None or run.epoch is None:
            raise invalid(f"run {run_id} is no check for drift", "only a drift run delivers a report")
        kept = session.get(DriftCheckRow, run_id)
        if kept is not None:
            if kept.digest != digest:
                raise conflict("other_report", f"run {run_id} has delivered another report already")
            return DriftCheck.model_validate(kept.document)
        check = _keep(context, session, run, report, digest)
    let_calls_go(context, check.target)
    return check


def report_of(session: Session, run_id: str) -> DriftReport | None:
    """The report of a run, with what rules took off marked; None where it delivered none, or it was let go."""
    query = select(DriftCheckRow).where(DriftCheckRow.run_id == run_id).options(undefer(DriftCheckRow.report))
    row = session.scalars(query).one_or_none()
    return None if row is None else DriftReport.model_validate_json(zlib.decompress(row.report))


def in_common_with(session: Session, run: RunRow, earlier: str | None) -> Finding | None:
    """What a check has found to have drifted just as an earlier one of the same release; None: nothing, or one of the
    reports is not there any more, or of a version of Interlock that cannot be read.
    """
    before = session.get(DriftCheckRow, earlier) if earlier is not None else None
    if before is None or before.release_digest != run.release_digest:
        return None
    try:
        one, other = report_of(session, before.run_id), report_of(session, run.id)
    except (ValueError, zlib.error):
        return None
    if one is None or other is None:
        return None
    return in_common(one, other, _place_of(get_manifest(session, before.release_digest).targets[run.target]))


def drifted_in(document: Mapping[str, Any]) -> int:
    """How many resources drifted, by the document of a check's row."""
    counts = document.get("counts", {})
    return sum(int(counts.get(status.value, 0)) for status in ResourceStatus if status.drifted)


def item(resource: ResourceDrift) -> str:
    """What drifted, in a line: `aws_sqs_queue.orders modified (tags, delay_seconds)`."""
    changed = [
        change.path
        for change in resource.attributes
        if change.path and change.cause is Cause.CHANGED_OUTSIDE and not change.ignored
    ]
    left = len(changed) - _SHOWN_PATHS + resource.more_attributes
    named = ", ".join(changed[:_SHOWN_PATHS]) + (f" and {left} more" if left > 0 else "")
    return f"{resource.address} {resource.status.value}" + (f" ({named})" if named else "")


def _keep(context: SchedulerContext, session: Session, run: RunRow, report: DriftReport, digest: str) -> DriftCheck:
    manifest = get_manifest(session, run.release_digest or "")
    rules = manifest.drift.ignore if manifest.drift is not None else ()
    now = context.clock.wall()
    judged = apply(report, rules, now.date())
    found = finding_of(judged.report, _place_of(manifest.targets[run.target]))
    check = DriftCheck(
        run_id=run.id,
        target=run.target,
        release_digest=manifest.digest,
        roll_up=found.roll_up,
        counts=judged.report.counts(),
        ignored=sum(judged.hits),
        expired=tuple(rules[place] for place in judged.expired),
        created_at=now,
    )
    hits: dict[str, int] = {}
    for rule, count in zip(rules, judged.hits, strict=True):
        if count:
            hits[rule_digest(rule)] = hits.get(rule_digest(rule), 0) + count
    session.add(
        DriftCheckRow(
            run_id=run.id,
            target=run.target,
            epoch=run.epoch,
            release_digest=check.release_digest,
            digest=digest,
            roll_up=found.roll_up,
            shape=found.shape,
            document=check.model_dump(mode="json"),
            items=_items(judged.report),
            hits=hits,
            report=zlib.compress(judged.report.model_dump_json().encode()),
            created_at=now,
        )
    )
    session.flush()
    let_reports_go(session, run.target)
    return check


def _place_of(target: ManifestTarget) -> Place:
    return Place(region=target.region, provider_region=target.provider_region)


def _items(report: DriftReport) -> list[str]:
    """What people are shown of it: what drifted, else what was not looked at."""
    if report.drifted:
        return [item(resource) for resource in report.drifted[:MAX_ITEMS]]
    found = [*report.gaps, *(f"{one.address} {one.status.value}: {one.reason}" for one in report.not_checked)]
    return [text[:1024] for text in found[:MAX_ITEMS]]
