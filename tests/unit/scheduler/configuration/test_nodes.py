"""Nodes: what they mean, where they stand."""

from __future__ import annotations

import pytest

from scheduler.configuration.nodes import dotted, find, in_layer, leaves, origin_at, plain, same
from scheduler.configuration.yaml_source import parse_yaml

TREE = parse_yaml(b"a:\n  b: [1, {c: x}]\nd: {}\n", "x")


def test_a_node_is_the_value_it_stands_for() -> None:
    assert plain(TREE) == {"a": {"b": [1, {"c": "x"}]}, "d": {}}


def test_leaves_are_scalars_and_what_is_empty() -> None:
    assert [(dotted(path), plain(leaf)) for path, leaf in leaves(TREE)] == [("a.b[0]", 1), ("a.b[1].c", "x"), ("d", {})]


def test_a_layer_is_written_on_every_origin() -> None:
    placed = in_layer(TREE, "flock")
    assert {leaf.origin.layer for _, leaf in leaves(placed)} == {"flock"}
    assert same(placed, TREE)


@pytest.mark.parametrize(
    ("path", "line"), [(("a",), 1), (("a", "b"), 2), (("a", "b", 1, "c"), 2), (("d", "no"), 3), (("a", "b", 9), 2)]
)
def test_a_path_stands_where_its_key_stands_or_where_it_would(path: tuple[str | int, ...], line: int) -> None:
    assert origin_at(TREE, path).line == line


def test_what_is_not_there_is_not_found() -> None:
    found = find(TREE, ("a", "b", 0))
    assert found is not None
    assert plain(found) == 1
    assert find(TREE, ("a", "x")) is None
    assert find(TREE, ("a", "b", 7)) is None


@pytest.mark.parametrize(("left", "right", "alike"), [("1", "1.0", True), ("1", "true", False), ("0", "false", False),
    ("[1]", "[1, 2]", False), ("{a: 1}", "{a: 2}", False), ("{}", "[]", False), ("'1'", "1", False)])  # fmt: skip
def test_the_same_means_the_same_in_terraform(left: str, right: str, alike: bool) -> None:
    assert same(parse_yaml(left.encode(), "x"), parse_yaml(right.encode(), "x")) is alike


@pytest.mark.parametrize(("path", "text"), [(("a", "b.c"), 'a["b.c"]'), ((0, "x"), "[0].x"), (("a", ""), 'a[""]')])
def test_a_path_is_written_without_doubt(path: tuple[str | int, ...], text: str) -> None:
    assert dotted(path) == text
