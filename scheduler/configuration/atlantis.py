"""An `atlantis.yaml` as a flock: its projects become targets, their order becomes phases, their var files values.

What Atlantis does around pull requests (when to plan, whom to ask, which hooks to run) has no place in a flock; each
such setting that changes what is deployed is told with its line. Nothing here writes anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from scheduler.configuration.atlantis_values import ProjectValues
from scheduler.configuration.files import read_bounded
from scheduler.configuration.nodes import ListNode, MapNode, Node, Origin, Scalar, plain
from scheduler.configuration.report import Finding, Kind, ManyRefused, Refused, Severity, did_you_mean
from scheduler.configuration.suspects import REGION_IN_NAME
from scheduler.configuration.yaml_source import parse_yaml

VERSIONS: Final = (2, 3)
MAX_NAME_CHARS: Final = 63
_NO_NAME: Final = re.compile(r"[^a-z0-9]+")
#: Settings of a project that a flock expresses, or that say nothing about what is deployed.
_CARRIED: Final = frozenset(
    {"name", "dir", "workspace", "workflow", "terraform_version", "execution_order_group", "depends_on"}
    | {"apply_requirements", "plan_requirements", "import_requirements", "autoplan", "delete_source_branch_on_merge"}
    | {"repo_locking", "repo_locks", "custom_policy_check", "policy_check", "silence_pr_comments"}
)
_KNOWN: Final = _CARRIED | {"branch", "terraform_distribution"}


@dataclass(frozen=True, kw_only=True)
class Project:
    """One project of an atlantis.yaml."""

    name: str
    """Its target's own name."""
    called: str
    """Its name in atlantis.yaml; empty: it has none."""
    folder: str
    """Its `dir`."""
    region: str
    """Whose workers will take its runs."""
    group: int
    """Its execution_order_group."""
    depends_on: tuple[str, ...]
    """Projects that come first, by their names."""
    approval: bool
    """Whether its apply waits for an approval."""
    version: str | None
    """Its Terraform."""
    variables: Mapping[str, Any]
    """Values from its var files."""
    origin: Origin
    """Where it stands."""


@dataclass(frozen=True, kw_only=True)
class Imported:
    """A flock made of an atlantis.yaml."""

    flock: Mapping[str, Any]
    """What flock.yaml is to hold."""
    findings: tuple[Finding, ...]
    """What is not carried over."""


@dataclass
class _Reader:
    file: Path
    region: str | None
    findings: list[Finding] = field(default_factory=list)

    def tell(self, origin: Origin, message: str, hint: str, severity: Severity = Severity.WARNING) -> None:
        kind = Kind.UNUSED if severity is not Severity.ERROR else Kind.UNRESOLVED
        self.findings.append(Finding(kind=kind, origin=origin, message=message, hint=hint, severity=severity))


def import_atlantis(file: Path, *, name: str, region: str | None = None) -> Imported:
    """Read an atlantis.yaml.

    Args:
        file: it; folders are relative to its own.
        name: of the flock.
        region: of projects whose name, workspace and folder name none.

    Raises:
        ManyRefused: it is none, or says what no flock can; names every line.
    """
    tree = parse_yaml(read_bounded(file, str(file)), str(file))
    if not isinstance(tree, MapNode):
        raise Refused(Kind.SCHEMA, tree.origin, "must be a mapping", hint="with at least version and projects")
    version = _plain(tree, "version")
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
    reader = _Reader(file=file, region=region)
    projects = list(_projects(reader, tree, listed))
    levels = _levels(reader, projects)
    _not_carried(reader, tree)
    wrong = [one for one in reader.findings if one.severity is Severity.ERROR]
    if wrong:
        raise ManyRefused(wrong)
    parallel = _plain(tree, "parallel_apply") is True
    return Imported(flock=_flock(reader, name, projects, levels, parallel=parallel), findings=tuple(reader.findings))


def _projects(reader: _Reader, tree: MapNode, listed: ListNode) -> Iterator[Project]:
    taken: set[tuple[str, str]] = set()
    values = ProjectValues(root=reader.file.parent, tree=tree, findings=reader.findings)
    for item in listed.items:
        folder = _plain(item, "dir")
        if not isinstance(item, MapNode) or not isinstance(folder, str) or not folder:
            reader.tell(item.origin, "a project without `dir`", "name the folder of its *.tf files", Severity.ERROR)
            continue
        called, workspace = str(_plain(item, "name") or ""), str(_plain(item, "workspace") or "default")
        region = next((one for one in map(_region_in, (called, workspace, folder)) if one), reader.region)
        if region is None:
            reader.tell(
                item.origin,
                f"nothing says which region {called or folder} is deployed to",
                "say it for all such projects with --region",
                Severity.ERROR,
            )
            continue
        name = _label(called or f"{folder}-{workspace}".removesuffix("-default"), taken, region)
        for key in item.entries:
            _about_key(reader, item, key)
        yield Project(
            name=name,
            called=called,
            folder=folder,
            region=region,
            group=_group(reader, item),
            depends_on=tuple(str(plain(one)) for one in _list(item, "depends_on")),
            approval="approved" in [plain(one) for one in _list(item, "apply_requirements")],
            version=str(_plain(item, "terraform_version") or "").removeprefix("v") or None,
            variables=values.of(item, folder=folder, workspace=workspace, name=called),
            origin=item.origin,
        )


