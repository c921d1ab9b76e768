"""Releases in the database."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, func, select, update

from scheduler import releases, runs
from scheduler.tables import BlobRow, ReleaseRow
from shared.errors import ApiError, PeerError
from shared.models import RunKind, RunStatus
from shared.release_manifest import digest_of, parse_manifest
from shared.release_pack import pack, unpack_blobs
from tests.releases import GENERIC, make_release, packed_release
from tests.unit.scheduler.support import TARGET, World

UNKNOWN = "sha256:" + "0" * 64


def count(world: World, table: type[BlobRow | ReleaseRow]) -> int:
    with world.context.database.read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_a_release_is_named_by_its_content_and_stored_once(world: World) -> None:
    manifest, _ = make_release(TARGET, provider_region="eu-1")
    digest = world.publish()
    stored = count(world, ReleaseRow), count(world, BlobRow)
    world.clock.advance(5000)
    assert world.publish() == digest == manifest.digest
    assert (count(world, ReleaseRow), count(world, BlobRow)) == stored


def test_a_file_is_stored_once_whichever_releases_have_it(world: World) -> None:
    world.publish(rendered={"a.json": b"1"})
    blobs = count(world, BlobRow)
    world.publish(rendered={"a.json": b"1", "b.json": b"1"})
    assert count(world, BlobRow) == blobs
    world.publish(rendered={"a.json": b"2"})
    assert count(world, BlobRow) == blobs + 1


def test_what_was_published_can_be_looked_up(world: World) -> None:
    digest = world.publish(TARGET, "web.south")
    found = releases.release(world.context, digest)
    assert (found.flock, found.actor, list(found.targets)) == ("web", "anna", [TARGET, "web.south"])
    assert [phase.targets for phase in found.phases] == [(TARGET, "web.south")]
    manifest = parse_manifest(releases.manifest_bytes(world.context, digest), digest=digest)
    wanted = {file.digest: path for path, file in manifest.files_of(TARGET).items()}
    files = unpack_blobs(releases.target_files(world.context, digest, TARGET), wanted)
    assert list(files.values()) == list(GENERIC.values())
    listed = releases.releases(world.context, flock="web", limit=10)
    assert (listed[0].digest, listed[0].target_count) == (digest, 2)
    assert releases.releases(world.context, flock="db", limit=10) == []
    assert len(releases.releases(world.context, flock=None, limit=1)) == 1


def test_what_is_not_there_is_a_404(world: World) -> None:
    digest = world.publish()
    for look in (
        lambda: releases.release(world.context, UNKNOWN),
        lambda: releases.manifest_bytes(world.context, UNKNOWN),
        lambda: releases.target_files(world.context, digest, "web.south"),
        lambda: releases.register(world.context, "web", release_digest=UNKNOWN),
    ):
        with pytest.raises(ApiError) as missing:
            look()
        assert missing.value.status == 404


def test_a_file_that_is_gone_is_named(world: World) -> None:
    digest = world.publish(rendered={"a.json": b"1"})
    with world.context.database.write() as session:
        session.delete(session.get_one(BlobRow, digest_of(b"1")))
    with pytest.raises(ApiError, match=digest_of(b"1")):
        releases.target_files(world.context, digest, TARGET)


def test_what_is_no_release_is_refused(world: World) -> None:
    for content in (b"", b"text", pack({"manifest.json": b"{}"}), packed_release(TARGET)[:-9]):
        with pytest.raises(ApiError, match="cannot be published") as refused:
            releases.publish(world.context, content, actor="")
        assert refused.value.status == 400


def test_a_manifest_that_was_changed_in_the_database_is_noticed(world: World) -> None:
    digest = world.publish()
    other, _ = make_release(TARGET, provider_region="moon-1")
    assert releases.release(world.context, digest).digest == digest
    with world.context.database.write() as session:
        changed = other.model_dump_json().encode()
        session.execute(update(ReleaseRow).where(ReleaseRow.digest == digest).values(manifest=changed))
    with pytest.raises(PeerError, match=digest_of(changed)):
        releases.release(world.context, digest)


def test_a_flock_cannot_register_anothers_release(world: World) -> None:
    with pytest.raises(ApiError, match="belongs to flock web"):
        releases.register(world.context, "db", release_digest=world.publish())


def test_a_run_keeps_the_release_that_it_was_submitted_with(world: World) -> None:
    first = world.submit()
    assert first.release_digest is not None
    releases.register(world.context, "web", release_digest=world.publish(rendered={"a.json": b"1"}))
    assert world.claim(first).run.release_digest == first.release_digest
    assert world.submit().release_digest != first.release_digest


def test_a_run_may_name_a_release_that_has_its_target(world: World) -> None:
    digest = world.publish(rendered={"a.json": b"1"})

    def submit(target: str, release: str | None) -> str | None:
        return runs.submit(
            world.context, target=target, kind=RunKind.PLAN, argv=[], actor="", release_digest=release
        ).release_digest

    assert submit(TARGET, digest) == digest
    world.publish("web.south")
    for target, release, code in (
        ("web.south", digest, "invalid"),
        ("web.south", None, "no_release"),
        (TARGET, UNKNOWN, "unknown_release"),
    ):
        with pytest.raises(ApiError) as refused:
            submit(target, release)
        assert refused.value.code == code


def test_a_follow_up_deploys_what_the_lost_run_did(world: World) -> None:
    from scheduler.observer_loop import ObserverLoop

    assignment, lease = world.begin()
    releases.register(world.context, "web", release_digest=world.publish(rendered={"a.json": b"1"}))
    world.sever(TARGET, lease)
    ObserverLoop(world.context).step()
    (follower,) = runs.listed(world.context, target=TARGET, status=RunStatus.PENDING, limit=10)
    assert follower.release_digest == assignment.run.release_digest


def test_what_was_applied_is_what_the_target_deploys_from_then_on(world: World) -> None:
    from scheduler import flocks

    digest = world.publish(rendered={"a.json": b"1"})
    run = runs.submit(world.context, target=TARGET, kind=RunKind.APPLY, argv=[], actor="", release_digest=digest)
    assignment = world.claim(run)
    lease = world.acquire(assignment)
    world.store.release(TARGET, lease)
    assert flocks.target(world.context, TARGET).release_digest != digest
    runs.finish(world.context, run.id, holder="holder-1", epoch=1, exit_code=0, status=RunStatus.APPLIED, reason="")
    assert flocks.target(world.context, TARGET).release_digest == digest


def test_publishing_again_puts_right_what_was_damaged_or_lost(world: World) -> None:
    """A worker refuses such a release and says so: publish it again."""
    digest = world.publish(rendered={"a.json": b"1"})
    good = digest_of(GENERIC["main.tf"])
    with world.context.database.write() as session:
        session.execute(update(BlobRow).where(BlobRow.digest == good).values(content=b"evil"))
        session.execute(delete(BlobRow).where(BlobRow.digest == digest_of(b"1")))
        session.execute(update(ReleaseRow).where(ReleaseRow.digest == digest).values(manifest=b"evil"))
    assert world.publish(rendered={"a.json": b"1"}) == digest
    manifest = parse_manifest(releases.manifest_bytes(world.context, digest), digest=digest)
    wanted = {file.digest: path for path, file in manifest.files_of(TARGET).items()}
    assert unpack_blobs(releases.target_files(world.context, digest, TARGET), wanted).keys() == wanted.keys()
