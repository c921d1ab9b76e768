"""`interlock journal`."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.models import JournalRecord

Interlock = Callable[..., Any]


@pytest.fixture(autouse=True)
def one_record(fake_api: Any) -> JournalRecord:
    record = JournalRecord(
        run_id="run-0123456789abcdef",
        target="shop.local",
        epoch=3,
        call_id="d" * 32,
        service="s3",
        operation="CreateBucket",
        access="write",
        host="b.s3.amazonaws.com",
        method="PUT",
        path="/",
        region="eu-west-1",
        resource={"Bucket": "b"},
        at_wall=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    )
    fake_api.records = [record]
    return record


def test_a_call_without_an_outcome_is_shown_as_unknown(interlock: Interlock) -> None:
    said = interlock("journal", "ls").out
    for word in ("CreateBucket", "unknown", "Bucket=b", "shop.local"):
        assert word in said


def test_choices_reach_the_api(interlock: Interlock, fake_api: Any) -> None:
    interlock("journal", "ls", "--target", "shop.local", "--run", "r", "--epoch", "3", "--limit", "7")
    assert fake_api.asked == [("journal", {"target": "shop.local", "run": "r", "epoch": 3, "limit": 7})]


def test_with_json_the_outcome_that_is_not_known_is_null(interlock: Interlock, one_record: JournalRecord) -> None:
    assert json.loads(interlock("journal", "ls", "--json").out) == [one_record.model_dump(mode="json")]
