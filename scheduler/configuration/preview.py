"""A region file that is not there yet: what would be deployed where, in which order, and what is missing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scheduler.configuration.check import Checked, check
from scheduler.configuration.fleet import REGIONS, find_flocks, load_flock
from scheduler.configuration.report import Finding
from scheduler.configuration.targets import phase_order


@dataclass(frozen=True, kw_only=True)
class Step:
    """One target that would be deployed."""

    order: int
    """From 1: the phase's place in the flock's order."""
    phase: str | None
    """Its phase; None: the flock has none."""
    target: str
    """Its id."""
    configuration: str
    """Folder of the generic configuration."""
    provider_region: str
    """The cloud's region."""
    values: int
    """How many variables are set."""
    waits_for: tuple[str, ...]
    """Targets of earlier phases."""


@dataclass(frozen=True, kw_only=True)
class FlockPreview:
    """What a new region means for one flock."""

    flock: str
    """The flock."""
    file: str
    """Its flock.yaml."""
    steps: tuple[Step, ...]
    """New targets in the order of their deployment."""
    findings: tuple[Finding, ...]
    """What is missing or wrong that was not wrong before."""

    def data(self) -> dict[str, Any]:
        """The preview for programs."""
        return {
            "flock": self.flock,
            "file": self.file,
            "targets": [
                {
                    "order": step.order,
                    "phase": step.phase,
                    "target": step.target,
                    "configuration": step.configuration,
                    "provider_region": step.provider_region,
                    "values": step.values,
                    "waits_for": list(step.waits_for),
                }
                for step in self.steps
            ],
            "findings": [one.data() for one in self.findings],
        }


def preview_region(region: Path, fleet: Path, *, inside: Path | None = None) -> tuple[FlockPreview, ...]:
    """Look at `region` as if it were in `fleet`'s regions/; changes nothing.

    Args:
        region: its file.
        fleet: the folder that is searched for flocks.
        inside: the folder that nothing may be read outside of; None: anywhere.

    Raises:
        ManyRefused: a flock.yaml that cannot be used.
        ConfigurationError: no fleet there.
    """
    return tuple(_for_flock(path, region, inside) for path in find_flocks(fleet))


def default_fleet(region: Path) -> Path:
    """The fleet that a region file belongs to: the folder above regions/, else the current one."""
    parent = region.absolute().parent
    return region.parent.parent if parent.name == REGIONS else Path()


def _for_flock(path: Path, region: Path, inside: Path | None) -> FlockPreview:
    now = _without(check(load_flock(path, inside=inside)), region)
    then = check(load_flock(path, extra_region=region, inside=inside))
    known = set() if now is None else {target.id for target in now.targets}
    fresh = [target for target in then.targets if target.id not in known]
    order, _ = phase_order(then.flock.document)
    place = {name: index for index, name in enumerate(order)}

    def rank(phase: str | None) -> int:
        return place.get(phase, len(place)) if phase is not None else 0

    steps = [
        Step(
            order=rank(target.plan.phase) + 1,
            phase=target.plan.phase,
            target=target.id,
            configuration=target.plan.configuration,
            provider_region=target.plan.provider_region,
            values=len(target.variables.entries),
            waits_for=tuple(sorted(one.id for one in then.targets if rank(one.plan.phase) < rank(target.plan.phase))),
        )
        for target in fresh
    ]
    return FlockPreview(
        flock=then.flock.name,
        file=str(path),
        steps=tuple(sorted(steps, key=lambda step: (step.order, step.target))),
        findings=_new_findings(then, now, {target.id for target in fresh}, str(region)),
    )


def _without(checked: Checked, region: Path) -> Checked | None:
    """`checked`, or None where the region is in the fleet already and so is no news to it."""
    here = region.resolve()
    files = (Path(one.tree.origin.file).resolve() for one in checked.flock.regions.values())
    return None if any(file == here for file in files) else checked


def _new_findings(then: Checked, now: Checked | None, fresh: set[str], file: str) -> tuple[Finding, ...]:
    before = set() if now is None else {(one.origin, one.kind, one.message) for one in now.report.findings}
    return tuple(
        one
        for one in then.report.findings
        if one.origin.file == file
        or fresh.intersection(one.targets)
        or (one.origin, one.kind, one.message) not in before
    )
