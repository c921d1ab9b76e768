"""Routes: roll-outs, and the plan files between a plan and its apply."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import Field

from scheduler import plans
from scheduler.api.access import Context, allow
from scheduler.api.limits import Body
from scheduler.api.request_body import Actor, RequestBody
from scheduler.drift import remediation
from scheduler.rollout import service
from shared.models import Digest, SavedPlan, TargetId
from shared.rollouts import MAX_TARGETS, Rollout, RolloutSummary

router = APIRouter(prefix="/v1", tags=["rollouts"])


class RolloutRequest(RequestBody):
    """A release to roll out."""

    release: Digest = Field(description="the release")
    actor: Actor


class RolloutCommand(RequestBody):
    """Something a person says about a roll-out as a whole."""

    actor: Actor


class RetryRequest(RequestBody):
    """Failed targets that should be tried again."""

    targets: list[TargetId] = Field(
        default=[], max_length=MAX_TARGETS, description="which; empty: every one that failed"
    )
    actor: Actor


class PlanDecision(RequestBody):
    """Plans that a person looked at: what was seen is what counts."""

    plans: dict[TargetId, Digest] = Field(
        min_length=1, max_length=MAX_TARGETS, description="the digest of the plan that was looked at, by target"
    )
    actor: Actor


@router.post("/rollouts", status_code=201, dependencies=[allow()])
def start(context: Context, request: RolloutRequest) -> Rollout:
    """Roll a release out. 409 while another roll-out of the flock is not over; one that only puts drift right goes."""
    remediation.step_aside(context, request.release)
    return service.start(context, request.release, actor=request.actor)


@router.get("/rollouts", dependencies=[allow()])
def list_rollouts(
    context: Context,
    flock: str | None = None,
    limit: Annotated[int, Query(ge=1, le=service.MAX_LISTED)] = 100,
) -> list[RolloutSummary]:
    """Roll-outs, the newest first."""
    return service.listed(context, flock=flock, limit=limit)


@router.get("/rollouts/{rollout_id}", dependencies=[allow()])
def get_rollout(context: Context, rollout_id: str) -> Rollout:
    """One roll-out with its phases and targets."""
    return service.get(context, rollout_id)


@router.post("/rollouts/{rollout_id}/pause", dependencies=[allow()])
def pause(context: Context, rollout_id: str, request: RolloutCommand) -> Rollout:
    """Start nothing any more; what is at work ends as it would have."""
    return service.pause(context, rollout_id)


@router.post("/rollouts/{rollout_id}/resume", dependencies=[allow()])
def resume(context: Context, rollout_id: str, request: RolloutCommand) -> Rollout:
    """Go on where it was paused."""
    return service.resume(context, rollout_id)


@router.post("/rollouts/{rollout_id}/cancel", dependencies=[allow()])
def cancel(context: Context, rollout_id: str, request: RolloutCommand) -> Rollout:
    """Stop for good; what is at work is asked to stop."""
    return service.cancel(context, rollout_id, actor=request.actor)


@router.post("/rollouts/{rollout_id}/retry", dependencies=[allow()])
def retry(context: Context, rollout_id: str, request: RetryRequest) -> Rollout:
    """Try failed targets again; their phases are opened again. 409 where a later roll-out would be undone."""
    return service.retry(context, rollout_id, request.targets, actor=request.actor)


@router.post("/rollouts/{rollout_id}/approve", dependencies=[allow()])
def approve(context: Context, rollout_id: str, request: PlanDecision) -> Rollout:
    """Confirm plans. 409 when one of them is not the one in hand any more; then none is confirmed."""
    return service.approve(context, rollout_id, request.plans, actor=request.actor)


@router.post("/rollouts/{rollout_id}/discard", dependencies=[allow()])
def discard(context: Context, rollout_id: str, request: PlanDecision) -> Rollout:
    """Turn plans down; their targets count as failed."""
    return service.discard(context, rollout_id, request.plans, actor=request.actor)


@router.post("/runs/{run_id}/plan", dependencies=[allow("worker")])
def store_plan(
    context: Context,
    run_id: str,
    content: Body,
    changes: bool,
    holder: Annotated[str, Query(min_length=1, max_length=128)],
) -> SavedPlan:
    """Deliver the plan file of a roll-out's plan run, before the run is reported as planned."""
    return plans.store_plan(context, run_id, holder=holder, content=content, changes=changes)


@router.get("/runs/{run_id}/plan", dependencies=[allow("worker")], response_class=Response)
def plan_to_apply(
    context: Context, run_id: str, holder: Annotated[str, Query(min_length=1, max_length=128)]
) -> Response:
    """The plan file that an apply run applies; for its live holder only."""
    content = plans.plan_to_apply(context, run_id, holder=holder)
    return Response(content, media_type="application/octet-stream")
