"""Are two values the same to the provider?"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.drift.meaning import MAX_DEPTH, both_moments, is_nothing, same

ALLOW = {"Effect": "Allow", "Action": ["s3:Get*", "s3:Put*"], "Resource": "*"}


def policy(*statements: Any, **more: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements), **more})


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, ""),
        (None, {}),
        ([], None),
        ([{"name": None, "rules": []}], []),
        ({"a": None}, {}),
        ({"a": {"b": []}, "c": 1}, {"c": 1}),
        (1, 1.0),
        ('{"a":1,"b":[2]}', '{ "b": [2], "a": 1 }'),
        ("2026-01-31T12:00:00Z", "2026-01-31T13:00:00+01:00"),
        (policy(ALLOW), policy({**ALLOW, "Action": ["s3:Put*", "s3:Get*"], "Resource": ["*"]})),
        (policy(ALLOW), json.dumps({"Version": "2012-10-17", "Statement": ALLOW})),
        (policy({**ALLOW, "Sid": ""}), policy(ALLOW)),
        (policy({"Sid": "b"}, {"Sid": "a"}), policy({"Sid": "a"}, {"Sid": "b"})),
        (policy({**ALLOW, "Principal": "*"}), policy({**ALLOW, "Principal": {"AWS": "*"}})),
        (
            policy({**ALLOW, "Principal": {"AWS": "123456789012"}}),
            policy({**ALLOW, "Principal": {"AWS": ["arn:aws:iam::123456789012:root"]}}),
        ),
        (
            policy({**ALLOW, "Condition": {"Bool": {"aws:SecureTransport": True}}}),
            policy({**ALLOW, "Condition": {"Bool": {"AWS:SecureTransport": ["true"]}}}),
        ),
    ],
)
def test_these_are_the_same_written_otherwise(before: Any, after: Any) -> None:
    assert same(before, after)
    assert same(after, before)
    assert same([before, "x"], [after, "x"])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, False),
        (None, 0),
        ("", "x"),
        (True, 1),
        (0, False),
        ("1", 1),
        ([1, 2], [2, 1]),
        ([1], [1, None]),
        ({"Owner": ""}, {}),
        ({"Owner": ""}, None),
        ({"Owner": "", "Team": "x"}, {"Team": "x"}),
        ('{"a":1}', '{"a":true}'),
        ('["a","b"]', '["b","a"]'),
        ('{"a":1,"a":2}', '{"a":2}'),
        ("2026-01-31T12:00:00Z", "2026-01-31T12:00:01Z"),
        ("{not json", "{not  json"),
        (policy(ALLOW), policy({**ALLOW, "Action": "s3:*"})),
        (policy(ALLOW), policy({**ALLOW, "Effect": "Deny"})),
        (policy(ALLOW), policy(ALLOW, ALLOW)),
        (policy(ALLOW), policy({**ALLOW, "Principal": "*"})),
        (policy({**ALLOW, "Principal": {"AWS": "*"}}), policy({**ALLOW, "Principal": {"Service": "*"}})),
        (
            policy({**ALLOW, "Condition": {"Bool": {"a": "true"}}}),
            policy({**ALLOW, "Condition": {"Bool": {"a": "false"}}}),
        ),
    ],
)
def test_these_are_not(before: Any, after: Any) -> None:
    assert not same(before, after)
    assert not same(after, before)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text('a{}[]",:1', max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "Statement"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(VALUES, VALUES)
def test_it_goes_both_ways_and_one_content_is_one_document_however_it_is_spelled(one: Any, other: Any) -> None:
    assert same(one, one)
    assert same(one, other) == same(other, one)
    assert is_nothing(one) == same(one, None)
    # The same content spelled twice is one document.
    assert same(json.dumps({"x": one}, indent=1), json.dumps({"x": one}))


def test_what_is_too_deep_is_compared_as_it_stands() -> None:
    deep: Any = "x"
    for _ in range(MAX_DEPTH * 3):
        deep = {"a": deep}
    assert same(deep, deep)
    assert not same(deep, {"a": deep})
    assert not same(json.dumps(deep), json.dumps(deep, indent=1))
    assert not same("[" * 100_000, "[" * 100_001)


def test_points_in_time_are_told_from_other_texts() -> None:
    assert both_moments("2026-01-31T12:00:00Z", "2026-02-01T12:00:00.123Z")
    assert not both_moments("2026-01-31T12:00:00Z", "soon")
    assert not both_moments("2026-99-31T12:00:00Z", "2026-01-31T12:00:00Z")
    assert not both_moments(1, 2)
