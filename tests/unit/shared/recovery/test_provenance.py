"""Whether what has a name is the run's own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shared.recovery.imports import Import
from shared.recovery.provenance import doubtful
from tests.unit.worker.support import record

LOST = record("ecs", "CreateCluster", {"clusterName": "orders"})
UNCERTAIN = Import(address="aws_ecs_cluster.x", id="orders", call_id=LOST.call_id, certain=False, ours=False)


def plan(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    change = {"actions": ["no-op"], "importing": {"id": "orders"}, "before": before, "after": after}
    return {"resource_changes": [{"address": "aws_ecs_cluster.x", "change": change}]}


def doubts(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return [item.why for item in doubtful(plan(before, after), [UNCERTAIN], [LOST]).values()]


def test_what_carries_the_tags_of_the_configuration_is_ours() -> None:
    assert doubts({"tags_all": {"service": "orders", "more": "x"}}, {"tags_all": {"service": "orders"}}) == []
    assert len(doubts({"tags_all": {"service": "payments"}}, {"tags_all": {"service": "orders"}})) == 1


def test_without_tags_nothing_vouches_for_it() -> None:
    (why,) = doubts({}, {})
    assert "was there before" in why
    assert "aws_ecs_cluster.x, orders" in why


@pytest.mark.parametrize(("minutes", "ours"), [(-60, False), (-1, True), (1, True)])
def test_the_time_at_which_it_was_made_does(minutes: int, ours: bool) -> None:
    made = (LOST.at_wall + timedelta(minutes=minutes)).isoformat()
    assert bool(doubts({"create_date": made}, {})) is not ours


def test_an_answered_create_is_not_doubted() -> None:
    certain = Import(address="aws_ecs_cluster.x", id="orders", call_id=LOST.call_id, certain=True, ours=True)
    assert doubtful(plan({}, {}), [certain], [LOST]) == {}


def test_what_exists_is_not_ours_for_that() -> None:
    exists = Import(address="aws_ecs_cluster.x", id="orders", call_id=LOST.call_id, certain=True, ours=False)
    assert list(doubtful(plan({}, {}), [exists], [LOST])) == [LOST.call_id]


@pytest.mark.parametrize(
    "made",
    [
        record("sns", "CreateTopic", {"Name": "t"}),
        record("sqs", "CreateQueue", {"QueueName": "q"}),
        record("ec2", "AssociateRouteTable", {"RouteTableId": "rtb-1", "SubnetId": "subnet-1"}),
        record("ec2", "AllocateAddress"),
    ],
)
def test_no_kind_of_create_is_beyond_doubt(made: Any) -> None:
    item = Import(address="aws_ecs_cluster.x", id="x", call_id=made.call_id, certain=True, ours=False)
    assert list(doubtful(plan({}, {}), [item], [made])) == [made.call_id]


def test_what_is_older_than_the_call_is_not_ours_whatever_its_tags_say() -> None:
    tags = {"tags_all": {"service": "orders"}}
    old = {"create_date": (LOST.at_wall - timedelta(hours=1)).isoformat()}
    assert len(doubts({**tags, **old}, tags)) == 1


def test_an_import_that_the_plan_does_not_show_is_doubted() -> None:
    assert list(doubtful({"resource_changes": []}, [UNCERTAIN], [LOST])) == [LOST.call_id]


def test_a_client_repeats_a_call_and_all_of_its_tries_are_about_one_thing() -> None:
    again = LOST.model_copy(update={"call_id": "a" * 32})
    other = record("ecs", "CreateCluster", {"clusterName": "payments"})
    found = doubtful(plan({}, {}), [UNCERTAIN], [LOST, again, other])
    assert found.keys() == {LOST.call_id, again.call_id}
