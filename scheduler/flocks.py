"""Bundles, flocks and targets: what can be deployed."""

import hashlib
import io
import tarfile
from contextlib import suppress

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import undefer

from scheduler.context import SchedulerContext
from scheduler.problems import conflict, invalid, not_found
from scheduler.rows import find_target, target_record
from scheduler.tables import BundleRow, FlockRow, TargetRow
from shared.constants import MAX_BUNDLE_BYTES
from shared.models import Flock, Target, TargetUpsert

MAX_TARGETS = 1000
#: Entries of one bundle; a generic configuration has some dozens.
MAX_BUNDLE_ENTRIES = 20_000


def store_bundle(context: SchedulerContext, content: bytes) -> str:
    """Keep a bundle and return its digest. The same content again is the same bundle.

    Raises `ApiError` 400 for what is no tar.gz of plain files and directories.
    """
    _check_bundle(content)
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    with suppress(IntegrityError), context.database.write() as session:  # somebody stored the same in this moment
        if session.get(BundleRow, digest) is None:
            session.add(BundleRow(digest=digest, content=content, size=len(content), created_at=context.clock.wall()))
    return digest


def bundle(context: SchedulerContext, digest: str) -> bytes:
    """A bundle's content. Raises a 404."""
    with context.database.read() as session:
        row = session.get(BundleRow, digest, options=[undefer(BundleRow.content)])
        if row is None:
            raise not_found("bundle", digest, "upload it again")
        return row.content


def put_flock(context: SchedulerContext, name: str, *, bundle_digest: str, targets: list[TargetUpsert]) -> Flock:
    """Create or update a flock and its targets.

    A target that is not named any more stays as it is: its resources are still in the cloud, and its epoch must outlive
    every call that could still be made for it. Raises `ApiError` 404 for an unknown bundle and 409 for another flock's
    target.
    """
    if not targets or len(targets) > MAX_TARGETS:
        raise invalid(f"flock {name} has {len(targets)} targets", f"name between 1 and {MAX_TARGETS}")
    try:
        return _put_flock(context, name, bundle_digest, targets)
    except IntegrityError:
        # Somebody registered the same new flock in this moment; now it is there and is updated.
        return _put_flock(context, name, bundle_digest, targets)


def _put_flock(context: SchedulerContext, name: str, bundle_digest: str, targets: list[TargetUpsert]) -> Flock:
    with context.database.write() as session:
        for digest in {bundle_digest, *(target.bundle_digest or bundle_digest for target in targets)}:
            if session.get(BundleRow, digest) is None:
                raise not_found("bundle", digest, "upload the bundle first")
        flock = session.get(FlockRow, name) or FlockRow(name=name)
        flock.bundle_digest = bundle_digest
        flock.updated_at = context.clock.wall()
        session.add(flock)
        session.flush()
        rows = []
        for upsert in sorted(targets, key=lambda target: target.id):
            if upsert.id.split(".")[:2] != [name, upsert.region]:
                raise invalid(
                    f"target {upsert.id} does not belong to flock {name} in region {upsert.region}",
                    f"its id starts with {name}.{upsert.region}",
                )
            row = context.database.lock_target(session, upsert.id) or TargetRow(id=upsert.id, flock=name, epoch=0)
            if row.flock != name:
                raise conflict("other_flock", f"target {upsert.id} belongs to flock {row.flock}")
            row.region = upsert.region
            row.provider_region = upsert.provider_region
            row.variables = upsert.variables
            row.bundle_digest = upsert.bundle_digest or bundle_digest
            session.add(row)
            rows.append(row)
        session.flush()
        return Flock(name=name, bundle_digest=bundle_digest, targets=tuple(target_record(row) for row in rows))


def flocks(context: SchedulerContext) -> list[Flock]:
    """All flocks with their targets."""
    by_flock: dict[str, list[Target]] = {}
    with context.database.read() as session:
        for row in session.scalars(select(TargetRow).order_by(TargetRow.id)):
            by_flock.setdefault(row.flock, []).append(target_record(row))
        return [
            Flock(name=row.name, bundle_digest=row.bundle_digest, targets=tuple(by_flock.get(row.name, ())))
            for row in session.scalars(select(FlockRow).order_by(FlockRow.name))
        ]


def targets(context: SchedulerContext) -> list[Target]:
    """All targets."""
    with context.database.read() as session:
        return [target_record(row) for row in session.scalars(select(TargetRow).order_by(TargetRow.id))]


def target(context: SchedulerContext, name: str) -> Target:
    """One target. Raises a 404."""
    with context.database.read() as session:
        return target_record(find_target(session, name))


def _check_bundle(content: bytes) -> None:
    unpacked = 0
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
            for count, member in enumerate(archive, start=1):
                unpacked += member.size
                if count > MAX_BUNDLE_ENTRIES or unpacked > 4 * MAX_BUNDLE_BYTES:
                    raise invalid("the bundle unpacks to too much", "leave .terraform and states out of it")
                parts = member.name.split("/")
                if not (member.isfile() or member.isdir()) or member.name.startswith("/") or ".." in parts:
                    raise invalid(
                        f"the bundle holds {member.name!r}, which is no plain file or directory below it",
                        "pack regular files and directories with relative names only",
                    )
    except (tarfile.TarError, OSError, EOFError) as error:
        raise invalid(f"the bundle is no tar.gz: {error}", "pack the directory with `tar -czf`") from None
