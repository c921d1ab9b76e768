"""Files that came with a request, on disk for as long as they are looked at."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from shared.errors import ConfigurationError


@contextmanager
def unpacked(files: Mapping[str, str]) -> Iterator[Path]:
    """A folder of its own with these files, by plain relative path; gone afterwards.

    Raises ConfigurationError for paths that cannot be side by side.
    """
    with tempfile.TemporaryDirectory(prefix="interlock-upload-") as name:
        root = Path(name)
        for path, text in files.items():
            target = root / path
            if not target.resolve().is_relative_to(root.resolve()):
                raise ConfigurationError(f"{path!r} leads out of the upload", hint="send relative paths")
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(text.encode())
            except OSError as error:
                raise ConfigurationError(
                    f"{path!r} cannot be written: {error.strerror}", hint="no file may have the name of a folder"
                ) from error
            except UnicodeEncodeError:
                raise ConfigurationError(f"{path!r} is not UTF-8", hint="send text") from None
        yield root
