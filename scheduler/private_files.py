"""Files that only their owner may read: tokens and keys."""

import os
import secrets
import stat
from pathlib import Path

from shared.errors import ConfigurationError


def read_private(path: Path) -> str | None:
    """The file's text, or None when there is none.

    Raises `ConfigurationError` when others may read it: what was readable must be taken as known.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}", hint="check its owner and mode") from error
    with os.fdopen(descriptor, encoding="utf-8") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        if mode & 0o077:
            raise ConfigurationError(
                f"{path} may be read by others (mode {mode:04o})",
                hint=f"chmod 600 {path}; if others use this machine, delete the file so that a new one is made",
            )
        return file.read()


def create_private(path: Path, text: str) -> bool:
    """Write a new file with mode 0600; False when somebody else had made it first.

    The file appears with its whole content or not at all, whichever process wins and wherever it dies.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(draft)
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    return True
