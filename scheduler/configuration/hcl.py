"""Terraform's native syntax, as far as declarations go: blocks, attributes, literals, each with its line.

Parsed by tree-sitter's HCL grammar. Nothing is evaluated: an expression is either a literal (a `Node`) or text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import tree_sitter
import tree_sitter_hcl

from scheduler.configuration.nodes import ListNode, MapNode, Node, Origin, Scalar
from scheduler.configuration.report import Kind, Refused
from scheduler.configuration.yaml_source import decode

type Syntax = tree_sitter.Node

_LANGUAGE: Final = tree_sitter.Language(tree_sitter_hcl.language())
#: An escaped `%{` or `${` behind a further `%` or `$` is more than the grammar knows: what it parses has other bytes
#: there, as many, which no file holds.
_MASKS: Final = ((b"%%%{", b"%\x01\x02\x03"), (b"$$${", b"$\x01\x02\x04"))
_ESCAPE: Final = re.compile(r'\\(?:([nrt"\\])|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))|\$\$\{|%%\{')
_SIMPLE: Final = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}
#: Longer ones are exact only for Terraform.
_INTEGER: Final = re.compile(r"[0-9]{1,40}\Z")
_NUMBER: Final = re.compile(r"[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?\Z")
#: Nesting of blocks; the walk over them is recursive.
MAX_DEPTH: Final = 200
#: Nesting of whatever the grammar knows; a list in a list is about four levels.
MAX_SYNTAX_DEPTH: Final = 600


@dataclass(frozen=True, kw_only=True)
class Attribute:
    """`name = expression`."""

    name: str
    """Its name."""
    origin: Origin
    """Where it stands."""
    expression: Syntax
    """What is right of the equals sign."""
    file: str
    """The file, for what lies inside."""
    value: Node | None = None
    """Its value where that is known without the expression (JSON)."""

    @property
    def text(self) -> str:
        """The expression as it was written, on one line."""
        return " ".join(text_of(self.expression).split())

    def literal(self) -> Node | None:
        """The expression's value, or None when it is no literal."""
        return self.value if self.value is not None else literal(self.expression, self.file)


@dataclass(frozen=True, kw_only=True)
class Block:
    """`type "label" { … }`."""

    type: str
    """Its type."""
    labels: tuple[str, ...]
    """Its labels."""
    origin: Origin
    """Where it begins."""
    attributes: dict[str, Attribute]
    """Its attributes by name."""
    blocks: tuple[Block, ...]
    """The blocks inside."""
    syntax: Syntax
    """The whole block."""

    def text(self, name: str) -> str | None:
        """A text attribute's value; None: not there, or no literal. Raises Refused for a list and a map."""
        attribute = self.attributes.get(name)
        value = attribute.literal() if attribute else None
        if attribute is not None and isinstance(value, ListNode | MapNode):
            raise Refused(Kind.SYNTAX, attribute.origin, f"{name} must be a text", hint="write it in quotes")
        if not isinstance(value, Scalar) or value.value is None:
            return None
        # Terraform converts: `version = 1.0` is "1.0".
        return value.value if isinstance(value.value, str) else value.text or str(value.value)


def parse_hcl(content: bytes, file: str) -> tuple[Block, ...]:
    """The blocks of a `.tf` file.

    Raises:
        Refused: not UTF-8, too large, or not HCL; names the line.
    """
    blocks: list[Block] = []
    for attributes, inner in _bodies(content, file):
        if attributes:
            first = next(iter(attributes.values()))
            raise Refused(Kind.SYNTAX, first.origin, f"{first.name} stands outside of any block", hint="mend the file")
        blocks.extend(inner)
    return tuple(blocks)


def parse_values(content: bytes, file: str) -> dict[str, Attribute]:
    """The values of a `.tfvars` file by name. Raises Refused as `parse_hcl` does, and for a block."""
    values: dict[str, Attribute] = {}
    for attributes, inner in _bodies(content, file):
        if inner:
            raise Refused(Kind.SYNTAX, inner[0].origin, "a block among values", hint="is this a .tfvars file?")
        values.update(attributes)
    return values


