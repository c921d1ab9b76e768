"""First and final state, attribute by attribute: every difference named, no secret shown, everything bounded."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import ConfigurationError
from shared.rollback.comparison import compare
from shared.rollback.records import AttributeDifference, Changed, Presence, StateComparison
from tests.unit.shared.rollback.test_states import resource, state


def body(*resources: dict[str, Any], **more: Any) -> bytes:
    return json.dumps(state(*resources, **more)).encode()


def thing(attributes: dict[str, Any], kind: str = "aws_thing", marks: Any = ()) -> bytes:
    return body(resource(f"{kind}.a", {"attributes": attributes, "sensitive_attributes": list(marks)}))


def attributes(first: dict[str, Any], final: dict[str, Any], **more: Any) -> list[tuple[str, str | None, str | None]]:
    found = compare(thing(first, **more), thing(final, **more))
    return [(one.path, one.first, one.final) for each in found.resources for one in each.attributes]


def mark(*steps: str | int) -> list[dict[str, Any]]:
    return [
        {"type": "get_attr", "value": step} if not at else {"type": "index", "value": {"value": step, "type": "string"}}
        for at, step in enumerate(steps)
    ]


def test_the_same_state_is_equal_whatever_its_serial() -> None:
    found = compare(
        body(resource("t.a", {"attributes": {"id": "1"}})), body(resource("t.a", {"attributes": {"id": "1"}}), serial=9)
    )
    assert found == StateComparison(same_lineage=True, compared=1)
    assert found.equal


def test_two_targets_without_a_state_are_equal() -> None:
    assert compare(None, None).equal
    assert compare(None, body()).equal


def test_what_is_only_in_one_is_named() -> None:
    found = compare(
        body(resource("t.a", {"attributes": {}})), body(resource("t.b", {"attributes": {}}, {"deposed": "00aa"}))
    )
    assert [(one.address, one.presence) for one in found.resources] == [
        ("t.a", Presence.ONLY_FIRST),
        ("t.b", Presence.ONLY_FINAL),
        ("t.b (deposed 00aa)", Presence.ONLY_FINAL),
    ]
    assert found.compared == 3


def test_data_sources_are_left_out() -> None:
    read = resource("t.a", {"attributes": {"x": 1}}, mode="data")
    assert compare(body(), body(read)).equal


def test_every_attribute_that_differs_is_named_as_deep_as_it_goes() -> None:
    assert attributes(
        {"id": "1", "tags": {"a": "1", "b": "2", "x y": 1}, "list": [1, {"p": 80}], "gone": None, "same": 1.5},
        {"id": "2", "tags": {"a": "1", "c": "3", "x y": 2}, "list": [1, {"p": 81}, 3], "new": None, "same": 1.5},
    ) == [
        ("gone", "null", None),
        ("id", '"1"', '"2"'),
        ("list[1].p", "80", "81"),
        ("list[2]", None, "3"),
        ("new", None, "null"),
        ("tags.b", '"2"', None),
        ("tags.c", None, '"3"'),
        ('tags["x y"]', "1", "2"),
    ]


@pytest.mark.parametrize(("one", "other"), [(True, 1), ("1", 1), (None, False), ([], {}), (0, False), ("", None)])
def test_values_of_two_kinds_differ(one: Any, other: Any) -> None:
    assert [path for path, _, _ in attributes({"x": one}, {"x": other})] == ["x"]


SECRET = "correct horse battery staple"


@pytest.mark.parametrize(
    ("first", "final", "marks", "kind"),
    [
        ({"p": SECRET}, {"p": "x"}, [mark("p")], "aws_thing"),
        ({"m": {"k": SECRET, "o": 1}}, {"m": {"k": "x", "o": 1}}, [mark("m", "k")], "aws_thing"),
        ({"m": {"k": {"deep": SECRET}}}, {"m": {"k": {"deep": "y"}}}, [mark("m", "k")], "aws_thing"),
        ({"m": {"k": SECRET}}, {"m": None}, [mark("m", "k")], "aws_thing"),
        ({"m": [SECRET]}, {}, [mark("m", 0)], "aws_thing"),
        ({"x": SECRET}, {"x": "y"}, ["unreadable"], "aws_thing"),
        ({"x": SECRET}, {"x": "y"}, [[]], "aws_thing"),
        ({"password": SECRET}, {"password": "x"}, [], "aws_db_instance"),
        ({"master_password": SECRET}, {"master_password": "x"}, [], "aws_rds_cluster"),
        ({"secret_string": SECRET}, {"secret_string": "x"}, [], "aws_secretsmanager_secret_version"),
        ({"b": [{"auth_token": SECRET}]}, {"b": "changed"}, [], "aws_thing"),
        ({"value": SECRET}, {"value": "x"}, [], "aws_ssm_parameter"),
        ({"result": SECRET}, {"result": "x"}, [], "random_password"),
        ({"private_key_pem": SECRET}, {}, [], "tls_private_key"),
        ({"tunnel1_preshared_key": SECRET}, {"tunnel1_preshared_key": "x"}, [], "aws_vpn_connection"),
        ({"a": [{"passwords": [SECRET]}]}, {"a": [{"passwords": ["x"]}]}, [], "aws_elasticache_user"),
        ({"auth_parameters": [{"api_key": [{"value": SECRET}]}]}, {"auth_parameters": []}, [],
         "aws_cloudwatch_event_connection"),
        ({"team_id": SECRET}, {"team_id": "x"}, [], "aws_pinpoint_apns_channel"),
        ({"variables": {"DB_PASSWORD": SECRET}}, {"variables": {"DB_PASSWORD": "x"}}, [], "aws_lambda_function"),
    ],
)  # fmt: skip
def test_a_secret_differs_and_is_not_shown(first: dict[str, Any], final: dict[str, Any], marks: Any, kind: str) -> None:
    for left, right in ((first, final), (final, first)):
        found = compare(thing(left, kind, marks), thing(right, kind, marks))
        assert SECRET not in found.model_dump_json()
        assert found.resources
        assert all(one.sensitive for one in found.resources[0].attributes)


def test_a_mark_in_either_state_counts_for_both() -> None:
    found = compare(thing({"p": SECRET}), thing({"p": "x"}, marks=[mark("p")]))
    assert found.resources[0].attributes == (
        AttributeDifference(path="p", first="(sensitive)", final="(sensitive)", sensitive=True),
    )


def test_a_secret_that_is_the_same_is_no_difference() -> None:
    assert compare(thing({"p": SECRET}, marks=[mark("p")]), thing({"p": SECRET}, marks=[mark("p")])).equal


def test_outputs_are_compared_and_sensitive_ones_hidden() -> None:
    first = body(outputs={"a": {"value": 1}, "s": {"value": SECRET, "sensitive": True}, "gone": {"value": None}})
    final = body(outputs={"a": {"value": 2}, "s": {"value": "x"}, "new": {"value": [1]}})
    found = compare(first, final)
    assert [(one.path, one.first, one.final, one.sensitive) for one in found.outputs] == [
        ("a", "1", "2", False),
        ("gone", "null", None, False),
        ("new", None, "[1]", False),
        ("s", "(sensitive)", "(sensitive)", True),
    ]
    assert not found.equal


def test_another_lineage_is_told() -> None:
    assert not compare(body(), body(lineage="other")).same_lineage
    assert compare(None, body(lineage="other")).same_lineage


def test_long_values_are_cut_and_what_is_too_much_is_counted() -> None:
    ((_, first, _),) = attributes({"x": "é" * 1000}, {})
    assert first is not None
    assert len(first) == 256
    assert first.endswith("…")
    found = compare(thing({f"k{at:04}": 0 for at in range(300)}), thing({}))
    assert (len(found.resources[0].attributes), found.resources[0].more) == (200, 100)
    many = compare(body(*(resource(f"t.n{at}", {}) for at in range(1001))), body())
    assert (len(many.resources), many.more) == (1000, 1)
    assert not many.equal


def test_what_is_nested_too_deeply_is_refused() -> None:
    deep: Any = 0
    for _ in range(210):
        deep = {"x": deep}
    with pytest.raises(ConfigurationError, match="too deeply"):
        compare(thing({"d": deep}), thing({"d": {**deep, "y": 1}}))


@pytest.mark.parametrize("content", [b"", b"[]", b'{"version": 3}'])
def test_what_is_no_state_is_refused(content: bytes) -> None:
    with pytest.raises(ConfigurationError):
        compare(content, None)


values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xyz"), inner, max_size=3),
    max_leaves=8,
)
maps = st.dictionaries(st.sampled_from("xyz"), values, max_size=3)


@given(maps, maps)
def test_no_difference_is_told_exactly_when_they_are_the_same_and_both_ways_alike(
    first: dict[str, Any], final: dict[str, Any]
) -> None:
    there = attributes(first, final)
    assert (there == []) == (json.dumps(first, sort_keys=True) == json.dumps(final, sort_keys=True))
    assert [(path, right, left) for path, left, right in attributes(final, first)] == there
    assert len({path for path, _, _ in there}) == len(there)


def test_what_the_deployment_set_is_held_against_the_first_state() -> None:
    first, final = (body(resource("t.a", {"attributes": {"id": "1", "x": x, "y": x}})) for x in (1, 2))
    found = compare(first, final, [Changed(address="t.a", attributes=("x",))])
    assert [(one.address, one.attributes) for one in found.kept] == [("t.a", ("x",))]
    assert compare(first, final).kept == ()
