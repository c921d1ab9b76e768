"""Routes: leases."""

from fastapi import APIRouter
from pydantic import Field

from scheduler import leases
from scheduler.api.access import Context, allow
from scheduler.api.request_body import Line, RequestBody
from shared.lease.view import LeaseView

router = APIRouter(prefix="/v1/leases", tags=["leases"])


class RevokeRequest(RequestBody):
    """Why a lease is taken away."""

    reason: Line = Field(default="", max_length=leases.MAX_REASON, description="one line for people")


@router.get("", dependencies=[allow("worker", "proxy")])
def list_leases(context: Context) -> list[LeaseView]:
    """The leases of all targets, as Redis shows them now."""
    return leases.all_views(context)


@router.get("/{target}", dependencies=[allow("worker", "proxy")])
def get_lease(context: Context, target: str) -> LeaseView:
    """One target's lease, as Redis shows it now."""
    return leases.view_of(context, target)


@router.post("/{target}/revoke", dependencies=[allow()])
def revoke(context: Context, target: str, request: RevokeRequest) -> LeaseView:
    """Take the lease away. Durable: repeated until it took, should Redis be away."""
    return leases.revoke(context, target, reason=request.reason)
