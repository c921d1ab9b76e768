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


def never() -> bool:
    return False


def test_another_release_takes_the_place_of_all_that_is_there(directory: RunDirectory) -> None:
    directory.lay_out({"main.tf": (b"# new", False), "modules/m/x.tf": (b"# new", False)})
    (directory.work / ".terraform").mkdir()
    (directory.work / ".terraform" / "left").touch()
    directory.lay_out_anew({"main.tf": (b"# first", False), "modules/n/y.tf": (b"# first", True)}, never)
    found = {str(path.relative_to(directory.work)) for path in directory.work.rglob("*") if path.is_file()}
    assert found == {"main.tf", "modules/n/y.tf"}
    assert (directory.work / "main.tf").read_bytes() == b"# first"
    assert (directory.work / "modules/n/y.tf").stat().st_mode & 0o777 == 0o700
    assert list(directory.staged.iterdir()) == []


def test_nothing_of_it_goes_through_a_link_that_something_in_the_sandbox_puts_in_the_way(
    directory: RunDirectory, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    def plant() -> bool:
        # Asked while the old files are removed: the names of the new ones are taken before they come.
        if not (directory.work / "modules").is_symlink():
            (directory.work / "modules").symlink_to(elsewhere)
        return False

    (directory.work / "old").touch()
    original = os.listdir

    def listdir(path: int) -> list[str]:
        return [name for name in original(path) if name != "modules"]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "listdir", listdir)
        with pytest.raises(PeerError, match="cannot be emptied"):
            directory.lay_out_anew({"modules/m/x.tf": (b"# first", False)}, plant)
    assert list(elsewhere.iterdir()) == []


def test_a_directory_in_which_something_goes_on_writing_is_given_up(directory: RunDirectory) -> None:
    (directory.work / "old").touch()
    with pytest.raises(PeerError, match="goes on writing"):
        directory.lay_out_anew({"main.tf": (b"", False)}, lambda: True)


def test_a_file_of_ours_goes_into_a_folder_that_the_provisioner_made(directory: RunDirectory) -> None:
    folder = directory.work / ".terraform" / "modules" / "m"
    folder.mkdir(parents=True)
    directory.write_below(".terraform/modules/m", "ours.tf", "# ours")
    assert (folder / "ours.tf").read_text() == "# ours"
    assert directory.read_below("./.terraform/modules/m", "ours.tf", 100) == b"# ours"
    directory.discard_below(".terraform/modules/m", "ours.tf")
    directory.discard_below(".terraform/modules/m", "ours.tf")
    assert directory.read_below(".terraform/modules/m", "ours.tf", 100) is None
    assert directory.read_below(".terraform/nowhere", "ours.tf", 100) is None


@pytest.mark.parametrize("folder", ["link", "link/inner", "../elsewhere", "/tmp", "nowhere", "file"])
def test_it_goes_nowhere_else(directory: RunDirectory, tmp_path: Path, folder: str) -> None:
    elsewhere = directory.root / "elsewhere"
    (elsewhere / "inner").mkdir(parents=True)
    (directory.work / "link").symlink_to(elsewhere)
    (directory.work / "file").touch()
    with pytest.raises(PeerError):
        directory.write_below(folder, "ours.tf", "# ours")
    assert [path.name for path in elsewhere.rglob("*")] == ["inner"]


def test_it_replaces_nothing_there(directory: RunDirectory) -> None:
    (directory.work / "m").mkdir()
    (directory.work / "m" / "ours.tf").write_text("theirs")
    with pytest.raises(PeerError):
        directory.write_below("m", "ours.tf", "# ours")


def test_what_is_read_below_is_no_link(directory: RunDirectory, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (directory.work / "m").mkdir()
    (directory.work / "m" / "x").symlink_to(tmp_path / "secret")
    with pytest.raises(PeerError):
        directory.read_below("m", "x", 100)
