"""What a host keeps of releases: only ever what its name says, and never more than the bound."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from shared.release_manifest import digest_of
from worker.release_cache import ReleaseCache

BLOCK = 4096
ONE, TWO, THREE = (bytes([number]) * BLOCK for number in range(1, 4))


def of(*contents: bytes) -> dict[str, bytes]:
    return {digest_of(content): content for content in contents}


def file_of(home: Path, content: bytes) -> Path:
    return home / "releases" / digest_of(content).removeprefix("sha256:")


def used(home: Path, content: bytes, at_s: int) -> None:
    """Let the content have been used last at that time."""
    os.utime(file_of(home, content), (at_s, at_s))


def size_bytes(home: Path) -> int:
    return sum(path.stat().st_size for path in (home / "releases").iterdir())


def test_what_one_process_of_the_host_kept_another_one_finds(tmp_path: Path) -> None:
    ReleaseCache(tmp_path).keep(of(ONE, b""))
    other = ReleaseCache(tmp_path)
    assert other.get(digest_of(ONE)) == ONE
    assert other.get(digest_of(b"")) == b""
    assert other.holds(digest_of(ONE))
    assert other.get(digest_of(TWO)) is None
    assert not other.holds(digest_of(TWO))


def test_only_the_worker_can_look_into_it(tmp_path: Path) -> None:
    ReleaseCache(tmp_path).keep(of(ONE))
    assert (tmp_path / "releases").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("found", [b"evil", ONE[:-1], ONE + b"\0", b""])
def test_what_is_not_what_its_name_says_is_not_used_and_is_removed(tmp_path: Path, found: bytes) -> None:
    cache = ReleaseCache(tmp_path)
    cache.keep(of(ONE))
    file_of(tmp_path, ONE).write_bytes(found)
    assert cache.get(digest_of(ONE)) is None
    assert not file_of(tmp_path, ONE).exists()
    cache.keep(of(ONE))
    assert cache.get(digest_of(ONE)) == ONE


def test_what_is_kept_is_checked_once_more(tmp_path: Path) -> None:
    cache = ReleaseCache(tmp_path)
    cache.keep({digest_of(ONE): TWO})
    assert not cache.holds(digest_of(ONE))


def test_a_link_a_pipe_or_a_folder_in_its_place_is_not_read(tmp_path: Path) -> None:
    cache = ReleaseCache(tmp_path)
    cache.keep(of(TWO))
    (tmp_path / "elsewhere").write_bytes(ONE)
    file_of(tmp_path, ONE).symlink_to(tmp_path / "elsewhere")
    assert cache.get(digest_of(ONE)) is None
    assert not file_of(tmp_path, ONE).is_symlink()
    assert (tmp_path / "elsewhere").exists()
    os.mkfifo(file_of(tmp_path, ONE))
    assert cache.get(digest_of(ONE)) is None
    file_of(tmp_path, THREE).mkdir()
    assert cache.get(digest_of(THREE)) is None
    assert cache.get(digest_of(TWO)) == TWO


def test_a_file_larger_than_any_of_a_release_is_not_read_into_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = ReleaseCache(tmp_path)
    cache.keep(of(ONE))
    monkeypatch.setattr("worker.release_cache.MAX_FILE_BYTES", BLOCK - 1)
    assert cache.get(digest_of(ONE)) is None


def test_what_was_used_least_recently_makes_room(tmp_path: Path) -> None:
    cache = ReleaseCache(tmp_path, limit_bytes=2 * BLOCK)
    cache.keep(of(ONE, TWO))
    used(tmp_path, ONE, 1)
    used(tmp_path, TWO, 2)
    assert cache.get(digest_of(ONE)) == ONE, "and that counts as a use"
    cache.keep(of(THREE))
    assert [cache.holds(digest_of(content)) for content in (ONE, TWO, THREE)] == [True, False, True]
    assert size_bytes(tmp_path) <= 2 * BLOCK


def test_small_files_are_bounded_in_number_as_well(tmp_path: Path) -> None:
    cache = ReleaseCache(tmp_path, limit_bytes=10 * BLOCK)
    for number in range(30):
        cache.keep(of(str(number).encode()))
    kept = [number for number in range(30) if cache.holds(digest_of(str(number).encode()))]
    assert len(kept) == 10
    assert 29 in kept


def test_what_would_never_fit_costs_the_rest_nothing(tmp_path: Path) -> None:
    cache = ReleaseCache(tmp_path, limit_bytes=2 * BLOCK)
    cache.keep(of(ONE))
    cache.keep(of(TWO, THREE, b"more"))
    assert cache.holds(digest_of(ONE))
    assert size_bytes(tmp_path) == BLOCK


def test_a_file_that_was_being_written_when_the_process_died_counts_and_goes(tmp_path: Path) -> None:
    cache = ReleaseCache(tmp_path, limit_bytes=2 * BLOCK)
    cache.keep(of(ONE))
    torn = file_of(tmp_path, TWO).with_suffix(".new")
    torn.write_bytes(TWO)
    os.utime(torn, (1, 1))
    assert not cache.holds(digest_of(TWO))
    cache.keep(of(THREE))
    assert not torn.exists()
    assert cache.holds(digest_of(ONE))
    assert cache.holds(digest_of(THREE))


def test_whoever_finds_another_one_writing_keeps_nothing_and_does_not_wait(tmp_path: Path) -> None:
    cache = ReleaseCache(tmp_path)
    cache.keep(of(ONE))
    with (tmp_path / "releases" / "lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        cache.keep(of(TWO))
        assert cache.get(digest_of(ONE)) == ONE
    assert not cache.holds(digest_of(TWO))
    cache.keep(of(TWO))
    assert cache.holds(digest_of(TWO))


def test_a_disk_that_takes_nothing_is_no_error(tmp_path: Path) -> None:
    cache = ReleaseCache(tmp_path / "missing")
    cache.keep(of(ONE))
    assert cache.get(digest_of(ONE)) is None
    (tmp_path / "releases").write_bytes(b"no folder")
    cache = ReleaseCache(tmp_path)
    cache.keep(of(ONE))
    assert cache.get(digest_of(ONE)) is None
    assert not cache.holds(digest_of(ONE))


def test_a_name_that_is_no_digest_leads_nowhere(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="not a digest"):
        ReleaseCache(tmp_path).get("sha256:../../etc/passwd")
