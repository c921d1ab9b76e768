"""What a release is: a manifest that names every file by its digest, and the one way to write it down.

A release's name is the SHA-256 of its manifest's canonical bytes: JSON with sorted keys and no white space. Neither the
clock, the order of a directory, a compressor nor the machine goes into it, so the same configuration published twice,
anywhere, is the same release. Whoever holds the name can check everything below it.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, StringConstraints, ValidationError, model_validator

from shared.drift.settings import DriftSettings
from shared.errors import PeerError
from shared.models import Digest, Label, ReleasePhase, ReleaseTarget, TargetId, describe
from shared.record import Record
from shared.rollback.settings import RollbackSettings
from shared.safety.rules import SafetyRules

FORMAT: Final = 1
MAX_MANIFEST_BYTES: Final = 16 * 1024**2
MAX_FILES: Final = 20_000
MAX_FILE_BYTES: Final = 64 * 1024**2
MAX_TARGETS: Final = 1000
#: The phase of a flock that declares none.
ONLY_PHASE: Final = "all"
LOCK_FILE: Final = ".terraform.lock.hcl"
#: Sections of a flock that came later than releases: who has none has the manifest, and the name, that it always had.
_SECTIONS: Final = ("safety", "rollback", "drift")


def _plain_path(path: str) -> str:
    steps = path.split("/")
    if not path.isprintable() or "\\" in path or any(step in ("", ".", "..") for step in steps):
        raise ValueError(f"{path!r} is no plain relative path")
    return path


#: A relative path with '/' between its steps: no empty step, no `.` or `..`, no backslash, nothing unprintable.
FilePath = Annotated[str, StringConstraints(min_length=1, max_length=1024), AfterValidator(_plain_path)]


class ReleaseFile(Record):
    """One file."""

    digest: Digest = Field(description="sha256 of its content")
    size: int = Field(ge=0, le=MAX_FILE_BYTES, description="bytes")
    executable: bool = Field(default=False, description="whether its owner may execute it")


Files = dict[FilePath, ReleaseFile]


class ReleaseArtifact(Record):
    """Something built elsewhere, pinned."""

    source: str = Field(max_length=1024, description="where it is")
    version: str | None = Field(default=None, max_length=1024, description="the tag that was resolved, for people")
    digest: Digest = Field(description="what is deployed, whatever the tag names by now")


class ManifestTarget(ReleaseTarget):
    """One target with the files that lie beside the generic ones."""

    files: Files = Field(max_length=16, description="rendered files by name")


class Manifest(Record):
    """Everything that deploys a flock."""

    format: Literal[1] = Field(default=FORMAT, description="version of this format")
    flock: Label = Field(description="whose release it is")
    terraform: str | None = Field(default=None, max_length=256, description="versions that may carry it out")
    artifacts: dict[Label, ReleaseArtifact] = Field(default_factory=dict, max_length=256, description="pinned")
    configurations: dict[str, Files] = Field(max_length=256, description="generic files by configuration and path")
    phases: tuple[ReleasePhase, ...] = Field(min_length=1, max_length=256, description="in the order of a roll-out")
    targets: dict[TargetId, ManifestTarget] = Field(min_length=1, max_length=MAX_TARGETS, description="by id")
    safety: SafetyRules | None = Field(default=None, description="who has to approve what; None: no rules")
    rollback: RollbackSettings | None = Field(
        default=None, description="when a deployment is taken back; None: never by itself"
    )
    drift: DriftSettings | None = Field(default=None, description="how targets are checked; None: on demand")

    @model_validator(mode="after")
    def _consistent(self) -> Manifest:
        placed: dict[str, str] = {}
        seen: set[str] = set()
        for phase in self.phases:
            if phase.name in seen or not set(phase.after) <= seen:
                raise ValueError(f"phase {phase.name} is listed twice, or before one that it waits for")
            seen.add(phase.name)
            for listed in phase.targets:
                if placed.setdefault(listed, phase.name) != phase.name:
                    raise ValueError(f"target {listed} is in two phases")
        for name, target in self.targets.items():
            if name.split(".")[:2] != [self.flock, target.region]:
                raise ValueError(f"target {name} does not belong to flock {self.flock} in region {target.region}")
            if placed.pop(name, None) != target.phase:
                raise ValueError(f"target {name} is not listed in its phase {target.phase}")
            generic = self.configurations.get(target.configuration)
            if generic is None:
                raise ValueError(f"target {name} has configuration {target.configuration!r}, which is not there")
            if taken := generic.keys() & target.files.keys():
                raise ValueError(f"{min(taken)} of target {name} is a generic file as well")
        if placed:
            raise ValueError(f"a phase lists {min(placed)}, which is no target")
        if len({*self.blobs()}) > MAX_FILES:
            raise ValueError(f"a release has at most {MAX_FILES} different files")
        return self

    @property
    def digest(self) -> str:
        """The release's name."""
        return digest_of(canonical(self))

    def blobs(self) -> dict[str, int]:
        """Sizes of all files by digest."""
        groups = [*self.configurations.values(), *(target.files for target in self.targets.values())]
        return {file.digest: file.size for files in groups for file in files.values()}

    def paths(self) -> dict[str, str]:
        """One path of each file, by digest: for messages."""
        groups = [*self.configurations.values(), *(target.files for target in self.targets.values())]
        return {file.digest: path for files in groups for path, file in files.items()}

    def files_of(self, target: str) -> Files:
        """Every file that a worker gets for `target`, by path. Raises KeyError for an unknown target."""
        one = self.targets[target]
        return {**self.configurations[one.configuration], **one.files}


