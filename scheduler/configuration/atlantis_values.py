"""The values that an Atlantis project gives its variables: var files and `-var`, in the order in which Terraform reads.

Secrets are not carried over: the value of a variable that the project's configuration calls sensitive stays where it
is, and the place is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from scheduler.configuration.atlantis_losses import Losses
from scheduler.configuration.constraints import ANY
from scheduler.configuration.files import read_bounded
from scheduler.configuration.hcl import parse_values
from scheduler.configuration.json_values import parse_json_values
from scheduler.configuration.nodes import ListNode, MapNode, Node, Origin, Scalar, plain
from scheduler.configuration.report import Kind, Refused, Severity
from scheduler.configuration.terraform import AUTOMATIC_SUFFIXES, AUTOMATIC_VALUES, Generic, Variable, read_generic

#: Of all projects together, as they are written; a flock file holds less.
MAX_VALUES_BYTES: Final = 16 * 2**20
#: What one var file, and one `-var`, counts beside its bytes.
_USE_BYTES: Final = 64
_VAR_FILE: Final = "-var-file"
_VAR: Final = "-var"
#: Types whose values are taken as they stand.
_LITERAL: Final = frozenset({"string", "number", "bool"})


@dataclass
class ProjectValues:
    """Reads the values of the projects of one atlantis.yaml."""

    root: Path
    """Its folder."""
    tree: MapNode
    """What it says."""
    losses: Losses
    """Told what is not carried over."""
    _places: dict[Path, Path] = field(default_factory=dict)
    _generics: dict[Path, tuple[Generic, tuple[Path, ...]]] = field(default_factory=dict)
    _files: dict[Path, tuple[int, Mapping[str, Node] | Refused]] = field(default_factory=dict)
    _workflows: dict[str, tuple[tuple[str, str, Origin], ...]] = field(default_factory=dict)
    _used: int = 0

    def of(self, project: MapNode, *, folder: str, workspace: str, name: str) -> dict[str, Any]:
        """The values of one project, as a flock file writes them.

        Raises Refused where those of all projects together are more than a flock could hold.
        """
        place = self.root / folder
        if not self._holds(place) or not place.is_dir():
            self.losses.tell(
                project.key_origin("dir"),
                f"there is no folder {folder!r} in the repository",
                "correct `dir`",
                Severity.ERROR,
            )
            return {}
        generic, automatic = self._generic(place)
        values: dict[str, Any] = {}
        for file in automatic:
            values |= self._file(file, generic)
        words = {"WORKSPACE": workspace, "PROJECT_NAME": name, "DIR": folder, "REPO_REL_DIR": folder}
        for option, argument, origin in self._arguments(project):
            filled = _filled(argument, words)
            if option == _VAR_FILE and not self._holds(place / filled):
                # Not where it leads: a server that was sent these files has its own around them.
                message = f"the var file {filled!r} leads out of the repository; its values are not carried over"
                self.losses.tell(origin, message, "put the file itself into the repository")
                continue
            if option == _VAR_FILE:
                values |= self._file(place / filled, generic, origin)
                continue
            self._use(len(filled), origin)
            key, _, value = filled.partition("=")
            node = self._argument(key, value, generic.variables.get(key), origin)
            values |= self._kept({} if node is None else {key: node}, generic)
        return values

    def _holds(self, path: Path) -> bool:
        """Whether the repository does; no file's name has a NUL in it."""
        return "\0" not in str(path) and self._real(path).is_relative_to(self._real(self.root))

    def _real(self, path: Path) -> Path:
        """`path` without links, which takes long to find out where it is deep."""
        found = self._places.get(path)
        if found is None:
            found = self._places[path] = path.resolve()
        return found

    def _automatic(self, place: Path) -> Iterator[Path]:
        names = sorted(path.name for path in place.iterdir())
        yield from (place / name for name in AUTOMATIC_VALUES if name in names)
        yield from (place / name for name in names if name.endswith(AUTOMATIC_SUFFIXES))

    def _generic(self, place: Path) -> tuple[Generic, tuple[Path, ...]]:
        """What the configuration in a folder declares, and the var files that Terraform loads there by itself.

        Read once, however many projects share it.
        """
        found = self._generics.get(self._real(place))
        if found is None:
            generic = read_generic(place, name=place.name, shown_as=str(place), whole=False)
            found = self._generics[self._real(place)] = generic, tuple(self._automatic(place))
        return found

    def _use(self, size: int, origin: Origin) -> None:
        self._used += size + _USE_BYTES
        if self._used > MAX_VALUES_BYTES:
            message = f"the values of all projects together are larger than {MAX_VALUES_BYTES // 2**20} MiB"
            raise Refused(Kind.SCHEMA, origin, message, hint="split atlantis.yaml, and import each part")

    def _file(self, path: Path, generic: Generic, named_at: Origin | None = None) -> dict[str, Any]:
        known = self._files.get(self._real(path))
        if known is None:
            known = self._files[self._real(path)] = self._read(path)
        size, nodes = known
        self._use(size, named_at or Origin(str(path), 1))
        if not isinstance(nodes, Refused):
            return self._kept(nodes, generic)
        fault = nodes.finding
        message = f"{fault.origin}: {fault.message}; its values are not carried over"
        self.losses.tell(named_at or fault.origin, message, fault.hint)
        return {}

    def _read(self, path: Path) -> tuple[int, Mapping[str, Node] | Refused]:
        """A var file's size and its values, or what is wrong with it."""
        size = 0
        try:
            content = read_bounded(path, str(path), inside=self.root)
            size = len(content)
            if path.name.endswith(".json"):
                return size, parse_json_values(content, str(path))
            nodes: dict[str, Node] = {}
            for name, attribute in parse_values(content, str(path)).items():
                literal = attribute.literal()
                if literal is None:
                    self.losses.tell(attribute.origin, f"{name}: no literal, not carried over", "set it in flock.yaml")
                else:
                    nodes[name] = literal
        except Refused as error:
            return size, error
        return size, nodes

    def _argument(self, name: str, value: str, variable: Variable | None, origin: Origin) -> Node | None:
        """The value of a `-var`: as Terraform reads it, text for a primitive type and where there is none, else HCL."""
        if variable is None or variable.type is ANY or variable.type.kind in _LITERAL or variable.secret:
            return Scalar(value=value, origin=origin, text=value)
        hint = f"write it as Terraform does: the variable is a {variable.type}"
        try:
            attributes = parse_values(f"value = {value}\n".encode(), str(self.root))
            node = attributes["value"].literal() if attributes.keys() == {"value"} else None
        except (Refused, UnicodeEncodeError):
            node = None
        if node is None:
            self.losses.tell(origin, f"{name}: what -var gives is no literal, not carried over", hint)
            return None
        return _placed(node, origin)

    def _kept(self, nodes: Mapping[str, Node], generic: Generic) -> dict[str, Any]:
        kept = {}
        for name, node in nodes.items():
            variable = generic.variables.get(name)
            if variable is None:
                self.losses.tell(
                    node.origin, f"{name}: the configuration has no such variable; not carried over", "remove it"
                )
            elif variable.secret:
                message = f"{name}: the variable is sensitive and stands here in clear; not carried over"
                hint = "let a data source read the secret by its name; then change the secret"
                self.losses.tell(node.origin, message, hint, kind=Kind.SECRET)
            else:
                kept[name] = _written(plain(node))
        return kept

    def _arguments(self, project: MapNode) -> tuple[tuple[str, str, Origin], ...]:
        """Each `-var-file` and `-var` of the project's own workflow; what else its steps do is told."""
        wanted = project.entries.get("workflow")
        if not isinstance(wanted, Scalar) or wanted.value is None:
            return ()
        name = str(wanted.value)
        if name not in self._workflows:
            self._workflows[name] = tuple(self._workflow(wanted))
        return self._workflows[name]

    def _workflow(self, wanted: Scalar) -> Iterator[tuple[str, str, Origin]]:
        workflows = self.tree.entries.get("workflows")
        workflow = workflows.entries.get(str(wanted.value)) if isinstance(workflows, MapNode) else None
        if workflow is None:
            hint = "what it passes to Terraform belongs into `variables`"
            self.losses.tell(
                wanted.origin, f"the workflow {wanted.value!r} is the server's and cannot be seen here", hint
            )
            return
        if not isinstance(workflow, MapNode):
            return
        for stage in workflow.entries:
            if stage == "plan":
                for kind, step, arguments in _steps(workflow, stage):
                    if kind in {"init", "plan"}:
                        yield from self._options(arguments)
                    else:
                        hint = "let artifacts, values or the configuration itself say what it did"
                        self.losses.tell(
                            step, f"the step {kind!r} is not carried over: runs execute Terraform only", hint
                        )
            elif stage == "apply":
                for kind, step, arguments in _steps(workflow, stage):
                    if kind == "apply" and arguments is None:
                        continue
                    message = f"the step {kind!r} of `apply` is not carried over: runs apply the plan, and nothing else"
                    self.losses.tell(step, message, "what it checked, nothing checks now: say it in `safety`")
            else:
                hint = "what it checked, nothing checks now: say it in `safety`"
                self.losses.tell(workflow.key_origin(stage), f"the stage {stage!r} is not carried over", hint)

    def _options(self, arguments: Node | None) -> Iterator[tuple[str, str, Origin]]:
        items = iter(arguments.items if isinstance(arguments, ListNode) else ())
        for item in items:
            word = str(plain(item))
            option, equals, argument = word.removeprefix("-").partition("=")
            option = f"-{option.lstrip('-')}"
            if option in {_VAR, _VAR_FILE}:
                if not equals and (following := next(items, None)) is not None:
                    argument = str(plain(following))
                yield option, argument, item.origin
            else:
                self.losses.tell(item.origin, f"{word} is not carried over", "Interlock says how Terraform is called")


