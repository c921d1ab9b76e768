"""What an apply would do, beside what was found."""

from __future__ import annotations

from typing import Any

import pytest

from shared.drift.reading import drift_report
from shared.drift.report import Cause, ResourceDrift, ResourceStatus
from tests.unit.shared.drift.support import change, looks, resource, state

ONE = resource("a_t.one", {"id": "1", "size": 1, "tags": {}})


def report(*, prior: Any, drift: Any = (), changes: Any = (), before: Any = None) -> dict[str, ResourceDrift]:
    refreshed, planned = looks(prior=prior, drift=drift, changes=changes)
    made = drift_report(refreshed, planned, state=None if before is None else state(*before))
    assert made.gaps == ()
    return {one.address: one for one in made.resources}


def causes(one: ResourceDrift) -> dict[str, Cause]:
    return {change.path: change.cause for change in one.attributes}


def test_a_configuration_that_is_not_applied_is_no_drift() -> None:
    planned = change("a_t.one", {"size": 1}, {"size": 2})
    found = report(prior=[ONE], changes=[planned])["a_t.one"]
    assert (found.status, found.cause) == (ResourceStatus.IN_SYNC, Cause.NOT_APPLIED)
    assert causes(found) == {"size": Cause.NOT_APPLIED}
    assert found.reason == "an apply would update it: the configuration is not applied"


def test_what_an_apply_puts_back_is_said_of_the_attribute_that_was_changed() -> None:
    drift = change("a_t.one", {"size": 1, "tags": {}}, {"size": 5, "tags": {"a": "b"}})
    planned = change("a_t.one", {"size": 5, "tags": {"a": "b"}}, {"size": 1, "tags": {"a": "b"}})
    found = report(prior=[ONE], drift=[drift], changes=[planned])["a_t.one"]
    assert causes(found) == {"size": Cause.CHANGED_OUTSIDE, "tags.a": Cause.CHANGED_OUTSIDE}
    assert {one.path: one.restored for one in found.attributes} == {"size": True, "tags.a": False}
    assert found.reason == ""


def test_a_value_that_was_changed_and_is_configured_as_a_third_has_both_causes() -> None:
    drift, planned = change("a_t.one", {"size": 1}, {"size": 5}), change("a_t.one", {"size": 5}, {"size": 9})
    found = report(prior=[ONE], drift=[drift], changes=[planned])["a_t.one"]
    assert found.status is ResourceStatus.MODIFIED
    assert [(one.before, one.after, one.cause, one.restored) for one in found.attributes] == [
        ("1", "5", Cause.CHANGED_OUTSIDE, False),
        ("5", "9", Cause.NOT_APPLIED, False),
    ]


def test_what_was_deleted_outside_would_be_created_again() -> None:
    drift = change("a_t.one", {"size": 1}, None, "delete")
    found = report(prior=[], drift=[drift], changes=[change("a_t.one", None, {"size": 1}, "create")])["a_t.one"]
    assert (found.status, found.reason) == (ResourceStatus.DELETED, "an apply would create it again")


def test_what_does_not_exist_yet_is_listed_as_not_applied() -> None:
    found = report(prior=[ONE], changes=[change("a_t.new", None, {"size": 1}, "create")])["a_t.new"]
    assert (found.status, found.cause) == (ResourceStatus.IN_SYNC, Cause.NOT_APPLIED)


@pytest.mark.parametrize(
    ("actions", "why", "reason"),
    [
        (("delete",), "delete_because_no_resource_config", "delete it: the configuration is not applied"),
        (("delete", "create"), "replace_because_tainted", "replace it: the configuration is not applied"),
        (("forget",), None, "forget it: the configuration is not applied"),
        (("levitate",), None, "levitate it: the configuration is not applied"),
    ],
)
def test_what_would_become_of_it_is_said(actions: tuple[str, ...], why: str | None, reason: str) -> None:
    after = None if actions == ("delete",) else {"size": 1}
    planned = {**change("a_t.one", {"size": 1}, after, *actions), "action_reason": why or ""}
    found = report(prior=[ONE], changes=[planned])["a_t.one"]
    assert (found.status, found.cause) == (ResourceStatus.IN_SYNC, Cause.NOT_APPLIED)
    assert found.reason == f"an apply would {reason}" + (f" ({why.replace('_', ' ')})" if why else "")


def test_what_the_provider_would_only_write_otherwise_is_kept_apart() -> None:
    planned = change("a_t.one", {"text": '{"a": 1}', "note": None}, {"text": '{"a":1}', "note": ""})
    found = report(prior=[ONE], changes=[planned])["a_t.one"]
    assert (found.status, found.cause) == (ResourceStatus.IN_SYNC, Cause.NORMALISATION)


def test_a_value_that_is_known_only_later_is_no_cause_of_its_own() -> None:
    planned = change("a_t.one", {"size": 1, "version": 3}, {"size": 2}, unknown={"version": True})
    assert [*causes(report(prior=[ONE], changes=[planned])["a_t.one"])] == ["size"]
    nested = change(
        "a_t.one", {"block": [{"id": "x", "n": 1}]}, {"block": [{"n": 2}]}, unknown={"block": [{"id": True}]}
    )
    assert [*causes(report(prior=[ONE], changes=[nested])["a_t.one"])] == ["block[0].n"]


DEPENDENT = resource("a_t.two", {"id": "2", "of": "x"}, depends_on=["a_t.one", "data.a_d.x"])
FOLLOWING = change("a_t.two", {"of": "x"}, {"of": "y"})


def test_what_follows_from_drift_elsewhere_is_a_consequence() -> None:
    drift = change("a_t.one", {"size": 1}, {"size": 5})
    found = report(prior=[ONE, DEPENDENT], drift=[drift], changes=[FOLLOWING])["a_t.two"]
    assert (found.status, found.cause) == (ResourceStatus.IN_SYNC, Cause.CONSEQUENCE)


def test_what_follows_from_a_data_source_is_kept_apart_from_both() -> None:
    then, now = resource("data.a_d.x", {"value": "x"}), resource("data.a_d.x", {"value": "y"})
    found = report(prior=[ONE, DEPENDENT, now], changes=[FOLLOWING], before=[ONE, DEPENDENT, then])
    assert found["a_t.two"].cause is Cause.DATA_SOURCE
    source = found["data.a_d.x"]
    assert (source.status, source.cause, [*causes(source)]) == (ResourceStatus.IN_SYNC, Cause.DATA_SOURCE, ["value"])
    same = report(prior=[ONE, DEPENDENT, then], changes=[FOLLOWING], before=[ONE, DEPENDENT, then])
    assert same["a_t.two"].cause is Cause.NOT_APPLIED
    assert "data.a_d.x" not in same
