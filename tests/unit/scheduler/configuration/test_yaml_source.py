"""YAML without surprises; what is refused is in the corpus (`corpus.FILES_AND_SYNTAX`), each with its line."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.configuration.nodes import MapNode, Scalar, leaves, plain
from scheduler.configuration.report import Refused
from scheduler.configuration.yaml_source import MAX_NODES, parse_yaml


def parsed(text: str) -> Any:
    return plain(parse_yaml(text.encode(), "x.yaml"))


CHARACTERS = st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"), exclude_characters="\u2028\u2029\ufeff")
TEXTS = st.text(CHARACTERS)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize("text", ["no", "yes", "on", "off", "y", "12:30:45", "2024-01-01", "1_000", "0.1.2", "NO"])
def test_what_yaml_1_1_takes_for_something_else_is_text(text: str) -> None:
    assert parsed(text) == text
    assert parsed(f"{text}: 1") == {text: 1}


@pytest.mark.parametrize(
    ("text", "value"),
    [("null", None), ("~", None), ("", None),
     ("true", True), ("FALSE", False), ("-7", -7), ("0", 0), ("1.5", 1.5),
     ("1e3", 1000.0), (".5", 0.5), ('"1"', "1"), ("'true'", "true"), ('""', ""), ("0.10", 0.1),
     ("|\n  a\n  b\n", "a\nb\n")],
)  # fmt: skip
def test_scalars_mean_what_the_core_schema_says(text: str, value: Any) -> None:
    assert parsed(text) == value
    assert type(parsed(text)) is type(value)


def test_each_leaf_knows_its_line_and_column_and_how_it_was_written() -> None:
    tree = parse_yaml(b"a: 1\nb:\n  - x\n  - {c: 1.10}\n", "x.yaml")
    assert {path: (str(leaf.origin), leaf.origin.column) for path, leaf in leaves(tree)} == {
        ("a",): ("x.yaml:1", 4),
        ("b", 0): ("x.yaml:3", 5),
        ("b", 1, "c"): ("x.yaml:4", 9),
    }
    last = list(leaves(tree))[-1][1]
    assert isinstance(last, Scalar)
    assert (last.value, last.text) == (1.1, "1.10")


def test_an_alias_is_the_value_itself_with_the_place_where_it_was_written() -> None:
    tree = parse_yaml(b"a: &x {k: 1}\nb: *x\n", "x.yaml")
    assert isinstance(tree, MapNode)
    assert tree.entries["a"] is tree.entries["b"]


def test_aliases_up_to_the_bound_are_taken_and_one_value_more_is_not() -> None:
    hundred = f"a: &a [{','.join('x' * 100)}]\n"
    fits = (MAX_NODES - 200) // 101
    assert len(parsed(f"{hundred}b: [{','.join(['*a'] * fits)}]")["b"]) == fits
    with pytest.raises(Refused, match="aliases"):
        parsed(f"{hundred}b: [{','.join(['*a'] * (fits + 2))}]")


def test_an_alias_of_itself_has_no_anchor_yet() -> None:
    with pytest.raises(Refused, match="no anchor"):
        parsed("a: &a [*a]")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | FLOATS | TEXTS,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcxyz", max_size=4), inner, max_size=4),
        max_leaves=10,
    )
)  # fmt: skip
def test_json_reads_as_what_it_is(value: Any) -> None:
    assert parsed(json.dumps(value, ensure_ascii=False)) == value


@given(st.binary(max_size=200))
def test_no_bytes_do_anything_but_parse_or_be_refused(content: bytes) -> None:
    try:
        parse_yaml(content, "x.yaml")
    except Refused as error:
        refused = error.finding
    else:
        return
    assert refused.origin.line >= 1


@given(st.text("abc:-{}[]&*!|>#'\"%@`, \n", max_size=60))
def test_no_text_does_anything_but_parse_or_be_refused(text: str) -> None:
    try:
        parse_yaml(text.encode(), "x.yaml")
    except Refused as error:
        refused = error.finding
    else:
        return
    assert refused.hint
