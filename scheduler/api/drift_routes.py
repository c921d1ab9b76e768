"""Routes: what drift checks found, where targets stand, checks on demand, ignore rules."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from scheduler.api.access import Context, allow
from scheduler.api.request_body import Actor, Holder, RequestBody
from scheduler.drift import intake, queueing, views
from shared.drift.records import MAX_CHECKED, ChecksQueued, DriftCheck, DriftDetail, DriftStanding, RuleUse
from shared.drift.report import DriftReport, RollUp
from shared.models import TargetId

router = APIRouter(prefix="/v1", tags=["drift"])


class ReportDelivery(RequestBody):
    """What a drift run found."""

    holder: Holder
    report: DriftReport = Field(description="what it found")


class ChecksRequest(RequestBody):
    """Targets to check."""

    targets: list[TargetId] = Field(min_length=1, max_length=MAX_CHECKED, description="which")
    actor: Actor


@router.post("/runs/{run_id}/drift-report", dependencies=[allow("worker")])
def deliver(context: Context, run_id: str, delivery: ReportDelivery) -> DriftCheck:
    """Deliver what a drift run found. The answer has what it comes to by the flock's ignore rules."""
    return intake.deliver(context, run_id, holder=delivery.holder, report=delivery.report)


@router.get("/drift", dependencies=[allow()])
def list_standings(
    context: Context,
    flock: str | None = None,
    roll_up: RollUp | None = None,
    limit: Annotated[int, Query(ge=1, le=views.MAX_LISTED)] = views.MAX_LISTED,
) -> list[DriftStanding]:
    """Where targets stand, by target."""
    return views.listed(context, flock=flock, roll_up=roll_up, limit=limit)


@router.post("/drift/checks", status_code=201, dependencies=[allow()])
def check(context: Context, request: ChecksRequest) -> ChecksQueued:
    """Check targets now. A check that is queued or at work already is the answer for its target."""
    return ChecksQueued(runs=tuple(queueing.check_now(context, request.targets, actor=request.actor)))


@router.get("/drift/rules", dependencies=[allow()])
def list_rules(context: Context, flock: str | None = None) -> list[RuleUse]:
    """The ignore rules of flocks, and how often each was used."""
    return views.rules(context, flock=flock)


@router.get("/drift/{target}", dependencies=[allow()])
def get(context: Context, target: str) -> DriftDetail:
    """Where a target stands, what its newest check found, and what was signed for that."""
    return views.shown(context, target)
