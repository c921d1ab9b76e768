"""Terraform's JSON syntax (`*.tf.json`) as the same blocks as the native one.

JSON is read by the YAML reader, which knows lines and refuses duplicate keys. A text there may be an expression; what
the declarations need (types, conditions) is parsed as such.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from scheduler.configuration.hcl import Attribute, Block, Syntax, parse_hcl
from scheduler.configuration.nodes import ListNode, MapNode, Node, Origin, Scalar
from scheduler.configuration.report import Kind, Refused
from scheduler.configuration.yaml_source import parse_yaml

#: How many levels of keys below a block's type are labels.
_LABELS: Final = {"variable": 1, "provider": 1, "module": 1, "backend": 1, "resource": 2, "data": 2, "output": 1}
_INNER: Final = frozenset({"validation", "backend", "required_providers", "cloud"})
_EXPRESSIONS: Final = frozenset({"type", "condition"})


def parse_terraform_json(content: bytes, file: str) -> tuple[Block, ...]:
    """The blocks of a `.tf.json` file. Raises Refused for what is no JSON object; names the line."""
    # YAML takes no tabs for indentation, JSON does not care.
    tree = parse_yaml(content.replace(b"\t", b" "), file)
    if not isinstance(tree, MapNode):
        raise Refused(
            Kind.SYNTAX, tree.origin, "must be a JSON object", hint="see Terraform's JSON configuration syntax"
        )
    return tuple(
        block
        for kind, value in tree.entries.items()
        if kind != "//"
        for block in _blocks(kind, value, tree.key_origin(kind), file, _LABELS.get(kind, 0), ())
    )


def _blocks(kind: str, node: Node, origin: Origin, file: str, labels: int, given: tuple[str, ...]) -> Iterator[Block]:
    if isinstance(node, ListNode):
        for item in node.items:
            yield from _blocks(kind, item, item.origin, file, labels, given)
    elif not isinstance(node, MapNode):
        raise Refused(Kind.SYNTAX, node.origin, f"{kind} must be an object", hint="correct it")
    elif labels:
        for name, value in node.entries.items():
            yield from _blocks(kind, value, node.key_origin(name), file, labels - 1, (*given, name))
    else:
        inner = tuple(
            block
            for name, value in node.entries.items()
            if name in _INNER
            for block in _blocks(name, value, node.key_origin(name), file, _LABELS.get(name, 0), ())
        )
        attributes: dict[str, Attribute] = {
            name: Attribute(
                name=name, origin=node.key_origin(name), expression=_expression(name, value), file=file, value=value
            )
            for name, value in node.entries.items()
            if name not in _INNER and name != "//"
        }
        yield Block(type=kind, labels=given, origin=origin, attributes=attributes, blocks=inner, syntax=_NOTHING)


def _expression(name: str, value: Node) -> Syntax:
    """A text that stands for an expression, parsed; a placeholder for every other value."""
    if name not in _EXPRESSIONS or not isinstance(value, Scalar) or not isinstance(value.value, str):
        return _NOTHING
    text = value.value.strip()
    if text.startswith("${") and text.endswith("}"):
        text = text[2:-1]
    return _parsed(text, value.origin)


def _parsed(text: str, origin: Origin) -> Syntax:
    try:
        (block,) = parse_hcl(f"x {{\n v = {text}\n}}\n".encode(), origin.file)
        return block.attributes["v"].expression
    except (Refused, ValueError, KeyError):
        raise Refused(Kind.SYNTAX, origin, f"{text[:80]!r} is no expression", hint="correct it") from None


_NOTHING: Final = _parsed("null", Origin("", 0))
