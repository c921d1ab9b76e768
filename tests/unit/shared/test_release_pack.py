"""Archives: complete, checked, bounded."""

from __future__ import annotations

import gzip
import io
import tarfile
import tracemalloc

import pytest

from shared import release_pack
from shared.errors import PeerError
from shared.release_manifest import ReleaseFile, canonical, digest_of
from shared.release_pack import pack, pack_release, unpack, unpack_blobs, unpack_release
from tests.releases import make_release

FILES = {"a": b"1", "deep/b": b"", "c" * 200: b"x" * 5000}


def tar(*members: tarfile.TarInfo) -> bytes:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        for member in members:
            archive.addfile(member)
    return gzip.compress(plain.getvalue())


def link(name: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type = tarfile.SYMTYPE
    member.linkname = "/etc/passwd"
    return member


def test_what_was_packed_comes_out_again_and_packs_to_the_same_bytes() -> None:
    assert unpack(pack(FILES)) == FILES
    assert pack(dict(reversed(FILES.items()))) == pack(FILES)


@pytest.mark.parametrize(
    ("packed", "why"),
    [
        (b"", "cut off"),
        (b"text", "not a gzip"),
        (pack(FILES)[:-9], "cut off"),
        (pack(FILES) + b"x", "something behind it"),
        (gzip.compress(b"x" * 2000), "not a tar"),
        (tar(link("a")), "not as a plain file"),
        (tar(tarfile.TarInfo("a"), tarfile.TarInfo("a")), "'a' twice"),
    ],
    ids=["nothing", "text", "cut off", "more", "no tar", "link", "twice"],
)
def test_what_is_no_archive_of_plain_files_is_refused(packed: bytes, why: str) -> None:
    with pytest.raises(PeerError, match=why):
        unpack(packed)


def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = pack({"a": bytes(20_000_000)})
    monkeypatch.setattr(release_pack, "MAX_CONTENT_BYTES", 100_000)
    assert len(bomb) < 100_000
    tracemalloc.start()
    try:
        with pytest.raises(PeerError, match="unpacked"):
            unpack(bomb)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000, "no more is held than the bound allows"
    finally:
        tracemalloc.stop()
    with pytest.raises(PeerError, match="unpacked"):
        pack({"a": bytes(1_000_000)})


def test_too_many_files_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release_pack, "MAX_FILES", 2)
    with pytest.raises(PeerError, match="more than 2 files"):
        unpack(pack({**FILES, "d": b""}))


def test_each_content_is_checked_against_its_digest_and_named_by_its_path() -> None:
    good, other = digest_of(b"good"), digest_of(b"other")
    assert unpack_blobs(pack({good: b"good"}), {good: "main.tf"}) == {good: b"good"}
    with pytest.raises(PeerError, match=f"main.tf should be {good} and arrived as {other}"):
        unpack_blobs(pack({good: b"other"}), {good: "main.tf"})
    with pytest.raises(PeerError, match=rf"main.tf \({good}\) is missing"):
        unpack_blobs(pack({}), {good: "main.tf"})
    with pytest.raises(PeerError, match="belongs to no file"):
        unpack_blobs(pack({other: b"other"}), {})


def test_a_release_travels_whole() -> None:
    manifest, blobs = make_release("web.north", "web.south", rendered={"a.json": b"{}"})
    content, read, files = unpack_release(pack_release(manifest, blobs))
    assert (content, read, files) == (canonical(manifest), manifest, blobs)


def test_a_size_that_is_not_the_contents_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.releases.describe_file", lambda content: ReleaseFile(digest=digest_of(content), size=99))
    with pytest.raises(PeerError, match="the manifest says 99"):
        unpack_release(pack_release(*make_release("web.north")))


def test_a_release_without_a_manifest_or_a_file_is_refused() -> None:
    manifest, blobs = make_release("web.north")
    (digest,) = blobs
    with pytest.raises(PeerError, match=r"no manifest\.json"):
        unpack_release(pack({f"blobs/{digest}": blobs[digest]}))
    with pytest.raises(PeerError, match=r"main\.tf .* is missing"):
        unpack_release(pack({"manifest.json": canonical(manifest)}))
