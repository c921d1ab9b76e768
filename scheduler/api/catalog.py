"""Routes: flocks and targets."""

from fastapi import APIRouter
from pydantic import Field

from scheduler import flocks, releases
from scheduler.api.access import Context, allow
from scheduler.api.request_body import RequestBody
from shared.models import Digest, Flock, Label, Target

router = APIRouter(prefix="/v1", tags=["catalog"])


class FlockUpsert(RequestBody):
    """A flock as it is sent."""

    release_digest: Digest = Field(description="what a run of its targets deploys when it names no release")


@router.put("/flocks/{name}", dependencies=[allow()])
def put_flock(context: Context, name: Label, flock: FlockUpsert) -> Flock:
    """Let the targets of a published release deploy it when a run names none. Other targets stay as they are."""
    return releases.register(context, name, release_digest=flock.release_digest)


@router.get("/flocks", dependencies=[allow("worker")])
def list_flocks(context: Context) -> list[Flock]:
    """All flocks with their targets."""
    return flocks.flocks(context)


@router.get("/targets", dependencies=[allow("worker")])
def list_targets(context: Context) -> list[Target]:
    """All targets."""
    return flocks.targets(context)


@router.get("/targets/{target}", dependencies=[allow("worker")])
def get_target(context: Context, target: str) -> Target:
    """One target."""
    return flocks.target(context, target)
