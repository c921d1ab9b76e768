"""The judge finds what was planted."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rollback_faults.inventory import Item, Thing, canonical
from tests.rollback_faults.judgement import APPLIED, Evidence, Told, Verdict, addresses_in, judge


def items(subnet: str = "subnet-0a1b2c3d", **tags: str) -> list[Item]:
    """A network of two things and a parameter."""
    return [
        Item(type="aws_vpc", name="main", ids=("vpc-11112222",), attributes={"CidrBlock": "10.0.0.0/16"}),
        Item(type="aws_subnet", name="app", ids=(subnet,), attributes={"VpcId": "vpc-11112222", "tags": tags}),
        Item(type="aws_ssm_parameter", name="/a", ids=("/a",), attributes={"Value": "1"}),
    ]


FIRST = canonical(items(Owner="us"))
ORPHAN = Item(type="aws_sns_topic", name="new", ids=("arn:aws:sns:eu-west-1:1:new",))


def judged(after: dict[str, Thing], outcome: str = "ROLLED_BACK", *told: Told, **more: Any) -> Verdict:
    return judge(Evidence(before=FIRST, after=after, outcome=outcome, told=told, **more))


def test_the_first_state_is_the_first_state() -> None:
    assert judged(FIRST).passed
    assert judged(FIRST, "NOT_NEEDED").passed


def test_a_thing_that_was_made_anew_is_the_same_with_another_id() -> None:
    assert judged(canonical(items("subnet-99999999", Owner="us"))).passed


@pytest.mark.parametrize("outcome", ["ROLLED_BACK", "NOT_NEEDED", "PARTIAL", "FAILED", "lost"])
def test_a_planted_orphan_is_found_whatever_was_said(outcome: str) -> None:
    verdict = judged(canonical([*items(Owner="us"), ORPHAN]), outcome)
    assert not verdict.passed
    assert verdict.unknown_orphans == ("aws_sns_topic new",)


def test_a_planted_second_thing_of_the_same_name_is_found() -> None:
    twin = Item(type="aws_ssm_parameter", name="/a", ids=("/a",), attributes={"Value": "1"})
    assert judged(canonical([*items(Owner="us"), twin])).unknown_orphans == ("aws_ssm_parameter /a",)


def test_of_two_things_with_one_name_the_one_that_was_there_is_not_the_orphan() -> None:
    # The new one sorts before the old one.
    new = Item(type="aws_subnet", name="app", ids=("subnet-00000000",), attributes={"VpcId": "other"})
    verdict = judged(canonical([new, *items(Owner="us")]), "PARTIAL", Told(kind="orphan", type="", ids=new.ids))
    assert verdict.differences == ("left aws_subnet app",)
    assert verdict.passed


@pytest.mark.parametrize("outcome", ["ROLLED_BACK", "PARTIAL"])
def test_a_planted_attribute_is_found(outcome: str) -> None:
    verdict = judged(canonical(items(Owner="somebody else")), outcome)
    assert not verdict.passed
    assert verdict.differences == ('changed aws_subnet app: tags.Owner: "us" -> "somebody else"',)


def test_what_is_missing_is_found() -> None:
    assert judged(canonical(items(Owner="us")[:-1])).differences == ("missing aws_ssm_parameter /a",)


def test_what_was_named_as_residue_is_accepted() -> None:
    after = canonical([*items(Owner="them")[:-1], ORPHAN])
    told = [
        Told(kind="left", type="aws_sns_topic", ids=("arn:aws:sns:eu-west-1:1:new",)),
        Told(kind="changed", type="aws_subnet", ids=("subnet-0a1b2c3d",)),
        Told(kind="missing", type="aws_ssm_parameter", ids=("/a",)),
    ]
    verdict = judged(after, "PARTIAL", *told)
    assert verdict.passed
    assert len(verdict.differences) == 3
    assert not judged(after, "PARTIAL", *told[1:]).passed
    assert not judged(after, "ROLLED_BACK", *told).passed


def test_residue_names_one_thing_and_not_its_neighbours() -> None:
    after = canonical([*items(Owner="us"), ORPHAN])
    for other in (
        Told(kind="left", type="aws_sns_topic", ids=("arn:aws:sns:eu-west-1:1:other",)),
        Told(kind="left", type="aws_sqs_queue", ids=("arn:aws:sns:eu-west-1:1:new",)),
        Told(kind="missing", type="aws_sns_topic", ids=("arn:aws:sns:eu-west-1:1:new",)),
    ):
        assert judged(after, "PARTIAL", other).unknown_orphans == ("aws_sns_topic new",)


def test_residue_that_does_not_exist_is_not_exact() -> None:
    verdict = judged(FIRST, "PARTIAL", Told(kind="left", type="aws_sns_topic", ids=("arn:aws:sns:eu-west-1:1:new",)))
    assert not verdict.passed
    assert not judged(FIRST, "PARTIAL", Told(kind="changed", type="aws_subnet", ids=("subnet-0a1b2c3d",))).passed


def test_an_orphan_report_names_it_too() -> None:
    after = canonical([*items(Owner="us"), ORPHAN])
    assert judged(after, "PARTIAL", Told(kind="orphan", type="", ids=("arn:aws:sns:eu-west-1:1:new",))).passed


def test_a_deployment_that_went_through_is_held_against_the_second_release() -> None:
    second = canonical([*items(Owner="us"), ORPHAN])
    assert judged(second, APPLIED, second=second).passed
    assert not judged(FIRST, APPLIED, second=second).passed
    assert not judged(FIRST, APPLIED).passed


def test_what_other_targets_have_in_the_region_is_none_of_its_matter() -> None:
    neighbour = Item(type="aws_sns_topic", name="theirs", ids=("arn:aws:sns:eu-west-1:1:theirs",))
    second = canonical([*items(Owner="us"), ORPHAN])
    after = canonical([*items(Owner="us"), ORPHAN, neighbour])
    beside = canonical([neighbour])
    assert judged(after, APPLIED, second=second, beside=beside).passed
    assert not judged(after, APPLIED, second=second).passed
    assert not judged(second, APPLIED, second=second, beside=beside).passed, "it took the neighbour's away"


def test_a_case_whose_strike_never_fell_has_shown_nothing() -> None:
    assert not judged(FIRST, struck=0).passed


def test_what_no_state_holds_any_more_is_found_though_the_cloud_is_as_it_was() -> None:
    held = frozenset({"aws_vpc.main[]", "aws_subnet.app[]"})
    assert judged(FIRST, held_before=held, held_after=held).passed
    assert not judged(FIRST, held_before=held, held_after=held - {"aws_vpc.main[]"}).passed
    assert not judged(FIRST, held_before=held, held_after=held | {"aws_subnet.app[]0a1b"}).passed


def test_an_address_is_that_of_an_instance() -> None:
    resource = {"mode": "managed", "type": "t", "name": "n"}
    state = {
        "resources": [
            {**resource, "instances": [{"index_key": 0}, {"index_key": 1}, {"deposed": "0a1b2c3d"}]},
            {**resource, "module": "module.m", "instances": [{}]},
            {**resource, "mode": "data", "name": "d", "instances": [{}]},
        ]
    }
    assert addresses_in(state) == {"t.n[0]", "t.n[1]", "t.n[]0a1b2c3d", "module.m t.n[]"}


def test_nothing_said_and_nothing_done_is_no_pass() -> None:
    assert not judged(FIRST, "").passed
