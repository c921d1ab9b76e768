"""Reads files that somebody else may have written: regular, of a bounded size, inside the folder they belong to."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from scheduler.configuration.nodes import Origin
from scheduler.configuration.report import Kind, Refused
from scheduler.configuration.yaml_source import MAX_FILE_BYTES


def read_bounded(path: Path, shown: str, *, inside: Path | None = None) -> bytes:
    """The content of `path`.

    Args:
        path: the file.
        shown: its name in messages.
        inside: the folder that a symbolic link must not lead out of; None: anywhere.

    Raises:
        Refused: it leads out of the folder, is no regular file, is too large, or cannot be read.
    """
    here = Origin(shown, 1)
    if inside is not None and not path.resolve().is_relative_to(inside.resolve()):
        raise Refused(
            Kind.OUTSIDE, here, f"links to {path.resolve()}, outside of {inside}", hint="put the file itself there"
        )
    try:
        # Without O_NONBLOCK a pipe that nobody writes to would keep us here for ever.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise Refused(Kind.SYNTAX, here, "is no regular file", hint="give the path of a text file")
            content = file.read(MAX_FILE_BYTES + 1)
    except IsADirectoryError:
        raise Refused(Kind.SYNTAX, here, "is a folder", hint="give the path of a text file") from None
    except OSError as error:
        raise Refused(
            Kind.SYNTAX, here, f"cannot be read: {error.strerror}", hint="give the path of a readable file"
        ) from error
    if len(content) > MAX_FILE_BYTES:
        raise Refused(
            Kind.SYNTAX, here, f"larger than {MAX_FILE_BYTES // 2**20} MiB", hint="is this the right file? or split it"
        )
    return content
