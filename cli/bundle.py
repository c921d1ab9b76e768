"""A configuration directory as one archive: the same files give the same bytes, so the same digest.

Owner, group, time stamps and the order of the directory are left out. (The compressor's version may still matter
between machines; the digest names what was uploaded, it is not compared across machines.)
"""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

from scheduler.configuration.generic_files import generic_files
from shared.constants import MAX_BUNDLE_BYTES
from shared.errors import ConfigurationError

# Bounds what is read into memory before compression.
MAX_CONTENT_BYTES = 256 * 1024 * 1024


def require_terraform_files(directory: Path) -> None:
    """Refuse a directory that Terraform would call empty.

    Raises ConfigurationError when `directory` is missing, is no directory, or holds no .tf or .tf.json file itself.
    """
    if not directory.is_dir():
        raise ConfigurationError(
            f"the configuration directory {directory} does not exist",
            hint="`configuration` in the flock file is a path relative to that file; correct it",
        )
    if not any(path.is_file() and _is_terraform(path.name) for path in directory.iterdir()):
        raise ConfigurationError(
            f"the directory {directory} holds no Terraform files",
            hint="put *.tf or *.tf.json files directly into it, or let `configuration` in the flock file name another",
        )


def build_bundle(directory: Path, *, extra: Mapping[str, str] | None = None) -> bytes:
    """`directory` as a deterministic tar.gz.

    Args:
        directory: the generic configuration.
        extra: text of files to lay beside it, by name.

    Raises ConfigurationError when there are no Terraform files, when a symbolic link points outside the directory
    (the worker could not follow it) or when the result is larger than the API takes.
    """
    require_terraform_files(directory)
    plain = io.BytesIO()
    content_bytes = 0
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in generic_files(directory):
            content = path.read_bytes()
            content_bytes += len(content)
            if content_bytes > MAX_CONTENT_BYTES:
                raise ConfigurationError(
                    f"the directory {directory} holds more than {MAX_CONTENT_BYTES // 2**20} MiB",
                    hint="keep artifacts and provider binaries out of the configuration directory",
                )
            entry = tarfile.TarInfo(path.relative_to(directory).as_posix())
            entry.size = len(content)
            entry.mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
            archive.addfile(entry, io.BytesIO(content))
        for name, text in sorted((extra or {}).items()):
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    packed = io.BytesIO()
    # No name and no time in the gzip header: both would change the digest.
    with gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=0) as stream:
        stream.write(plain.getvalue())
    bundle = packed.getvalue()
    if len(bundle) > MAX_BUNDLE_BYTES:
        raise ConfigurationError(
            f"the directory {directory} packs to more than {MAX_BUNDLE_BYTES // 2**20} MiB",
            hint="keep artifacts and provider binaries out of the configuration directory",
        )
    return bundle


def _is_terraform(name: str) -> bool:
    return name.endswith((".tf", ".tf.json"))
