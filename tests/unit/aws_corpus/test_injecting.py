"""The judge of injected changes sees what was missed, what nobody changed, and what was no change."""

from __future__ import annotations

from typing import Any

import pytest

from shared.drift.report import AttributeChange, Cause, DriftReport, ResourceDrift, ResourceStatus
from tests.aws_corpus.injecting import Outcome, judge, meet, problems
from tests.aws_corpus.injections import GONE, Injection, injections

ADDRESS = "aws_sqs_queue.this"


def state(**values: Any) -> dict[str, Any]:
    resource = {"address": ADDRESS, "mode": "managed", "values": values}
    return {"values": {"root_module": {"resources": [resource]}}}


def injection(*paths: str) -> Injection:
    return Injection(
        address=ADDRESS, paths=paths, service="sqs", method="set_queue_attributes", parameters=lambda r, of: {}
    )


def report(*paths: str, cause: Cause = Cause.CHANGED_OUTSIDE, address: str = ADDRESS) -> DriftReport:
    changes = tuple(AttributeChange(path=path, cause=cause) for path in paths)
    status = ResourceStatus.MODIFIED
    return DriftReport(resources=(ResourceDrift(address=address, status=status, attributes=changes),))


def judged(made: Injection, before: Any, now: Any, found: DriftReport) -> Outcome:
    outcome = Outcome()
    judge([made], before, now, found, outcome)
    return outcome


def test_what_is_seen_and_named_is_found() -> None:
    outcome = judged(
        injection("delay_seconds"), state(delay_seconds=0), state(delay_seconds=7), report("delay_seconds")
    )
    assert (outcome.seen, outcome.types, list(problems(outcome))) == (1, 1, [])


@pytest.mark.parametrize(
    "found", [DriftReport(), report("tags.injected"), report("delay_seconds", cause=Cause.NORMALISATION)]
)
def test_what_is_seen_and_not_named_as_changed_outside_is_missed(found: DriftReport) -> None:
    outcome = judged(injection("delay_seconds"), state(delay_seconds=0), state(delay_seconds=7), found)
    assert outcome.missed
    assert any("missed" in problem for problem in problems(outcome))


def test_what_the_provider_does_not_see_is_told_apart() -> None:
    outcome = judged(injection("delay_seconds"), state(delay_seconds=0), state(delay_seconds=0), DriftReport())
    assert (outcome.seen, outcome.missed, outcome.unseen) == (0, [], [f"{ADDRESS}: delay_seconds"])


def test_a_resource_that_nobody_changed_must_not_be_named() -> None:
    found = report("delay_seconds", address="aws_sns_topic.this")
    outcome = judged(injection("delay_seconds"), state(delay_seconds=0), state(delay_seconds=0), found)
    assert outcome.unexpected == ["aws_sns_topic.this: modified ['delay_seconds']"]


def test_what_is_gone_has_to_be_told_as_deleted() -> None:
    empty: dict[str, Any] = {"values": {"root_module": {}}}
    assert judged(injection(GONE), state(), empty, DriftReport()).missed == [f"{ADDRESS}: gone"]
    gone = DriftReport(resources=(ResourceDrift(address=ADDRESS, status=ResourceStatus.DELETED),))
    assert judged(injection(GONE), state(), empty, gone).missed == []


@pytest.mark.parametrize(
    ("one", "other", "whether"),
    [
        ("tags.injected", "tags", True),
        ("ingress[0]", "ingress[3].to_port", True),
        ("policy", "policy", True),
        ("tags.injected", "tags.other", False),
        ("tags", "tags_all", False),
    ],
)
def test_paths_meet_where_one_lies_within_the_other(one: str, other: str, whether: bool) -> None:
    assert meet(one, other) is whether


def test_the_table_has_more_than_a_hundred_types_and_no_row_without_a_path() -> None:
    rows = injections()
    assert len({row.address.partition(".")[0] for row in rows}) > 100
    assert all(row.paths for row in rows)
