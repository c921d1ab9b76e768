"""Type constraints as Terraform writes them, and which values fit without loss."""

from __future__ import annotations

import pytest

from scheduler.configuration.constraints import Type, check_type, parse_type
from scheduler.configuration.hcl import parse_hcl
from scheduler.configuration.report import Kind, Refused
from scheduler.configuration.yaml_source import parse_yaml


def type_of(text: str) -> Type:
    (block,) = parse_hcl(f"v {{\n  type = {text}\n}}\n".encode(), "x.tf")
    return parse_type(block.attributes["type"].expression, "x.tf")


def faults(type_text: str, value: str) -> list[tuple[Kind, str]]:
    node = parse_yaml(value.encode(), "v.yaml")
    return [(one.kind, one.message) for one in check_type(node, type_of(type_text), ("v",))]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("string", "string"),
        ('"string"', "string"),
        ("list", "list(any)"),
        ("map(list(set(bool)))", "map(list(set(bool)))"),
        ("tuple([string, number])", "tuple([string, number])"),
        ("object({})", "object({})"),
        (
            'object({\n a = optional(string, "x") # c\n b = object({ c = any })\n "d" : optional(number)\n})',
            'object({a = optional(string, "x"), b = object({c = any}), d = optional(number)})',
        ),
    ],
)
def test_a_constraint_is_read_as_it_is_written(written: str, read: str) -> None:
    assert str(type_of(written)) == read


@pytest.mark.parametrize("text", ["strin", "list(a, b)", "object(string)", "var.x", "map()", "[string]", "1"])
def test_what_is_no_constraint_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="no type constraint"):
        type_of(text)


@pytest.mark.parametrize(
    ("type_text", "value"),
    [
        ("string", "a"),
        ("string", "5"),
        ("string", "true"),
        ("string", '"1.10"'),
        ("string", "1.5"),
        ("number", '"1.5"'),
        ("number", "-3"),
        ("bool", '"true"'),
        ("bool", '"0"'),
        ("list(string)", "[a, 1]"),
        ("set(number)", "[]"),
        ("map(any)", "{a: 1, b: x, c: null}"),
        ("list(any)", "[[1], []]"),
        ("any", "{a: [1, {b: 2}]}"),
        ("tuple([string, bool])", "[a, true]"),
        ("object({a = string, b = optional(number)})", "{a: x}"),
        ("object({a = string})", "null"),
        ("list(object({a = optional(string)}))", "[{}, {a: x}]"),
    ],
)
def test_what_terraform_converts_without_loss_is_taken(type_text: str, value: str) -> None:
    assert faults(type_text, value) == []


@pytest.mark.parametrize(
    ("type_text", "value", "kind", "message"),
    [
        ("string", "[a]", Kind.MISTYPED, "v: a list of 1 is no string"),
        ("string", "1.10", Kind.MISTYPED, "v: the number 1.10 is no string"),
        ("string", "1e3", Kind.MISTYPED, "v: the number 1e3 is no string"),
        ("number", "five", Kind.MISTYPED, 'v: the text "five" is no number'),
        ("number", "true", Kind.MISTYPED, "v: the bool true is no number"),
        ("bool", "yes", Kind.MISTYPED, 'v: the text "yes" is no bool'),
        ("bool", "1", Kind.MISTYPED, "v: the number 1 is no bool"),
        ("list(number)", "[1, x]", Kind.MISTYPED, 'v[1]: the text "x" is no number'),
        ("list(string)", "{a: b}", Kind.MISTYPED, "v: a map is no list(string)"),
        ("map(bool)", "{a: [true]}", Kind.MISTYPED, "v.a: a list of 1 is no bool"),
        ("map(any)", "{a: 1, b: [x]}", Kind.MISTYPED, "v: a map is no collection of one type"),
        ("tuple([string])", "[a, b]", Kind.MISTYPED, "v: a list of 2 is no tuple([string])"),
        ("object({a = string})", "x", Kind.MISTYPED, 'v: the text "x" is no object({a = string})'),
        ("object({a = string})", "{}", Kind.MISSING, "v.a: the attribute is missing"),
        ("object({memory = optional(bool)})", "{memroy: true}", Kind.MISSPELT, "v.memroy: the type has no attribute"),
        ("object({a = optional(bool)})", "{zzz: true}", Kind.UNDECLARED, "v.zzz: the type has no attribute 'zzz'"),
    ],
)
def test_what_does_not_fit_is_named_with_its_place(type_text: str, value: str, kind: Kind, message: str) -> None:
    (found,) = faults(type_text, value)
    assert found[0] is kind
    assert found[1].startswith(message)


def test_a_long_text_is_not_repeated() -> None:
    ((_, message),) = faults("number", "x" * 500)
    assert len(message) < 100
