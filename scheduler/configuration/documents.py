"""A file as a model and as nodes: what the model complains about gets the line where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from scheduler.configuration.nodes import MapNode, Origin, dotted, find, origin_at, plain
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
        found = [_finding(tree, model, item) for item in error.errors(include_url=False)]
        # What only says that another field is wrong, which has an item of its own.
        return None, [one for one in found if one is not None]


def _finding(tree: MapNode, model: type[BaseModel], item: Mapping[str, Any]) -> Finding | None:
    if item["type"] == "default_factory_not_called":
        return None
    # "[key]" marks a complaint about a key of a map.
    steps = tuple(step for step in item["loc"] if step != "[key]")
    path = _without_tags(model, steps)
    origin = origin_at(tree, path)
    name = dotted(path)
    if item["type"] == "extra_forbidden":
        known = _known_keys(model, steps)
        return Finding(
            kind=Kind.SCHEMA,
            origin=origin,
            message=f"{name}: there is no such key here",
            hint=did_you_mean(str(path[-1]), known, otherwise=f"the keys are {', '.join(sorted(known))}"),
        )
    if item["type"] == "union_tag_invalid":
        wrong, kinds = item["ctx"]["tag"], item["ctx"]["expected_tags"].replace("'", "").split(", ")
        return Finding(
            kind=Kind.SCHEMA,
            origin=origin,
            message=f"{name}.type: there is no {wrong!r}",
            hint=did_you_mean(wrong, kinds, otherwise=f"there are {', '.join(kinds)}"),
        )
    if item["type"] == "union_tag_not_found":
        return Finding(kind=Kind.SCHEMA, origin=origin, message=f"{name}.type is missing", hint="add it")
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


def _without_tags(model: type[BaseModel], steps: tuple[Any, ...]) -> tuple[Any, ...]:
    """The path of what is complained about. Where maps are of several kinds, pydantic puts in the kind as a step."""
    here: list[Any] = [model]
    path: tuple[Any, ...] = ()
    for step in steps:
        kinds = _of_kind(here, step)
        if not kinds:
            path += (step,)
        here = kinds or [below for one in here for below in _below(one, step)]
    return path


def _known_keys(model: type[BaseModel], steps: tuple[Any, ...]) -> list[str]:
    """Keys of the model that stands at the parent of `steps`, found by walking the annotations."""
    here: list[Any] = [model]
    for step in steps[:-1]:
        here = _of_kind(here, step) or [below for one in here for below in _below(one, step)]
    return [name for one in here for name in one.model_fields]


def _of_kind(models: list[Any], tag: Any) -> list[Any]:
    """Those of several models whose `type` is `tag`."""
    return [one for one in models if len(models) > 1 and tag in get_args(one.model_fields["type"].annotation)]


def _below(annotation: Any, step: Any) -> list[Any]:
    """The models, and containers of such, that stand one step below."""
    fields = getattr(annotation, "model_fields", None)
    if fields is not None:
        return _alternatives(fields[step].annotation) if step in fields else []
    # tuple[Model, ...], dict[str, Model]
    return [inner for argument in get_args(annotation) for inner in _alternatives(argument)]


def _alternatives(annotation: Any) -> list[Any]:
    """`annotation` without the wrapping of Annotated and of unions; what holds no model at all is left out."""
    if hasattr(annotation, "model_fields"):
        return [annotation]
    if get_origin(annotation) in (Annotated, Union, UnionType):
        return [inner for argument in get_args(annotation) for inner in _alternatives(argument)]
    return [annotation] if any(map(_alternatives, get_args(annotation))) else []
