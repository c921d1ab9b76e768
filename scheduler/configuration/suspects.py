"""Values in a generic configuration that look as if a region should say what they are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from scheduler.configuration.hcl import Block, text_of, walk
from scheduler.configuration.nodes import ListNode, MapNode, Node, Origin, Scalar

_AWS_REGION: Final = (
    r"(?:us|eu|ap|sa|ca|me|af|il|mx|cn|us-gov|us-iso|us-isob|eu-isoe)-"
    r"(?:north|south|east|west|central|northeast|northwest|southeast|southwest)-[0-9]"
)
_GOOGLE_REGION: Final = (
    r"(?:us|europe|asia|australia|northamerica|southamerica|me|africa)-"
    r"(?:north|south|east|west|central|northeast|northwest|southeast|southwest)[0-9]{1,2}"
)
_OCI_REGION: Final = r"(?:us|eu|uk|ap|sa|ca|me|af|il|mx)-[a-z]+-[0-9]"
#: A cloud's region as a part of a name: of a folder, a workspace, a project.
REGION_IN_NAME: Final = re.compile(
    rf"(?<![A-Za-z0-9])({_AWS_REGION}|{_GOOGLE_REGION}|{_OCI_REGION})(?![A-Za-z0-9])", re.ASCII
)
#: The first that matches a place names it.
PATTERNS: Final[tuple[tuple[str, re.Pattern[str]], ...]] = tuple(
    (what, re.compile(rf"(?<![A-Za-z0-9-])(?:{pattern})(?![A-Za-z0-9-])"))
    for what, pattern in (
        ("ARN", r"arn:aws[a-z-]*:[a-z0-9-]+:[^\s\"']*"),
        ("OCID", r"ocid1\.[a-z0-9]+\.[A-Za-z0-9.-]+"),
        ("zone", rf"{_AWS_REGION}[a-z]|{_GOOGLE_REGION}-[a-f]"),
        ("region", rf"{_AWS_REGION}|{_GOOGLE_REGION}|{_OCI_REGION}"),
        ("account id", r"[0-9]{12}"),
    )
)
#: An ARN of the cloud's own, the same everywhere.
_GENERIC_ARN: Final = re.compile(r"arn:aws:iam::aws:")
#: Blocks whose texts are meant to be constant, and attributes that are for people.
_SKIPPED_BLOCKS: Final = frozenset({"variable", "terraform"})
_SKIPPED_ATTRIBUTES: Final = frozenset({"description", "error_message", "source", "version"})


@dataclass(frozen=True, kw_only=True)
class Suspect:
    """One hard-coded value."""

    what: str
    """region, zone, account id, ARN, OCID."""
    value: str
    """The value."""
    origin: Origin
    """Where it stands."""


def suspects_in(block: Block, file: str) -> Iterator[Suspect]:
    """What is hard-coded in one top-level block."""
    if block.type in _SKIPPED_BLOCKS:
        return
    for name, attribute in block.attributes.items():
        if attribute.value is not None and name not in _SKIPPED_ATTRIBUTES:
            yield from _in_json(attribute.value)
    skipped: set[int] = set()
    for node in walk(block.syntax):
        if node.type == "attribute" and text_of(node.named_children[0]) in _SKIPPED_ATTRIBUTES:
            skipped.update(child.id for child in walk(node))
        if node.id in skipped:
            continue
        # `{ eu-west-1 = … }`: a bare word as a key; a quoted one is a text of its own.
        written = node.named_children[0] if node.type == "object_elem" else node
        if node.type in {"template_literal", "numeric_lit"} or (written is not node and text_of(written)[:1].isalpha()):
            start = written.start_point
            yield from _in_text(text_of(written), Origin(file, start.row + 1, start.column + 1))


def _in_json(node: Node) -> Iterator[Suspect]:
    """What is hard-coded in a value of the JSON syntax; keys count, as the names of map entries."""
    match node:
        case Scalar():
            if not isinstance(node.value, bool | None):
                yield from _in_text(node.text or str(node.value), node.origin)
        case ListNode():
            for item in node.items:
                yield from _in_json(item)
        case MapNode():
            for key, value in node.entries.items():
                if key not in _SKIPPED_ATTRIBUTES and key != "//":
                    yield from _in_text(key, node.key_origin(key))
                    yield from _in_json(value)


def _in_text(text: str, begin: Origin) -> Iterator[Suspect]:
    """What is hard-coded in a text that begins at `begin`."""
    taken: list[tuple[int, int]] = []
    for what, pattern in PATTERNS:
        for match in pattern.finditer(text):
            if _GENERIC_ARN.match(match[0]) or any(start < match.end() and match.start() < end for start, end in taken):
                continue
            taken.append(match.span())
            line = begin.line + text.count("\n", 0, match.start())
            newline = text.rfind("\n", 0, match.start())
            column = begin.column + match.start() if newline < 0 else match.start() - newline
            yield Suspect(what=what, value=match[0], origin=Origin(begin.file, line, column))
