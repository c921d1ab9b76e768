"""Files that only their owner may read."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from scheduler.private_files import create_private, read_private
from shared.errors import ConfigurationError


def test_a_new_file_is_private_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "secret"
    assert read_private(path) is None
    assert create_private(path, "content")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert read_private(path) == "content"
    assert [entry.name for entry in path.parent.iterdir()] == ["secret"]


def test_of_many_creators_one_wins_and_all_read_the_same(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda number: create_private(path, f"content {number}"), range(8)))
    assert won.count(True) == 1
    assert read_private(path) == f"content {won.index(True)}"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602])
def test_a_file_that_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "secret"
    path.write_text("x")
    path.chmod(mode)
    with pytest.raises(ConfigurationError, match="may be read by others"):
        read_private(path)


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigurationError, match="cannot read"):
        read_private(tmp_path / "file" / "below")
