"""Fetches what a run deploys and checks it: the manifest against the release's name, every file against the manifest.

Nothing of it is laid out or executed before all of it was checked. Neither the API, nor the database behind it, nor
this host's cache is trusted here: the run carries the release's digest, and everything else follows from that.

A worker that is told of a run which has to wait fetches its release meanwhile: when the target is given back, what lies
between the claim and the lease is reading and hashing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from shared.api_client import ApiClient
from shared.errors import InterlockError, PeerError, Unavailable
from shared.log import log_event
from shared.models import Assignment, RunStatus
from shared.release_manifest import Files, Manifest, parse_manifest
from shared.release_pack import unpack_blobs
from worker.release_cache import ReleaseCache
from worker.stop import Stop

TRIES = 5
_PAUSE_MS = 1_000

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """What a worker needs of a release."""

    files: Mapping[str, tuple[bytes, bool]]
    """Content and whether it may be executed, by relative path."""
    terraform: str | None
    """Which versions of Terraform may carry it out; None: any."""


def fetch(
    api: ApiClient, assignment: Assignment, *, regions: tuple[str, ...], stop: Stop, cache: ReleaseCache
) -> Fetched:
    """Get the files of the assignment's release for its target, from the cache where it has all of them.

    Args:
        api: the scheduler.
        assignment: the claimed run.
        regions: those that this worker serves.
        stop: ends the waiting between two tries.
        cache: of this host.

    Raises:
        StopRequested: somebody asked meanwhile.
        Unavailable: the API stayed away.
        PeerError: it is not to be had, or is not what the digest names; says which file, and what came instead.
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
        manifest = _manifest(cache, digest, lambda: _patiently(lambda: api.release_manifest(digest), stop))
        listed = _listed(manifest, target)
        _require_provider_region(manifest, assignment)
        contents = _cached(cache, (file.digest for file in listed.values()))
        if contents is None:
            contents = _files(cache, listed, lambda: _patiently(lambda: api.release_files(digest, target), stop))
    except Unavailable as error:
        # Nobody said no: the run may be tried again.
        raise Unavailable(f"release {digest} could not be fetched: {error}", hint=error.hint) from error
    except InterlockError as error:
        raise _refused(digest, str(error), error.hint) from error
    return Fetched(
        files={path: (contents[file.digest], file.executable) for path, file in listed.items()},
        terraform=manifest.terraform,
    )


def prefetch(api: ApiClient, run_id: str, *, regions: tuple[str, ...], cache: ReleaseCache) -> None:
    """Fetch the release of a run that waits into the cache, if it is not there. Nothing depends on it, nothing raises.

    Args:
        api: the scheduler.
        run_id: a run that could not be claimed.
        regions: those that this worker serves.
        cache: of this host.
    """
    try:
        run = api.run(run_id)
        digest = run.release_digest
        if run.status is not RunStatus.PENDING or digest is None or run.region not in regions:
            return
        listed = _listed(_manifest(cache, digest, lambda: api.release_manifest(digest)), run.target)
        if not all(cache.holds(file.digest) for file in listed.values()):
            _files(cache, listed, lambda: api.release_files(digest, run.target))
    except InterlockError as error:
        # Whoever claims the run tries again, and says why it is refused.
        log_event(_log, "release_not_prefetched", run=run_id, error=error)


def _manifest(cache: ReleaseCache, digest: str, ask: Callable[[], bytes]) -> Manifest:
    if (content := cache.get(digest)) is not None:
        return parse_manifest(content, digest=digest)
    content = ask()
    manifest = parse_manifest(content, digest=digest)
    cache.keep({digest: content})
    return manifest


def _cached(cache: ReleaseCache, digests: Iterable[str]) -> dict[str, bytes] | None:
    """Contents by digest; None when one is missing: then all of them are fetched."""
    found: dict[str, bytes] = {}
    for digest in digests:
        if digest not in found:
            if (content := cache.get(digest)) is None:
                return None
            found[digest] = content
    return found


def _files(cache: ReleaseCache, listed: Files, ask: Callable[[], bytes]) -> dict[str, bytes]:
    contents = unpack_blobs(ask(), {file.digest: path for path, file in listed.items()})
    cache.keep(contents)
    return contents


def _listed(manifest: Manifest, target: str) -> Files:
    if target not in manifest.targets:
        raise PeerError(f"it has no target {target}", hint="`interlock release show` lists its targets")
    return manifest.files_of(target)


def _require_provider_region(manifest: Manifest, assignment: Assignment) -> None:
    target = assignment.target
    if (meant := manifest.targets[target.id].provider_region) != (said := target.provider_region):
        # The run's environment names it: commands that no rendered file reaches would go elsewhere.
        raise PeerError(
            f"it deploys {target.id} to {meant}, the scheduler says {said}", hint="upgrade the scheduler; else its log"
        )


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