def canonical(manifest: Manifest) -> bytes:
    """The manifest's one spelling. A section that the flock does not have is not in it."""
    absent = {one for one in _SECTIONS if getattr(manifest, one) is None}
    return _packed(manifest.model_dump(mode="json", exclude=absent))


def digest_of(content: bytes) -> str:
    """`sha256:…` of some bytes."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def describe_file(content: bytes, *, executable: bool = False) -> ReleaseFile:
    """A file as a manifest lists it."""
    return ReleaseFile(digest=digest_of(content), size=len(content), executable=executable)


def rendered_digest(target: str, region: str, provider_region: str, files: Files) -> str:
    """Digest of everything that a worker gets for a target: where it is equal, nothing changes for it."""
    content = {
        "target": target,
        "region": region,
        "provider_region": provider_region,
        "files": {path: file.model_dump(mode="json") for path, file in files.items()},
    }
    return digest_of(_packed(content))


def parse_manifest(content: bytes, *, digest: str | None = None) -> Manifest:
    """Read a manifest.

    Args:
        content: its canonical bytes.
        digest: the name under which it was asked for; None: whatever it is called.

    Raises:
        PeerError: it is another one than the name says, not canonical, too large, or inconsistent.
    """
    actual = digest_of(content)
    if digest is not None and actual != digest:
        raise PeerError(f"the manifest of release {digest} arrived as {actual}", hint="publish the release again")
    if len(content) > MAX_MANIFEST_BYTES:
        raise PeerError(f"the manifest is larger than {MAX_MANIFEST_BYTES // 1024**2} MiB", hint="split the flock")
    try:
        manifest = Manifest.model_validate_json(content)
    except ValidationError as error:
        raise PeerError(f"not a release's manifest: {describe(error)[:2000]}", hint="publish it again") from error
    if canonical(manifest) != content:
        # Two spellings of one release would be two names for it.
        raise PeerError("the manifest is not in its canonical form", hint="publish with this version of Interlock")
    for name, target in manifest.targets.items():
        expected = rendered_digest(name, target.region, target.provider_region, manifest.files_of(name))
        if target.rendered_digest != expected:
            raise PeerError(
                f"target {name} claims digest {target.rendered_digest}, its files give {expected}",
                hint="publish the release again",
            )
    return manifest


def _packed(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
