"""Files of a run: what goes in, and what may come back out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from shared.errors import ConfigurationError, PeerError
from worker.run_directory import RunDirectory

RUN = "run-0123456789abcdef"


@pytest.fixture
def directory(tmp_path: Path) -> RunDirectory:
    made = RunDirectory(tmp_path / "home", RUN)
    made.create()
    return made


def test_it_is_private_and_starts_empty(directory: RunDirectory) -> None:
    assert directory.root.stat().st_mode & 0o777 == 0o700
    (directory.work / "left").touch()
    directory.create()
    assert list(directory.work.iterdir()) == []


def test_files_are_laid_out_in_work_for_their_owner_alone(directory: RunDirectory) -> None:
    directory.lay_out({"main.tf": (b"# a", False), "modules/m/x.tf": (b"# b", False), "run.sh": (b"", True)})
    assert (directory.work / "modules/m/x.tf").read_bytes() == b"# b"
    assert directory.has_terraform_files()
    modes = {path.name: path.stat().st_mode & 0o777 for path in directory.work.iterdir() if path.is_file()}
    assert modes == {"main.tf": 0o600, "run.sh": 0o700}


@pytest.mark.parametrize("other", ["a/b", "a"], ids=["a file is no folder", "nothing is replaced"])
def test_files_that_exclude_one_another_are_refused(directory: RunDirectory, other: str) -> None:
    directory.lay_out({"a": (b"", False)})
    with pytest.raises(ConfigurationError, match="cannot be laid out"):
        directory.lay_out({other: (b"", False)})


def test_a_link_in_work_is_replaced_not_followed_by_a_write(directory: RunDirectory, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("kept")
    (directory.work / "ours.tf").symlink_to(precious)
    directory.write("ours.tf", "new")
    assert precious.read_text() == "kept"
    assert (directory.work / "ours.tf").read_text() == "new"
    directory.discard("ours.tf")
    directory.discard("ours.tf")
    assert not (directory.work / "ours.tf").exists()


def test_a_state_that_links_to_a_secret_is_not_read(directory: RunDirectory, tmp_path: Path) -> None:
    secret = tmp_path / "worker.token"
    secret.write_text("secret")
    (directory.work / "errored.tfstate").symlink_to(secret)
    with pytest.raises(PeerError, match="no regular file"):
        directory.errored_state()


def test_a_pipe_in_place_of_a_state_does_not_hang(directory: RunDirectory) -> None:
    os.mkfifo(directory.work / "errored.tfstate")
    with pytest.raises(PeerError, match="no regular file"):
        directory.errored_state()


def test_a_state_is_bounded(directory: RunDirectory) -> None:
    (directory.work / "x").write_bytes(b"12345")
    assert directory.read("x", 5) == b"12345"
    with pytest.raises(PeerError, match="larger than 4"):
        directory.read("x", 4)


def test_an_errored_state_is_kept_when_the_rest_is_removed(directory: RunDirectory) -> None:
    assert directory.errored_state() is None
    (directory.work / "errored.tfstate").write_text("{}")
    assert directory.errored_state() == b"{}"
    directory.keep_errored_state(b"{}")
    directory.remove()
    directory.remove()
    assert not directory.root.exists()
    assert (directory.kept / "errored.tfstate").read_text() == "{}"
    assert (directory.kept / "errored.tfstate").stat().st_mode & 0o777 == 0o600


def test_whatever_a_provisioner_left_is_removed(directory: RunDirectory, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o500)
    inner = directory.work / "mod" / "cache"
    inner.mkdir(parents=True)
    (directory.work / "link").symlink_to(outside)
    inner.chmod(0)
    directory.remove()
    assert not directory.root.exists()
    assert outside.stat().st_mode & 0o777 == 0o500


def test_the_end_of_the_log_is_read_and_no_more_than_that(
    directory: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert directory.log_tail() == ""
    directory.log.write_bytes(b"begin \xff the end")
    assert directory.log_tail() == "begin \ufffd the end"
    monkeypatch.setattr("worker.run_directory.LOG_TAIL_BYTES", 3)
    assert directory.log_tail() == "end"
