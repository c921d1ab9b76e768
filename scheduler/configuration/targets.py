"""Which targets a flock has, where, in which phase and from which configuration; and the order of the phases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from scheduler.configuration.documents import Document
from scheduler.configuration.fleet import Flock
from scheduler.configuration.models import MAX_TARGETS, Phase, RegionFile, TargetEntry
from scheduler.configuration.nodes import Origin
from scheduler.configuration.report import Finding, Kind, Severity, did_you_mean
from shared.models import target_id


@dataclass(frozen=True, kw_only=True)
class TargetPlan:
    """One target before its values are rendered."""

    id: str
    """flock.region or flock.region.name."""
    region: str
    """Whose workers take its runs."""
    name: str | None
    """Its own name."""
    phase: str | None
    """When it is deployed; None: the flock has no phases."""
    configuration: str
    """Folder of its generic configuration, relative to flock.yaml."""
    provider_region: str
    """The cloud's region."""
    provider_region_origin: Origin
    """Where that is said."""
    entry: int
    """Which entry of `targets` in flock.yaml made it."""
    origin: Origin
    """Where that stands."""
    region_file: Document[RegionFile] | None
    """Its region, where regions have files."""

    @property
    def realm(self) -> str | None:
        """The realm of its region."""
        return self.region_file.model.realm if self.region_file else None


def plan_targets(flock: Flock) -> tuple[list[TargetPlan], list[Finding]]:
    """Every target, and what is wrong with `targets` and `phases`."""
    plans: dict[str, TargetPlan] = {}
    findings = [*_unknown_realms(flock), *phase_order(flock.document)[1]]
    for index, entry in enumerate(flock.document.model.targets):
        phase, problem = _phase_of(flock, index, entry)
        findings.extend(problem)
        regions, problem = _regions_of(flock, index, entry)
        findings.extend(problem)
        for region in regions:
            plan = _plan(flock, index, entry, region, phase)
            first = plans.setdefault(plan.id, plan)
            if first is not plan:
                findings.append(
                    Finding(
                        kind=Kind.CONFLICT,
                        origin=plan.origin,
                        message=f"target {plan.id} is listed twice; first in {first.origin}",
                        hint="give each a `name` of its own",
                        targets=(plan.id,),
                    )
                )
    findings.extend(_empty_phases(flock, {plan.phase for plan in plans.values()}))
    if len(plans) > MAX_TARGETS:
        message = f"the flock has {len(plans)} targets; {MAX_TARGETS} are the most"
        findings.append(
            Finding(kind=Kind.SCHEMA, origin=flock.document.origin("targets"), message=message, hint="split the flock")
        )
    return list(plans.values()), findings


def _empty_phases(flock: Flock, used: set[str | None]) -> Iterator[Finding]:
    for index, phase in enumerate(flock.document.model.phases):
        # Regions that cannot be read may have its targets.
        if phase.name not in used and not flock.unreadable:
            yield Finding(
                kind=Kind.UNUSED,
                origin=flock.document.origin("phases", index, "name"),
                message=f"no target is in phase {phase.name!r}",
                hint="put targets into it, or remove it",
                severity=Severity.NOTE,
            )


def phase_order(document: Document) -> tuple[list[str], list[Finding]]:  # type: ignore[type-arg]  # FlockFile's
    """The phases in the order in which they can begin, and what is wrong with them."""
    phases: Sequence[Phase] = document.model.phases
    findings: list[Finding] = []
    first: dict[str, int] = {}
    for index, phase in enumerate(phases):
        if phase.name in first:
            origin = document.origin("phases", index, "name")
            where = document.origin("phases", first[phase.name], "name")
            message = f"phase {phase.name!r} is listed twice; first in {where}"
            findings.append(Finding(kind=Kind.CONFLICT, origin=origin, message=message, hint="rename one"))
        first.setdefault(phase.name, index)
    waits: dict[str, set[str]] = {}
    for index, phase in enumerate(phases):
        before = (
            phase.after if phase.after is not None else tuple(one.name for one in phases[max(index - 1, 0) : index])
        )
        for position, name in enumerate(before):
            if name not in first:
                origin = document.origin("phases", index, "after", position)
                hint = did_you_mean(name, first, otherwise=f"the phases are {', '.join(first)}")
                message = f"phase {phase.name!r} comes after {name!r}, which does not exist"
                findings.append(Finding(kind=Kind.UNRESOLVED, origin=origin, message=message, hint=hint))
        waits[phase.name] = {name for name in before if name in first}
    order: list[str] = []
    while ready := [name for name in waits if name not in order and waits[name] <= set(order)]:
        order.append(ready[0])
    stuck = [name for name in waits if name not in order]
    for cycle in _cycles(waits, stuck):
        message = f"phases wait for each other: {' -> '.join(cycle)}"
        origin = document.origin("phases", first[cycle[0]], "after")
        findings.append(Finding(kind=Kind.CYCLE, origin=origin, message=message, hint="break the cycle in `after`"))
    return order, findings


