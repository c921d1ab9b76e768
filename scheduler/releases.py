"""Releases: published once, looked up by digest, handed out file by file. Nothing here changes one;
`retention` lets old ones go.

Publishing one again that is there puts right whatever of it was damaged or lost in the database.

What is in the database is not trusted by those who read it: a worker checks the manifest against the release's name and
every file against the manifest.
"""

import logging
from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import batched

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, undefer

from scheduler.context import SchedulerContext
from scheduler.flocks import declare_targets
from scheduler.problems import invalid, not_found
from scheduler.rows import target_record
from scheduler.tables import BlobRow, ReleaseRow
from shared.errors import PeerError
from shared.log import log_event
from shared.models import Flock, Release, ReleaseSummary, ReleaseTarget
from shared.release_manifest import Manifest, parse_manifest
from shared.release_pack import pack, unpack_release

log = logging.getLogger(__name__)

MAX_LISTED = 1000
#: Parameters of one statement; SQLite takes 32,766.
_BATCH = 500
#: Files whose stored content is in memory at the same time.
_COMPARED_AT_ONCE = 50


def publish(context: SchedulerContext, packed: bytes, *, actor: str) -> Release:
    """Keep a release and declare its targets. The same release again is the one that is there already.

    Args:
        context: the scheduler.
        packed: from `shared.release_pack.pack_release`.
        actor: who publishes.

    Raises `ApiError` 400 for what is no complete and consistent release.
    """
    try:
        content, manifest, blobs = unpack_release(packed)
    except PeerError as error:
        raise invalid(f"the release cannot be published: {error}", error.hint) from None
    return _again_if_beaten(lambda: _publish(context, content, manifest, blobs, actor))


def register(context: SchedulerContext, flock: str, *, release_digest: str) -> Flock:
    """Let the targets of a published release deploy it when a run names none.

    Raises `ApiError` 404 for an unknown release and 400 for another flock's.
    """
    return _again_if_beaten(lambda: _register(context, flock, release_digest))


def get_release(session: Session, digest: str) -> Release:
    """The release with this digest, without its files.

    Raises `ApiError` 404 for an unknown one and `PeerError` when what is stored is not what the digest names.
    """
    row = _find(session, digest)
    return _record(row, _parsed(row.manifest, digest))


def get_manifest(session: Session, digest: str) -> Manifest:
    """The manifest of a release. Raises as `get_release` does."""
    return _parsed(_find(session, digest).manifest, digest)


def release(context: SchedulerContext, digest: str) -> Release:
    """The release with this digest. Raises as `get_release` does."""
    with context.database.read() as session:
        return get_release(session, digest)


def manifest_bytes(context: SchedulerContext, digest: str) -> bytes:
    """A manifest as it is stored: whoever asked by digest checks it. Raises a 404."""
    with context.database.read() as session:
        return _find(session, digest).manifest


def target_files(context: SchedulerContext, digest: str, target: str) -> bytes:
    """Every file of one target by digest, packed, as they are stored.

    Raises `ApiError` 404 for an unknown release or target, and for a file that is not there any more.
    """
    with context.database.read() as session:
        manifest = get_manifest(session, digest)
        if target not in manifest.targets:
            raise not_found("target", target, f"release {digest} has {', '.join(sorted(manifest.targets)[:20])}")
        wanted = {file.digest for file in manifest.files_of(target).values()}
        found: dict[str, bytes] = {}
        for part in batched(sorted(wanted), _BATCH, strict=False):
            rows = session.scalars(select(BlobRow).where(BlobRow.digest.in_(part)).options(undefer(BlobRow.content)))
            found.update({row.digest: row.content for row in rows})
    if missing := wanted - found.keys():
        raise not_found("file", min(missing), f"a file of release {digest} is gone; restore the database")
    return pack(found)


def releases(context: SchedulerContext, *, flock: str | None, limit: int) -> list[ReleaseSummary]:
    """Releases, the newest first."""
    query = select(ReleaseRow).order_by(ReleaseRow.sequence.desc()).limit(min(limit, MAX_LISTED))
    if flock is not None:
        query = query.where(ReleaseRow.flock == flock)
    with context.database.read() as session:
        return [summary(row) for row in session.scalars(query)]


def summary(row: ReleaseRow) -> ReleaseSummary:
    """The release without what is in it."""
    return ReleaseSummary(
        digest=row.digest,
        flock=row.flock,
        target_count=row.target_count,
        actor=row.actor,
        created_at=row.created_at,
    )


def _publish(
    context: SchedulerContext, content: bytes, manifest: Manifest, blobs: dict[str, bytes], actor: str
) -> Release:
    digest = manifest.digest
    with context.database.write() as session:
        context.database.hold_releases(session)
        query = select(ReleaseRow).where(ReleaseRow.digest == digest).options(undefer(ReleaseRow.manifest))
        row = session.scalars(query).one_or_none()
        _store(session, blobs)
        if row is not None:
            row.manifest = content
        else:
            row = ReleaseRow(
                digest=digest,
                flock=manifest.flock,
                manifest=content,
                target_count=len(manifest.targets),
                actor=actor,
                created_at=context.clock.wall(),
            )
            session.add(row)
        declare_targets(context, session, manifest)
        return _record(row, manifest)


def _register(context: SchedulerContext, flock: str, digest: str) -> Flock:
    with context.database.write() as session:
        context.database.hold_releases(session)
        manifest = get_manifest(session, digest)
        if manifest.flock != flock:
            raise invalid(f"release {digest} belongs to flock {manifest.flock}", "name that flock")
        rows = declare_targets(context, session, manifest, release_digest=digest)
        return Flock(name=flock, targets=tuple(target_record(row) for row in rows))


def _again_if_beaten[T](action: Callable[[], T]) -> T:
    """Somebody may store the same release, file or flock in this moment; then it is there at the second look."""
    try:
        return action()
    except IntegrityError:
        return action()


def _find(session: Session, digest: str) -> ReleaseRow:
    query = select(ReleaseRow).where(ReleaseRow.digest == digest).options(undefer(ReleaseRow.manifest))
    row = session.scalars(query).one_or_none()
    if row is None:
        raise not_found("release", digest, "`interlock release list` shows all; `interlock release publish` makes one")
    return row


def _store(session: Session, blobs: Mapping[str, bytes]) -> None:
    """Keep files; one that is there with another content than its name says gets its own back."""
    for part in batched(sorted(blobs), _COMPARED_AT_ONCE, strict=False):
        query = select(BlobRow).where(BlobRow.digest.in_(part)).options(undefer(BlobRow.content))
        known = {row.digest: row for row in session.scalars(query)}
        for digest in part:
            content = blobs[digest]
            if (row := known.get(digest)) is None:
                session.add(BlobRow(digest=digest, content=content, size=len(content)))
            elif row.content != content:
                log_event(log, "file_mended", level=logging.WARNING, digest=digest)
                row.content, row.size = content, len(content)


@lru_cache(maxsize=8)
def _parsed(content: bytes, digest: str) -> Manifest:
    # A roll-out of a thousand targets looks at one manifest a thousand times. Keyed by the content as well as by the
    # name, so that a row that was changed is noticed.
    return parse_manifest(content, digest=digest)


def _record(row: ReleaseRow, manifest: Manifest) -> Release:
    return Release(
        digest=row.digest,
        flock=row.flock,
        actor=row.actor,
        created_at=row.created_at,
        phases=manifest.phases,
        targets={
            name: ReleaseTarget.model_validate(target.model_dump(exclude={"files"}))
            for name, target in manifest.targets.items()
        },
    )