def _steps(workflow: MapNode, stage: str) -> Iterator[tuple[str, Origin, Node | None]]:
    """Each step's kind and place, and its extra arguments."""
    body = workflow.entries[stage]
    steps = body.entries.get("steps") if isinstance(body, MapNode) else None
    for step in steps.items if isinstance(steps, ListNode) else ():
        if isinstance(step, MapNode) and step.entries:
            kind, said = next(iter(step.entries.items()))
            yield kind, step.origin, said.entries.get("extra_args") if isinstance(said, MapNode) else None
        else:
            yield str(plain(step)), step.origin, None


def _placed(node: Node, origin: Origin) -> Node:
    """`node` with `origin` for everything in it."""
    match node:
        case ListNode():
            return ListNode(items=tuple(_placed(item, origin) for item in node.items), origin=origin)
        case MapNode():
            return MapNode(entries={key: _placed(one, origin) for key, one in node.entries.items()}, origin=origin)
        case Scalar():
            return replace(node, origin=origin)


def _filled(text: str, words: Mapping[str, str]) -> str:
    for name, value in words.items():
        text = text.replace(f"${{{name}}}", value).replace(f"${name}", value)
    return text


def _written(value: Any) -> Any:
    """A value as a layer writes it: what would be a reference or a directive there is escaped."""
    match value:
        case str():
            return value.replace("${", "$${")
        case list():
            return [_written(item) for item in value]
        case dict():
            return {f"${key}" if key.startswith("$") else key: _written(one) for key, one in value.items()}
        case _:
            return value