def _bodies(content: bytes, file: str) -> Iterator[tuple[dict[str, Attribute], tuple[Block, ...]]]:
    decode(content, file)
    for written, masked in _MASKS:
        content = content.replace(written, masked)
    root = tree_sitter.Parser(_LANGUAGE).parse(content).root_node
    # First: looking for siblings and parents takes the longer, the deeper a node lies.
    _refuse_depth(root, file)
    for node in walk(root):
        if _runs_on(node):
            raise Refused(Kind.SYNTAX, _origin(node, file), "a quoted text does not end in its line", hint="close it")
    if root.has_error:
        raise _syntax_error(root, file)
    for body in root.named_children:
        if body.type != "comment":
            yield _body(body, file, depth=0)


def _refuse_depth(root: Syntax, file: str) -> None:
    cursor = root.walk()
    while True:
        if cursor.depth > MAX_SYNTAX_DEPTH and cursor.node is not None:
            raise Refused(
                Kind.SYNTAX, _origin(cursor.node, file), "nested deeper than this reader follows", hint="flatten it"
            )
        if cursor.goto_first_child() or cursor.goto_next_sibling():
            continue
        while cursor.goto_parent():
            if cursor.goto_next_sibling():
                break
        else:
            return


def literal(expression: Syntax, file: str) -> Node | None:
    """What a literal expression means; None for anything that needs evaluation."""
    node = _only(expression)
    origin = _origin(node, file)
    text = text_of(node)
    match node.type:
        case "string_lit":
            value = _string(node)
            return None if value is None else Scalar(value=value, origin=origin, text=text)
        case "heredoc_template":
            lines = _heredoc(node)
            return None if lines is None else Scalar(value=lines, origin=origin, text=text)
        case "numeric_lit":
            if not _NUMBER.match(text):
                raise Refused(Kind.SYNTAX, origin, f"{text[:40]} is no number in HCL", hint="write it as a decimal")
            return Scalar(value=int(text) if _INTEGER.match(text) else float(text), origin=origin, text=text)
        case "unary_operation" if node.child_count == 2 and text.startswith("-"):
            inner = literal(node.children[1], file)
            if isinstance(inner, Scalar) and isinstance(inner.value, int | float) and not isinstance(inner.value, bool):
                return Scalar(value=-inner.value, origin=origin, text=text)
            return None
        case "bool_lit":
            return Scalar(value=text == "true", origin=origin, text=text)
        case "null_lit":
            return Scalar(value=None, origin=origin, text=text)
        case "tuple":
            items = [literal(item, file) for item in node.named_children if item.type == "expression"]
            known = tuple(item for item in items if item is not None)
            return ListNode(items=known, origin=origin) if len(known) == len(items) else None
        case "object":
            return _object(node, file, origin)
        case _:
            return None


def object_elements(node: Syntax, file: str) -> Iterator[tuple[str | None, Origin, Syntax]]:
    """Key (None: computed), its place, and value of each element of an `object` node."""
    for element in node.named_children:
        if element.type != "object_elem":
            continue
        expressions = [child for child in element.named_children if child.type == "expression"]
        key = _only(expressions[0])
        name = text_of(key) if key.type in {"variable_expr", "identifier"} else None
        if key.type == "string_lit":
            name = _string(key)
        elif key.type == "numeric_lit":
            name = text_of(key)
        yield name, _origin(key, file), expressions[1]


