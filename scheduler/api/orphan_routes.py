"""Routes: what cut runs left that no state holds."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from scheduler import orphan_requests
from scheduler.api.access import Context, allow
from scheduler.api.request_body import Actor, Holder, RequestBody
from shared.models import Run
from shared.recovery.orphans import OrphanReport, PlannedResources

router = APIRouter(prefix="/v1", tags=["orphans"])


class PlannedDelivery(RequestBody):
    """What a run's plan would make."""

    holder: Holder
    planned: PlannedResources = Field(description="by address")


class RecoverRequest(RequestBody):
    """A person who wants what was left taken over."""

    actor: Actor


@router.get("/orphans", dependencies=[allow()])
def list_reports(
    context: Context,
    target: str | None = None,
    all: bool = False,
    limit: Annotated[int, Query(ge=1, le=orphan_requests.MAX_LISTED)] = 100,
) -> list[OrphanReport]:
    """Reports about runs that ended unclean, the youngest first; without `all` those with something left to do."""
    return orphan_requests.listed(context, target=target, only_open=not all, limit=limit)


@router.get("/runs/{run_id}/orphans", dependencies=[allow("worker")])
def get_report(context: Context, run_id: str) -> OrphanReport:
    """What one run left. 409 `not_over` before its end."""
    return orphan_requests.get(context, run_id)


@router.post("/runs/{run_id}/planned", status_code=204, dependencies=[allow("worker")])
def deliver_planned(context: Context, run_id: str, delivery: PlannedDelivery) -> None:
    """What the plan of a run would make, so that its report can say where things belong. Again is harmless."""
    orphan_requests.deliver_planned(context, run_id, holder=delivery.holder, planned=delivery.planned)


@router.post("/runs/{run_id}/recover", status_code=201, dependencies=[allow()])
def recover(context: Context, run_id: str, request: RecoverRequest) -> Run:
    """Queue a run that takes over what this one left. 409 `nothing_to_recover`, `not_over`."""
    return orphan_requests.recover(context, run_id, actor=request.actor)
