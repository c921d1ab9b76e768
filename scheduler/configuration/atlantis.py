"""An `atlantis.yaml` as a flock: its projects become targets, their order becomes phases, their var files values.

What Atlantis does around pull requests (when to plan, whom to ask, which hooks to run) has no place in a flock; each
such setting that changes what is deployed, or that keeps something from being deployed, is told with its line. Atlantis
applies when a person says so, and so every phase waits for an approval. Nothing here writes anything.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, Final

from scheduler.configuration.atlantis_values import ProjectValues
from scheduler.configuration.documents import read_document
from scheduler.configuration.files import read_bounded
from scheduler.configuration.fleet import FLOCK_FILE
from scheduler.configuration.models import MAX_TARGETS, FlockFile
from scheduler.configuration.nodes import ListNode, MapNode, Node, Origin, Scalar, plain
from scheduler.configuration.report import Finding, Kind, ManyRefused, Refused, Severity, did_you_mean
from scheduler.configuration.suspects import REGION_IN_NAME
from scheduler.configuration.yaml_source import MAX_FILE_BYTES, parse_yaml
from scheduler.configuration.yaml_text import yaml_text
from shared.errors import ConfigurationError
from shared.models import LABEL

VERSIONS: Final = (2, 3)
MAX_NAME_CHARS: Final = 63
MAX_MEANT: Final = 100
MAX_PATH_CHARS: Final = 1024
_NO_NAME: Final = re.compile(r"[^a-z0-9]+")
#: Settings of a project that a flock expresses, or that say nothing about what is deployed.
_CARRIED: Final = frozenset(
    {"name", "dir", "workspace", "workflow", "terraform_version", "execution_order_group", "depends_on"}
    | {"autoplan", "delete_source_branch_on_merge", "repo_locking", "repo_locks", "silence_pr_comments"}
)
#: Lists of what must be true before something happens. Of these a flock has only the approval.
_REQUIREMENTS: Final = frozenset({"apply_requirements", "plan_requirements", "import_requirements"})
_POLICIES: Final = frozenset({"custom_policy_check", "policy_check"})
_APPROVED: Final = "approved"
_KNOWN: Final = _CARRIED | _REQUIREMENTS | _POLICIES | {"branch", "terraform_distribution"}


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
    text: str
    """The same as YAML; it can be read again."""
    findings: tuple[Finding, ...]
    """What is not carried over."""


@dataclass
class _Reader:
    file: Path
    region: str | None
    findings: list[Finding] = field(default_factory=list)

    def tell(
        self,
        origin: Origin,
        message: str,
        hint: str,
        severity: Severity = Severity.WARNING,
        *,
        kind: Kind | None = None,
    ) -> None:
        kind = kind or (Kind.UNUSED if severity is not Severity.ERROR else Kind.UNRESOLVED)
        self.findings.append(Finding(kind=kind, origin=origin, message=message, hint=hint, severity=severity))


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
    if len(listed.items) > MAX_TARGETS:
        origin, message = listed.items[MAX_TARGETS].origin, f"more than {MAX_TARGETS} projects; a flock has no more"
        raise Refused(Kind.SCHEMA, origin, message, hint="split atlantis.yaml, and import each part")
    reader = _Reader(file=file, region=region)
    projects = list(_projects(reader, tree, listed))
    levels = _levels(reader, projects)
    _not_carried(reader, tree)
    wrong = [one for one in reader.findings if one.severity is Severity.ERROR]
    if wrong:
        raise ManyRefused(wrong)
    parallel = _plain(tree, "parallel_apply") is True
    flock = _flock(reader, name, projects, levels, parallel=parallel)
    return Imported(flock=flock, text=_usable(flock, file), findings=tuple(reader.findings))


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


def _projects(reader: _Reader, tree: MapNode, listed: ListNode) -> Iterator[Project]:
    taken: set[tuple[str, str]] = set()
    states: dict[tuple[str, str], Origin] = {}
    values = ProjectValues(root=reader.file.parent, tree=tree, findings=reader.findings)
    for item in listed.items:
        folder = _plain(item, "dir")
        if not isinstance(item, MapNode) or not isinstance(folder, str) or not folder:
            reader.tell(item.origin, "a project without `dir`", "name the folder of its *.tf files", Severity.ERROR)
            continue
        if len(folder) > MAX_PATH_CHARS or not folder.isprintable():
            message = f"`dir` is longer than {MAX_PATH_CHARS} characters, or holds what cannot be shown"
            reader.tell(item.key_origin("dir"), message, "a flock takes no such path; shorten it", Severity.ERROR)
            continue
        called, workspace = str(_plain(item, "name") or ""), str(_plain(item, "workspace") or "default")
        first = states.setdefault((_folder(folder), workspace), item.origin)
        if first is not item.origin:
            # By Atlantis both have one state; two targets would each begin with an empty one.
            message = f"{folder} in the workspace {workspace} is deployed by the project in {first} as well"
            hint = "keep one of them: a target has a state of its own"
            reader.tell(item.origin, message, hint, Severity.ERROR, kind=Kind.CONFLICT)
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
    elif key in _REQUIREMENTS:
        _about_requirements(reader, key, project.entries[key], origin)
    elif key in _POLICIES:
        if _plain(project, key) is not False:
            reader.tell(origin, f"{key}: is not carried over: no policy is checked before a deployment", _INSTEAD)
    elif key not in _CARRIED:
        reader.tell(origin, f"{key}: is not carried over", "a flock has nothing like it")


_INSTEAD: Final = "`safety` in flock.yaml says what needs whose approval; what the repository requires, it still does"


def _about_requirements(reader: _Reader, key: str, wanted: Node, origin: Origin) -> None:
    for item in wanted.items if isinstance(wanted, ListNode) else (wanted,):
        if key == "apply_requirements" and plain(item) == _APPROVED:
            continue
        where = item.origin if isinstance(wanted, ListNode) else origin
        reader.tell(where, f"{key}: {plain(item)} is not carried over: nothing asks for it before a run", _INSTEAD)


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
    levels: dict[str, int] = {}
    floor = 0
    for group in sorted({one.group for one in projects}):
        members = {_key(one): one for one in projects if one.group == group}
        waits = {key: _waits(reader, one, by_name) for key, one in members.items()}
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
            reader.tell(first.origin, message, hint, Severity.ERROR)
            return levels
        for key in order:
            levels[key] = max([floor, *(levels[one] + 1 for one in waits[key])])
        floor = max(levels.values()) + 1
    return levels


def _waits(reader: _Reader, project: Project, by_name: Mapping[str, Project]) -> set[str]:
    """The keys of the projects that come first; names of none are told."""
    wanted_all = set(project.depends_on)
    for wanted in sorted(wanted_all - by_name.keys()):
        # Looking for what was meant takes long; after this many somebody has to look for themselves.
        names = by_name if len(reader.findings) < MAX_MEANT else ()
        hint = did_you_mean(wanted, names, otherwise="`depends_on` lists the names of projects")
        reader.tell(project.origin, f"depends on {wanted!r}, which is no project", hint, Severity.ERROR)
    return {_key(by_name[wanted]) for wanted in wanted_all & by_name.keys()}


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
            "approval": True,
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
    return posixpath.normpath(name.strip("/") or ".")


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
