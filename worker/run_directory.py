"""The files of one run on the worker's disk.

    <home>/runs/<run id>/      mode 0700
        work/                  the sandbox's /workspace, all that the provisioner can write: nothing in it is trusted
        etc/                   stand-ins for /etc
        run.log                everything the provisioner says; it holds a descriptor, never a path
        captures/              standard output of commands that the worker itself reads
        staged/                a release on its way into work/, where something may be running already
    <home>/kept/<run id>/      errored.tfstate of a run; kept until an operator removes it, delivered by the next worker
                               at the latest (`leftovers`)

What comes back out of work/ is opened without following links: a link named errored.tfstate that points to the
worker's token would otherwise be read by a worker that is root, and offered to the state backend.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from shared.errors import ConfigurationError, PeerError
from worker.sandbox_remains import empty_tree, remove_tree

MAX_STATE_BYTES = 256 * 1024**2
LOG_TAIL_BYTES = 256 * 1024
ERRORED_STATE = "errored.tfstate"
#: Beside a kept state that the scheduler has.
DELIVERED = "delivered"


class RunDirectory:
    """Creates, reads and removes the directory of one run."""

    def __init__(self, home: Path, run_id: str) -> None:
        """Name the paths; nothing is created yet.

        Args:
            home: the worker's own directory.
            run_id: names the run's directory below it.
        """
        self.root = home / "runs" / run_id
        self.work = self.root / "work"
        self.etc = self.root / "etc"
        self.log = self.root / "run.log"
        self.captures = self.root / "captures"
        self.staged = self.root / "staged"
        self.kept = home / "kept" / run_id

    def create(self) -> None:
        """Make it, empty. Leftovers of an execution that was killed are removed first: its lease is gone."""
        self.remove()
        for folder in (self.root, self.work, self.etc, self.captures):
            folder.mkdir(mode=0o700, parents=True)
        self.log.touch(mode=0o600)

    def remove(self) -> None:
        """Delete everything but what was kept."""
        # By now the provisioner is dead, but it may have left trees that rmtree gives up on.
        remove_tree(self.root)

    def lay_out(self, files: Mapping[str, tuple[bytes, bool]]) -> None:
        """Put a release's files into work/, which is empty.

        Args:
            files: content by plain relative path, and whether it may be executed; both checked against the release.

        Raises:
            ConfigurationError: two paths that exclude one another, or the disk is full.
        """
        _lay_out(self.work, files)

    def lay_out_anew(self, files: Mapping[str, tuple[bytes, bool]], enough: Callable[[], bool]) -> None:
        """Put another release's files into work/ in place of all that is there, while the sandbox lives.

        At the same place, so that nothing in a configuration can tell the difference. What still runs in the sandbox
        may write meanwhile, so nothing below work/ is opened by a path: the files are laid out where no sandbox can
        write, and moved in.

        Args:
            files: as for `lay_out`.
            enough: asked now and then; true gives up.

        Raises:
            ConfigurationError: two paths that exclude one another, or the disk is full.
            PeerError: something in the sandbox resists.
        """
        remove_tree(self.staged)
        self.staged.mkdir(mode=0o700)
        _lay_out(self.staged, files)
        try:
            empty_tree(self.work, enough)
            for path in self.staged.iterdir():
                path.rename(self.work / path.name)
        except OSError as error:
            raise PeerError(
                f"the run's work directory cannot be emptied: {error}",
                hint="something that the deployment started still writes there; the rollback is done by another run",
            ) from error

    def write(self, name: str, text: str) -> None:
        """Put a file of our own into work/, replacing whatever has that name there, a link included.

        Args:
            name: plain file name.
            text: its content.
        """
        self.write_bytes(name, text.encode())

    def write_bytes(self, name: str, content: bytes) -> None:
        """As `write`, for what is no text.

        Args:
            name: plain file name.
            content: its content.
        """
        path = self.work / name
        path.unlink(missing_ok=True)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(content)

    def write_below(self, folder: str, name: str, text: str) -> None:
        """Put a file of our own into a folder below work/ that the provisioner made, following no link on the way.

        Args:
            folder: its relative path.
            name: plain file name.
            text: its content.

        Raises:
            PeerError: there is no such folder, or something else has its name.
        """
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            with self._below(folder) as at, os.fdopen(os.open(name, flags, 0o600, dir_fd=at), "wb") as file:
                file.write(text.encode())
        except OSError as error:
            raise _suspicious(f"{folder}/{name}") from error

    def read_below(self, folder: str, name: str, limit_bytes: int) -> bytes | None:
        """As `read`, in a folder below work/, following no link on the way."""
        try:
            with self._below(folder) as at:
                return _read(name, limit_bytes, at)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _suspicious(f"{folder}/{name}") from error

    def discard_below(self, folder: str, name: str) -> None:
        """As `discard`, in a folder below work/; what is gone, or in the way, stays as it is."""
        with contextlib.suppress(OSError), self._below(folder) as at:
            os.unlink(name, dir_fd=at)

    @contextlib.contextmanager
    def _below(self, folder: str) -> Iterator[int]:
        """A descriptor of a folder below work/; raises OSError where a step on the way is none, or a link."""
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        at = os.open(self.work, flags)
        try:
            for step in PurePosixPath(folder).parts:
                if step in ("..", "/"):
                    raise _suspicious(folder)
                inner = os.open(step, flags, dir_fd=at)
                os.close(at)
                at = inner
            yield at
        finally:
            os.close(at)

    def discard(self, name: str) -> None:
        """Remove a file of our own from work/ again; it may be gone already."""
        (self.work / name).unlink(missing_ok=True)

    def read(self, name: str, limit_bytes: int) -> bytes | None:
        """Read a file that the provisioner left directly in work/.

        Args:
            name: plain file name.
            limit_bytes: bound on its size.

        Returns:
            Its content; None when there is no such file.

        Raises:
            PeerError: it is a link, no regular file, or too large.
        """
        with self._below("") as at:
            return _read(name, limit_bytes, at)

    def errored_state(self) -> bytes | None:
        """The state that Terraform could not deliver; None when it left none.

        Raises:
            PeerError: what has that name is not a state file.
        """
        return self.read(ERRORED_STATE, MAX_STATE_BYTES)

    def keep_errored_state(self, state: bytes) -> None:
        """Write an undelivered state to kept/, durably.

        Args:
            state: from `errored_state`.
        """
        self.kept.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.kept / ERRORED_STATE
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(state)
            file.flush()
            os.fsync(file.fileno())

    def mark_delivered(self) -> None:
        """Remember that the scheduler has the kept state; a full disk may cost that."""
        with contextlib.suppress(OSError):
            (self.kept / DELIVERED).touch(mode=0o600)

    def log_tail(self) -> str:
        """The end of what the provisioner said."""
        with self.log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - LOG_TAIL_BYTES))
            return file.read(LOG_TAIL_BYTES).decode(errors="replace")

    def has_terraform_files(self) -> bool:
        """Whether the configuration's root holds anything that Terraform would read."""
        return any(path.name.endswith((".tf", ".tf.json", ".tofu", ".tofu.json")) for path in self.work.iterdir())


def _lay_out(folder: Path, files: Mapping[str, tuple[bytes, bool]]) -> None:
    try:
        for name, (content, executable) in sorted(files.items()):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o700 if executable else 0o600)
            with os.fdopen(fd, "wb") as file:
                file.write(content)
    except OSError as error:
        raise ConfigurationError(
            f"the release's files cannot be laid out: {error}", hint="is the worker's disk full?"
        ) from error


def _read(name: str, limit_bytes: int, folder: int) -> bytes | None:
    """See `RunDirectory.read`."""
    try:
        # O_NONBLOCK: opening a pipe left under that name must not wait for a writer.
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):
            raise _suspicious(name) from error
        raise
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise _suspicious(name)
        with os.fdopen(fd, "rb", closefd=False) as file:
            content = file.read(limit_bytes + 1)
    finally:
        os.close(fd)
    if len(content) > limit_bytes:
        raise PeerError(f"{name} is larger than {limit_bytes} bytes", hint="look at the run's directory")
    return content


def _suspicious(name: str) -> PeerError:
    return PeerError(
        f"{name} in the run's work directory is no regular file",
        hint="a provisioner that makes links or pipes there is hostile or broken; the file was not read",
    )
