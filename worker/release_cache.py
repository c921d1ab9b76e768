"""What a worker host has verified of releases, kept on its disk by digest, so that the next run need not fetch it.

    <home>/releases/<sha256>       a manifest or a file, named by what it holds
    <home>/releases/<sha256>.new   one that is being written

Not trusted either: whatever is read is hashed in memory before it is used, and what is not what its name says is
removed and fetched again. So a full disk, a torn write, or somebody who writes into this directory costs a fetch and
no more. Anything may be removed at any time. Failing to keep something is never an error of a run.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from shared.log import log_event
from shared.release_manifest import MAX_FILE_BYTES, digest_of

LIMIT_BYTES: Final = 512 * 1024**2
"""Most that is kept: two releases of the largest size. What was used least recently goes first."""

_LOCK: Final = "lock"
_PREFIX: Final = "sha256:"
# What the smallest file takes on a disk; counted for each, so that the number of files is bounded as well.
_BLOCK_BYTES: Final = 4096

_log = logging.getLogger(__name__)


class ReleaseCache:
    """One host's cache. Its pool children share the directory and nothing else."""

    def __init__(self, home: Path, *, limit_bytes: int = LIMIT_BYTES) -> None:
        """Name the directory; nothing is created yet.

        Args:
            home: the worker's own directory.
            limit_bytes: bound on everything in it.
        """
        self._folder = home / "releases"
        self._limit_bytes = limit_bytes

    def holds(self, digest: str) -> bool:
        """Whether there is something of this name; `get` tells whether it is what it should be."""
        return self._path(digest).is_file()

    def get(self, digest: str) -> bytes | None:
        """The content with this digest, checked; None when it is not here, or is something else.

        Args:
            digest: `sha256:…`, as a manifest spells it.
        """
        path = self._path(digest)
        try:
            # O_NONBLOCK: a pipe under that name must not hold us up.
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as error:
            why = str(error)
        else:
            try:
                if (content := _read(fd)) is not None and digest_of(content) == digest:
                    os.utime(fd)
                    return content
                why = "it is not what its name says"
            except OSError as error:
                why = str(error)
            finally:
                os.close(fd)
        log_event(_log, "release_cache_corrupt", level=logging.WARNING, file=path, why=why)
        with contextlib.suppress(OSError):
            path.unlink()
        return None

    def keep(self, contents: Mapping[str, bytes]) -> None:
        """Keep contents by digest, and make room for them first. A disk that is full costs only the next fetch.

        Args:
            contents: as they were verified; what is not what its digest says is left out.
        """
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            with self._alone() as alone:
                new = {digest: content for digest, content in contents.items() if not self.holds(digest)}
                if alone and self._make_room(sum(_size(len(content)) for content in new.values())):
                    for digest, content in new.items():
                        if digest_of(content) == digest:
                            self._write(digest, content)
        except OSError as error:
            log_event(_log, "release_not_kept", level=logging.WARNING, folder=self._folder, error=error)

    def _path(self, digest: str) -> Path:
        name = digest.removeprefix(_PREFIX)
        if len(name) != 64 or not name.isalnum():
            raise AssertionError(f"not a digest: {digest!r}")
        return self._folder / name

    def _write(self, digest: str, content: bytes) -> None:
        path = self._path(digest)
        new = path.with_suffix(".new")
        with new.open("wb") as file:
            file.write(content)
        new.replace(path)

    def _make_room(self, size_bytes: int) -> bool:
        """Remove what was used least recently until so much fits in; False when it never would."""
        if size_bytes > self._limit_bytes:
            return False
        with os.scandir(self._folder) as entries:
            found = [(entry.stat(follow_symlinks=False), entry.path) for entry in entries if entry.name != _LOCK]
        total_bytes = sum(_size(status.st_size) for status, _ in found)
        for status, path in sorted(found, key=lambda one: one[0].st_mtime_ns):
            if total_bytes + size_bytes <= self._limit_bytes:
                break
            Path(path).unlink(missing_ok=True)
            total_bytes -= _size(status.st_size)
        return True

    @contextlib.contextmanager
    def _alone(self) -> Iterator[bool]:
        """Whether no other process of this host is writing: two that make room at once would exceed the bound."""
        with (self._folder / _LOCK).open("ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True


def _read(fd: int) -> bytes | None:
    """All of a regular file, or None where no file of a release is that large."""
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode) or found.st_size > MAX_FILE_BYTES:
        return None
    with os.fdopen(fd, "rb", closefd=False) as file:
        return file.read(MAX_FILE_BYTES + 1)


def _size(content_bytes: int) -> int:
    return -(-max(content_bytes, 1) // _BLOCK_BYTES) * _BLOCK_BYTES
