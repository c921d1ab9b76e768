"""Seeded errors: each a small edit of the fleet in `fleets`, and what must be said about it, where.

The line to be named is the one that carries the mark `# <-`; a case without a mark says `at`.
"""

from __future__ import annotations

from dataclasses import dataclass

from scheduler.configuration.report import Kind, Severity
from tests.unit.scheduler.configuration.fleets import FILES

MARK = "# <-"

type Edit = tuple[str, str | None, str | bytes]
"""File, old text (None: the whole file), new text."""


@dataclass(frozen=True, kw_only=True)
class Seeded:
    """One seeded error."""

    name: str
    kind: Kind
    says: str
    edits: tuple[Edit, ...]
    at: str = ""
    severity: Severity = Severity.ERROR

    def files(self) -> dict[str, str | bytes]:
        """The fleet with the error in it."""
        files: dict[str, str | bytes] = dict(FILES)
        for name, old, new in self.edits:
            if old is None:
                files[name] = new
                continue
            before = files[name]
            assert isinstance(before, str)
            assert isinstance(new, str)
            assert before.count(old) == 1, f"{self.name}: {old!r} stands {before.count(old)} times in {name}"
            files[name] = before.replace(old, new)
        return files

    def place(self) -> str:
        """`file:line` that the finding must name."""
        if self.at:
            return self.at
        for name, content in self.files().items():
            if isinstance(content, str):
                for number, line in enumerate(content.splitlines(), start=1):
                    if MARK in line:
                        return f"{name}:{number}"
        raise AssertionError(f"{self.name} marks no line")


def case(name: str, kind: Kind, says: str, *edits: Edit, at: str = "", severity: Severity = Severity.ERROR) -> Seeded:
    return Seeded(name=name, kind=kind, says=says, edits=edits, at=at, severity=severity)


F, N, S, V, M = "flock.yaml", "regions/north.yaml", "regions/south.yaml", "tf/variables.tf", "tf/main.tf"
