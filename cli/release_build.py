"""From a checked flock to a release: every file read once, hashed, and named in one manifest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from pydantic import ValidationError

from cli.provider_lock import make_lock, needs_providers
from scheduler.configuration.check import OWN_BACKEND, Checked
from scheduler.configuration.generic_files import generic_files
from scheduler.configuration.targets import phase_order
from shared.errors import ConfigurationError
from shared.models import ReleasePhase, describe
from shared.release_manifest import (
    LOCK_FILE,
    MAX_FILE_BYTES,
    ONLY_PHASE,
    Files,
    Manifest,
    ManifestTarget,
    ReleaseArtifact,
    describe_file,
    digest_of,
    rendered_digest,
)
from shared.release_pack import MAX_CONTENT_BYTES
from shared.settings import Settings

_OWNER_EXECUTES: Final = 0o100


@dataclass(frozen=True, kw_only=True)
class BuiltRelease:
    """A release before it is published."""

    manifest: Manifest
    """What it consists of."""
    blobs: dict[str, bytes]
    """Its files by digest."""


@dataclass
class _Store:
    blobs: dict[str, bytes] = field(default_factory=dict)
    size: int = 0

    def add(self, content: bytes) -> None:
        digest = digest_of(content)
        if digest not in self.blobs:
            self.blobs[digest] = content
            self.size += len(content)
        if self.size > MAX_CONTENT_BYTES or len(content) > MAX_FILE_BYTES:
            raise ConfigurationError(
                f"the flock's files are larger than {MAX_CONTENT_BYTES // 1024**2} MiB, or one of them than "
                f"{MAX_FILE_BYTES // 1024**2} MiB",
                hint="keep artifacts and provider binaries out of the configuration directories",
            )


def build_release(checked: Checked, settings: Settings, note: Callable[[str], None]) -> BuiltRelease:
    """Put the release of a flock together.

    Args:
        checked: the flock, without errors.
        settings: where Terraform and its providers are, for a configuration without a lock file.
        note: told what the user should know.

    Raises ConfigurationError for what cannot be released: a state backend of its own, files that are too large or that
    have the names of rendered ones, providers that are not locked and cannot be.
    """
    for target in checked.targets:
        if target.backend.entries.keys() - {OWN_BACKEND}:
            raise ConfigurationError(
                f"{target.backend.origin}: runs keep the state of {target.id} in Interlock, not in another backend",
                hint="remove `backend`",
            )
    store = _Store()
    configurations = {
        name: _generic(checked, name, store, settings, note)
        for name in sorted({target.plan.configuration for target in checked.targets})
    }
    flock = checked.flock.document.model
    targets = {}
    for target in checked.targets:
        plan = target.plan
        files: Files = {}
        for name, text in target.files.items():
            content = text.encode()
            store.add(content)
            files[name] = describe_file(content)
        every = {**configurations[plan.configuration], **files}
        targets[target.id] = {
            "region": plan.region,
            "provider_region": plan.provider_region,
            "phase": plan.phase or ONLY_PHASE,
            "configuration": plan.configuration,
            "rendered_digest": rendered_digest(target.id, plan.region, plan.provider_region, every),
            "files": files,
        }
    try:
        manifest = Manifest(
            flock=flock.name,
            terraform=flock.terraform,
            artifacts={
                name: ReleaseArtifact(
                    source=one.source, version=one.version, digest=one.digest or checked.flock.artifact_digests[name]
                )
                for name, one in flock.artifacts.items()
            },
            configurations=configurations,
            phases=_phases(checked),
            targets={name: ManifestTarget.model_validate(one) for name, one in targets.items()},
            safety=flock.safety,
            rollback=flock.rollback,
            drift=flock.drift,
        )
    except ValidationError as error:
        raise ConfigurationError(
            f"{checked.flock.path} cannot be released: {describe(error)[:2000]}", hint="correct what is named"
        ) from error
    return BuiltRelease(manifest=manifest, blobs=store.blobs)


def _generic(checked: Checked, name: str, store: _Store, settings: Settings, note: Callable[[str], None]) -> Files:
    folder = checked.flock.folder(name)
    contents: dict[str, bytes] = {}
    files: Files = {}
    for path in generic_files(folder):
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ConfigurationError(
                f"{path} is larger than {MAX_FILE_BYTES // 1024**2} MiB", hint="keep it out of the configuration"
            )
        content = path.read_bytes()
        relative = path.relative_to(folder).as_posix()
        store.add(content)
        contents[relative] = content
        files[relative] = describe_file(content, executable=bool(path.stat().st_mode & _OWNER_EXECUTES))
    if LOCK_FILE not in files and needs_providers(contents):
        made = make_lock(contents, str(folder), settings)
        if made is not None:
            note(f"{folder} has no {LOCK_FILE}: made one of the providers found here; commit one to have it reviewed")
            store.add(made)
            files[LOCK_FILE] = describe_file(made)
    return files


def _phases(checked: Checked) -> tuple[ReleasePhase, ...]:
    declared = {phase.name: phase for phase in checked.flock.document.model.phases}
    listed = list(declared)
    if not declared:
        # Without phases there is no order: all targets at once.
        everything = tuple(sorted(target.id for target in checked.targets))
        return (
            ReleasePhase(
                name=ONLY_PHASE,
                targets=everything,
                max_concurrent=len(everything),
                failure_tolerance=0,
                bake_s=0,
                approval=False,
            ),
        )
    phases = []
    for name in phase_order(checked.flock.document)[0]:
        phase, position = declared[name], listed.index(name)
        phases.append(
            ReleasePhase(
                name=name,
                after=phase.after if phase.after is not None else tuple(listed[max(position - 1, 0) : position]),
                targets=tuple(sorted(target.id for target in checked.targets if target.plan.phase == name)),
                max_concurrent=phase.max_concurrent,
                failure_tolerance=phase.failure_tolerance,
                bake_s=phase.bake_s,
                approval=phase.approval,
            )
        )
    return tuple(phases)