def _cycles(waits: dict[str, set[str]], stuck: Sequence[str]) -> Iterator[list[str]]:
    """A cycle for each group of phases that wait for each other; what only waits for such a group is in none."""
    left = list(stuck)
    while left:
        path = [left[0]]
        while (following := min(waits[path[-1]] & set(left), default=None)) is not None and following not in path:
            path.append(following)
        if following is None:
            # Waits only for cycles that were told already.
            left.remove(path[-1])
            continue
        cycle = [*path[path.index(following) :], following]
        start = min(cycle, key=list(waits).index)
        at = cycle.index(start)
        yield [*cycle[at:-1], *cycle[:at], start]
        left = [name for name in left if name not in cycle]


def _phase_of(flock: Flock, index: int, entry: TargetEntry) -> tuple[str | None, list[Finding]]:
    names = [phase.name for phase in flock.document.model.phases]
    if entry.phase is None:
        if len(names) <= 1:
            return (names[0] if names else None), []
        origin = flock.document.origin("targets", index)
        hint = f"add `phase`: one of {', '.join(names)}"
        return None, [Finding(kind=Kind.MISSING, origin=origin, message="the target has no phase", hint=hint)]
    if entry.phase in names:
        return entry.phase, []
    hint = did_you_mean(entry.phase, names, otherwise=f"add it to `phases` ({', '.join(names) or 'there are none'})")
    origin = flock.document.origin("targets", index, "phase")
    message = f"there is no phase {entry.phase!r}"
    return entry.phase, [Finding(kind=Kind.UNRESOLVED, origin=origin, message=message, hint=hint)]


def _regions_of(flock: Flock, index: int, entry: TargetEntry) -> tuple[list[str], list[Finding]]:
    if entry.region is not None:
        if entry.region in flock.regions or not flock.has_regions:
            return [entry.region], []
        if entry.region in flock.unreadable:
            # What is wrong with its file is told already.
            return [], []
        hint = did_you_mean(entry.region, flock.regions, otherwise=f"add regions/{entry.region}.yaml")
        message = f"there is no region {entry.region!r}"
        origin = flock.document.origin("targets", index, "region")
        return [], [Finding(kind=Kind.UNRESOLVED, origin=origin, message=message, hint=hint)]
    found = sorted(name for name, one in flock.regions.items() if one.model.realm == entry.realm)
    if found:
        return found, []
    origin = flock.document.origin("targets", index, "realm")
    known = {one.model.realm for one in flock.regions.values()} | set(flock.realms)
    if flock.unreadable and (entry.realm in flock.unreadable or entry.realm not in known):
        # A file that cannot be read may be its own, or that of a region which belongs to it.
        return [], []
    if entry.realm in known:
        message = f"realm {entry.realm!r} has no region yet"
        note = Finding(
            kind=Kind.UNUSED, origin=origin, message=message, hint="add a region file", severity=Severity.NOTE
        )
        return [], [note]
    hint = did_you_mean(str(entry.realm), known, otherwise="add a file to regions/ with this `realm`")
    message = f"no region belongs to realm {entry.realm!r}"
    return [], [Finding(kind=Kind.UNRESOLVED, origin=origin, message=message, hint=hint)]


def _unknown_realms(flock: Flock) -> Iterator[Finding]:
    if not flock.has_realms:
        return
    for region in flock.regions.values():
        if region.model.realm not in flock.realms and region.model.realm not in flock.unreadable:
            yield Finding(
                kind=Kind.UNRESOLVED,
                origin=region.origin("realm"),
                message=f"there is no realm {region.model.realm!r}",
                hint=did_you_mean(region.model.realm, flock.realms, otherwise=f"add realms/{region.model.realm}.yaml"),
            )


def _plan(flock: Flock, index: int, entry: TargetEntry, region: str, phase: str | None) -> TargetPlan:
    document, place = flock.document, flock.regions.get(region)
    if entry.provider_region is not None:
        provider_region, where = entry.provider_region, document.origin("targets", index, "provider_region")
    elif place is not None and place.model.provider_region is not None:
        provider_region, where = place.model.provider_region, place.origin("provider_region")
    else:
        where = place.origin("name") if place is not None else document.origin("targets", index, "region")
        provider_region = region
    return TargetPlan(
        id=target_id(flock.name, region, entry.name),
        region=region,
        name=entry.name,
        phase=phase,
        configuration=entry.configuration or document.model.configuration,
        provider_region=provider_region,
        provider_region_origin=where,
        entry=index,
        origin=document.origin("targets", index),
        region_file=place,
    )
