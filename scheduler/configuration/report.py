"""What is wrong, where, and what to do about it: one finding a fault, one report for all targets."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from scheduler.configuration.nodes import Origin
from shared.errors import ConfigurationError

MAX_TARGETS_NAMED = 3


class Kind(StrEnum):
    """What sort of fault it is; scripts may rely on these words."""

    SYNTAX = "syntax"
    """The file cannot be read as what it should be."""
    SCHEMA = "schema"
    """A key or a value that such a file does not have."""
    UNDECLARED = "undeclared"
    """A value for something that the generic configuration does not declare."""
    MISSPELT = "misspelt"
    """The same, with a declared name close by."""
    MISSING = "missing"
    """A variable without default that nobody sets."""
    MISTYPED = "mistyped"
    """A value that Terraform cannot convert to the declared type, or that it would change silently."""
    INVALID = "invalid"
    """A value that a validation rule of the variable refuses."""
    UNRESOLVED = "unresolved"
    """A reference to something that does not exist, or an edit of something that is not there."""
    SHADOWED = "shadowed"
    """A value that takes effect nowhere, or that a file of the generic configuration overrides."""
    CONFLICT = "conflict"
    """Two things that must differ and do not."""
    CYCLE = "cycle"
    """Phases that wait for each other."""
    SECRET = "secret"  # noqa: S105  # a word, not a password
    """A secret in clear."""
    OUTSIDE = "outside"
    """A path that leaves the folder it must stay in."""
    UNUSED = "unused"
    """A value for another flock, as far as can be told."""
    TERRAFORM = "terraform"
    """What `terraform validate` says."""


class Severity(StrEnum):
    """How much it matters."""

    ERROR = "error"
    """Nothing may be deployed."""
    WARNING = "warning"
    """It works, but probably not as meant."""
    NOTE = "note"
    """To be known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One fault."""

    kind: Kind
    """What sort it is."""
    origin: Origin
    """Where it stands."""
    message: str
    """What is wrong."""
    hint: str = ""
    """What to do."""
    severity: Severity = Severity.ERROR
    """How much it matters."""
    targets: tuple[str, ...] = ()
    """Ids of the targets it concerns; empty: all of the flock."""

    def line(self) -> str:
        """The finding as one line for people."""
        where = ""
        if self.targets:
            more = len(self.targets) - MAX_TARGETS_NAMED
            where = f" [{', '.join(self.targets[:MAX_TARGETS_NAMED])}{f' and {more} more' if more > 0 else ''}]"
        return printable(f"{self.origin}: {self.severity}: {self.kind}: {self.message}{where}")

    def data(self) -> dict[str, Any]:
        """The finding for programs."""
        return {
            "severity": str(self.severity),
            "kind": str(self.kind),
            "file": self.origin.file,
            "line": self.origin.line,
            "column": self.origin.column,
            "layer": self.origin.layer,
            "message": self.message,
            "hint": self.hint,
            "targets": list(self.targets),
        }


class ManyRefused(ConfigurationError):  # noqa: N818 - named after what happened, as in shared.errors
    """Something that cannot be used at all; `findings` says everything that is wrong with it."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        """Keep the findings, at least one; `str()` has a line for each."""
        lines = [printable(f"{one.origin}: {one.message}") for one in findings]
        super().__init__("\n".join(lines), hint=printable(findings[0].hint))
        self.findings = tuple(findings)


class Refused(ManyRefused):
    """The same with a single fault."""

    def __init__(self, kind: Kind, origin: Origin, message: str, *, hint: str = "") -> None:
        """Keep the finding."""
        self.finding = Finding(kind=kind, origin=origin, message=message, hint=hint)
        super().__init__([self.finding])


@dataclass(frozen=True, kw_only=True)
class Report:
    """All findings of a flock, in the order of files and lines, each once with all its targets."""

    findings: tuple[Finding, ...]
    """What was found."""

    @property
    def errors(self) -> tuple[Finding, ...]:
        """Those that forbid a deployment."""
        return tuple(one for one in self.findings if one.severity is Severity.ERROR)


def report(findings: Iterable[Finding]) -> Report:
    """Join what is the same for several targets and put everything in order."""
    joined: dict[tuple[Any, ...], list[Finding]] = {}
    for one in findings:
        joined.setdefault((one.origin, one.severity, one.kind, one.message), []).append(one)
    merged = [
        Finding(
            kind=group[0].kind,
            origin=group[0].origin,
            message=group[0].message,
            hint=group[0].hint,
            severity=group[0].severity,
            targets=_all_targets(group),
        )
        for group in joined.values()
    ]
    merged.sort(key=lambda one: (one.origin.file, one.origin.line, one.origin.column, one.kind, one.message))
    return Report(findings=tuple(merged))


def _all_targets(group: Sequence[Finding]) -> tuple[str, ...]:
    if not all(one.targets for one in group):
        return ()
    return tuple(sorted({target for one in group for target in one.targets}))


def printable(text: str) -> str:
    """`text` on one line, whatever somebody wrote into a file: nothing in it moves a cursor or turns letters round."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def close_to(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant, or None."""
    lowered = {one.lower().replace("-", "_"): one for one in known}
    found = difflib.get_close_matches(name.lower().replace("-", "_"), lowered, n=1, cutoff=0.75)
    return lowered[found[0]] if found else None


def did_you_mean(name: str, known: Iterable[str], *, otherwise: str) -> str:
    """A hint: the name that was probably meant, or else `otherwise`."""
    meant = close_to(name, known)
    return f"did you mean {meant!r}?" if meant else otherwise
