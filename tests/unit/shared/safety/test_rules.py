"""Who has to approve what."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from shared.safety.entries import Operation
from shared.safety.rules import Demand, Rule, SafetyRules, demand, matches
from tests.unit.shared.safety.support import entry

RULES = SafetyRules.model_validate(
    {
        "auto": [
            {"operations": ["create", "update", "read", "output"]},
            {"operations": ["delete"], "types": ["aws_x"]},
        ],
        "one_person": [{"operations": ["provisioner"], "types": ["local-exec"]}],
        "two_persons": [{"operations": ["delete", "replace_delete_first"], "types": ["aws_db_*"]}],
        "never": [{"operations": ["delete"], "types": ["aws_s3_bucket"]}],
        "protected_types": ["aws_kms_*"],
    }
)


@pytest.mark.parametrize(
    ("operation", "type_", "expected"),
    [
        ("create", "aws_sqs_queue", Demand.NOBODY),
        ("update", "aws_kms_key", Demand.ONE),
        ("read", "aws_kms_key", Demand.NOBODY),
        ("output", "output", Demand.NOBODY),
        ("delete", "aws_x", Demand.NOBODY),
        ("delete", "aws_sqs_queue", Demand.ONE),
        ("forget", "aws_sqs_queue", Demand.ONE),
        ("delete", "aws_db_instance", Demand.TWO),
        ("replace_delete_first", "aws_db_instance", Demand.TWO),
        ("replace_create_first", "aws_db_instance", Demand.ONE),
        ("delete", "aws_s3_bucket", Demand.NEVER),
        ("provisioner", "local-exec", Demand.ONE),
        ("provisioner", "remote-exec", Demand.NEVER),
        ("action", "aws_lambda_invoke", Demand.NEVER),
        ("deferred", "aws_sqs_queue", Demand.NEVER),
        ("unknown", "aws_sqs_queue", Demand.NEVER),
    ],
)
def test_the_strictest_rule_that_names_an_entry_counts(operation: str, type_: str, expected: Demand) -> None:
    assert RULES.demand(entry(operation, "a.b", type_)) is expected


def test_never_beats_every_other_rule() -> None:
    every = {"operations": [one.value for one in Operation if one is not Operation.UNKNOWN]}
    strict = SafetyRules.model_validate({name: [every] for name in ("auto", "one_person", "two_persons", "never")})
    for operation in Operation:
        assert strict.demand(entry(operation, "a.b")) is Demand.NEVER


@pytest.mark.parametrize("operation", list(Operation))
def test_empty_rules_approve_nothing_by_themselves(operation: Operation) -> None:
    closed = operation in (Operation.PROVISIONER, Operation.ACTION, Operation.DEFERRED, Operation.UNKNOWN)
    assert SafetyRules().demand(entry(operation, "a.b")) is (Demand.NEVER if closed else Demand.ONE)


@pytest.mark.parametrize("operation", list(Operation))
def test_without_rules_the_world_is_closed_all_the_same(operation: Operation) -> None:
    closed = operation in (Operation.PROVISIONER, Operation.ACTION, Operation.DEFERRED, Operation.UNKNOWN)
    assert demand(None, entry(operation, "a.b")) is (Demand.NEVER if closed else Demand.NOBODY)


def test_a_pattern_stands_for_the_whole_type_and_only_the_star_is_special() -> None:
    assert matches("aws_db_instance", ["aws_db_*"])
    assert matches("local-exec", ["*-exec"])
    assert not matches("aws_db", ["aws_db_*"])
    assert not matches("xaws_db_instance", ["aws_db_*"])
    assert not matches("aws-db", ["aws.db"])
    assert not matches("aws_s3", [])


def test_a_pattern_with_many_stars_takes_no_time() -> None:
    assert not matches("a" * 255, ["*a" * 100 + "b"])


@pytest.mark.parametrize(
    "bad",
    [
        {"auto": [{"operations": []}]},
        {"auto": [{"operations": ["unknown"]}]},
        {"auto": [{"operations": ["create"], "types": []}]},
        {"auto": [{"operations": ["create"], "types": ["a[b]"]}]},
        {"auto": [{"operations": ["create"], "kind": "x"}]},
        {"auto": ["create"]},
        {"exec": "no"},
        {"always": []},
    ],
)
def test_rules_that_are_only_nearly_right_are_refused(bad: object) -> None:
    with pytest.raises(ValidationError):
        SafetyRules.model_validate(bad)


def test_the_rules_in_the_page_about_them_are_rules() -> None:
    page = Path(__file__).resolve().parents[4] / "docs" / "safety-plans.md"
    example = re.search(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL)
    assert example is not None
    rules = SafetyRules.model_validate(yaml.safe_load(example[1])["safety"])
    assert rules.demand(entry("delete", "a.b", "aws_db_instance")) is Demand.TWO
    assert rules.demand(entry("update", "a.b", "aws_kms_key")) is Demand.ONE
    assert not rules.exec


def test_rules_are_read_back_as_they_were_written() -> None:
    assert SafetyRules.model_validate_json(RULES.model_dump_json()) == RULES
    assert Rule.model_validate({"operations": ["create"]}).types == ("*",)
