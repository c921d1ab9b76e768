"""Rollbacks of what was there before its deployment made it, on real processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.demo.stage import Stage
from shared.models import RunStatus
from shared.rollback.records import ResidueKind
from shared.rollback.standing import RollbackStatus
from tests.integration.rollback_world import FIRST, SECOND, TAKEN, World, rollback_stage, world_of
from tests.integration.system import eventually

pytestmark = [pytest.mark.terraform, pytest.mark.timeout(900)]

#: What another team has, too.
NIGHTLY = """
resource "aws_cloudwatch_event_rule" "nightly" {
  name                = "${var.name}-nightly"
  schedule_expression = "rate(9 days)"
}
"""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with rollback_stage(tmp_path_factory, "existing") as made:
        yield made


@pytest.fixture
def world(stage: Stage, tmp_path: Path, request: pytest.FixtureRequest) -> World:
    return world_of(stage, tmp_path, request, "theirs")


def test_what_another_team_had_under_a_name_is_taken_over_with_consent_only_and_never_destroyed(world: World) -> None:
    assert world.apply(world.publish(FIRST)).status is RunStatus.APPLIED
    arn = world.cloud.client("sns").create_topic(Name=f"{world.name}-alerts")["TopicArn"]
    world.cloud.client("events").put_rule(Name=f"{world.name}-nightly", ScheduleExpression="rate(7 days)")
    theirs = world.inventory()
    both = {"aws_sns_topic.alerts", "aws_cloudwatch_event_rule.nightly"}
    second = world.publish(SECOND, NIGHTLY, TAKEN.replace("aws_sns_topic.alerts", ", ".join(sorted(both))))

    held = world.apply(second)

    assert held.status is RunStatus.PLANNED, f"{held.reason}\n{world.log(held.id)}"
    assert world.inventory() == theirs, "nothing was applied"
    consents = [word for address in sorted(both) for word in ("--consent", address)]
    world.interlock("plan", "approve", held.id, *consents, "--yes")
    run = world.apply(second)
    assert run.status is RunStatus.ERRORED, f"{run.reason}\n{world.log(run.id)}"
    back = world.rollback(run.id)
    assert back.status is RollbackStatus.PARTIAL
    assert back.result is not None
    assert {one.item.address for one in back.result.refused} == both
    assert {(one.kind, one.address) for one in back.result.residue} == {(ResidueKind.LEFT, one) for one in both}
    assert set(world.inventory()) == set(theirs), "all of it is still there"

    world.interlock("rollback", "retry", back.id, "--consent", "aws_sns_topic.alerts", "--yes")
    eventually(lambda: not world.rollback(run.id).status.at_work, "it is tried again", patience_s=400)
    assert arn not in {one["TopicArn"] for one in world.cloud.client("sns").list_topics()["Topics"]}
    assert world.rollback(run.id).status is RollbackStatus.PARTIAL, "the rule was not named"
