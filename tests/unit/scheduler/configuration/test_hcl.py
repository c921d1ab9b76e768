"""Terraform's native syntax: blocks, attributes and literals with their lines."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.configuration.hcl import Block, parse_hcl, parse_values
from scheduler.configuration.nodes import plain
from scheduler.configuration.report import Refused


def blocks(text: str) -> tuple[Block, ...]:
    return parse_hcl(text.encode(), "x.tf")


def value_of(expression: str) -> Any:
    (block,) = blocks(f"locals {{\n  x = {expression}\n}}\n")
    node = block.attributes["x"].literal()
    return "no literal" if node is None else plain(node)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ('"a"', "a"),
        ('""', ""),
        (r'"q\"\n\\ \u00e9 $${x} %%{y}"', 'q"\n\\ é ${x} %{y}'),
        ("0.10", 0.1),
        ("-3", -3),
        ("12", 12),
        ("true", True),
        ("null", None),
        ("[]", []),
        ('[1, "a", [true],]', [1, "a", [True]]),
        ('{ a = 1, "b c" : { d = null } }', {"a": 1, "b c": {"d": None}}),
        ("{}", {}),
        ('"a-${var.x}"', "no literal"),
        ("var.x", "no literal"),
        ("[var.x]", "no literal"),
        ("{ (var.x) = 1 }", "no literal"),
        ('upper("a")', "no literal"),
        ("1 + 1", "no literal"),
        ("<<EOT\n  a\nEOT", "  a\n"),
        # As `terraform plan` shows them.
        ('"%%%{"', "%%{"),
        ('"$$$${x}"', "$$${x}"),
        ("<<-EOT\n    a\n      b $${c}\n  EOT", "a\n  b ${c}\n"),
        ("<<EOT\n${var.a}\nEOT", "no literal"),
    ],
)
def test_a_literal_is_what_terraform_reads_and_nothing_else_is_evaluated(expression: str, value: Any) -> None:
    assert value_of(expression) == value


def test_blocks_know_labels_lines_and_what_is_inside() -> None:
    (first, second) = blocks('# c\nresource "a" b {\n  x = 1\n  y {\n    z = 2\n  }\n}\n\nlocals {}\n')
    assert (first.type, first.labels, first.origin.line) == ("resource", ("a", "b"), 2)
    assert first.attributes["x"].origin.line == 3
    assert (first.blocks[0].type, first.blocks[0].attributes["z"].text) == ("y", "2")
    assert (second.type, second.origin.line) == ("locals", 9)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a {\n  b = \n}\n", 2),
        ("a {\n", 1),
        ('a {\n  b = "x\n}\n', 2),
        ("a {}\n}\n", 2),
        ("x = 1\n", 1),
        ("a {\n  b = 1\n  b = 2\n}\n", 3),
        ('a {\n  b = "\n  x"\n}\n', 2),
    ],
)
def test_what_is_no_hcl_is_refused_near_the_place(text: str, line: int) -> None:
    with pytest.raises(Refused) as caught:
        blocks(text)
    assert abs(caught.value.finding.origin.line - line) <= 1


def test_blocks_nested_without_end_are_refused() -> None:
    with pytest.raises(Refused, match="nested deeper"):
        blocks("a {\n" * 300 + "}\n" * 300)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(0, 10**9) | st.text('abc "\\é${%{\n\t', max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text("abc é", min_size=1, max_size=4), inner, max_size=3)
        ),
        max_leaves=8,
    )
)
def test_a_literal_reads_back_as_the_value_it_was_written_from(value: Any) -> None:
    written = json.dumps(value, ensure_ascii=False).replace("${", "$${").replace("%{", "%%{")
    assert value_of(written) == value


@given(st.text('ab={}[]"$%<\n #/*.', max_size=80))
def test_no_text_does_anything_but_parse_or_be_refused(text: str) -> None:
    try:
        blocks(text)
    except Refused as error:
        refused = error.finding
    else:
        return
    assert refused.origin.line >= 1


@pytest.mark.parametrize("value", ["[" * 20_000 + "]" * 20_000, "(" * 20_000 + "1" + ")" * 20_000])
def test_what_is_nested_without_end_is_refused_at_once(value: str) -> None:
    with pytest.raises(Refused, match="nested deeper"):
        parse_hcl(f"a {{\n  b = {value}\n}}\n".encode(), "x.tf")


@pytest.mark.parametrize(
    ("text", "line"),
    [("a {} b {}", 1), ("a\n{\n}", 2), ("a {\n  b = 1\n  c = 2 d = 3\n}", 3), ("a {\n  b = 0x1\n}", 2)],
)
def test_what_only_the_grammar_lets_pass_is_refused(text: str, line: int) -> None:
    def read() -> None:
        for block in parse_hcl(f"{text}\n".encode(), "x.tf"):
            for attribute in block.attributes.values():
                attribute.literal()

    with pytest.raises(Refused) as caught:
        read()
    assert caught.value.finding.origin.line == line


def test_values_of_a_tfvars_file_are_read_and_blocks_are_not() -> None:
    values = parse_values(b"a = 1 # one\n\nb = [2]\n", "x.tfvars")
    assert {name: plain(one.literal()) for name, one in values.items() if one.literal()} == {"a": 1, "b": [2]}
    with pytest.raises(Refused, match=r"x\.tfvars:2: a block among values"):
        parse_values(b"a = 1\nb {}\n", "x.tfvars")
