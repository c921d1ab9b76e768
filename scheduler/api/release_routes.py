"""Routes: releases."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import Field

from scheduler import releases, retention
from scheduler.api.access import Context, allow
from scheduler.api.limits import Body
from scheduler.api.request_body import Line, RequestBody
from shared.models import Digest, Label, Pruned, Release, ReleaseSummary, TargetId

router = APIRouter(prefix="/v1/releases", tags=["releases"])


@router.post("", status_code=201, dependencies=[allow()])
def publish(context: Context, packed: Body, actor: Annotated[Line, Query(max_length=256)] = "") -> Release:
    """Publish a release: a tar.gz of `manifest.json` and `blobs/<digest>`, at most 64 MiB. Repeating it is harmless."""
    return releases.publish(context, packed, actor=actor)


class PruneRequest(RequestBody):
    """What may go."""

    keep: int = Field(ge=1, le=1_000_000, description="newest releases of each flock that stay in any case")
    flock: Label | None = Field(default=None, description="only its releases")
    dry_run: bool = Field(default=False, description="delete nothing")


@router.post("/prune", dependencies=[allow()])
def prune(context: Context, request: PruneRequest) -> Pruned:
    """Let releases go that nobody refers to. At most 1,000 at once; `more` says whether to ask again."""
    return retention.prune(context, keep=request.keep, flock=request.flock, dry_run=request.dry_run)


@router.get("", dependencies=[allow("worker")])
def list_releases(
    context: Context,
    flock: Label | None = None,
    limit: Annotated[int, Query(ge=1, le=releases.MAX_LISTED)] = 100,
) -> list[ReleaseSummary]:
    """Releases, the newest first."""
    return releases.releases(context, flock=flock, limit=limit)


@router.get("/{digest}", dependencies=[allow("worker")])
def get_release(context: Context, digest: Digest) -> Release:
    """One release: its phases and targets."""
    return releases.release(context, digest)


@router.get("/{digest}/manifest", dependencies=[allow("worker")], response_class=Response)
def get_manifest(context: Context, digest: Digest) -> Response:
    """Its manifest, byte for byte: the digest is the SHA-256 of this."""
    return Response(releases.manifest_bytes(context, digest), media_type="application/json")


@router.get("/{digest}/targets/{target}/files", dependencies=[allow("worker")], response_class=Response)
def get_files(context: Context, digest: Digest, target: TargetId) -> Response:
    """A tar.gz with every file of one target, each under its digest."""
    return Response(releases.target_files(context, digest, target), media_type="application/gzip")
