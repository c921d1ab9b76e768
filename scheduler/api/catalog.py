"""Routes: bundles, flocks and targets."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from scheduler import flocks
from scheduler.api.access import Context, allow
from shared.models import Digest, Flock, Label, Target, TargetUpsert

router = APIRouter(prefix="/v1", tags=["catalog"])


class BundleDigest(BaseModel):
    """Names a stored bundle."""

    digest: Digest = Field(description="sha256:<hex> of the packed content")


class FlockUpsert(BaseModel):
    """A flock as it is sent."""

    model_config = ConfigDict(extra="forbid")

    bundle_digest: Digest = Field(description="the generic configuration that its targets deploy")
    targets: list[TargetUpsert] = Field(max_length=flocks.MAX_TARGETS, description="the targets to create or update")


async def raw_body(request: Request) -> bytes:
    """The body as it came; the middleware bounds it."""
    return await request.body()


Body = Annotated[bytes, Depends(raw_body)]


@router.post("/bundles", status_code=201, dependencies=[allow()])
def upload_bundle(context: Context, content: Body) -> BundleDigest:
    """Store a generic configuration: the bytes of a tar.gz, at most 64 MiB. The same content is stored once."""
    return BundleDigest(digest=flocks.store_bundle(context, content))


@router.get("/bundles/{digest}", dependencies=[allow("worker")], response_class=Response)
def download_bundle(context: Context, digest: Digest) -> Response:
    """The bytes of a bundle."""
    return Response(flocks.bundle(context, digest), media_type="application/gzip")


@router.put("/flocks/{name}", dependencies=[allow()])
def put_flock(context: Context, name: Label, flock: FlockUpsert) -> Flock:
    """Create or update a flock and its targets. A target that is not named stays as it is."""
    return flocks.put_flock(context, name, bundle_digest=flock.bundle_digest, targets=flock.targets)


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
