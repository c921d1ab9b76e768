"""A flock as it was in a git revision: `git:main`, `git:HEAD~3:flocks/shop`."""

from __future__ import annotations

import io
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from shared.errors import ConfigurationError

PREFIX: Final = "git:"
TIMEOUT_S: Final = 120
MAX_TREE_BYTES: Final = 512 * 1024 * 1024


@contextmanager
def checked_out(name: str, *, other: str) -> Iterator[Path]:
    """The path of a flock. For `git:REV[:PATH]` its files are laid out in a folder that goes away afterwards.

    Args:
        name: a path, or `git:REV[:PATH]`, PATH counted from the repository's top.
        other: what it is compared with; says where the flock is when PATH is left out.

    Raises:
        ConfigurationError: git does not know the revision, or the path is not in it.
    """
    if not name.startswith(PREFIX):
        yield Path(name)
        return
    revision, _, path = name.removeprefix(PREFIX).partition(":")
    if not revision or revision.startswith("-"):
        raise ConfigurationError(f"{name} names no revision", hint="write git:REV or git:REV:PATH")
    near = Path() if other.startswith(PREFIX) else Path(other)
    folder = near if near.is_dir() else near.parent
    top = Path(_git(folder, "rev-parse", "--show-toplevel").decode().strip())
    inside = Path(path) if path else near.resolve().relative_to(top.resolve())
    content = _git(top, "archive", "--format=tar", revision)
    if len(content) > MAX_TREE_BYTES:
        raise ConfigurationError(f"{name}: the revision's files are too large", hint="compare two checked-out folders")
    with tempfile.TemporaryDirectory(prefix="interlock-revision-") as place:
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            archive.extractall(place, filter="data")
        found = Path(place) / inside
        if not found.exists():
            raise ConfigurationError(f"{name}: there is no {inside} in it", hint="name the path: git:REV:PATH")
        yield found


def _git(folder: Path, *words: str) -> bytes:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except FileNotFoundError:
        raise ConfigurationError("git is not installed", hint="compare two folders instead") from None
    if done.returncode != 0:
        problem = " ".join(done.stderr.decode(errors="replace").split())
        raise ConfigurationError(f"git {words[0]}: {problem}", hint="is it a revision of this repository?")
    return done.stdout
