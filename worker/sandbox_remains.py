"""Removes what a dead provisioner left, whatever it is.

A tree may be so deep that its paths are longer than the kernel takes, or that one descriptor for each level is more
than a process may have; its directories may forbid everything. `shutil.rmtree` gives up on the first two. Here every
directory is moved up to the top before it is emptied, so neither paths nor descriptors grow with the depth.

`remove_tree` is for trees that nobody changes meanwhile: the sandbox that wrote it is dead. `empty_tree` is for one
that lives as well: nothing outside of the tree is touched then either, but something may resist.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable
from pathlib import Path


def remove_tree(top: Path) -> None:
    """Delete `top` and all below it; links are deleted, never followed.

    Args:
        top: a directory of our own, only its content is not; or nothing at all.

    Raises:
        OSError: something resists its owner: another user's file in a sticky directory, a mount, a broken disk.
    """
    with contextlib.suppress(FileNotFoundError):
        empty_tree(top, lambda: False)
        top.rmdir()


def empty_tree(top: Path, enough: Callable[[], bool]) -> None:
    """Delete all below `top`; links are deleted, never followed, also where something puts them there meanwhile.

    Args:
        top: a directory of our own, only its content is not.
        enough: asked for each directory; true gives up. Whoever goes on writing could keep this busy for ever.

    Raises:
        OSError: something resists, or it was enough (TimeoutError).
    """
    above = os.open(top, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        _empty_top(above, enough)
    finally:
        os.close(above)


def _empty_top(above: int, enough: Callable[[], bool]) -> None:
    moved = 0
    # Ends, if nobody writes meanwhile: each directory below is moved here once, and removed once.
    while names := os.listdir(above):
        for name in names:
            if enough():
                raise TimeoutError("something goes on writing there")
            if not _is_directory(name, above):
                os.unlink(name, dir_fd=above)
                continue
            _open_up(name, above)
            folder = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=above)
            try:
                for child in os.listdir(folder):  # noqa: PTH208  # a descriptor, which Path does not take
                    if _is_directory(child, folder):
                        # Moving a directory changes its "..", so it has to be writable itself.
                        _open_up(child, folder)
                        moved = _move_up(child, folder, above, moved)
                    else:
                        os.unlink(child, dir_fd=folder)
            finally:
                os.close(folder)
            os.rmdir(name, dir_fd=above)


def _move_up(child: str, folder: int, above: int, moved: int) -> int:
    """Move it to the top under a name that is free there; returns the last number used."""
    while True:
        moved += 1
        name = f".removed-{moved}"
        try:
            os.stat(name, dir_fd=above, follow_symlinks=False)
        except FileNotFoundError:
            os.rename(child, name, src_dir_fd=folder, dst_dir_fd=above)
            return moved


def _open_up(name: str, folder: int) -> None:
    """Let a directory be changed. Through a descriptor on it: chmod by name would follow a link put in its place."""
    found = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        Path(f"/proc/self/fd/{found}").chmod(stat.S_IRWXU)
    finally:
        os.close(found)


def _is_directory(name: str, folder: int) -> bool:
    return stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
