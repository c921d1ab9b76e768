"""What a plan does, as a set."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.safety.entries import Entry, Existing, Operation, Place, SafetyPlan, in_order
from tests.unit.shared.safety.support import AMERICA, EUROPE, entry, plan

entries = st.builds(
    Entry,
    address=st.text(st.characters(codec="utf-8"), min_size=1, max_size=40),
    type=st.text(st.characters(codec="utf-8"), max_size=10),
    operation=st.sampled_from(Operation),
)
plans = st.builds(SafetyPlan, entries=st.frozensets(entries, max_size=8))


@given(st.lists(entries, max_size=8), st.randoms())
def test_the_same_entries_in_any_order_have_the_same_digest(listed: list[Entry], chance: object) -> None:
    shuffled = list(listed)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]  # random.Random
    assert plan(*listed).digest == plan(*shuffled).digest


@given(plans, plans)
def test_different_entries_have_different_digests(one: SafetyPlan, other: SafetyPlan) -> None:
    assert (one.digest == other.digest) == (one.entries == other.entries)


@given(plans)
def test_a_plan_is_read_back_from_its_canonical_form(one: SafetyPlan) -> None:
    assert SafetyPlan.model_validate_json(one.canonical()) == one


def test_the_canonical_form_is_fixed() -> None:
    """Approvals in a database outlive versions: this spelling must not change."""
    one = plan(entry("delete", "aws_sqs_queue.b"), entry("create", "aws_sqs_queue.a"))
    assert json.loads(one.canonical()) == {
        "entries": [
            {"address": "aws_sqs_queue.a", "operation": "create", "type": "aws_sqs_queue"},
            {"address": "aws_sqs_queue.b", "operation": "delete", "type": "aws_sqs_queue"},
        ]
    }
    assert b" " not in one.canonical()
    assert one.digest == "sha256:3282760b3383290e9858ec00f0f5f161865856c9c5a795a952484e2e554c30e1"


@pytest.mark.parametrize(
    ("here", "there"),
    [
        ('aws_subnet.zone["eu-west-1a"]', 'aws_subnet.zone["us-east-1a"]'),
        ('module.net["eu-west-1"].aws_vpc.this', 'module.net["us-east-1"].aws_vpc.this'),
        ('a.b["cell-europe"]', 'a.b["cell-america"]'),
        ('a.b["logs/eu-west-1/x"]', 'a.b["logs/us-east-1/x"]'),
        ('module.m["eu-west-1b"].a.b["eu-west-1"]', 'module.m["us-east-1b"].a.b["us-east-1"]'),
        ("a.b[2]", "a.b[2]"),
        ('a.b["web"]', 'a.b["web"]'),
    ],
)
def test_the_same_thing_in_two_regions_is_the_same_entry(here: str, there: str) -> None:
    assert EUROPE.normalised(here) == AMERICA.normalised(there)


@pytest.mark.parametrize(
    ("here", "there"),
    [
        ('a.b["eu-west-1a"]', 'a.b["us-east-1b"]'),
        ('a.b["us-east-1"]', 'a.b["us-east-1"]'),
        ("a.b[2]", "a.b[3]"),
        ('a.b["2"]', "a.b[2]"),
        ('a.b["web"]', 'a.b["api"]'),
        ("a.europe", "a.america"),
        ('a.b["europeans"]', 'a.b["americans"]'),
        ('a.b["eu-west-12"]', 'a.b["us-east-12"]'),
        ('a.b["xeu-west-1"]', 'a.b["xus-east-1"]'),
    ],
)
def test_what_is_not_surely_the_same_is_another_entry(here: str, there: str) -> None:
    assert EUROPE.normalised(here) != AMERICA.normalised(there)


def test_a_key_that_looks_like_the_stand_in_is_not_taken_for_it() -> None:
    assert EUROPE.normalised('a.b["<provider_region>"]') != EUROPE.normalised('a.b["eu-west-1"]')


@given(st.text(st.characters(codec="utf-8", exclude_characters='"\\'), max_size=20))
def test_within_one_target_two_keys_stay_two(text: str) -> None:
    place = Place(region="here", provider_region="eu-west-1")
    other = 'a.b["eu-west-1a"]'
    address = f'a.b["{text}"]'
    assert (place.normalised(address) == place.normalised(other)) == (address == other)


def test_entries_are_shown_by_address() -> None:
    listed = in_order([entry("delete", "a.b"), entry("create", "a.a"), entry("create", "a.b")])
    assert [str(one) for one in listed] == ["create a.a", "create a.b", "delete a.b"]


def test_nothing_unbounded_and_nothing_unknown_is_taken() -> None:
    for bad in ({"address": ""}, {"address": "a" * 2049}, {"type": "t" * 257}, {"operation": "explode"}, {"more": 1}):
        with pytest.raises(ValidationError):
            Entry.model_validate({"address": "a.b", "type": "a", "operation": "create", **bad})


def test_which_updates_go_one_way_is_kept_and_is_no_part_of_the_digest() -> None:
    bare = plan(entry("update", "aws_ebs_volume.v"))
    told = SafetyPlan(entries=bare.entries, one_way=frozenset({"aws_ebs_volume.v"}))
    assert told.digest == bare.digest
    assert SafetyPlan.model_validate_json(told.model_dump_json()) == told
    assert SafetyPlan.model_validate(told.model_dump(mode="json")) == told != bare
    assert "one_way" not in bare.model_dump()
    assert told.normalised(EUROPE) == bare


def test_what_it_takes_over_travels_with_a_plan_and_is_no_part_of_what_is_approved() -> None:
    plain = plan(entry("create", "aws_sns_topic.a"))
    there = Existing(address="aws_sns_topic.a", type="aws_sns_topic", id="arn", certain=True)
    taking = plain.model_copy(update={"existing": frozenset({there})})
    assert SafetyPlan.model_validate_json(taking.model_dump_json()) == taking
    assert taking.taken_over == {"aws_sns_topic.a"}
    assert taking.digest == plain.digest
    # Who has never heard of it can still read a plan without.
    assert "existing" not in plain.model_dump(mode="json")
