"""Terraform's type constraints, and whether a value fits one.

Rules of conversion: https://developer.hashicorp.com/terraform/language/expressions/type-constraints. Two things that
Terraform does silently are faults here: it drops attributes that an object type does not have, and it turns a number
that is meant as text into other text (1.10 becomes "1.1").
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from scheduler.configuration.hcl import Syntax, object_elements, text_of, unwrapped
from scheduler.configuration.nodes import ListNode, MapNode, Node, Origin, Path, Scalar, dotted
from scheduler.configuration.report import Finding, Kind, Refused, close_to

_PRIMITIVES: Final = ("any", "string", "number", "bool")
_COLLECTIONS: Final = ("list", "set", "map")
_NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?\Z")
_BOOLS: Final = ("true", "false", "1", "0")


@dataclass(frozen=True, kw_only=True)
class Member:
    """One attribute of an object type."""

    type: Type
    """Its type."""
    optional: bool = False
    """Whether it may be left out."""
    default: str | None = None
    """The default's text; None: null."""


@dataclass(frozen=True, kw_only=True)
class Type:
    """A type constraint."""

    kind: str
    """any, string, number, bool, list, set, map, object or tuple."""
    element: Type | None = None
    """Of list, set and map."""
    members: dict[str, Member] = field(default_factory=dict)
    """Of object."""
    items: tuple[Type, ...] = ()
    """Of tuple."""

    def __str__(self) -> str:
        """The constraint as it is written."""
        if self.element is not None:
            return f"{self.kind}({self.element})"
        if self.kind == "object":
            return f"object({{{', '.join(f'{name} = {_member(one)}' for name, one in self.members.items())}}})"
        if self.kind == "tuple":
            return f"tuple([{', '.join(map(str, self.items))}])"
        return self.kind


ANY: Final = Type(kind="any")


def parse_type(expression: Syntax, file: str) -> Type:
    """The constraint that an expression states. Raises Refused for what Terraform would not take."""
    node = unwrapped(expression)
    word = text_of(node).strip('"') if node.type in {"variable_expr", "identifier", "string_lit"} else ""
    if word in _PRIMITIVES:
        return Type(kind=word)
    if word in _COLLECTIONS:
        # Older configurations: a bare or quoted `list` means list(any).
        return Type(kind=word, element=ANY)
    if node.type == "function_call":
        name = text_of(node.named_children[0])
        arguments = _arguments(node)
        if name in _COLLECTIONS and len(arguments) == 1:
            return Type(kind=name, element=parse_type(arguments[0], file))
        if name == "object" and len(arguments) == 1 and unwrapped(arguments[0]).type == "object":
            return Type(kind="object", members=_members(unwrapped(arguments[0]), file))
        if name == "tuple" and len(arguments) == 1 and unwrapped(arguments[0]).type == "tuple":
            items = [one for one in unwrapped(arguments[0]).named_children if one.type == "expression"]
            return Type(kind="tuple", items=tuple(parse_type(one, file) for one in items))
    origin = Origin(file, node.start_point.row + 1, node.start_point.column + 1)
    raise Refused(
        Kind.SYNTAX,
        origin,
        f"{' '.join(text_of(node).split())[:80]} is no type constraint",
        hint="string, list(…), object({…})",
    )


def check_type(node: Node, wanted: Type, path: Path = ()) -> Iterator[Finding]:
    """Say what keeps `node` from being converted to `wanted` without loss.

    Args:
        node: the value.
        wanted: the declared type.
        path: name of the variable, and where inside it the value stands.
    """
    if isinstance(node, Scalar) and node.value is None:
        return
    match wanted.kind:
        case "any":
            return
        case "string" | "number" | "bool":
            yield from _check_primitive(node, wanted.kind, path)
        case "list" | "set":
            if not isinstance(node, ListNode):
                yield _mistyped(node, path, str(wanted), "write a list: [ … ]")
                return
            yield from _check_elements(node, wanted, path)
        case "map":
            if not isinstance(node, MapNode):
                yield _mistyped(node, path, str(wanted), "write a map: { key: value }")
                return
            yield from _check_elements(node, wanted, path)
        case "tuple":
            yield from _check_tuple(node, wanted, path)
        case _:
            yield from _check_object(node, wanted, path)


def _check_elements(node: ListNode | MapNode, wanted: Type, path: Path) -> Iterator[Finding]:
    element = wanted.element or ANY
    if element.kind == "any":
        yield from _check_alike(node, path)
    steps = enumerate(node.items) if isinstance(node, ListNode) else node.entries.items()
    for step, item in steps:
        yield from check_type(item, element, (*path, step))


