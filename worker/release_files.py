"""Fetches what a run deploys and checks it: the manifest against the release's name, every file against the manifest.

Nothing of it is written or executed before all of it was checked. Neither the API nor the database behind it is
trusted here: the run carries the release's digest, and everything else follows from that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from shared.api_client import ApiClient
from shared.errors import InterlockError, PeerError, Unavailable
from shared.models import Assignment
from shared.release_manifest import Files, Manifest, parse_manifest
from shared.release_pack import unpack_blobs
from worker.stop import Stop

TRIES = 5
_PAUSE_MS = 1_000


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """What a worker needs of a release."""

    files: Mapping[str, tuple[bytes, bool]]
    """Content and whether it may be executed, by relative path."""
    terraform: str | None
    """Which versions of Terraform may carry it out; None: any."""


def fetch(api: ApiClient, assignment: Assignment, *, regions: tuple[str, ...], stop: Stop) -> Fetched:
    """Fetch the files of the assignment's release for its target.

    Args:
        api: the scheduler.
        assignment: the claimed run.
        regions: those that this worker serves.
        stop: ends the waiting between two tries.

    Raises:
        StopRequested: somebody asked meanwhile.
        PeerError: it could not be fetched, or is not what the digest names; says which file, and what came instead.
    """
    target, digest = assignment.target.id, assignment.run.release_digest
    if digest is None:
        raise _refused("without a name", "the run names no release", "submit it again")
    if assignment.target.region not in regions:
        raise _refused(
            digest,
            f"{target} is in region {assignment.target.region}; this worker serves {', '.join(regions)}",
            "INTERLOCK_REGIONS says which; a run of another region is that region's workers' business",
        )
    try:
        manifest = parse_manifest(_patiently(lambda: api.release_manifest(digest), stop), digest=digest)
        listed = _listed(manifest, target)
        wanted = {file.digest: path for path, file in listed.items()}
        contents = unpack_blobs(_patiently(lambda: api.release_files(digest, target), stop), wanted)
    except InterlockError as error:
        raise _refused(digest, str(error), error.hint) from error
    return Fetched(
        files={path: (contents[file.digest], file.executable) for path, file in listed.items()},
        terraform=manifest.terraform,
    )


def _listed(manifest: Manifest, target: str) -> Files:
    if target not in manifest.targets:
        raise PeerError(f"it has no target {target}", hint="`interlock release show` lists its targets")
    return manifest.files_of(target)


def _patiently(ask: Callable[[], bytes], stop: Stop) -> bytes:
    """Ask again while the API is away, a few times."""
    for _ in range(TRIES - 1):
        try:
            return ask()
        except Unavailable:
            stop.wait(_PAUSE_MS)
    return ask()


def _refused(digest: str, why: str, hint: str) -> PeerError:
    return PeerError(f"release {digest} is refused: {why}", hint=hint)
