"""The values that an Atlantis project gives its variables: var files and `-var`, in the order in which Terraform reads.

Secrets are not carried over: the value of a variable that the project's configuration calls sensitive stays where it
is, and the place is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from scheduler.configuration.files import read_bounded
from scheduler.configuration.hcl import parse_values
from scheduler.configuration.nodes import ListNode, MapNode, Node, Origin, Scalar, plain
from scheduler.configuration.report import Finding, Kind, Refused, Severity
from scheduler.configuration.terraform import AUTOMATIC_SUFFIXES, AUTOMATIC_VALUES, Generic, read_generic
from scheduler.configuration.yaml_source import parse_yaml

_VAR_FILE: Final = "-var-file"
_VAR: Final = "-var"


@dataclass
class ProjectValues:
    """Reads the values of the projects of one atlantis.yaml."""

    root: Path
    """Its folder."""
    tree: MapNode
    """What it says."""
    findings: list[Finding]
    """Told what is not carried over."""

    def of(self, project: MapNode, *, folder: str, workspace: str, name: str) -> dict[str, Any]:
        """The values of one project, as a flock file writes them."""
        place = self.root / folder
        if not place.resolve().is_relative_to(self.root.resolve()) or not place.is_dir():
            self._tell(
                project.key_origin("dir"),
                f"there is no folder {folder!r} in the repository",
                "correct `dir`",
                Severity.ERROR,
            )
            return {}
        generic = read_generic(place, name=folder, shown_as=str(place))
        values: dict[str, Any] = {}
        for file in self._automatic(place):
            values |= self._file(file, generic)
        words = {"WORKSPACE": workspace, "PROJECT_NAME": name, "DIR": folder, "REPO_REL_DIR": folder}
        for option, argument, origin in self._arguments(project):
            filled = _filled(argument, words)
            if option == _VAR_FILE:
                values |= self._file(place / filled, generic, origin)
                continue
            key, _, value = filled.partition("=")
            node = Scalar(value=value, origin=origin, text=value)
            values |= self._kept({key: node}, generic)
        return values

    def _automatic(self, place: Path) -> Iterator[Path]:
        names = sorted(path.name for path in place.iterdir())
        yield from (place / name for name in AUTOMATIC_VALUES if name in names)
        yield from (place / name for name in names if name.endswith(AUTOMATIC_SUFFIXES))

    def _file(self, path: Path, generic: Generic, named_at: Origin | None = None) -> dict[str, Any]:
        try:
            content = read_bounded(path, str(path), inside=self.root)
            if path.name.endswith(".json"):
                tree = parse_yaml(content.replace(b"\t", b" "), str(path))
                nodes = dict(tree.entries) if isinstance(tree, MapNode) else {}
            else:
                nodes = {}
                for name, attribute in parse_values(content, str(path)).items():
                    literal = attribute.literal()
                    if literal is None:
                        self._tell(attribute.origin, f"{name}: no literal, not carried over", "set it in flock.yaml")
                    else:
                        nodes[name] = literal
        except Refused as error:
            origin = named_at or error.finding.origin
            message = f"{error.finding.origin}: {error.finding.message}; its values are not carried over"
            self._tell(origin, message, error.finding.hint)
            return {}
        return self._kept(nodes, generic)

    def _kept(self, nodes: Mapping[str, Node], generic: Generic) -> dict[str, Any]:
        kept = {}
        for name, node in nodes.items():
            variable = generic.variables.get(name)
            if variable is None:
                self._tell(
                    node.origin, f"{name}: the configuration has no such variable; not carried over", "remove it"
                )
            elif variable.secret:
                self.findings.append(
                    Finding(
                        kind=Kind.SECRET,
                        origin=node.origin,
                        message=f"{name}: the variable is sensitive and stands here in clear; not carried over",
                        hint="let a data source read the secret by its name; then change the secret",
                        severity=Severity.WARNING,
                    )
                )
            else:
                kept[name] = _written(plain(node))
        return kept

    def _arguments(self, project: MapNode) -> Iterator[tuple[str, str, Origin]]:
        """Each `-var-file` and `-var` of the project's own workflow; what else its steps do is told."""
        wanted = project.entries.get("workflow")
        workflows = self.tree.entries.get("workflows")
        if not isinstance(wanted, Scalar) or wanted.value is None:
            return
        workflow = workflows.entries.get(str(wanted.value)) if isinstance(workflows, MapNode) else None
        if workflow is None:
            hint = "what it passes to Terraform belongs into `variables`"
            self._tell(wanted.origin, f"the workflow {wanted.value!r} is the server's and cannot be seen here", hint)
            return
        plan = workflow.entries.get("plan") if isinstance(workflow, MapNode) else None
        steps = plan.entries.get("steps") if isinstance(plan, MapNode) else None
        for step in steps.items if isinstance(steps, ListNode) else ():
            if isinstance(step, Scalar):
                continue
            kind, body = next(iter(step.entries.items()), ("", None)) if isinstance(step, MapNode) else ("", None)
            arguments = body.entries.get("extra_args") if isinstance(body, MapNode) else None
            if kind in {"init", "plan"}:
                yield from self._options(arguments)
            else:
                hint = "let artifacts, values or the configuration itself say what it did"
                self._tell(step.origin, f"the step {kind!r} is not carried over: runs execute Terraform only", hint)

    def _options(self, arguments: Node | None) -> Iterator[tuple[str, str, Origin]]:
        items = list(arguments.items) if isinstance(arguments, ListNode) else []
        while items:
            item = items.pop(0)
            word = str(plain(item))
            option, equals, argument = word.removeprefix("-").partition("=")
            option = f"-{option.lstrip('-')}"
            if option in {_VAR, _VAR_FILE}:
                if not equals and items:
                    argument = str(plain(items.pop(0)))
                yield option, argument, item.origin
            else:
                self._tell(item.origin, f"{word} is not carried over", "Interlock says how Terraform is called")

    def _tell(self, origin: Origin, message: str, hint: str, severity: Severity = Severity.WARNING) -> None:
        kind = Kind.UNUSED if severity is not Severity.ERROR else Kind.UNRESOLVED
        self.findings.append(Finding(kind=kind, origin=origin, message=message, hint=hint, severity=severity))


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