def _check_alike(node: ListNode | MapNode, path: Path) -> Iterator[Finding]:
    """What a collection of `any` holds must be of one sort: single values do not convert to maps or lists."""
    items = node.items if isinstance(node, ListNode) else tuple(node.entries.values())
    sorts = {type(item) for item in items if not (isinstance(item, Scalar) and item.value is None)}
    if len(sorts) > 1:
        yield _mistyped(node, path, "collection of one type", "make all its values single ones, all lists or all maps")


def _check_primitive(node: Node, kind: str, path: Path) -> Iterator[Finding]:
    if not isinstance(node, Scalar):
        yield _mistyped(node, path, kind, "write a single value")
        return
    value = node.value
    if kind == "string":
        if (
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and node.text
            and node.text != _canonical(value)
        ):
            yield _mistyped(node, path, "string", f'write it in quotes: "{node.text}"', what=f"the number {node.text}")
    elif kind == "number":
        if isinstance(value, bool) or (isinstance(value, str) and not _NUMBER.match(value)):
            yield _mistyped(node, path, "number", "write a number")
    elif not isinstance(value, bool) and value not in _BOOLS:
        yield _mistyped(node, path, "bool", "write true or false")


def _check_tuple(node: Node, wanted: Type, path: Path) -> Iterator[Finding]:
    if not isinstance(node, ListNode) or len(node.items) != len(wanted.items):
        yield _mistyped(node, path, str(wanted), f"write a list of exactly {len(wanted.items)}")
        return
    for index, (item, one) in enumerate(zip(node.items, wanted.items, strict=True)):
        yield from check_type(item, one, (*path, index))


def _check_object(node: Node, wanted: Type, path: Path) -> Iterator[Finding]:
    if not isinstance(node, MapNode):
        yield _mistyped(node, path, str(wanted), "write a map with its attributes")
        return
    for name, value in node.entries.items():
        member = wanted.members.get(name)
        if member is not None:
            yield from check_type(value, member.type, (*path, name))
            continue
        meant = close_to(name, [known for known in wanted.members if known not in node.entries])
        yield Finding(
            kind=Kind.MISSPELT if meant else Kind.UNDECLARED,
            origin=node.key_origin(name),
            message=f"{dotted((*path, name))}: the type has no attribute {name!r}; Terraform would drop it silently",
            hint=f"did you mean {meant!r}?" if meant else f"its attributes are {', '.join(wanted.members) or 'none'}",
        )
    for name, member in wanted.members.items():
        if not member.optional and name not in node.entries:
            yield Finding(
                kind=Kind.MISSING,
                origin=node.origin,
                message=f"{dotted((*path, name))}: the attribute is missing",
                hint=f"add {name}: a {member.type}",
            )


def _mistyped(node: Node, path: Path, wanted: str, hint: str, *, what: str = "") -> Finding:
    return Finding(
        kind=Kind.MISTYPED,
        origin=node.origin,
        message=f"{dotted(path)}: {what or describe(node)} is no {wanted}",
        hint=hint,
    )


def describe(node: Node) -> str:
    """What a value is, in a few words. Never the value itself of a long text."""
    match node:
        case ListNode():
            return f"a list of {len(node.items)}"
        case MapNode():
            return "a map"
        case Scalar(value=None):
            return "null"
        case Scalar(value=bool() as value):
            return f"the bool {str(value).lower()}"
        case Scalar(value=str() as value):
            return f'the text "{value[:40]}{"…" if len(value) > 40 else ""}"'
        case Scalar():
            return f"the number {node.text or node.value}"


def _canonical(value: float) -> str:
    """A number as Terraform writes it into a text."""
    return str(int(value)) if value == int(value) else repr(value)


def _member(member: Member) -> str:
    if not member.optional:
        return str(member.type)
    return f"optional({member.type}, {member.default})" if member.default else f"optional({member.type})"


def _arguments(call: Syntax) -> list[Syntax]:
    for child in call.named_children:
        if child.type == "function_arguments":
            return [one for one in child.named_children if one.type == "expression"]
    return []


def _members(node: Syntax, file: str) -> dict[str, Member]:
    members = {}
    for name, origin, expression in object_elements(node, file):
        if name is None:
            raise Refused(Kind.SYNTAX, origin, "an attribute's name must be a word", hint="write it as it is")
        inner = unwrapped(expression)
        arguments = _arguments(inner) if inner.type == "function_call" else []
        if inner.type == "function_call" and text_of(inner.named_children[0]) == "optional" and arguments:
            default = " ".join(text_of(arguments[1]).split()) if len(arguments) > 1 else None
            members[name] = Member(type=parse_type(arguments[0], file), optional=True, default=default)
        else:
            members[name] = Member(type=parse_type(expression, file))
    return members
