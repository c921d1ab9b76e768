"""What differs between the state and what was read."""

from __future__ import annotations

from typing import Any

import pytest

from shared.drift.changes import Difference
from shared.drift.instances import instances
from shared.drift.observed import DELETED, GONE, moved_on, observed, unreported, zero_for_nothing
from shared.drift.schemas import Shape
from shared.safety.plan_document import read
from tests.unit.shared.drift.support import change, plan, resource, state

STAMP = {"a_t": Shape(members={"at": Shape(computed_only=True), "until": Shape()})}


def of(*drift: Any, shapes: Any = None) -> Any:
    document = plan(drift=drift)
    return observed(read(document), document, shapes or {})


def test_secrets_are_compared_in_clear() -> None:
    masks = ({"password": True}, {"password": True})
    (one,) = of(change("a_t.one", {"password": "old"}, {"password": "new"}, masks=masks)).values()
    assert [(found.name, found.sensitive) for found in one.differences] == [("password", True)]
    # The record that is read strictly for everything else has no clear values: both would be the same there.
    (redacted,) = read(
        plan(drift=[change("a_t.one", {"password": "o"}, {"password": "n"}, masks=masks)])
    ).resource_drift
    assert redacted.before == redacted.after


def test_a_move_is_told_with_where_it_was() -> None:
    found = of(
        change("a_t.new", {"x": 1}, {"x": 1}, "no-op", previous_address="a_t.old"),
        change("a_t.same", {"x": 1}, {"x": 2}, previous_address="a_t.same"),
    )
    assert [one.previous_address for one in found.values()] == ["a_t.old", None]


def test_a_point_in_time_that_only_the_provider_sets_moves_on_by_itself() -> None:
    first, second = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
    (one,) = of(
        change("a_t.one", {"at": first, "until": first}, {"at": second, "until": second}), shapes=STAMP
    ).values()
    assert {found.name: moved_on(found, "a_t") for found in one.differences} == {"at": True, "until": False}
    assert one.apparent == ("until",)


def test_what_use_changes_is_measured_and_nobody_has_changed_it() -> None:
    grown = change("aws_efs_file_system.one", {"size_in_bytes": [{"value": 1}]}, {"size_in_bytes": [{"value": 9}]})
    (one,) = of(grown).values()
    assert moved_on(one.differences[0], one.type)
    assert one.apparent == ()
    assert not moved_on(one.differences[0], "another_type")


@pytest.mark.parametrize(
    ("before", "after", "itself"),
    [
        ("PENDING_VALIDATION", "ISSUED", True),
        ("creating", "available", True),
        ("modifying", "in-use", True),
        ("InProgress", "Deployed", True),
        ("pending", "running", True),
        ("ENABLING", "ENABLED", True),
        ("running", "stopped", False),
        ("pending", "failed", False),
        ("available", "deleting", False),
        ("stopped", "running", False),
        ("ACTIVE", "AVAILABLE", False),
        (None, "available", False),
    ],
)
def test_what_an_apply_began_may_be_finished_by_the_service(before: Any, after: Any, itself: bool) -> None:
    (one,) = of(change("a_t.one", {"at": before}, {"at": after}), shapes=STAMP).values()
    assert moved_on(one.differences[0], "a_t") is itself
    (other,) = of(change("a_t.one", {"until": before}, {"until": after}), shapes=STAMP).values()
    assert not moved_on(other.differences[0], "a_t"), "it may be what somebody wants it to be"


def test_two_looks_have_to_agree_in_whether_it_is_there_and_in_what_differs() -> None:
    (gone,) = of(change("a_t.one", {"x": 1}, None, "delete")).values()
    (differs,) = of(change("a_t.one", {"x": 1, "y": None}, {"x": 2, "y": ""})).values()
    assert (gone.apparent, differs.apparent) == (DELETED, ("x",))


def only_in_states(before: Any, now: Any, *drift: Any) -> list[tuple[str, tuple[str, ...], list[str]]]:
    found = unreported(instances(state(*before)), instances(state(*now)), of(*drift), {})
    return [(one.key[0], one.actions, [other.name for other in one.differences]) for one in found]


def test_what_the_drift_of_a_plan_leaves_out_is_found_in_the_states() -> None:
    one, two = resource("a_t.one", {"x": 1}), resource("a_t.two", {"x": 1})
    changed = resource("a_t.two", {"x": 2})
    assert only_in_states([one, two], [one, changed]) == [("a_t.two", ("update",), ["x"])]
    assert only_in_states([one, two], [one, changed], change("a_t.two", {"x": 1}, {"x": 2})) == []
    assert only_in_states([one, two], [one]) == [("a_t.two", GONE, [])]


def test_an_object_that_a_replacement_left_is_gone_when_it_is_no_longer_read() -> None:
    current, deposed = resource("a_t.one", {"x": 2}), resource("a_t.one", {"x": 1}, deposed="abc")
    assert only_in_states([current, deposed], [current]) == [("a_t.one", DELETED, [])]


def test_where_something_was_moved_from_there_is_nothing_missing() -> None:
    old, new = resource("a_t.old", {"x": 1}), resource("a_t.new", {"x": 1})
    moved = change("a_t.new", {"x": 1}, {"x": 1}, "no-op", previous_address="a_t.old")
    assert only_in_states([old], [new], moved) == []


@pytest.mark.parametrize(
    ("path", "before", "after", "nothing"),
    [
        (("rule", 0, "days"), None, 0, True),
        (("rule", 0, "days"), 0, None, True),
        (("rule", 0, "enabled"), None, False, True),
        (("rule", 0, "days"), None, 1, False),
        (("rule", 0, "enabled"), None, True, False),
        (("rule", 0, "days"), 1, 0, False),
        (("rule", 0, "days"), None, None, False),
        (("days",), None, 0, False),
    ],
)
def test_inside_of_a_block_zero_may_stand_for_nothing(path: Any, before: Any, after: Any, nothing: bool) -> None:
    assert zero_for_nothing(Difference(path=path, before=before, after=after, sensitive=False)) is nothing
