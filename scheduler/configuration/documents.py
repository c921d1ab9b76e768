"""A file as a model and as nodes: what the model complains about gets the line where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from scheduler.configuration.models import Layer
from scheduler.configuration.nodes import MapNode, Node, Origin, dotted, find, origin_at, plain
from scheduler.configuration.report import Finding, Kind, Refused, did_you_mean
from scheduler.configuration.yaml_source import parse_yaml

#: The parts of a layer that are merged and rendered.
SECTIONS = ("variables", "providers", "backend")


@dataclass(frozen=True, kw_only=True)
class Document[Model: BaseModel]:
    """One file that was read and is what it should be."""

    model: Model
    """What it says."""
    tree: MapNode
    """The same with places."""

    def origin(self, *path: str | int) -> Origin:
        """Where something stands."""
        return origin_at(self.tree, path)

    def section(self, name: str, *path: str | int) -> MapNode | None:
        """The nodes of one section of the layer at `path`; None where it is not given."""
        found = find(self.tree, (*path, name))
        return found if isinstance(found, MapNode) else None


def read_document[Model: BaseModel](
    content: bytes, file: str, model: type[Model]
) -> tuple[Document[Model] | None, list[Finding]]:
    """Read a file as `model`.

    Returns:
        The document, or None together with the findings that say why not.
    """
    try:
        tree = parse_yaml(content, file)
    except Refused as error:
        return None, [error.finding]
    if not isinstance(tree, MapNode):
        needed = ", ".join(name for name, one in model.model_fields.items() if one.is_required())
        return None, [
            Finding(kind=Kind.SCHEMA, origin=tree.origin, message="must be a mapping", hint=f"with at least {needed}")
        ]
    try:
        return Document(model=model.model_validate(plain(tree)), tree=tree), []
    except ValidationError as error:
        found = [_finding(tree, model, item) for item in error.errors(include_url=False, include_context=False)]
        # What only says that another field is wrong, which has an item of its own.
        return None, [one for one in found if one is not None]


def _finding(tree: MapNode, model: type[BaseModel], item: Mapping[str, Any]) -> Finding | None:
    if item["type"] == "default_factory_not_called":
        return None
    # "[key]" marks a complaint about a key of a map.
    path = tuple(step for step in item["loc"] if step != "[key]")
    origin = origin_at(tree, path)
    name = dotted(path)
    if item["type"] == "extra_forbidden":
        known = _known_keys(model, find(tree, path[:-1]), path)
        return Finding(
            kind=Kind.SCHEMA,
            origin=origin,
            message=f"{name}: there is no such key here",
            hint=did_you_mean(str(path[-1]), known, otherwise=f"the keys are {', '.join(sorted(known))}"),
        )
    if item["type"] == "missing":
        return Finding(kind=Kind.SCHEMA, origin=origin, message=f"{name} is missing", hint="add it")
    message = str(item["msg"]).removeprefix("Value error, ")
    return Finding(
        kind=Kind.SCHEMA,
        origin=origin,
        message=f"{name}: {message[:1].lower()}{message[1:]}" if name else message,
        hint=_hint(item),
    )


def _hint(item: Mapping[str, Any]) -> str:
    given = item.get("input")
    if item["type"] == "string_type" and isinstance(given, int | float):
        return f'write it in quotes: "{given}"'
    if item["type"] == "string_pattern_mismatch":
        return "lower-case letters, digits and '-', at most 63 characters" if len(str(given)) < 200 else "shorten it"
    if item["type"] == "bool_type":
        return "write true or false"
    return "correct it; docs/configuration.md shows what may stand here"


def _known_keys(model: type[BaseModel], parent: Node | None, path: tuple[Any, ...]) -> list[str]:
    """Keys of the model that stands at the parent of `path`, found by walking the annotations."""
    here: Any = model
    for step in path[:-1]:
        here = _below(here, step)
    fields = getattr(here, "model_fields", None)
    return list(fields) if fields else list(Layer.model_fields) if parent else []


def _below(annotation: Any, step: Any) -> Any:
    fields = getattr(annotation, "model_fields", None)
    if fields is not None:
        return fields[step].annotation if step in fields else None
    for argument in getattr(annotation, "__args__", ()):
        # dict[str, Model], tuple[Model, ...], Annotated[...], Model | None
        if hasattr(argument, "model_fields"):
            return argument
        found = _below(argument, step) if hasattr(argument, "__args__") else None
        if found is not None:
            return found
    return None
