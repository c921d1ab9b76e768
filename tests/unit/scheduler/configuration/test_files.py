"""Reading what somebody else may have written: regular, bounded, inside its folder, or refused; never a hang."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scheduler.configuration.files import read_bounded
from scheduler.configuration.report import Kind, Refused


def test_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "b").symlink_to("a")
    assert read_bounded(tmp_path / "a", "a") == read_bounded(tmp_path / "b", "b", inside=tmp_path) == b"x"


def test_what_has_no_end_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zeros").symlink_to("/dev/zero")
    (tmp_path / "large").write_bytes(b"#" * (2**20 + 1))
    for name, said in (("pipe", "no regular file"), ("zeros", "no regular file"), ("large", "larger than 1 MiB")):
        with pytest.raises(Refused, match=f"{name}:1: .*{said}"):
            read_bounded(tmp_path / name, name)


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "folder").mkdir()
    for name, said in (("loop", "symbolic links"), ("folder", "a folder"), ("none", "No such file")):
        with pytest.raises(Refused, match=f"{name}:1: .*{said}"):
            read_bounded(tmp_path / name, name)


def test_a_link_that_leads_out_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter2")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").symlink_to("../secret")
    with pytest.raises(Refused) as caught:
        read_bounded(tmp_path / "in" / "a", "in/a", inside=tmp_path / "in")
    assert caught.value.finding.kind is Kind.OUTSIDE