def walk(node: Syntax) -> Iterator[Syntax]:
    """Every node below, in the order of the text; without recursion."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        yield one
        waiting.extend(reversed(one.children))


def text_of(node: Syntax) -> str:
    """The text of a node, as it is written."""
    text = node.text or b""
    for written, masked in _MASKS:
        text = text.replace(masked, written)
    return text.decode()


def unwrapped(expression: Syntax) -> Syntax:
    """The node that an expression consists of, parentheses and wrappers taken off."""
    return _only(expression)


def _object(node: Syntax, file: str, origin: Origin) -> MapNode | None:
    entries: dict[str, Node] = {}
    keys: dict[str, Origin] = {}
    for name, place, expression in object_elements(node, file):
        value = literal(expression, file)
        if name is None or value is None:
            return None
        entries[name], keys[name] = value, place
    return MapNode(entries=entries, origin=origin, keys=keys)


_WRAPPERS: Final = frozenset({"expression", "literal_value", "collection_value", "operation", "template_expr"})


def _only(node: Syntax) -> Syntax:
    while node.type in _WRAPPERS:
        inner = [child for child in node.named_children if child.type != "comment"]
        if len(inner) != 1:
            break
        node = inner[0]
    return node


def _string(node: Syntax) -> str | None:
    if any(child.type not in _PLAIN for child in node.named_children):
        return None
    # Not from the children: the grammar drops white space at the beginning of a text.
    return _ESCAPE.sub(_unescape, text_of(node)[1:-1])


def _heredoc(node: Syntax) -> str | None:
    """The text of `<<END` or `<<-END`; None where something in it is to be evaluated."""
    if any(child.type in {"template_interpolation", "template_directive"} for child in walk(node)):
        return None
    first, *lines = text_of(node).rstrip("\n").split("\n")
    lines = [line.removesuffix("\r") for line in lines[:-1]]
    if first.startswith("<<-"):
        indent = min((len(line) - len(line.lstrip(" \t")) for line in lines if line.strip()), default=0)
        lines = [line[indent:] for line in lines]
    return "".join(f"{line}\n" for line in lines).replace("$${", "${").replace("%%{", "%{")


_PLAIN: Final = frozenset({"template_literal", "quoted_template_start", "quoted_template_end"})


def _runs_on(node: Syntax) -> bool:
    """Whether a quoted text goes on in the next line: the grammar lets it, Terraform does not."""
    if node.type == "string_lit":
        return b"\n" in (node.text or b"") and all(child.type in _PLAIN for child in node.named_children)
    before = node.prev_sibling
    quoted = node.type == "template_literal" and before is not None and before.type == "quoted_template_start"
    return quoted and b"\n" in (node.text or b"")


def _unescape(match: re.Match[str]) -> str:
    if match[1]:
        return _SIMPLE[match[1]]
    if match[2] or match[3]:
        code = int(match[2] or match[3], 16)
        return chr(code) if code < 0x110000 else "\ufffd"
    return match[0][1:]


def _body(body: Syntax, file: str, *, depth: int) -> tuple[dict[str, Attribute], tuple[Block, ...]]:
    attributes: dict[str, Attribute] = {}
    blocks: list[Block] = []
    before = None
    for child in body.named_children:
        if child.type == "comment":
            continue
        if before is not None and child.start_point.row == before.end_point.row:
            raise Refused(Kind.SYNTAX, _origin(child, file), "must begin on a line of its own", hint="break the line")
        before = child
        if child.type == "attribute":
            name = text_of(child.named_children[0])
            origin = _origin(child, file)
            if name in attributes:
                raise Refused(Kind.SYNTAX, origin, f"{name} is set twice in one block", hint="keep one")
            attributes[name] = Attribute(name=name, origin=origin, expression=child.named_children[-1], file=file)
        elif child.type == "block":
            blocks.append(_block(child, file, depth=depth + 1))
    return attributes, tuple(blocks)


def _block(node: Syntax, file: str, *, depth: int) -> Block:
    if depth > MAX_DEPTH:
        raise Refused(Kind.SYNTAX, _origin(node, file), f"blocks nested deeper than {MAX_DEPTH}", hint="flatten them")
    words = [
        _string(child) or "" if child.type == "string_lit" else text_of(child)
        for child in node.named_children
        if child.type in {"identifier", "string_lit"}
    ]
    opening = next((child for child in node.named_children if child.type == "block_start"), None)
    if opening is not None and opening.start_point.row != node.start_point.row:
        raise Refused(
            Kind.SYNTAX, _origin(opening, file), "`{` must stand in the line that begins the block", hint="move it up"
        )
    inner = next((child for child in node.named_children if child.type == "body"), None)
    attributes, blocks = _body(inner, file, depth=depth) if inner is not None else ({}, ())
    return Block(
        type=words[0],
        labels=tuple(words[1:]),
        origin=_origin(node, file),
        attributes=attributes,
        blocks=blocks,
        syntax=node,
    )


def _syntax_error(root: Syntax, file: str) -> Refused:
    worst = next((node for node in walk(root) if node.is_missing), None)
    if worst is None:
        errors = [node for node in walk(root) if node.is_error]
        # The innermost: an outer one may span the whole file.
        worst = min(errors, key=lambda node: node.end_byte - node.start_byte, default=root)
    what = f"{worst.type!r} is missing" if worst.is_missing else "this is not HCL"
    return Refused(Kind.SYNTAX, _origin(worst, file), what, hint="`terraform fmt` shows the place more precisely")


def _origin(node: Syntax, file: str) -> Origin:
    return Origin(file, node.start_point.row + 1, node.start_point.column + 1)
