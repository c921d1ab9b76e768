"""What differs between two values, by path, and what is shown of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.drift.changes import SENSITIVE, Difference, differences, dotted, previews
from shared.drift.report import MAX_PATH, MAX_PREVIEW
from shared.drift.schemas import Shape

SET = Shape(members={"rules": Shape(unordered=True, element=Shape(members={"ids": Shape(unordered=True)}))})


def named(before: Any, after: Any, **more: Any) -> dict[str, tuple[Any, Any]]:
    return {one.name: (one.before, one.after) for one in differences(before, after, **more)}


def test_an_attribute_is_named_by_its_path() -> None:
    before = {"size": 1, "tags": {"Name": "a", "a key.b": "x"}, "rule": [{"port": 80, "cidrs": ["a"]}, {"port": 1}]}
    after = {"size": 2, "tags": {"Name": "b", "a key.b": "y"}, "rule": [{"port": 80, "cidrs": ["b"]}, {"port": 1}]}
    assert named(before, after) == {
        "rule[0].cidrs": (["a"], ["b"]),
        "size": (1, 2),
        "tags.Name": ("a", "b"),
        'tags["a key.b"]': ("x", "y"),
    }


def test_an_element_that_is_new_or_gone_is_named_alone() -> None:
    one, two, new = {"port": 1, "to": "a"}, {"port": 2, "to": "b"}, {"port": 9, "to": "z"}
    assert named({"rules": [one, two]}, {"rules": [new, one, two]}) == {"rules[0]": (None, new)}
    assert named({"rules": [one, two]}, {"rules": [two]}) == {"rules[0]": (one, None)}


def test_in_a_set_an_element_is_compared_with_the_one_that_is_most_like_it() -> None:
    web = {"port": 80, "to": 80, "protocol": "tcp", "ids": ["a"]}
    ssh = {"port": 22, "to": 22, "protocol": "tcp", "ids": []}
    dns = {"port": 53, "to": 53, "protocol": "udp", "ids": []}
    wide = {**web, "ids": ["a", "b"]}
    # What is new sorts before the others: without the schema, each would be compared with its neighbour.
    assert named({"rules": [ssh, web]}, {"rules": [dns, ssh, wide]}, shape=SET) == {
        "rules[1].ids": (["a"], ["a", "b"]),
        "rules[0]": (None, dns),
    }


def test_the_order_of_a_set_means_nothing_and_that_of_a_list_does() -> None:
    (one,) = differences({"ids": ["a", "b"]}, {"ids": ["b", "a"]}, shape=Shape(members={"ids": Shape(unordered=True)}))
    assert one.same
    (other,) = differences({"ids": ["a", "b"]}, {"ids": ["b", "a"]})
    assert not other.same


def test_an_empty_tag_is_a_tag_and_an_empty_attribute_none() -> None:
    (tag,) = differences({"tags": {"Name": "a"}}, {"tags": {"Name": "a", "Locked": ""}})
    assert (tag.name, tag.same) == ("tags.Locked", False)
    (attribute,) = differences({"description": None}, {"description": ""})
    assert attribute.same
    (none,) = differences({"tags": None}, {"tags": {}})
    assert none.same


def test_true_is_not_one() -> None:
    assert named({"a": True}, {"a": 1}) == {"a": (True, 1)}


@pytest.mark.parametrize(
    ("mask", "sensitive"),
    [
        ({"a": True}, True),
        ({}, False),
        ({"a": False}, False),
        ({"a": {}}, False),
        ({"a": {"x": True}}, True),
        ({"a": [True]}, True),
        (True, True),
        (None, True),
        ("nonsense", True),
    ],
)
def test_a_secret_that_was_changed_is_found_and_marked(mask: Any, sensitive: bool) -> None:
    found = differences({"a": "old"}, {"a": "new"}, before_mask=mask, after_mask={})
    assert [one.sensitive for one in found] == [sensitive]
    found = differences({"a": "old"}, {"a": "new"}, before_mask={}, after_mask=mask)
    assert [one.sensitive for one in found] == [sensitive]


def test_only_the_secret_part_of_a_value_is_kept_back() -> None:
    before = {"env": [{"name": "KEY", "value": "s3cret"}, {"name": "B", "value": "b"}]}
    after = {"env": [{"name": "KEY", "value": "0ther"}, {"name": "B", "value": "c"}]}
    mask = {"env": [{"value": True}, {}]}
    found = differences(before, after, before_mask=mask, after_mask=mask)
    assert [(one.name, one.sensitive) for one in found] == [("env[0].value", True), ("env[1].value", False)]


def test_previews_are_json_and_say_nothing_of_a_secret() -> None:
    assert previews(30, "a", sensitive=False) == ("30", '"a"')
    assert previews(None, {"b": 1}, sensitive=False) == ("", '{"b":1}')
    assert previews("old", None, sensitive=True) == (SENSITIVE, "")


def test_of_long_values_the_part_is_shown_where_they_begin_to_differ() -> None:
    same = "x" * 5000
    before, after = previews(f"{same}old{same}", f"{same}new{same}", sensitive=False)
    assert "xold" in before
    assert "xnew" in after
    assert max(len(before), len(after)) <= MAX_PREVIEW
    # Values that differ only further back are told apart by their digests.
    assert previews(same, f"{same}1", sensitive=False)[1] != previews(same, f"{same}2", sensitive=False)[1]


def test_a_path_is_bounded_and_stays_its_own() -> None:
    one, other = dotted(["a" * 3000, "b"]), dotted(["a" * 3000, "c"])
    assert len(one) <= MAX_PATH
    assert one != other


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["", "a", "b"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=10,
)


@given(VALUES, VALUES)
def test_nothing_that_differs_is_left_out(before: Any, after: Any) -> None:
    equal = json.dumps(before, sort_keys=True) == json.dumps(after, sort_keys=True)
    # A null entry and none at all are one.
    pruned = json.dumps(_pruned(before), sort_keys=True) == json.dumps(_pruned(after), sort_keys=True)
    found = differences(before, after)
    assert not found if equal else bool(found) or pruned
    assert all(isinstance(one, Difference) for one in found)


def _pruned(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _pruned(item) for key, item in value.items() if item is not None}
    return [_pruned(item) for item in value] if isinstance(value, list) else value


MASKS = st.recursive(
    st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)


@given(VALUES, VALUES, MASKS, st.booleans())
def test_no_mask_makes_a_difference_disappear(before: Any, after: Any, mask: Any, unordered: bool) -> None:
    shape = Shape(unordered=unordered)
    masked = differences(before, after, before_mask=mask, after_mask=mask, shape=shape)
    assert any(not one.same for one in differences(before, after, shape=shape)) == any(not one.same for one in masked)


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=3))
def test_what_is_masked_is_never_shown(path: list[str]) -> None:
    before: Any = "SECRET-1"
    after: Any = "SECRET-2"
    mask: Any = True
    for step in path:
        before, after, mask = {step: before, "x": [before]}, {step: after, "x": [after]}, {step: mask, "x": [mask]}
    for one in differences(before, after, before_mask=mask, after_mask=mask):
        assert "SECRET" not in "".join(previews(one.before, one.after, sensitive=one.sensitive))
