"""Inventories can be compared: names for ids, and nothing that counts by itself."""

from __future__ import annotations

from tests.rollback_faults.inventory import Item, canonical


def test_ids_become_the_names_of_what_they_name() -> None:
    found = canonical(
        [
            Item(type="aws_subnet", name="app", ids=("subnet-0a1b2c3d",)),
            Item(type="aws_route_table", name="main", ids=("rtb-99887766",)),
            Item(type="aws_route_table_association", name="subnet-0a1b2c3d rtb-99887766", ids=("rtbassoc-55554444",)),
        ]
    )
    assert "aws_route_table_association <aws_subnet app> <aws_route_table main>" in found


def test_an_id_within_a_name_that_was_put_in_becomes_a_name_too() -> None:
    found = canonical(
        [
            Item(type="aws_subnet", name="app", ids=("subnet-0a1b2c3d",)),
            Item(type="aws_nat", name="in subnet-0a1b2c3d", ids=("nat-12341234",)),
            Item(type="aws_route", name="out", ids=("r",), attributes={"via": "nat-12341234"}),
        ]
    )
    assert found["aws_route out"].attributes == {"via": '"<aws_nat in <aws_subnet app>>"'}


def test_counters_and_instants_are_left_out_at_every_depth() -> None:
    attributes = {"Value": "1", "LastModifiedDate": 5, "parts": [{"CreateDate": 1, "size": 2}]}
    found = canonical([Item(type="t", name="n", ids=("i",), attributes=attributes)])
    assert found["t n"].attributes == {"Value": '"1"', "parts": '[{"size": 2}]'}


def test_the_order_in_a_list_says_nothing() -> None:
    one, other = (
        canonical([Item(type="t", name="n", ids=("i",), attributes={"actions": actions})])
        for actions in (["a", "b"], ["b", "a"])
    )
    assert one == other


def test_an_empty_map_is_not_the_same_as_none() -> None:
    found = canonical([Item(type="t", name="n", ids=("i",), attributes={"tags": {}})])
    assert found["t n"].attributes == {"tags": "{}"}


def test_two_targets_can_be_compared_without_their_own_words() -> None:
    one, other = (
        canonical(
            [Item(type="t", name=f"/{name}/a", ids=("i",), attributes={"arn": f"arn:{region}:{name}-x"})],
            {name: "NAME", region: "REGION"},
        )
        for name, region in (("r0-a1", "eu-west-1"), ("r1-a12", "us-east-1"))
    )
    assert one == other


def test_a_word_is_not_the_beginning_of_another_one() -> None:
    assert list(canonical([Item(type="t", name="r0-a12", ids=("i",))], {"r0-a1": "NAME"})) == ["t r0-a12"]
