"""The projects of an atlantis.yaml as they are written, and what of each is not carried over."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from scheduler.configuration.atlantis_losses import Losses
from scheduler.configuration.atlantis_values import ProjectValues
from scheduler.configuration.nodes import ListNode, MapNode, Node, Origin, Scalar, plain
from scheduler.configuration.report import Kind, Severity, did_you_mean
from scheduler.configuration.suspects import REGION_IN_NAME

MAX_NAME_CHARS: Final = 63
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
_INSTEAD: Final = "`safety` in flock.yaml says what needs whose approval; what the repository requires, it still does"


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

    @property
    def key(self) -> str:
        """What no other project has: its target's own name after its region."""
        return f"{self.region}.{self.name}"

    @property
    def place(self) -> str:
        """Its folder, written as every other project of the same folder has it."""
        return _normal(self.folder)


def read_projects(
    tree: MapNode, listed: ListNode, losses: Losses, *, root: Path, region: str | None
) -> Iterator[Project]:
    """The projects that can become targets; what keeps one from it is told as an error.

    Args:
        tree: the atlantis.yaml.
        listed: its projects.
        losses: told what is not carried over.
        root: the folder that it is in.
        region: of projects whose name, workspace and folder name none.

    Raises:
        Refused: the values of all projects together are more than a flock could hold.
    """
    taken: set[tuple[str, str]] = set()
    states: dict[tuple[str, str], Origin] = {}
    values = ProjectValues(root=root, tree=tree, losses=losses)
    for item in listed.items:
        folder = setting(item, "dir")
        if not isinstance(item, MapNode) or not isinstance(folder, str) or not folder:
            losses.tell(item.origin, "a project without `dir`", "name the folder of its *.tf files", Severity.ERROR)
            continue
        if len(folder) > MAX_PATH_CHARS or not folder.isprintable():
            message = f"`dir` is longer than {MAX_PATH_CHARS} characters, or holds what cannot be shown"
            losses.tell(item.key_origin("dir"), message, "a flock takes no such path; shorten it", Severity.ERROR)
            continue
        called, workspace = str(setting(item, "name") or ""), str(setting(item, "workspace") or "default")
        first = states.setdefault((_normal(folder), workspace), item.origin)
        if first is not item.origin:
            # By Atlantis both have one state; two targets would each begin with an empty one.
            message = f"{folder} in the workspace {workspace} is deployed by the project in {first} as well"
            hint = "keep one of them: a target has a state of its own"
            losses.tell(item.origin, message, hint, Severity.ERROR, kind=Kind.CONFLICT)
        its_region = next((one for one in map(_region_in, (called, workspace, folder)) if one), region)
        if its_region is None:
            losses.tell(
                item.origin,
                f"nothing says which region {called or folder} is deployed to",
                "say it for all such projects with --region",
                Severity.ERROR,
            )
            continue
        name = _label(called or f"{folder}-{workspace}".removesuffix("-default"), taken, its_region)
        for key in item.entries:
            _about_key(losses, item, key)
        yield Project(
            name=name,
            called=called,
            folder=folder,
            region=its_region,
            group=_group(losses, item),
            depends_on=tuple(str(plain(one)) for one in _list(item, "depends_on")),
            version=str(setting(item, "terraform_version") or "").removeprefix("v") or None,
            variables=values.of(item, folder=folder, workspace=workspace, name=called),
            origin=item.origin,
        )


def _about_key(losses: Losses, project: MapNode, key: str) -> None:
    origin = project.key_origin(key)
    if key not in _KNOWN:
        losses.tell(origin, f"{key}: not known, ignored", did_you_mean(key, _KNOWN, otherwise="remove it"))
    elif key == "workspace" and setting(project, key) != "default":
        losses.tell(
            origin,
            "the target has a state of its own, in Interlock, and runs in Terraform's workspace `default`",
            "where the configuration says terraform.workspace, let it say a variable; bring the state over yourself",
            Severity.NOTE,
        )
    elif key in _REQUIREMENTS:
        _about_requirements(losses, key, project.entries[key], origin)
    elif key in _POLICIES:
        if setting(project, key) is not False:
            losses.tell(origin, f"{key}: is not carried over: no policy is checked before a deployment", _INSTEAD)
    elif key not in _CARRIED:
        losses.tell(origin, f"{key}: is not carried over", "a flock has nothing like it")


def _about_requirements(losses: Losses, key: str, wanted: Node, origin: Origin) -> None:
    for item in wanted.items if isinstance(wanted, ListNode) else (wanted,):
        if key == "apply_requirements" and plain(item) == _APPROVED:
            continue
        where = item.origin if isinstance(wanted, ListNode) else origin
        losses.tell(where, f"{key}: {plain(item)} is not carried over: nothing asks for it before a run", _INSTEAD)


def _group(losses: Losses, project: MapNode) -> int:
    value = setting(project, "execution_order_group")
    if value is None:
        return 0
    if not isinstance(value, int) or isinstance(value, bool):
        origin = project.key_origin("execution_order_group")
        losses.tell(origin, "execution_order_group must be a number", "write a whole number", Severity.ERROR)
        return 0
    return value


def _normal(name: str) -> str:
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


def setting(node: Node | None, key: str) -> Any:
    """What `key` is set to, where it is neither a list nor a mapping; None: it is not set."""
    found = node.entries.get(key) if isinstance(node, MapNode) else None
    return found.value if isinstance(found, Scalar) else None


def _list(node: MapNode, key: str) -> Iterable[Node]:
    found = node.entries.get(key)
    return found.items if isinstance(found, ListNode) else ()
