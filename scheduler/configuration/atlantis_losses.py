"""What an atlantis.yaml says and the flock that is made of it does not: told with its place, each once."""

from __future__ import annotations

from dataclasses import dataclass, field

from scheduler.configuration.nodes import Origin
from scheduler.configuration.report import Finding, Kind, Severity


@dataclass
class Losses:
    """Collects what is told while an atlantis.yaml is read."""

    findings: list[Finding] = field(default_factory=list)
    """In the order in which they were told."""
    _told: set[tuple[Origin, str]] = field(default_factory=set)

    def tell(
        self,
        origin: Origin,
        message: str,
        hint: str,
        severity: Severity = Severity.WARNING,
        *,
        kind: Kind | None = None,
    ) -> None:
        """Tell it, unless the same was told of the same place. What is no error is told as unused."""
        if (origin, message) in self._told:
            return
        self._told.add((origin, message))
        kind = kind or (Kind.UNUSED if severity is not Severity.ERROR else Kind.UNRESOLVED)
        self.findings.append(Finding(kind=kind, origin=origin, message=message, hint=hint, severity=severity))
