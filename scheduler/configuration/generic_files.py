"""The files of a generic configuration: what is packed, hashed and sent to workers. Never changed by Interlock."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from shared.errors import ConfigurationError
from shared.release_manifest import MAX_FILE_BYTES

# Working files of a Terraform run: state may hold secrets and belongs to the backend, plug-ins to the mirror.
SKIPPED_DIRECTORIES: Final = frozenset({".terraform", ".git", ".interlock", "__pycache__"})
SKIPPED_SUFFIXES: Final = (".tfstate", ".tfstate.backup", ".tfplan")
SKIPPED_FILES: Final = frozenset({"errored.tfstate", "crash.log", ".DS_Store"})
MAX_FILES: Final = 20_000


def generic_files(directory: Path) -> Iterator[Path]:
    """Every file that belongs to the configuration in `directory`, in the order of the names.

    Raises ConfigurationError for a symbolic link that leads out of it (a worker could not follow it) and for too many.
    """
    root = directory.resolve()
    count = 0
    for path in sorted(directory.rglob("*"), key=lambda path: path.relative_to(directory).as_posix()):
        relative = path.relative_to(directory)
        if SKIPPED_DIRECTORIES.intersection(relative.parts) or _is_working_file(path.name):
            continue
        if path.is_symlink():
            target = path.resolve()
            if not target.exists():
                raise ConfigurationError(f"{path} links to {target}, which does not exist", hint="remove the link")
            if target.is_dir() or not target.is_relative_to(root):
                raise ConfigurationError(
                    f"{path} links to {target}; only links to files inside the configuration directory can be packed",
                    hint="copy what it points to into the directory: a worker has nothing but that directory",
                )
        if path.is_file():
            if path.stat().st_size > MAX_FILE_BYTES:
                raise ConfigurationError(
                    f"{path} is larger than {MAX_FILE_BYTES // 1024**2} MiB",
                    hint="keep artifacts and provider binaries out of the configuration",
                )
            count += 1
            if count > MAX_FILES:
                raise ConfigurationError(
                    f"the directory {directory} holds more than {MAX_FILES} files",
                    hint="let `configuration` name the folder with the *.tf files",
                )
            yield path


def digest_of(directory: Path) -> tuple[str, dict[str, str]]:
    """One digest for all generic files, and the digest of each by its relative name."""
    each: dict[str, str] = {}
    for path in generic_files(directory):
        with path.open("rb") as file:
            each[path.relative_to(directory).as_posix()] = f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
    listing = "".join(f"{digest}  {name}\n" for name, digest in each.items())
    return f"sha256:{hashlib.sha256(listing.encode()).hexdigest()}", each


def _is_working_file(name: str) -> bool:
    return name in SKIPPED_FILES or name.endswith(SKIPPED_SUFFIXES)
