"""An `atlantis.yaml` as a flock: its projects become targets, their order becomes phases, their var files values.

What Atlantis does around pull requests (when to plan, whom to ask, which hooks to run) has no place in a flock; each
such setting that changes what is deployed, or that keeps something from being deployed, is told with its line. Atlantis
applies when a person says so, and so every phase waits for an approval. Nothing here writes anything.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, Final

from scheduler.configuration.atlantis_losses import Losses
from scheduler.configuration.atlantis_projects import Project, read_projects, setting
from scheduler.configuration.documents import read_document
from scheduler.configuration.files import read_bounded
from scheduler.configuration.fleet import FLOCK_FILE
from scheduler.configuration.models import MAX_TARGETS, FlockFile
from scheduler.configuration.nodes import ListNode, MapNode, Origin
from scheduler.configuration.report import Finding, Kind, ManyRefused, Refused, Severity, did_you_mean
from scheduler.configuration.yaml_source import MAX_FILE_BYTES, parse_yaml
from scheduler.configuration.yaml_text import yaml_text
from shared.errors import ConfigurationError
from shared.models import LABEL

VERSIONS: Final = (2, 3)
#: After so many findings nobody is told any more what was probably meant: looking for it takes long.
MAX_MEANT: Final = 100


@dataclass(frozen=True, kw_only=True)
class Imported:
    """A flock made of an atlantis.yaml."""

    flock: Mapping[str, Any]
    """What flock.yaml is to hold."""
    text: str
    """The same as YAML; it can be read again."""
    findings: tuple[Finding, ...]
    """What is not carried over."""


def import_atlantis(file: Path, *, name: str, region: str | None = None) -> Imported:
    """Read an atlantis.yaml.

    Args:
        file: it; folders are relative to its own.
        name: of the flock.
        region: of projects whose name, workspace and folder name none.

    Raises:
        ManyRefused: it is none, or says what no flock can; names every line.
        ConfigurationError: `name` or `region` can be that of none.
    """
    for what, given in (("name", name), ("region", region)):
        if given is not None and not re.fullmatch(LABEL, given):
            raise ConfigurationError(
                f"the {what} {given!r} can be that of no {'flock' if what == 'name' else what}",
                hint="lower-case letters, digits and '-', at most 63 characters, no '-' at the beginning",
            )
    tree = parse_yaml(read_bounded(file, str(file)), str(file))
    if not isinstance(tree, MapNode):
        raise Refused(Kind.SCHEMA, tree.origin, "must be a mapping", hint="with at least version and projects")
    version = setting(tree, "version")
    if version not in VERSIONS:
        origin = tree.key_origin("version")
        raise Refused(Kind.SCHEMA, origin, f"version {version} of atlantis.yaml is not known", hint="version: 3")
    listed = tree.entries.get("projects")
    if not isinstance(listed, ListNode) or not listed.items:
        raise Refused(
            Kind.MISSING,
            tree.key_origin("projects"),
            "there are no projects; what Atlantis discovers by itself cannot be known here",
            hint="list the projects: dir, workspace, and a name",
        )
    if len(listed.items) > MAX_TARGETS:
        origin, message = listed.items[MAX_TARGETS].origin, f"more than {MAX_TARGETS} projects; a flock has no more"
        raise Refused(Kind.SCHEMA, origin, message, hint="split atlantis.yaml, and import each part")
    losses = Losses()
    projects = list(read_projects(tree, listed, losses, root=file.parent, region=region))
    levels = _levels(losses, projects)
    _not_carried(losses, tree)
    wrong = [one for one in losses.findings if one.severity is Severity.ERROR]
    if wrong:
        raise ManyRefused(wrong)
    parallel = setting(tree, "parallel_apply") is True
    flock = _flock(losses, name, projects, levels, parallel=parallel)
    return Imported(flock=flock, text=_usable(flock, file), findings=tuple(losses.findings))


def _usable(flock: Mapping[str, Any], file: Path) -> str:
    """The flock as YAML. Raises ManyRefused where that could not be read again, so that nobody keeps it."""
    here = Origin(str(file), 1)
    if len(json.dumps(flock)) > 4 * MAX_FILE_BYTES:
        message = f"flock.yaml would be larger than {MAX_FILE_BYTES // 2**20} MiB"
        raise Refused(Kind.SCHEMA, here, message, hint="split atlantis.yaml, and import each part")
    text = yaml_text(flock)
    document, wrong = read_document(text.encode(), FLOCK_FILE, FlockFile)
    if document is None:
        raise ManyRefused([replace(one, origin=here, message=f"flock.yaml would say {one.message}") for one in wrong])
    return text


def _levels(losses: Losses, projects: Sequence[Project]) -> dict[str, int]:
    """For each project, by its target's name and region, the phase that it belongs to: from 0."""
    by_name = {one.called: one for one in projects if one.called}
    levels: dict[str, int] = {}
    floor = 0
    for group in sorted({one.group for one in projects}):
        members = {one.key: one for one in projects if one.group == group}
        waits = {key: _waits(losses, one, by_name) for key, one in members.items()}
        reachable = levels.keys() | members.keys()
        stuck = {key for key, before in waits.items() if not before <= reachable}
        try:
            order = list(TopologicalSorter({key: waits[key] & members.keys() for key in members}).static_order())
        except CycleError as error:
            stuck |= set(error.args[1])
        if stuck:
            first = next(one for key, one in members.items() if key in stuck)
            message = f"{first.called or first.folder} waits for itself, or for a later group"
            hint = "correct depends_on and execution_order_group"
            losses.tell(first.origin, message, hint, Severity.ERROR)
            return levels
        for key in order:
            levels[key] = max([floor, *(levels[one] + 1 for one in waits[key])])
        floor = max(levels.values()) + 1
    return levels


