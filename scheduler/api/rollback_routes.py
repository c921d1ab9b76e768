"""Routes: rollbacks, what people do with them, and what the holder that takes a deployment back says."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from scheduler.api.access import Context, allow
from scheduler.api.request_body import Actor, Holder, Line, RequestBody
from scheduler.rollback import at_work, requests
from shared.models import RunId, TargetId
from shared.rollback.records import Address, RollbackPlan, RollbackResult, RollbackVerdict
from shared.rollback.standing import Rollback, RollbackSummary

router = APIRouter(prefix="/v1", tags=["rollbacks"])

MAX_CONSENTS = 1000


class RollbackRequest(RequestBody):
    """A deployment that somebody wants taken back."""

    target: TargetId | None = Field(default=None, description="whose last deployment")
    run_id: RunId | None = Field(default=None, description="the deployment itself; it has to be the target's last")
    actor: Actor
    reason: Line = Field(default="", max_length=1024, description="why, in one line")


class RetryRequest(RequestBody):
    """Try one again that is not whole."""

    actor: Line = Field(default="", max_length=256, description="who asks; has to be named for a consent")
    consents: tuple[Address, ...] = Field(
        default=(), max_length=MAX_CONSENTS, description="what was refused and may be destroyed this time, by address"
    )


class SkipRequest(RequestBody):
    """Leave a target as it is."""

    actor: Line = Field(default="", max_length=256, description="who decides")
    reason: Line = Field(default="", max_length=1024, description="why, in one line")


class PlanDelivery(RequestBody):
    """What a rollback would do."""

    holder: Holder
    plan: RollbackPlan = Field(description="of the first configuration against the current state")


class ResultDelivery(RequestBody):
    """What came of a rollback."""

    holder: Holder
    result: RollbackResult = Field(description="what came of it; the comparison is the scheduler's own")


@router.post("/rollbacks", status_code=201, dependencies=[allow()])
def start(context: Context, request: RollbackRequest) -> Rollback:
    """Take a deployment back: by its own run while that is at work, else by a ROLLBACK run. Asked twice it is one."""
    return requests.start(
        context, target=request.target, run_id=request.run_id, actor=request.actor, reason=request.reason
    )


@router.get("/rollbacks", dependencies=[allow()])
def list_rollbacks(
    context: Context,
    target: str | None = None,
    flock: str | None = None,
    unfinished: Annotated[bool, Query(description="only those that keep their targets")] = False,
    limit: Annotated[int, Query(ge=1, le=requests.MAX_LISTED)] = 100,
) -> list[RollbackSummary]:
    """Rollbacks, the newest first."""
    return requests.listed(context, target=target, flock=flock, unfinished=unfinished, limit=limit)


@router.get("/rollbacks/{rollback_id}", dependencies=[allow()])
def get_rollback(context: Context, rollback_id: str) -> Rollback:
    """One rollback, by its id or by that of the deployment."""
    return requests.get(context, rollback_id)


@router.post("/rollbacks/{rollback_id}/retry", dependencies=[allow()])
def retry(context: Context, rollback_id: str, request: RetryRequest) -> Rollback:
    """Try one again that is PARTIAL, FAILED or SKIPPED; with consents, what was refused may be destroyed."""
    return requests.retry(context, rollback_id, actor=request.actor, consents=request.consents)


@router.post("/rollbacks/{rollback_id}/skip", dependencies=[allow()])
def skip(context: Context, rollback_id: str, request: SkipRequest) -> Rollback:
    """Leave the target as it is: it takes other runs again."""
    return requests.skip(context, rollback_id, actor=request.actor, reason=request.reason)


@router.post("/runs/{run_id}/rollback-plan", dependencies=[allow("worker")])
def deliver_plan(context: Context, run_id: str, delivery: PlanDelivery) -> RollbackVerdict:
    """Deliver what a rollback would do. Exactly what the answer allows is signed from then on."""
    return at_work.deliver_plan(context, run_id, holder=delivery.holder, plan=delivery.plan)


@router.post("/runs/{run_id}/rollback-result", dependencies=[allow("worker")])
def deliver_result(context: Context, run_id: str, delivery: ResultDelivery) -> Rollback:
    """Deliver what came of a rollback, before the run's report. Sending it again is harmless."""
    return at_work.deliver_result(context, run_id, holder=delivery.holder, result=delivery.result)
