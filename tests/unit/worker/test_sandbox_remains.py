"""Removing whatever a provisioner may have left."""

from __future__ import annotations

import os
import resource
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from worker import sandbox_remains
from worker.sandbox_remains import empty_tree, remove_tree


@pytest.fixture
def few_descriptors() -> Iterator[None]:
    """So few that one for each level of a deep tree is too many."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, before[0]), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def nest(top: Path, depth: int) -> None:
    """Directories in one another, with a file in each; their path outgrows what the kernel takes."""
    top.mkdir()
    folder = os.open(top, os.O_RDONLY)
    for _ in range(depth):
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY, 0o600, dir_fd=folder))
        os.mkdir("down", dir_fd=folder)
        deeper = os.open("down", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = deeper
    os.close(folder)


@pytest.mark.usefixtures("few_descriptors")
def test_a_tree_deeper_than_any_path_is_removed(tmp_path: Path) -> None:
    nest(tmp_path / "work", 3000)
    remove_tree(tmp_path / "work")
    assert not list(tmp_path.iterdir())


def test_directories_that_forbid_their_owner_everything_are_removed() -> None:
    # Root may do everything, so it becomes somebody else for the while; not below tmp_path, where only root may pass.
    with tempfile.TemporaryDirectory(dir="/var/tmp") as place:
        top = Path(place, "work")
        folder = top / "a" / "b" / "c"
        folder.mkdir(parents=True)
        (folder / "file").touch()
        for path in (folder, folder.parent, folder.parent.parent):
            path.chmod(0o000)
        if os.geteuid() == 0:
            for path in (Path(place), top, *top.rglob("*")):
                os.chown(path, 65534, -1)
            os.seteuid(65534)
        try:
            remove_tree(top)
        finally:
            os.seteuid(os.getuid())
        assert not list(Path(place).iterdir())


def test_links_are_removed_and_what_they_point_to_stays(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir(mode=0o750)
    (kept / "file").write_text("stays")
    work = tmp_path / "work" / "deep"
    work.mkdir(parents=True)
    for place in (work, work.parent):
        (place / "to-directory").symlink_to(kept)
        (place / "to-file").symlink_to(kept / "file")
        (place / "to-nothing").symlink_to("/nowhere")
        os.link(kept / "file", place / "hard")
        os.mkfifo(place / "pipe")
    remove_tree(tmp_path / "work")
    assert list(tmp_path.iterdir()) == [kept]
    assert (kept / "file").read_text() == "stays"
    assert kept.stat().st_mode & 0o777 == 0o750


def test_a_name_that_the_removal_itself_would_choose_is_no_trap(tmp_path: Path) -> None:
    for name in (".removed-1/a/b", ".removed-2/.removed-1/c", "x/.removed-3"):
        (tmp_path / "work" / name).mkdir(parents=True)
    remove_tree(tmp_path / "work")
    assert not list(tmp_path.iterdir())


def test_what_is_not_there_is_removed_already(tmp_path: Path) -> None:
    remove_tree(tmp_path / "work")


def test_a_link_in_place_of_the_tree_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "work").symlink_to(tmp_path / "kept")
    with pytest.raises(OSError, match=r"Not a directory|Too many"):
        remove_tree(tmp_path / "work")
    assert (tmp_path / "kept").is_dir()


def test_a_tree_is_emptied_and_stays(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    nest(tmp_path / "work" / "deep", 5)
    (tmp_path / "work" / "file").touch()
    empty_tree(tmp_path / "work", lambda: False)
    assert list((tmp_path / "work").iterdir()) == []


def test_a_tree_that_somebody_goes_on_writing_is_given_up(tmp_path: Path) -> None:
    top = tmp_path / "work"
    top.mkdir()
    looks: list[Path] = []

    def enough() -> bool:
        looks.append(top / f"more-{len(looks)}")
        looks[-1].touch()
        return len(looks) > 100

    (top / "first").touch()
    with pytest.raises(TimeoutError, match="goes on writing"):
        empty_tree(top, enough)


def test_a_link_that_takes_a_directorys_place_at_the_last_moment_changes_nothing_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process in a living sandbox may swap names between our look and our hand."""
    precious = tmp_path / "precious"
    precious.mkdir(mode=0o755)
    (precious / "file").touch()
    top = tmp_path / "work"
    top.mkdir()
    (top / "trap").symlink_to(precious)
    monkeypatch.setattr(sandbox_remains, "_is_directory", lambda name, folder: name == "trap")
    with pytest.raises(OSError, match="trap"):
        empty_tree(top, lambda: False)
    assert precious.stat().st_mode & 0o777 == 0o755
    assert (precious / "file").exists()
