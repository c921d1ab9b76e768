"""Rules for what nobody wants to hear of."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.drift.ignoring import IgnoreRule, apply, fits
from shared.drift.report import AttributeChange, Cause, DriftReport, ResourceDrift, ResourceStatus, RollUp

TODAY = date(2026, 6, 1)


def rule(address: str = "*", attribute: str | None = None, **more: Any) -> IgnoreRule:
    return IgnoreRule(address=address, attribute=attribute, **{"expires": TODAY, "reason": "known", **more})


def modified(*changes: tuple[str, str], address: str = 'aws_instance.web["a"]', **more: Any) -> ResourceDrift:
    attributes = tuple(AttributeChange(path=path, before='"was"', after=after) for path, after in changes)
    return ResourceDrift(address=address, status=ResourceStatus.MODIFIED, attributes=attributes, **more)


def left(resource: ResourceDrift, *rules: IgnoreRule, today: date = TODAY) -> tuple[ResourceDrift, tuple[int, ...]]:
    done = apply(DriftReport(resources=(resource,)), rules, today)
    return done.report.resources[0], done.hits


def test_a_change_that_a_rule_names_is_no_longer_drift_and_stays_listed() -> None:
    found, hits = left(modified(("tags.Owner", '"x"')), rule("aws_instance.*", "tags"))
    assert (found.status, hits) == (ResourceStatus.IN_SYNC, (1,))
    assert [(one.path, one.ignored) for one in found.attributes] == [("tags.Owner", True)]
    assert found.reason == "changed outside, ignored by rule: known"


def test_what_else_changed_is_still_drift() -> None:
    found, hits = left(modified(("tags.Owner", '"x"'), ("ami", '"y"')), rule("*", "tags"))
    assert (found.status, hits) == (ResourceStatus.MODIFIED, (1,))
    assert [one.ignored for one in found.attributes] == [True, False]


@pytest.mark.parametrize(
    ("attribute", "path", "ignored"),
    [
        ("tags", "tags", True),
        ("tags", "tags.Owner", True),
        ("tags", 'tags["a key"]', True),
        ("tags", "tags_all.Owner", False),
        ("tags.Owner", "tags.Other", False),
        ("ingress[*].cidr_blocks", "ingress[3].cidr_blocks", True),
        ("*", "anything[0].at_all", True),
        ("ebs*", "ebs_block_device[0].size", True),
    ],
)
def test_an_attribute_is_named_with_all_that_is_inside_it(attribute: str, path: str, ignored: bool) -> None:
    found, _ = left(modified((path, '"x"')), rule("*", attribute))
    assert (found.status is ResourceStatus.IN_SYNC) is ignored


def test_a_value_is_named_as_it_is_shown_and_a_secret_by_none() -> None:
    open_, secret = rule("*", "size", value='"m5.*"'), rule("*", "password", value="*")
    assert left(modified(("size", '"m5.large"')), open_)[0].status is ResourceStatus.IN_SYNC
    assert left(modified(("size", '"c5.large"')), open_)[0].status is ResourceStatus.MODIFIED
    hidden = AttributeChange(path="password", before="(sensitive)", after="(sensitive)", sensitive=True)
    drifted = ResourceDrift(address="a.r", status=ResourceStatus.MODIFIED, attributes=(hidden,))
    assert left(drifted, secret)[0].status is ResourceStatus.MODIFIED


def test_a_deletion_is_ignored_by_a_rule_about_the_whole_resource_only() -> None:
    deleted = ResourceDrift(address="a.r", status=ResourceStatus.DELETED)
    assert left(deleted, rule("*", "*"))[0].status is ResourceStatus.DELETED
    found, hits = left(deleted, rule("*", "*"), rule("a.*"))
    assert (found.status, hits) == (ResourceStatus.IN_SYNC, (0, 1))


def test_a_resource_with_more_changes_than_are_listed_is_not_ignored_by_a_rule_about_attributes() -> None:
    assert left(modified(("tags", '"x"'), more_attributes=1), rule("*", "*"))[0].status is ResourceStatus.MODIFIED


def test_a_rule_counts_on_its_last_day_and_is_named_as_over_from_the_next_on() -> None:
    resource = modified(("tags", '"x"'))
    assert left(resource, rule(), today=TODAY)[0].status is ResourceStatus.IN_SYNC
    done = apply(DriftReport(resources=(resource,)), [rule()], date(2026, 6, 2))
    assert (done.report.roll_up, done.hits, done.expired) == (RollUp.DRIFTED, (0,), (0,))


def test_what_was_not_checked_cannot_be_ignored() -> None:
    resource = ResourceDrift(address="a.r", status=ResourceStatus.NOT_CHECKED, reason="no answer")
    assert left(resource, rule()) == (resource, (0,))


def test_only_what_was_changed_outside_is_a_hit() -> None:
    pending = AttributeChange(path="size", before="1", after="2", cause=Cause.NOT_APPLIED)
    outside = AttributeChange(path="tags", before="1", after="2")
    resource = ResourceDrift(address="a.r", status=ResourceStatus.MODIFIED, attributes=(outside, pending))
    found, hits = left(resource, rule("*", "*"))
    assert (found.status, hits) == (ResourceStatus.IN_SYNC, (1,))
    assert [one.ignored for one in found.attributes] == [True, False]


def test_a_value_without_an_attribute_is_refused() -> None:
    with pytest.raises(ValidationError, match="name it as well"):
        rule("*", None, value="x")


@given(st.text("ab*[", max_size=8), st.text("ab[", max_size=12))
def test_a_star_stands_for_any_characters_and_nothing_else_is_special(pattern: str, text: str) -> None:
    expected = re.fullmatch(".*".join(re.escape(part) for part in pattern.split("*")), text, re.DOTALL)
    assert fits(pattern, text) is (expected is not None)


def test_a_hostile_pattern_takes_no_time() -> None:
    assert not fits("*a" * 250 + "b", "a" * 2000)
