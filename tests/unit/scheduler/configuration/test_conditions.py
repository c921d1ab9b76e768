"""Validation rules: those that certainly do not hold are told, everything else is left to Terraform."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.configuration.conditions import broken_rules
from scheduler.configuration.hcl import parse_hcl
from scheduler.configuration.nodes import Origin
from scheduler.configuration.terraform import Validation
from scheduler.configuration.yaml_source import parse_yaml


def holds(condition: str, value: str) -> bool:
    (block,) = parse_hcl(f"v {{\n  condition = {condition}\n}}\n".encode(), "x.tf")
    syntax = block.attributes["condition"].expression
    rule = Validation(condition=condition, message="", origin=Origin("x.tf", 1), syntax=syntax)
    return not list(broken_rules("x", parse_yaml(value.encode(), "v.yaml"), [rule]))


@pytest.mark.parametrize(
    ("condition", "good", "bad"),
    [
        ("length(var.x) > 2", "[1, 2, 3]", "[1, 2]"),
        ("length(var.x) <= 3", "abc", "abcd"),
        ('can(regex("^[a-z]+$", var.x))', "abc", "Abc"),
        ('contains(["a", "b"], var.x)', "a", "c"),
        ("var.x.a >= 1 && var.x.a <= 14", "{a: 14}", "{a: 15}"),
        ('alltrue([for z in var.x : startswith(z, "eu-")])', "[eu-1, eu-2]", "[eu-1, us-1]"),
        ("anytrue([for z in var.x : z > 3])", "[1, 4]", "[1, 2]"),
        ("!(var.x == 3)", "4", "3"),
        ('var.x[0] == "a"', "[a]", "[b]"),
        ('var.x["k"] != "a"', "{k: b}", "{k: a}"),
        ("(var.x > 1) || (var.x == 0)", "0", "1"),
        ("var.x == null || length(var.x) > 3", "abcd", "abc"),
        ("var.x > 5 ? var.x < 8 : var.x == 0", "7", "9"),
        ("can(cidrhost(var.x, 0))", "10.0.0.0/8", "10.0.0.0"),
        ("var.x % 2 == 0", "4", "3"),
        ("can(tonumber(var.x))", "'12'", "twelve"),
        ("lower(var.x) == var.x", "abc", "aBc"),
        ('endswith(trimspace(var.x), "z")', "'az '", "'za '"),
        ("length(keys(var.x)) == 1", "{a: 1}", "{a: 1, b: 2}"),
        ("var.x > -1", "0", "-2"),
    ],
)
def test_a_rule_is_judged_as_terraform_would(condition: str, good: str, bad: str) -> None:
    assert holds(condition, good)
    assert not holds(condition, bad)


@pytest.mark.parametrize(
    ("condition", "value"),
    [
        ('sha1(var.x) == "a"', "b"),
        ("var.x == local.y", "1"),
        ("var.x == var.y", "1"),
        ("alltrue([for k, v in var.x : v > 1])", "{a: 1}"),
        ("alltrue([for v in var.x : v > 1 if v > 0])", "[1]"),
        ("length(setintersection(var.x, [1])) > 0", "[2]"),
        ("var.x.missing > 3", "{a: 1}"),
        ('var.x == "1"', "1"),
        ("length(var.x) == 1", "é́"),
        ('can(regex("(a+)+$", var.x))', "b"),
        ('can(regex("[[:digit:]]", var.x))', "b"),
        ('regex("a", var.x) == "a"', "b"),
        ("contains(var.x...)", "[a]"),
        ("max(var.x, 1) > 3", "1"),
        ("var.x[*].a == []", "[{a: 1}]"),
    ],
)
def test_what_is_not_understood_is_never_refused(condition: str, value: str) -> None:
    assert holds(condition, value)


@given(st.integers(-50, 50), st.integers(-50, 50))
def test_comparisons_and_sums_are_those_of_numbers(a: int, b: int) -> None:
    assert holds(f"var.x + {abs(b)} >= {abs(a)}", str(a)) is (a + abs(b) >= abs(a))
    assert holds(f"var.x < {b}", str(a)) is (a < b)


def test_nothing_is_evaluated_without_end() -> None:
    assert holds("!" * 2 + "(" * 150 + "var.x > 3" + ")" * 150, "1")


@pytest.mark.parametrize(
    ("pattern", "text"),
    [("^(a|a|a)*b$", "a" * 40), (r"^(\\w+\\s?)*$", "a" * 40 + "!"), ("a*a*a*a*a*a*b", "a" * 400), ("a+b", "a" * 4000)],
)
def test_a_pattern_that_could_take_for_ever_is_left_to_terraform(pattern: str, text: str) -> None:
    assert holds(f'can(regex("{pattern}", var.x))', text)
