"""How things of a name are looked up."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from shared.recovery.lookups import LOOKUPS, instant, items_in
from shared.recovery.table import TABLE


def test_every_lookup_is_of_a_type_that_a_rule_names_by_the_same_attribute() -> None:
    by_type = {rule.type: rule for rule in TABLE}
    for kind, lookup in LOOKUPS.items():
        rule = by_type[kind]
        assert lookup.service == rule.service, kind
        assert (lookup.journal, lookup.attribute) in {(name.lower(), attribute) for name, attribute in rule.same}, kind


def test_a_name_is_asked_for_as_its_service_takes_it() -> None:
    assert LOOKUPS["aws_dynamodb_table"].body("t") == {"TableName": "t"}
    assert LOOKUPS["aws_ecr_repository"].body("r") == {"repositoryNames": ["r"]}
    assert LOOKUPS["aws_ssm_parameter"].body("/p") == {"Filters": [{"Key": "Name", "Values": ["/p"]}]}
    assert LOOKUPS["aws_kms_alias"].body("alias/a") == {}
    assert LOOKUPS["aws_dynamodb_table"].json
    assert not LOOKUPS["aws_iam_role"].json
    assert not LOOKUPS["aws_s3_bucket"].json


NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (1767225600, NEW_YEAR),
        (1767225600.0, NEW_YEAR),
        (1767225600000, NEW_YEAR),
        ("2026-01-01T00:00:00Z", NEW_YEAR),
        ("2026-01-01T00:00:00.000Z", NEW_YEAR),
        ("2026-01-01T01:00:00+01:00", NEW_YEAR),
        ("2026-01-01T00:00:00", NEW_YEAR),
        ("", None),
        (None, None),
        (True, None),
        ("soon", None),
    ],
)
def test_a_time_is_read_however_a_service_says_it(said: object, meant: datetime | None) -> None:
    assert instant(said) == meant


def test_items_are_one_many_or_none() -> None:
    assert items_in({"Table": {"a": 1}}, "Table") == [{"a": 1}]
    assert items_in({"a": {"b": [{"c": 1}, "no"]}}, "a.b") == [{"c": 1}]
    assert items_in({"a": 1}, "") == [{"a": 1}]
    assert items_in({}, "Table") == []
    assert items_in([], "Table") == []


@pytest.mark.parametrize("value", [True, float("nan"), float("inf"), -float("inf"), 10**400, 1e300])
def test_a_number_that_is_no_time_ends_nothing(value: Any) -> None:
    assert instant(value) is None
