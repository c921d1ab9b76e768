"""Routes: safety plans, their approvals, and what a run may have signed."""

from fastapi import APIRouter
from pydantic import Field

from scheduler import safety_plans
from scheduler.api.access import Context, allow
from scheduler.api.request_body import Holder, Line, RequestBody
from scheduler.rollout.drive import drive_of_run
from shared.models import Digest
from shared.rollback.records import Address, Rearrangement
from shared.safety.allowance import Allowance
from shared.safety.entries import SafetyPlan
from shared.safety.records import SafetyRecord, Unused

router = APIRouter(prefix="/v1/runs/{run_id}", tags=["safety plans"])


class SafetyDelivery(RequestBody):
    """What a run's plan does."""

    holder: Holder
    plan: SafetyPlan = Field(description="what it does")
    rearranged: Rearrangement | None = Field(
        default=None, description="of a run that could be taken back: what it does with addresses only"
    )


class SafetyDecision(RequestBody):
    """A person's approval: what was looked at is what counts."""

    digest: Digest = Field(description="of the safety plan that was looked at")
    actor: Line = Field(default="", max_length=256, description="who approves")
    consents: tuple[Address, ...] = Field(
        default=(), max_length=1000, description="what cannot be undone and is agreed to, by address"
    )


@router.post("/safety-plan", dependencies=[allow("worker")])
def deliver(context: Context, run_id: str, delivery: SafetyDelivery) -> SafetyRecord:
    """Deliver what a run's plan does. The verdict in the answer says whether it may be applied."""
    return safety_plans.deliver(
        context, run_id, holder=delivery.holder, plan=delivery.plan, rearranged=delivery.rearranged
    )


@router.get("/safety-plan", dependencies=[allow("worker")])
def get(context: Context, run_id: str) -> SafetyRecord:
    """What a run's plan does, and what may become of it by the approvals that there are now."""
    return safety_plans.get(context, run_id)


@router.post("/safety-plan/approve", dependencies=[allow()])
def approve(context: Context, run_id: str, decision: SafetyDecision) -> SafetyRecord:
    """Approve what a run's plan does: for its target, and as far as the rules ask for any other that does no more."""
    record = safety_plans.approve(
        context, run_id, digest=decision.digest, actor=decision.actor, consents=decision.consents
    )
    drive_of_run(context, run_id)
    return record


@router.get("/safety-plan/unused", dependencies=[allow()])
def unused(context: Context, run_id: str) -> Unused:
    """What was approved for an apply and not needed, and the smaller plan that would have done."""
    return safety_plans.unused(context, run_id)


@router.get("/allowance", dependencies=[allow("proxy", "worker")])
def allowance(context: Context, run_id: str) -> Allowance:
    """What may be signed for a run now. The signing proxy asks; a worker cannot grant itself anything."""
    return safety_plans.allowance(context, run_id)
