"""YAML text -> nodes, with the line of every leaf and without YAML's surprises.

Built from the parser's events, because only those say where an alias stands and show duplicate keys. Plain scalars
follow YAML 1.2's core schema: `no`, `on`, `12:30` and `2024-01-01` are text. What 1.1 and 1.2 read as different numbers
(`0123`, `0o17`, `0x1F`) is refused, as is a number that a float cannot hold exactly. No tags, no merge keys, one
document. Aliases are shared, not copied, and what they expand to is counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

import yaml

from scheduler.configuration.nodes import ListNode, MapNode, Node, Origin, Plain, Scalar
from scheduler.configuration.report import Kind, Refused

MAX_FILE_BYTES: Final = 1024 * 1024
MAX_DEPTH: Final = 64
MAX_NUMBER_CHARS: Final = 32
#: With aliases expanded; 1 MiB of YAML without aliases has no more.
MAX_NODES: Final = 500_000

_INTEGER: Final = re.compile(r"[-+]?(0|[1-9][0-9]*)\Z")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_AMBIGUOUS: Final = re.compile(r"[-+]?(0[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)\Z")
_NOT_FINITE: Final = re.compile(r"([-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))\Z")
_WORDS: Final[dict[str, Plain]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def decode(content: bytes, file: str) -> str:
    """`content` as text. Raises Refused for what is too large, not UTF-8, or holds control characters."""
    if len(content) > MAX_FILE_BYTES:
        raise Refused(
            Kind.SYNTAX, Origin(file, 1), f"larger than {MAX_FILE_BYTES // 2**20} MiB", hint="is this the right file?"
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise Refused(
            Kind.SYNTAX,
            Origin(file, line),
            f"byte 0x{content[error.start]:02x} is not UTF-8",
            hint="save the file as UTF-8 (`iconv -f latin1 -t utf-8`)",
        ) from None


def parse_yaml(content: bytes, file: str) -> Node:
    """Read one YAML document.

    Args:
        content: the file's bytes.
        file: its name, for origins and messages.

    Raises:
        Refused: it is not what this reader takes; names the line and the way out.
    """
    text = decode(content, file)
    try:
        return _Builder(text, file).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        message = " ".join(str(part) for part in (error.context, error.problem) if part)
        raise Refused(
            Kind.SYNTAX, Origin(file, line, column), f"not valid YAML: {message}", hint="mend the file"
        ) from None
    except yaml.YAMLError as error:
        # A character that YAML does not allow; the position is in characters.
        position = getattr(error, "position", 0)
        line = text.count("\n", 0, position) + 1
        raise Refused(
            Kind.SYNTAX, Origin(file, line), "holds a control character that YAML forbids", hint="remove it"
        ) from None


class _Builder:
    """Turns events into nodes; bounds depth and number."""

    def __init__(self, text: str, file: str) -> None:
        self._events: Iterator[Any] = yaml.parse(text, Loader=_LOADER)
        self._file = file
        self._anchors: dict[str, tuple[Node, int]] = {}
        self._count = 0

    def document(self) -> Node:
        next(self._events)  # the stream's start
        event = next(self._events)
        if isinstance(event, yaml.StreamEndEvent):
            return Scalar(value=None, origin=Origin(self._file, 1))
        node = self._node(next(self._events), 0)
        next(self._events)  # the document's end
        event = next(self._events)
        if not isinstance(event, yaml.StreamEndEvent):
            raise self._refused(event, "a second document begins", "one document a file; remove the line with ---")
        return node

    def _node(self, event: Any, depth: int) -> Node:
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        before, anchor = self._count, event.anchor
        self._counted(event, 1)
        if depth > MAX_DEPTH:
            raise self._refused(event, f"nested deeper than {MAX_DEPTH}", "flatten it")
        if event.tag is not None:
            raise self._refused(
                event, f"the tag {event.tag} is not supported", "remove it; quote what is meant as text"
            )
        origin = self._origin(event)
        node: Node
        if isinstance(event, yaml.ScalarEvent):
            node = Scalar(value=self._scalar(event), origin=origin, text=event.value)
        elif isinstance(event, yaml.SequenceStartEvent):
            items = []
            while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
                items.append(self._node(event, depth + 1))
            node = ListNode(items=tuple(items), origin=origin)
        else:
            node = self._map(origin, depth)
        if anchor is not None:
            self._anchors[anchor] = (node, self._count - before)
        return node

    def _map(self, origin: Origin, depth: int) -> MapNode:
        entries: dict[str, Node] = {}
        keys: dict[str, Origin] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._key(event)
            if key in entries:
                raise self._refused(
                    event, f"the key {key!r} stands here twice; first in line {keys[key].line}", "keep one"
                )
            keys[key] = self._origin(event)
            entries[key] = self._node(next(self._events), depth + 1)
        return MapNode(entries=entries, origin=origin, keys=keys)

    def _key(self, event: Any) -> str:
        if not isinstance(event, yaml.ScalarEvent) or event.tag is not None:
            raise self._refused(event, "a key must be plain text", "write it as a name")
        if event.implicit[0] and event.value == "<<":
            raise self._refused(event, "merge keys (<<) are not supported", "use layers, or repeat the entries")
        return str(event.value)

    def _alias(self, event: Any) -> Node:
        found = self._anchors.get(event.anchor)
        if found is None:
            raise self._refused(event, f"there is no anchor {event.anchor!r} above", "aliases follow their anchor")
        self._counted(event, found[1])
        return found[0]

    def _counted(self, event: Any, number: int) -> None:
        self._count += number
        if self._count > MAX_NODES:
            raise self._refused(
                event, f"more than {MAX_NODES} values once aliases are expanded", "remove aliases that hold aliases"
            )

    def _scalar(self, event: Any) -> Plain:
        text = str(event.value)
        if not event.implicit[0]:
            return text
        if text in _WORDS:
            return _WORDS[text]
        if len(text) <= MAX_NUMBER_CHARS and _INTEGER.match(text):
            return int(text)
        if _AMBIGUOUS.match(text):
            raise self._refused(
                event,
                f"{text} is another number in YAML 1.1 than in 1.2",
                f'write "{text}" for text, decimal for a number',
            )
        if _NOT_FINITE.match(text):
            raise self._refused(event, f"{text} is no number that Terraform has", f'write "{text}" for text')
        if _INTEGER.match(text) or _FLOAT.match(text):
            value = float(text)
            if (
                len(text) > MAX_NUMBER_CHARS
                or value in (float("inf"), float("-inf"))
                or Decimal(repr(value)) != Decimal(text)
            ):
                short = text if len(text) <= MAX_NUMBER_CHARS else f"{text[:MAX_NUMBER_CHARS]}…"
                raise self._refused(event, f"{short} cannot be kept exactly as a number", f'write "{short}" in quotes')
            return value
        return text

    def _origin(self, event: Any) -> Origin:
        return Origin(self._file, event.start_mark.line + 1, event.start_mark.column + 1)

    def _refused(self, event: Any, message: str, hint: str) -> Refused:
        return Refused(Kind.SYNTAX, self._origin(event), message, hint=hint)
