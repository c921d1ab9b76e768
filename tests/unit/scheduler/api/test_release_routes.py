"""Routes: releases."""

from __future__ import annotations

import pytest

from shared.errors import ApiError
from shared.release_manifest import parse_manifest
from shared.release_pack import unpack_blobs
from tests.releases import GENERIC, packed_release
from tests.unit.scheduler.api.conftest import Clients


def test_a_release_is_published_once_and_fetched_by_digest(client: Clients) -> None:
    admin, worker = client("admin"), client("worker")
    release = admin.publish_release(packed_release("web.north"), actor="anna")
    assert admin.publish_release(packed_release("web.north"), actor="ben") == release
    assert (release.actor, worker.release(release.digest)) == ("anna", release)
    assert worker.releases(flock="web")[0].digest == release.digest
    manifest = parse_manifest(worker.release_manifest(release.digest), digest=release.digest)
    wanted = {file.digest: path for path, file in manifest.files_of("web.north").items()}
    files = unpack_blobs(worker.release_files(release.digest, "web.north"), wanted)
    assert list(files.values()) == list(GENERIC.values())


def test_what_is_no_release_is_refused(client: Clients) -> None:
    with pytest.raises(ApiError, match="cannot be published") as refused:
        client("admin").publish_release(b"text")
    assert refused.value.status == 400


def test_a_digest_of_another_form_is_refused(client: Clients) -> None:
    with pytest.raises(ApiError) as refused:
        client("admin").release("latest")
    assert refused.value.status == 422


def test_old_releases_are_let_go_by_an_administrator(client: Clients) -> None:
    admin = client("admin")
    old, new = (
        admin.publish_release(packed_release("web.north", rendered={"a.json": word})).digest for word in (b"1", b"2")
    )
    assert [one.digest for one in admin.prune_releases(keep=1, flock="web", dry_run=True).releases][-1] == old
    assert old in [one.digest for one in admin.prune_releases(keep=1).releases]
    assert admin.releases(flock="web")[0].digest == new
    with pytest.raises(ApiError) as refused:
        client("worker").prune_releases(keep=1)
    assert refused.value.status == 403
