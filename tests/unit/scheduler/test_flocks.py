"""Bundles, flocks, targets."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile

import pytest

from scheduler import flocks
from shared.errors import ApiError
from shared.models import TargetUpsert
from tests.unit.scheduler.support import TARGET, World, bundle


def upsert(name: str, region: str = "north") -> TargetUpsert:
    return TargetUpsert(id=name, region=region, provider_region="eu-1", variables={"size": 2})


def packed(name: str, kind: bytes = tarfile.REGTYPE) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        info = tarfile.TarInfo(name)
        info.type = kind
        info.linkname = "/etc/passwd"
        archive.addfile(info)
    return buffer.getvalue()


def test_a_bundle_is_named_by_its_content_and_stored_once(world: World) -> None:
    digest = flocks.store_bundle(world.context, bundle())
    assert digest == f"sha256:{hashlib.sha256(bundle()).hexdigest()}"
    assert flocks.store_bundle(world.context, bundle()) == digest
    assert flocks.bundle(world.context, digest) == bundle()


@pytest.mark.parametrize(
    "content",
    [b"", b"no archive", bundle()[:40], packed("/etc/x"), packed("a/../../x"), packed("link", tarfile.SYMTYPE)],
)
def test_what_is_no_plain_archive_is_refused(world: World, content: bytes) -> None:
    with pytest.raises(ApiError) as refused:
        flocks.store_bundle(world.context, content)
    assert refused.value.status == 400


def test_an_unknown_bundle_is_a_404(world: World) -> None:
    with pytest.raises(ApiError) as refused:
        flocks.bundle(world.context, "sha256:" + "0" * 64)
    assert refused.value.status == 404


def test_a_flock_is_created_and_updated(world: World) -> None:
    digest = flocks.store_bundle(world.context, bundle())
    created = flocks.put_flock(
        world.context, "db", bundle_digest=digest, targets=[upsert("db.north"), upsert("db.north.blue")]
    )
    assert [target.id for target in created.targets] == ["db.north", "db.north.blue"]
    assert {flock.name for flock in flocks.flocks(world.context)} == {"web", "db"}
    assert flocks.target(world.context, "db.north").variables == {"size": 2}


def test_an_update_keeps_the_epoch_and_the_targets_it_does_not_name(world: World) -> None:
    world.claim(world.submit())
    digest = flocks.store_bundle(world.context, bundle())
    flocks.put_flock(world.context, "web", bundle_digest=digest, targets=[upsert("web.south", "south")])
    flocks.put_flock(world.context, "web", bundle_digest=digest, targets=[upsert(TARGET)])
    assert [(target.id, target.epoch) for target in flocks.targets(world.context)] == [(TARGET, 1), ("web.south", 0)]


def test_a_target_may_have_a_bundle_of_its_own_which_must_be_stored(world: World) -> None:
    # The same files, compressed another way: another bundle.
    other = gzip.compress(gzip.decompress(bundle()), 1, mtime=1)
    common, own = (flocks.store_bundle(world.context, content) for content in (bundle(), other))
    targets = [upsert("db.north"), upsert("db.north.blue").model_copy(update={"bundle_digest": own})]
    created = flocks.put_flock(world.context, "db", bundle_digest=common, targets=targets)
    assert [target.bundle_digest for target in created.targets] == [common, own]
    missing = upsert("db.north").model_copy(update={"bundle_digest": "sha256:" + "0" * 64})
    with pytest.raises(ApiError, match="no bundle"):
        flocks.put_flock(world.context, "db", bundle_digest=common, targets=[missing])


def test_a_target_belongs_to_its_flock_and_region(world: World) -> None:
    digest = flocks.store_bundle(world.context, bundle())
    for name, region in (("db.north", "north"), ("web.north", "south"), ("web.north.x", "south")):
        with pytest.raises(ApiError, match="does not belong to flock web"):
            flocks.put_flock(world.context, "web", bundle_digest=digest, targets=[upsert(name, region)])


def test_a_flock_needs_targets_and_a_stored_bundle(world: World) -> None:
    with pytest.raises(ApiError, match="has 0 targets"):
        flocks.put_flock(world.context, "web", bundle_digest="sha256:" + "0" * 64, targets=[])
    with pytest.raises(ApiError, match="no bundle"):
        flocks.put_flock(world.context, "web", bundle_digest="sha256:" + "0" * 64, targets=[upsert(TARGET)])
    with pytest.raises(ApiError, match="no target"):
        flocks.target(world.context, "web.nowhere")
