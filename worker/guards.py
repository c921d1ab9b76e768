"""Terraform for a rollback: its plans are made in spite of `prevent_destroy`, and say what has it.

A plan that fails is asked for its reasons (`plan -json`). What Terraform names as guarded gets an override beside its
configuration, and the plan is made again. Nothing is decided here: the scheduler refuses what is guarded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from typing import Final

from shared.rollback.guards import FILE_NAME, guarded, lifting, place_of
from worker.provisioners.terraform import Terraform, diagnostics_in
from worker.turning import module_folders

#: Guarded resources that depend on one another are named one layer at a time.
MAX_LAYERS: Final = 32
CAPTURE: Final = "guards.json"
_PLANNED: Final = (0, 2)


class Unguarded(Terraform):
    """Terraform in a run's work directory, whose plans destroy what is guarded as well."""

    def __init__(self, terraform: Terraform, note: Callable[[str], None]) -> None:
        """Take the place of another one.

        Args:
            terraform: in the same directory, of the release that is laid out there now.
            note: takes a line for the run's log.
        """
        super().__init__(terraform._commands, terraform.directory, terraform._job)
        self._note = note
        self._folders: dict[str, str] = {}
        self._lifted: dict[str, set[str]] = {}
        """Resources by the folder of their module: every call of a module shares them."""

    def try_plan(self, *options: str, capture: Path | None = None) -> int:
        """See `Terraform.try_plan`."""
        code = super().try_plan(*options, capture=capture)
        if code in _PLANNED or not self._lift_all(options):
            return code
        return super().try_plan(*options, capture=capture)

    def guarded(self, address: str) -> bool:
        """Whether the configuration of what is at this address has `prevent_destroy`, and a plan had to be made so.

        Args:
            address: of an instance.
        """
        key, resource = place_of(address)
        return resource in self._lifted.get(self._folders.get(key, ""), ())

    def _lift_all(self, options: Iterable[str]) -> bool:
        """Lift the guards for which there is no plan, layer by layer; whether there were any."""
        words = ["-json", *(one for one in options if one != "-json")]
        capture = self.directory.captures / CAPTURE
        lifted = False
        for _ in range(MAX_LAYERS):
            code = super().try_plan(*words, capture=capture)
            named = [] if code in _PLANNED else guarded(diagnostics_in(capture))
            capture.unlink(missing_ok=True)
            if not self._lift(named):
                break
            lifted = True
        return lifted

    def _lift(self, addresses: Iterable[str]) -> bool:
        """Write the overrides; whether there was anything that no override says yet."""
        fresh: dict[str, set[str]] = {}
        for address in addresses:
            self._folders = self._folders or {"": ".", **module_folders(self.directory)}
            key, resource = place_of(address)
            folder = self._folders.get(key)
            if folder is None or not _is_inside(folder):
                self._note(f"{address} has prevent_destroy, and its module no folder in the run's directory")
            elif resource not in self._lifted.get(folder, ()):
                fresh.setdefault(folder, set()).add(resource)
        for folder, resources in fresh.items():
            known = self._lifted.setdefault(folder, set())
            known |= resources
            self.directory.discard_below(folder, FILE_NAME)
            self.directory.write_below(folder, FILE_NAME, lifting(known))
            listed = ", ".join(sorted(resources))
            self._note(f"prevent_destroy of {listed}: planned in spite of it, and not done without consent")
        return bool(fresh)


def _is_inside(folder: str) -> bool:
    path = PurePosixPath(folder)
    return not path.is_absolute() and ".." not in path.parts
