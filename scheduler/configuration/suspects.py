"""Values in a generic configuration that look as if a region should say what they are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from scheduler.configuration.hcl import Block, Syntax, text_of, walk
from scheduler.configuration.nodes import Origin

_AWS_REGION: Final = (
    r"(?:us|eu|ap|sa|ca|me|af|il|mx|cn|us-gov|us-iso|us-isob|eu-isoe)-"
    r"(?:north|south|east|west|central|northeast|northwest|southeast|southwest)-[0-9]"
)
_GOOGLE_REGION: Final = (
    r"(?:us|europe|asia|australia|northamerica|southamerica|me|africa)-"
    r"(?:north|south|east|west|central|northeast|northwest|southeast|southwest)[0-9]{1,2}"
)
_OCI_REGION: Final = r"(?:us|eu|uk|ap|sa|ca|me|af|il|mx)-[a-z]+-[0-9]"
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
    skipped: set[int] = set()
    for node in walk(block.syntax):
        if node.type == "attribute" and text_of(node.named_children[0]) in _SKIPPED_ATTRIBUTES:
            skipped.update(child.id for child in walk(node))
        if node.type == "template_literal" and node.id not in skipped:
            yield from _in_text(node, file)


def _in_text(node: Syntax, file: str) -> Iterator[Suspect]:
    text = text_of(node)
    taken: list[tuple[int, int]] = []
    for what, pattern in PATTERNS:
        for match in pattern.finditer(text):
            if _GENERIC_ARN.match(match[0]) or any(start < match.end() and match.start() < end for start, end in taken):
                continue
            taken.append(match.span())
            line = node.start_point.row + 1 + text.count("\n", 0, match.start())
            yield Suspect(what=what, value=match[0], origin=Origin(file, line, _column(node, text, match.start())))


def _column(node: Syntax, text: str, start: int) -> int:
    newline = text.rfind("\n", 0, start)
    return node.start_point.column + 1 + start if newline < 0 else start - newline