def _about_key(reader: _Reader, project: MapNode, key: str) -> None:
    origin = project.key_origin(key)
    if key not in _KNOWN:
        reader.tell(origin, f"{key}: not known, ignored", did_you_mean(key, _KNOWN, otherwise="remove it"))
    elif key == "workspace" and _plain(project, key) != "default":
        reader.tell(
            origin,
            "the target has a state of its own, in Interlock, and runs in Terraform's workspace `default`",
            "where the configuration says terraform.workspace, let it say a variable; bring the state over yourself",
            Severity.NOTE,
        )
    elif key not in _CARRIED:
        reader.tell(origin, f"{key}: is not carried over", "a flock has nothing like it")


def _group(reader: _Reader, project: MapNode) -> int:
    value = _plain(project, "execution_order_group")
    if value is None:
        return 0
    if not isinstance(value, int) or isinstance(value, bool):
        origin = project.key_origin("execution_order_group")
        reader.tell(origin, "execution_order_group must be a number", "write a whole number", Severity.ERROR)
        return 0
    return value


def _levels(reader: _Reader, projects: Sequence[Project]) -> dict[str, int]:
    """For each project, by its target's name and region, the phase that it belongs to: from 0."""
    by_name = {one.called: one for one in projects if one.called}
    for one in projects:
        for wanted in one.depends_on:
            if wanted not in by_name:
                hint = did_you_mean(wanted, by_name, otherwise="`depends_on` lists the names of projects")
                reader.tell(one.origin, f"depends on {wanted!r}, which is no project", hint, Severity.ERROR)
    levels: dict[str, int] = {}
    floor = 0
    for group in sorted({one.group for one in projects}):
        waiting = [one for one in projects if one.group == group]
        while waiting:
            ready = [one for one in waiting if all(_key(by_name[w]) in levels for w in one.depends_on if w in by_name)]
            for one in ready:
                before = (levels[_key(by_name[wanted])] + 1 for wanted in one.depends_on if wanted in by_name)
                levels[_key(one)] = max([floor, *before])
            if not ready:
                message = f"{waiting[0].called or waiting[0].folder} waits for itself, or for a later group"
                hint = "correct depends_on and execution_order_group"
                reader.tell(waiting[0].origin, message, hint, Severity.ERROR)
                return levels
            waiting = [one for one in waiting if one not in ready]
        floor = max(levels.values()) + 1
    return levels


def _flock(
    reader: _Reader, name: str, projects: Sequence[Project], levels: Mapping[str, int], *, parallel: bool
) -> dict[str, Any]:
    folders = [_folder(one.folder) for one in projects]
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
                reader.tell(one.origin, message, "`terraform` in flock.yaml says which versions may deploy the flock")
    if shared:
        flock["variables"] = shared
    flock["phases"] = [
        {
            "name": f"step-{level + 1}",
            **({} if parallel else {"max_concurrent": 1}),
            **({"approval": True} if any(one.approval for one in projects if levels[_key(one)] == level) else {}),
        }
        for level in sorted(set(levels.values()))
    ]
    flock["targets"] = []
    for one in sorted(projects, key=lambda one: levels[_key(one)]):
        own = {key: value for key, value in one.variables.items() if key not in shared}
        target: dict[str, Any] = {"region": one.region, "name": one.name, "phase": f"step-{levels[_key(one)] + 1}"}
        if _folder(one.folder) != main:
            target["configuration"] = _folder(one.folder)
        flock["targets"].append({**target, **({"variables": own} if own else {})})
    return flock


def _not_carried(reader: _Reader, tree: MapNode) -> None:
    autodiscover = tree.entries.get("autodiscover")
    if autodiscover is not None and _plain(autodiscover, "mode") != "disabled":
        origin = tree.key_origin("autodiscover")
        reader.tell(origin, "projects that Atlantis discovers by itself are not carried over", "list them as targets")


def _shared(values: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    first = values[0]
    return {key: one for key, one in first.items() if all(key in other and other[key] == one for other in values)}


def _key(project: Project) -> str:
    return f"{project.region}.{project.name}"


def _folder(name: str) -> str:
    return name.strip("/") or "."


def _region_in(name: str) -> str | None:
    found = REGION_IN_NAME.search(name)
    return found[0] if found else None


def _label(name: str, taken: set[tuple[str, str]], region: str) -> str:
    short = _NO_NAME.sub("-", name.lower()).strip("-")[:MAX_NAME_CHARS].strip("-") or "main"
    label, number = short, 1
    while (region, label) in taken:
        number += 1
        label = f"{short[: MAX_NAME_CHARS - 1 - len(str(number))]}-{number}"
    taken.add((region, label))
    return label


def _plain(node: Node | None, key: str) -> Any:
    found = node.entries.get(key) if isinstance(node, MapNode) else None
    return found.value if isinstance(found, Scalar) else None


def _list(node: MapNode, key: str) -> Iterable[Node]:
    found = node.entries.get(key)
    return found.items if isinstance(found, ListNode) else ()
