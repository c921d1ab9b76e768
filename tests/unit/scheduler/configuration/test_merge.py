"""The laws of merging, and what each directive does."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.configuration.merge import Deep, compose, layer_patch, merge, patch_of, resolve
from scheduler.configuration.nodes import ListNode, MapNode, Node, Origin, Scalar, plain
from scheduler.configuration.report import Finding, Kind, Refused, Severity
from scheduler.configuration.yaml_source import parse_yaml

HERE = Origin("x", 1)


def node(value: Any) -> Node:
    if isinstance(value, dict):
        return MapNode(entries={key: node(item) for key, item in value.items()}, origin=HERE)
    if isinstance(value, list):
        return ListNode(items=tuple(node(item) for item in value), origin=HERE)
    return Scalar(value=value, origin=HERE)


def patch(value: Any) -> Deep:
    made = node(value)
    assert isinstance(made, MapNode)
    return layer_patch(made)


def merged(*layers: Any) -> Any:
    result = resolve(merge([patch(layer) for layer in layers]))
    return None if result is None else plain(result)


SCALARS = st.one_of(st.none(), st.booleans(), st.integers(0, 3), st.sampled_from(["a", "b"]))
KEYS = st.sampled_from(["a", "b", "c"])
LITERALS = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=4
)


def directives(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    items = st.lists(st.sampled_from(["a", "b", "c", 1]), max_size=2)
    return st.one_of(
        st.dictionaries(KEYS, values, max_size=3),
        st.lists(LITERALS, max_size=3),
        st.fixed_dictionaries({"$append": st.lists(LITERALS, max_size=2)}, optional={"$remove": items}),
        st.fixed_dictionaries({"$remove": items}),
        st.fixed_dictionaries({"$replace": LITERALS}),
        st.builds(
            lambda removed, kept: {"$remove": removed, **{k: v for k, v in kept.items() if k not in removed}},
            items,
            st.dictionaries(KEYS, values, max_size=2),
        ),
    )


PATCHES = st.recursive(SCALARS, directives, max_leaves=8)
LAYERS = st.dictionaries(KEYS, PATCHES, max_size=3)


@given(PATCHES, PATCHES, PATCHES)
def test_grouping_never_matters(first: Any, second: Any, third: Any) -> None:
    a, b, c = (patch_of(node(value)) for value in (first, second, third))
    assert compose(compose(a, b), c) == compose(a, compose(b, c))


@given(LAYERS, LAYERS, LAYERS)
def test_grouping_never_matters_for_the_values_of_whole_layers(first: Any, second: Any, third: Any) -> None:
    a, b, c = patch(first), patch(second), patch(third)
    left, right = resolve(merge([merge([a, b]), c])), resolve(merge([a, merge([b, c])]))
    assert left is not None
    assert right is not None
    assert plain(left) == plain(right) == merged(first, second, third)


@given(LAYERS)
def test_an_empty_layer_changes_nothing_above_or_below(layer: Any) -> None:
    assert merged(layer, {}) == merged({}, layer) == merged(layer)


@given(LAYERS, KEYS, LITERALS.filter(lambda value: not isinstance(value, dict)))
def test_the_last_writer_of_a_value_wins(layer: Any, key: str, value: Any) -> None:
    assert merged(layer, {key: value})[key] == value


@given(LAYERS, KEYS, LITERALS)
def test_what_is_replaced_is_replaced_whatever_it_was(layer: Any, key: str, value: Any) -> None:
    assert merged(layer, {key: {"$replace": value}})[key] == value


@given(LAYERS)
def test_the_same_layer_twice_is_the_same_as_once_unless_it_appends(layer: Any) -> None:
    if "$append" not in repr(layer) and "$remove" not in repr(layer):
        assert merged(layer, layer) == merged(layer)


@pytest.mark.parametrize(
    ("sentence", "low", "high", "result"),
    [
        ("maps merge deep", {"a": {"b": {"x": 1}}}, {"a": {"b": {"y": 2}}}, {"a": {"b": {"x": 1, "y": 2}}}),
        ("lists replace", {"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ("null replaces", {"a": {"x": 1}}, {"a": None}, {"a": None}),
        ("a map over null is that map", {"a": None}, {"a": {"x": 1}}, {"a": {"x": 1}}),
        ("append appends", {"a": [1]}, {"a": {"$append": [2]}}, {"a": [1, 2]}),
        ("append to nothing is a list", {}, {"a": {"$append": [2]}}, {"a": [2]}),
        ("remove takes items out", {"a": [1, 2, 1]}, {"a": {"$remove": [1]}}, {"a": [2]}),
        ("true is not 1", {"a": [True, 1]}, {"a": {"$remove": [1]}}, {"a": [True]}),
        ("remove takes keys out", {"a": {"x": 1, "y": 2}}, {"a": {"$remove": ["x"]}}, {"a": {"y": 2}}),
        ("remove, then append", {"a": [1, 2]}, {"a": {"$remove": [1], "$append": [1]}}, {"a": [2, 1]}),
        ("remove beside values", {"a": {"x": 1}}, {"a": {"$remove": ["x"], "y": 2}}, {"a": {"y": 2}}),
        ("remove a whole value", {"a": 1, "b": 2}, {"$remove": ["a"]}, {"b": 2}),
        ("replace replaces maps", {"a": {"x": 1}}, {"a": {"$replace": {"y": 2}}}, {"a": {"y": 2}}),
        ("two dollars are one", {}, {"a": {"$$ref": 1}}, {"a": {"$ref": 1}}),
        ("an empty map is a value", {}, {"a": {}}, {"a": {}}),
    ],
)
def test_what_each_way_of_writing_does(sentence: str, low: Any, high: Any, result: Any) -> None:
    assert merged(low, high) == result, sentence


def test_a_map_over_a_number_hides_what_lay_below_the_number_too() -> None:
    assert merged({"a": {"x": 1}}, {"a": 5}, {"a": {"y": 2}}) == {"a": {"y": 2}}


def heard(*texts: str) -> list[Finding]:
    complaints: list[Finding] = []
    layers = []
    for text in texts:
        tree = parse_yaml(text.encode(), "x")
        assert isinstance(tree, MapNode)
        layers.append(layer_patch(tree))
    resolve(merge(layers, complaints.append), complaints.append)
    return complaints


@pytest.mark.parametrize("text", ["a: {$remove: [z]}", "$remove: [z]", "a: {$remove: [z], $append: [y]}"])
def test_taking_out_what_is_not_there_is_told_with_its_place(text: str) -> None:
    (complaint,) = heard("b: 1\n", f"\n{text}\n")
    assert (complaint.kind, complaint.origin.line) == (Kind.UNRESOLVED, 2)


@pytest.mark.parametrize(
    "texts",
    [
        ("a: {z: 1}", "a: {$remove: [z]}"),
        ("a: [z]", "a: {$remove: [z]}"),
        ("a: {$append: [z]}", "a: {$remove: [z]}"),
        ("a: 1", "$remove: [a]"),
        ("a: {z: {y: 1}}", "a: {$remove: [z], x: 1}"),
    ],
)
def test_taking_out_what_is_there_is_not_told(texts: tuple[str, ...]) -> None:
    assert heard(*texts) == []


def test_a_map_over_what_is_no_map_is_a_warning() -> None:
    (complaint,) = heard("a: [1]", "a: {b: 1}")
    assert (complaint.kind, complaint.severity) == (Kind.SHADOWED, Severity.WARNING)


@pytest.mark.parametrize("low", ["a: {b: 1}", "a: 1", "a: {$replace: {b: 1}}"])
def test_an_append_to_what_is_no_list_is_an_error(low: str) -> None:
    (complaint,) = heard(low, "a: {$append: [1]}")
    assert (complaint.kind, complaint.severity) == (Kind.MISTYPED, Severity.ERROR)


def test_what_is_to_be_removed_and_is_not_there_is_named_as_it_is_written() -> None:
    assert [one.message.split(":")[0] for one in heard("a: {b: 1}", "a: {$remove: [true, 1.50, c]}")] == [
        "true",
        "1.50",
        "c",
    ]


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ({"a": {"$apend": [1]}}, "no directive"),
        ({"a": {"$append": [1], "b": 1}}, "beside"),
        ({"a": {"$replace": 1, "$append": [1]}}, "beside"),
        ({"a": {"$append": 1}}, "takes a list"),
        ({"a": {"$remove": [None]}}, "cannot take null"),
        ({"a": [{"$append": [1]}]}, "inside a list"),
        ({"a": {"$remove": ["b"], "b": 1}}, "both removed and set"),
        ({"$append": [1]}, "no place here"),
    ],
)
def test_directives_that_make_no_sense_are_refused(layer: Any, message: str) -> None:
    with pytest.raises(Refused, match=message.replace("$", r"\$")):
        patch(layer)
