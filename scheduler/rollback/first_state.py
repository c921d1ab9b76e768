"""What a target was before a deployment: recorded in the transaction that claims it, and verified readable there.

Without a first state that a rollback could lead to, nothing is deployed. What is recorded: the release that was applied
last with its lock file and artifacts, the stored state (it stays sealed where it is), and every object in it.

A deployment that follows one which was cut and never came to a clean end goes back to where that one began: what the
first try made did not exist before. A person who left a rollback as it was (`skip`) begins anew.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import ColumnElement, exists, func, or_, select
from sqlalchemy.orm import Session, undefer

from scheduler.context import SchedulerContext
from scheduler.problems import conflict
from scheduler.releases import get_manifest
from scheduler.rollback.last_release import LastRelease, last_release
from scheduler.state_versions import StoredState, current_version, stored_version
from scheduler.tables import BlobRow, FirstStateRow, RollbackRow, RunRow, SafetyPlanRow
from shared.errors import ApiError, ConfigurationError, InterlockError
from shared.models import RunKind
from shared.release_manifest import LOCK_FILE, Manifest
from shared.rollback.records import FirstArtifact, FirstResource, FirstState, FirstStateVersion
from shared.rollback.settings import RollbackSettings
from shared.rollback.standing import RollbackStatus
from shared.rollback.states import load_state, resources_of
from shared.safety.verdict import Decision

_CODE: Final = "no_first_state"
#: `provider "registry.terraform.io/hashicorp/aws" { … version = "6.1.0"`, as Terraform writes its lock file.
_LOCKED: Final = re.compile(r'provider\s+"(?P<source>[^"]{1,255})"\s*\{\s*version\s*=\s*"(?P<version>[^"]{1,64})"')
MAX_PROVIDERS: Final = 256
MAX_OUTPUTS: Final = 10_000


def has_begun() -> ColumnElement[bool]:
    """Whether an apply (`RunRow`) may have changed something: its safety plan was accepted, so calls were signed."""
    return exists().where(
        SafetyPlanRow.run_id == RunRow.id,
        SafetyPlanRow.verdict["decision"].as_string() == Decision.ACCEPTED.value,
    )


def settings_of(session: Session, run: RunRow) -> RollbackSettings | None:
    """The `rollback` section of what a run deploys; None where it has none, or nobody can read it (its worker will say
    so).
    """
    if run.release_digest is None:
        return None
    try:
        return get_manifest(session, run.release_digest).rollback
    except InterlockError:
        return None


def take(context: SchedulerContext, session: Session, run: RunRow, *, epoch: int) -> None:
    """Record it for an apply whose release has a `rollback` section; nothing for any other run. The target is locked.

    Args:
        context: the scheduler.
        session: of the transaction that claims the run.
        run: about to be claimed.
        epoch: that it gets.

    Raises `ApiError` 409 `no_first_state`, whose message is the reason for which nothing may be executed.
    """
    if run.kind != RunKind.APPLY or settings_of(session, run) is None:
        return
    before = last_release(session, run.target, before_epoch=epoch)
    first, inherits = _first(context, session, run, before, epoch)
    session.add(
        FirstStateRow(
            run_id=run.id,
            target=run.target,
            release_digest=first.release_digest,
            state_version_id=first.state.id if first.state else None,
            document=first.model_dump(mode="json"),
            inherits=inherits,
            created_at=context.clock.wall(),
        )
    )
    session.flush()


def more_time_s(session: Session, run: RunRow, *, limit_s: int) -> int:
    """Seconds that a run may live beyond the limit of `limit_s` that all have: to be watched, and to be taken back."""
    if run.kind == RunKind.ROLLBACK:
        return limit_s
    if session.get(FirstStateRow, run.id) is None or (settings := settings_of(session, run)) is None:
        return 0
    return settings.watched_s + limit_s


def first_of(row: FirstStateRow) -> FirstState:
    """The record of a row."""
    return FirstState.model_validate(row.document)


def tries_of(session: Session, run_id: str) -> list[FirstStateRow]:
    """The deployment and the unfinished tries before it whose first state it has, the oldest first."""
    tries: list[FirstStateRow] = []
    wanted: str | None = run_id
    while wanted is not None and (row := session.get(FirstStateRow, wanted)) is not None:
        tries.insert(0, row)
        wanted = row.inherits
    return tries


def verify(context: SchedulerContext, session: Session, first: FirstState) -> StoredState | None:
    """Look whether a rollback could lead there now; returns the state as it was.

    Raises `ApiError` 409 `no_first_state` when its release or one of its files is gone or damaged, or the state cannot
    be read.
    """
    if first.release_digest is not None:
        _readable_release(session, first.release_digest, first.target)
    if first.state is None:
        return None
    try:
        stored = stored_version(context, session, first.state.id)
    except ConfigurationError as error:
        raise conflict(_CODE, error.message, error.hint) from error
    if stored is None or hashlib.sha256(stored.body).hexdigest() != first.state.digest:
        raise conflict(_CODE, f"the stored state {first.state.id} of {first.target} is damaged", "restore the database")
    return stored


def _first(
    context: SchedulerContext, session: Session, run: RunRow, before: LastRelease, epoch: int
) -> tuple[FirstState, str | None]:
    earlier = _unfinished(session, run.target, since=before.epoch)
    if earlier is not None:
        first = first_of(earlier)
        verify(context, session, first)
        return first.model_copy(update={"run_id": run.id, "epoch": epoch}), _newest_try(session, run.target)
    try:
        stored = current_version(context, session, run.target)
        document = _document(stored)
        resources = resources_of(document)
    except ConfigurationError as error:
        raise conflict(_CODE, error.message, error.hint) from error
    except (ValueError, ArithmeticError, RecursionError) as error:
        # A state may hold what a provider likes. It must not make the claim fail again and again, for all of a region.
        raise conflict(_CODE, f"the state of {run.target} cannot be recorded: {error}"[:1000]) from error
    if not before.known or (before.digest is None and resources):
        raise conflict(
            _CODE,
            f"{run.target} has {len(resources)} resources, and no release is known that made them: a deployment of a "
            "release with `rollback` would have nothing to go back to",
            "apply what is there once, as a release without `rollback`",
        )
    try:
        return _recorded(context, session, run, before, epoch, stored, document, resources), None
    except (ValueError, ArithmeticError) as error:
        raise conflict(_CODE, f"the state of {run.target} cannot be recorded: {error}"[:1000]) from error


def _recorded(
    context: SchedulerContext,
    session: Session,
    run: RunRow,
    before: LastRelease,
    epoch: int,
    stored: StoredState | None,
    document: Mapping[str, Any],
    resources: tuple[FirstResource, ...],
) -> FirstState:
    first = FirstState(
        target=run.target,
        run_id=run.id,
        epoch=epoch,
        taken_at=context.clock.wall(),
        state=_version(stored),
        terraform_version=_text(document.get("terraform_version"), 64),
        outputs=_names(document.get("outputs")),
        resources=resources,
    )
    if before.digest is not None:
        first = first.model_copy(update=_of_release(session, before.digest, run.target))
    return FirstState.model_validate(first.model_dump())


def _unfinished(session: Session, target: str, *, since: int) -> FirstStateRow | None:
    """The oldest deployment that began, and neither came to a clean end nor was left by a person as it was.

    None as well where anything else was at work since: what that made is nobody's to take back.
    """
    # One that was skipped before any run of it began has only that of the deployment.
    tried = or_(RollbackRow.current_run_id == RunRow.id, RollbackRow.run_id == RunRow.id)
    left = select(func.max(RunRow.epoch)).join(RollbackRow, tried)
    left = left.where(RollbackRow.target == target, RollbackRow.status == RollbackStatus.SKIPPED.value)
    after = max(since, session.scalar(left) or 0)
    query = (
        select(FirstStateRow, RunRow.epoch)
        .join(RunRow, RunRow.id == FirstStateRow.run_id)
        .where(FirstStateRow.target == target, RunRow.epoch > after, has_begun())
        .order_by(RunRow.epoch)
        .limit(1)
    )
    found = session.execute(query).one_or_none()
    if found is None:
        return None
    other = exists().where(
        RunRow.target == target,
        RunRow.epoch > found[1],
        RunRow.kind.in_((RunKind.APPLY, RunKind.DESTROY, RunKind.EXEC)),
        ~exists().where(FirstStateRow.run_id == RunRow.id),
    )
    return None if session.scalar(select(other)) else found[0]


def _newest_try(session: Session, target: str) -> str:
    """The last deployment of the target that began: from it the chain of unfinished tries leads back to the oldest."""
    query = select(FirstStateRow.run_id).join(RunRow, RunRow.id == FirstStateRow.run_id)
    query = query.where(FirstStateRow.target == target, has_begun()).order_by(RunRow.epoch.desc()).limit(1)
    return session.scalars(query).one()


def newest_unfinished(session: Session, target: str, *, before_epoch: int) -> str | None:
    """The last try of a deployment that came to no clean end, and that the next one of the target continues."""
    since = last_release(session, target, before_epoch=before_epoch).epoch
    return None if _unfinished(session, target, since=since) is None else _newest_try(session, target)


def _document(stored: StoredState | None) -> Mapping[str, Any]:
    if stored is None:
        return {}
    if hashlib.sha256(stored.body).hexdigest() != stored.identity.digest:
        raise ConfigurationError(f"the stored state {stored.id} is damaged", hint="restore the database from a backup")
    return load_state(stored.body)


def _version(stored: StoredState | None) -> FirstStateVersion | None:
    if stored is None:
        return None
    one = stored.identity
    return FirstStateVersion(
        id=stored.id, epoch=stored.epoch, serial=one.serial, lineage=one.lineage, digest=one.digest
    )


def _of_release(session: Session, digest: str, target: str) -> dict[str, Any]:
    """What the release that was there says; it is read file by file: what cannot be read leads nowhere."""
    manifest, lock = _readable_release(session, digest, target)
    locked = manifest.files_of(target).get(LOCK_FILE)
    return {
        "release_digest": digest,
        "rendered_digest": manifest.targets[target].rendered_digest,
        "lock_digest": locked.digest if locked else None,
        "providers": dict(_LOCKED.findall(lock.decode(errors="replace"))[:MAX_PROVIDERS]),
        "artifacts": {
            name: FirstArtifact(version=one.version, digest=one.digest) for name, one in manifest.artifacts.items()
        },
    }


def _readable_release(session: Session, digest: str, target: str) -> tuple[Manifest, bytes]:
    """The manifest and the lock file, once every file was hashed. Raises `ApiError` 409 `no_first_state`."""
    what = f"release {digest}, which {target} had before"
    try:
        manifest = get_manifest(session, digest)
    except InterlockError as error:
        hint = error.hint if not isinstance(error, ApiError) else "publish it again"
        raise conflict(_CODE, f"{what}, cannot be read: {error}", hint) from error
    if target not in manifest.targets:
        raise conflict(_CODE, f"{what}, does not have it any more", "publish it again")
    lock = b""
    files = manifest.files_of(target)
    for path, file in sorted(files.items()):
        query = select(BlobRow).where(BlobRow.digest == file.digest).options(undefer(BlobRow.content))
        blob = session.scalars(query).one_or_none()
        if blob is None or f"sha256:{hashlib.sha256(blob.content).hexdigest()}" != file.digest:
            raise conflict(_CODE, f"{what}, lacks {path} or has it damaged", "publish it again")
        if path == LOCK_FILE:
            lock = blob.content
        # One file in memory after the other.
        session.expunge(blob)
    return manifest, lock


def _names(value: Any) -> tuple[str, ...]:
    return tuple(sorted(value))[:MAX_OUTPUTS] if isinstance(value, dict) else ()


def _text(value: Any, limit: int) -> str | None:
    return value[:limit] if isinstance(value, str) else None
