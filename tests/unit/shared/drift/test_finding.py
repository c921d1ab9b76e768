"""The record that is made of a resource's findings."""

from __future__ import annotations

import pytest

from shared.drift import finding as module
from shared.drift.changes import Difference
from shared.drift.finding import Finding, listed
from shared.drift.report import MAX_ATTRIBUTES, MAX_REASON, Cause, ResourceStatus


def difference(path: str) -> Difference:
    return Difference(path=(path,), before=1, after=2, sensitive=False)


def test_the_gravest_cause_is_that_of_the_resource_and_stands_first() -> None:
    found = Finding(address="a.r", type="a", status=ResourceStatus.MODIFIED)
    found.attributes = [(difference("a"), Cause.NORMALISATION), (difference("b"), Cause.CHANGED_OUTSIDE)]
    found.causes.add(Cause.MOVED)
    found.restored.add("b")
    ((record,), left) = listed([found])
    assert (record.cause, left) == (Cause.CHANGED_OUTSIDE, 0)
    assert [(one.path, one.restored) for one in record.attributes] == [("b", True), ("a", False)]


def test_what_there_is_no_room_for_is_counted() -> None:
    found = Finding(address="a.r", type="a", reason="x" * 9000)
    found.attributes = [(difference(f"a{at}"), Cause.CHANGED_OUTSIDE) for at in range(MAX_ATTRIBUTES + 3)]
    ((record,), _) = listed([found])
    assert (len(record.attributes), record.more_attributes) == (MAX_ATTRIBUTES, 3)
    assert len(record.reason) == MAX_REASON


def test_what_drifted_is_listed_before_anything_that_is_in_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_RESOURCES", 2)
    monkeypatch.setattr(module, "MAX_LISTED", 1)
    noisy = Finding(address="a.a", type="a", status=ResourceStatus.NOT_CHECKED)
    noisy.attributes = [(difference("x"), Cause.NORMALISATION)]
    drifted = Finding(address="z.z", type="a", status=ResourceStatus.MODIFIED)
    drifted.attributes = [(difference("x"), Cause.CHANGED_OUTSIDE)]
    records, left = listed([noisy, Finding(address="b.b", type="a"), drifted])
    assert ([one.address for one in records], left) == (["a.a", "z.z"], 1)
    assert [len(one.attributes) for one in records] == [0, 1]


def test_reasons_are_put_together() -> None:
    found = Finding(address="a.r", type="a")
    found.also("one")
    found.also("two")
    assert found.reason == "one; two"
    found.decide(ResourceStatus.UNKNOWN, "three")
    assert (found.status, found.reason) == (ResourceStatus.UNKNOWN, "three")
