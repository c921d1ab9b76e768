"""Releases made by hand, for tests that need something to deploy and no flock file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shared.models import ReleasePhase
from shared.release_manifest import (
    ONLY_PHASE,
    Manifest,
    ManifestTarget,
    describe_file,
    digest_of,
    rendered_digest,
)
from shared.release_pack import pack_release

GENERIC: Mapping[str, bytes] = {"main.tf": b'output "nothing" { value = "here" }\n'}


def make_release(
    *targets: str,
    generic: Mapping[str, bytes] = GENERIC,
    rendered: Mapping[str, bytes] | None = None,
    provider_region: str | None = None,
    phases: Sequence[ReleasePhase] | None = None,
    **more: Any,
) -> tuple[Manifest, dict[str, bytes]]:
    """A release of `targets`, which belong to one flock, and its files by digest.

    Args:
        targets: their ids.
        generic: the generic files.
        rendered: what lies beside them, the same for each target.
        provider_region: of all; None: each target's own region.
        phases: in place of a single one.
        more: other fields of the manifest.
    """
    ids = sorted(targets)
    files = {name: describe_file(content) for name, content in generic.items()}
    own = {name: describe_file(content) for name, content in (rendered or {}).items()}
    flock = ids[0].split(".")[0]
    if phases is None:
        phases = [
            ReleasePhase(
                name=ONLY_PHASE,
                targets=tuple(ids),
                max_concurrent=10,
                failure_tolerance=0,
                bake_s=0,
                approval=False,
            )
        ]
    made = {}
    for target in ids:
        region = target.split(".")[1]
        made[target] = ManifestTarget(
            region=region,
            provider_region=provider_region or region,
            phase=next(phase.name for phase in phases if target in phase.targets),
            configuration=".",
            rendered_digest=rendered_digest(target, region, provider_region or region, {**files, **own}),
            files=own,
        )
    manifest = Manifest(flock=flock, configurations={".": files}, phases=tuple(phases), targets=made, **more)
    contents = [*generic.values(), *(rendered or {}).values()]
    return manifest, {digest_of(content): content for content in contents}


def packed_release(*targets: str, **choice: Any) -> bytes:
    """The same as it is sent to the API."""
    return pack_release(*make_release(*targets, **choice))
