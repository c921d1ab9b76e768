"""Whether what has a name is the run's own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shared.recovery.imports import Import
from shared.recovery.provenance import doubtful
from tests.unit.worker.support import record

LOST = record("ecs", "CreateCluster", {"clusterName": "orders"})
UNCERTAIN = Import(address="aws_ecs_cluster.x", id="orders", call_id=LOST.call_id, certain=False)


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
    certain = Import(address="aws_ecs_cluster.x", id="orders", call_id=LOST.call_id, certain=True)
    assert doubtful(plan({}, {}), [certain], [LOST]) == {}


def test_what_lies_in_what_is_ours_is_not_doubted() -> None:
    made = record("ec2", "AssociateRouteTable", {"RouteTableId": "rtb-1", "SubnetId": "subnet-1"})
    item = Import(address="aws_ecs_cluster.x", id="subnet-1/rtb-1", call_id=made.call_id, certain=False)
    assert doubtful(plan({}, {}), [item], [made]) == {}
