"""The files beside the first configuration that turn around what the deployment did with addresses.

They are there for the rollback's own plans only: whatever plans the first configuration after it has none of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

from shared.errors import PeerError
from shared.rollback.inverses import FILE_NAME, Inverse
from worker.run_directory import RunDirectory

_MODULES: Final = ".terraform/modules"
_MAX_MODULES_BYTES: Final = 4 * 1024**2


class Turning:
    """One rollback's inverses, on the disk."""

    def __init__(self, directory: RunDirectory, inverse: Inverse, note: Callable[[str], None]) -> None:
        """Bind the parts.

        Args:
            directory: holds the first release, after its init.
            inverse: what to write.
            note: takes a line for the run's log.
        """
        self._directory = directory
        self._inverse = inverse
        self._note = note
        self._written: list[tuple[str, str]] = []

    def write(self) -> None:
        """Put the files in place. What cannot be put there is said, and its resources are judged as they are planned.

        Raises:
            PeerError: something else has their names.
        """
        for line in self._inverse.notes:
            self._note(line)
        if self._inverse.text:
            self._directory.write(FILE_NAME, self._inverse.text)
            self._written.append(("", FILE_NAME))
        folders = module_folders(self._directory) if self._inverse.modules else {}
        for key, text in self._inverse.modules.items():
            if (folder := folders.get(key)) is None:
                self._note(f"module {key} has no folder of its own: its moves are not turned around")
                continue
            self._directory.write_below(folder, FILE_NAME, text)
            self._written.append((folder, FILE_NAME))

    def remove(self) -> bool:
        """Take them away again; returns whether there were any."""
        for folder, name in self._written:
            self._directory.discard_below(folder, name)
        return bool(self._written)


def module_folders(directory: RunDirectory) -> dict[str, str]:
    """Folder by the key that Terraform gives a module, as its init wrote it down; without the root.

    Args:
        directory: after an init.

    Raises:
        PeerError: what init wrote down is no list of modules.
    """
    content = directory.read_below(_MODULES, "modules.json", _MAX_MODULES_BYTES)
    try:
        listed = json.loads(content or b"{}").get("Modules", [])
        return {str(one["Key"]): str(one["Dir"]) for one in listed if one["Key"]}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise PeerError(
            f"{_MODULES}/modules.json cannot be read: {error!r}", hint="something in the sandbox changed it"
        ) from error