def _waits(losses: Losses, project: Project, by_name: Mapping[str, Project]) -> set[str]:
    """The keys of the projects that come first; names of none are told."""
    wanted_all = set(project.depends_on)
    for wanted in sorted(wanted_all - by_name.keys()):
        names = by_name if len(losses.findings) < MAX_MEANT else ()
        hint = did_you_mean(wanted, names, otherwise="`depends_on` lists the names of projects")
        losses.tell(project.origin, f"depends on {wanted!r}, which is no project", hint, Severity.ERROR)
    return {by_name[wanted].key for wanted in wanted_all & by_name.keys()}


def _flock(
    losses: Losses, name: str, projects: Sequence[Project], levels: Mapping[str, int], *, parallel: bool
) -> dict[str, Any]:
    folders = [one.place for one in projects]
    main = max(sorted(set(folders)), key=folders.count)
    shared = _shared([one.variables for one in projects]) if len(projects) > 1 else {}
    flock: dict[str, Any] = {"name": name, "configuration": main}
    versions = {one.version for one in projects}
    if len(versions) == 1 and None not in versions:
        flock["terraform"] = versions.pop()
    else:
        for one in projects:
            if one.version is not None:
                message = f"terraform_version {one.version} is not carried over: not all projects have the same"
                losses.tell(one.origin, message, "`terraform` in flock.yaml says which versions may deploy the flock")
    if shared:
        flock["variables"] = shared
    flock["phases"] = [
        {
            "name": f"step-{level + 1}",
            **({} if parallel else {"max_concurrent": 1}),
            "approval": True,
        }
        for level in sorted(set(levels.values()))
    ]
    flock["targets"] = []
    for one in sorted(projects, key=lambda one: levels[one.key]):
        own = {key: value for key, value in one.variables.items() if key not in shared}
        target: dict[str, Any] = {"region": one.region, "name": one.name, "phase": f"step-{levels[one.key] + 1}"}
        if one.place != main:
            target["configuration"] = one.place
        flock["targets"].append({**target, **({"variables": own} if own else {})})
    return flock


def _not_carried(losses: Losses, tree: MapNode) -> None:
    autodiscover = tree.entries.get("autodiscover")
    if autodiscover is not None and setting(autodiscover, "mode") != "disabled":
        origin = tree.key_origin("autodiscover")
        losses.tell(origin, "projects that Atlantis discovers by itself are not carried over", "list them as targets")


def _shared(values: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    first = values[0]
    return {key: one for key, one in first.items() if all(key in other and other[key] == one for other in values)}
