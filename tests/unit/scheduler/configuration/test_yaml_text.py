"""What is written is read as the same, by this reader's rules and by YAML 1.1's."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from scheduler.configuration.nodes import plain
from scheduler.configuration.yaml_source import parse_yaml
from scheduler.configuration.yaml_text import yaml_text

TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_what_is_written_is_read_as_the_same(value: Any) -> None:
    text = yaml_text(value)
    assert plain(parse_yaml(text.encode(), "x")) == value
    assert yaml.safe_load(text) == value


@pytest.mark.parametrize(
    "text", ["no", "1e3", "0o17", "0x1F", "012", ".5", "~", "<<", "a: b", "# a", "1.10", "", "é", "="]
)
def test_a_text_that_could_be_something_else_stays_a_text(text: str) -> None:
    assert plain(parse_yaml(yaml_text({"a": text, "b": [text]}).encode(), "x")) == {"a": text, "b": [text]}


def test_what_appears_twice_is_written_twice() -> None:
    shared = {"a": [1]}
    assert "&" not in yaml_text([shared, shared])
