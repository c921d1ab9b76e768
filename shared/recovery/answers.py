"""Reads what the cloud answers."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Mapping
from xml.etree import ElementTree

from shared.recovery.described import GONE, Described
from shared.recovery.lookups import Lookup, instant, items_in
from shared.recovery.views import Candidate


def described(spec: Described, answer: str, made: Container[str] = ()) -> Iterable[Candidate]:
    """The items of one of EC2's answers that are still there.

    Args:
        spec: of their type.
        answer: XML.
        made: ids that answered a call.
    """
    for item in items_of(answer, spec.items):
        # A VPC's main table was made with it, by nobody's call; its default list of rules too. Another table may have
        # become the main one since it was made.
        by_nobody = text_at(item, "associationSet/item/main") == "true" or text_at(item, "default") == "true"
        if by_nobody and text_at(item, spec.id) not in made:
            continue
        if spec.state and text_at(item, spec.state) in GONE:
            continue
        yield Candidate(
            id=text_at(item, spec.id),
            attributes=attributes_at(item, spec.attributes),
            tags={text_at(tag, "key"): text_at(tag, "value") for tag in item.findall(f"{spec.tags}/item")},
            created_at=instant(text_at(item, spec.created)),
        )


def looked_up(lookup: Lookup, name: str, body: str) -> Iterable[Candidate]:
    """The items of an answer to a lookup that have the name.

    Args:
        lookup: what was asked.
        name: of what.
        body: the answer.
    """
    wanted = (lookup.name.removesuffix(":"), lookup.id, lookup.created)
    if lookup.json:
        found = [[item.get(path) for path in wanted] for item in items_in(json.loads(body), lookup.items)]
    else:
        found = [[text_at(item, path) for path in wanted] for item in root_of(body).findall(lookup.items)]
    for said, identifier, created in found:
        own = str(said).rpartition(":")[2] if lookup.name.endswith(":") else str(said)
        if not lookup.name or own == name:
            yield Candidate(
                id=str(identifier or name), attributes={lookup.attribute: name}, created_at=instant(created)
            )


def root_of(text: str) -> ElementTree.Element:
    """An XML answer, its names without their namespaces. Raises ParseError.

    Args:
        text: the answer.
    """
    root = ElementTree.fromstring(text)  # noqa: S314  # expat bounds entity expansion; the answer is bounded
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def items_of(text: str, name: str) -> list[ElementTree.Element]:
    """The items of a list.

    Args:
        text: XML.
        name: path of the list.
    """
    return root_of(text).findall(f"{name}/item")


def text_at(element: ElementTree.Element, path: str) -> str:
    """The text at a path; empty where there is none.

    Args:
        element: where the path begins; empty: nowhere.
        path: of element names.
    """
    return (element.findtext(path) or "").strip() if path else ""


def attributes_at(item: ElementTree.Element, names: Mapping[str, str]) -> dict[str, str]:
    """Attributes that the cloud names.

    Args:
        item: of an answer.
        names: Terraform's name -> path.
    """
    found = {attribute: text_at(item, path) for attribute, path in names.items()}
    return {attribute: value for attribute, value in found.items() if value}
