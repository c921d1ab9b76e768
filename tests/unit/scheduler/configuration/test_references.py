"""References keep types, show both places and are never resolved twice."""

from __future__ import annotations

from scheduler.configuration.nodes import Node, Scalar, plain
from scheduler.configuration.references import resolve_references
from scheduler.configuration.report import Finding
from scheduler.configuration.yaml_source import parse_yaml

SCOPE: dict[str, Node | None] = {
    "region.name": parse_yaml(b"north", "r"),
    "region.zones": parse_yaml(b"[a, b]", "r"),
    "region.account": None,
    "region.odd": parse_yaml(b"'${region.name}'", "r"),
}


def resolved(text: str) -> tuple[object, list[Finding]]:
    heard: list[Finding] = []
    node = resolve_references(parse_yaml(text.encode(), "f"), SCOPE, heard.append)
    return plain(node), heard


def test_a_reference_alone_keeps_the_type() -> None:
    assert resolved("${region.zones}") == (["a", "b"], [])


def test_inside_a_text_it_is_text() -> None:
    assert resolved("a-${region.name}-${ region.name }") == ("a-north-north", [])


def test_two_dollars_are_left_to_terraform() -> None:
    assert resolved("$${region.name}") == ("${region.name}", [])
    assert resolved("{a: 'x $${var.y} ${region.name}'}") == ({"a": "x ${var.y} north"}, [])


def test_what_came_through_a_reference_is_not_resolved_again() -> None:
    assert resolved("${region.odd}") == ("${region.name}", [])


def test_what_leads_nowhere_is_told_and_stays() -> None:
    for text in ("${region.nothing}", "x ${region.account}", "x ${region.zones}", "${region.name"):
        value, heard = resolved(text)
        assert value == text
        assert len(heard) == 1, text


def test_a_value_without_reference_is_the_same_object() -> None:
    tree = parse_yaml(b"{a: [1, x], b: {c: '$'}}", "f")
    assert resolve_references(tree, SCOPE, lambda finding: None) is tree


def test_both_places_are_known() -> None:
    node = resolve_references(parse_yaml(b"\n\n${region.name}", "f"), SCOPE, lambda finding: None)
    assert isinstance(node, Scalar)
    assert (str(node.origin), str(node.via)) == ("r:1", "f:3")
