"""Rollbacks on real processes: the demo's cloud, a real Terraform, its provider or the stand-in for it.

Every call of a rollback, with the worker killed at each: tests/rollback_faults.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from deploy.demo.arrivals import read_calls
from deploy.demo.stage import Stage
from shared import exit_codes
from shared.models import RunStatus
from shared.rollback.records import Presence, ResidueKind, RollbackState
from shared.rollback.settings import Trigger
from shared.rollback.standing import RollbackStatus
from tests.integration.rollback_world import FIRST, POLICED, REPLACED, SECOND, TAKEN, World, rollback_stage, world_of
from tests.integration.system import eventually

pytestmark = [pytest.mark.terraform, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with rollback_stage(tmp_path_factory, "rollbacks") as made:
        yield made


@pytest.fixture
def world(stage: Stage, tmp_path: Path, request: pytest.FixtureRequest) -> World:
    return world_of(stage, tmp_path, request, "flock")


def test_a_deployment_that_fails_half_way_is_taken_back_by_its_own_run(world: World) -> None:
    first = world.publish(FIRST)
    assert world.apply(first).status is RunStatus.APPLIED
    before = world.inventory()

    run = world.apply(world.publish(SECOND, TAKEN))

    assert run.status is RunStatus.ROLLED_BACK, f"{run.reason}\n{world.log(run.id)}"
    assert world.inventory() == before
    back = world.rollback(run.id)
    assert (back.status, back.current_run_id) == (RollbackStatus.ROLLED_BACK, run.id)
    assert back.result is not None
    assert back.result.trigger is Trigger.APPLY_ERROR
    assert "delete aws_sns_topic.alerts" in map(str, back.result.done)
    assert back.result.comparison is not None
    # Of one kind and with the same values; how a provider spells "no tags" after it has read them is its own matter.
    differing = {one.path for resource in back.result.comparison.resources for one in resource.attributes}
    assert differing <= {"tags", "tags_all"}
    assert all(one.presence is Presence.BOTH for one in back.result.comparison.resources)
    assert world.plan_of_first(first).exit_code == exit_codes.OK
    calls = read_calls(world.stage.cloud_log.read_text().splitlines(keepends=True))
    epochs = {call.arrived.epoch for call in calls if call.arrived.run == run.id and call.arrived.mutating}
    assert len(epochs) == 1, "one lease spans all of it"


def test_of_a_replacement_that_was_cut_the_old_one_stays_and_the_new_one_goes(world: World) -> None:
    first = world.publish(FIRST)
    assert world.apply(first).status is RunStatus.APPLIED
    before = world.inventory()

    run = world.apply(world.publish(REPLACED))

    assert run.status is RunStatus.ROLLED_BACK, f"{run.reason}\n{world.log(run.id)}"
    back = world.rollback(run.id)
    assert back.result is not None
    assert "delete aws_sns_topic.news (deposed)" in map(str, back.result.done)
    assert world.inventory() == before
    calls = read_calls(world.stage.cloud_log.read_text().splitlines(keepends=True))
    made = [call.arrived.operation for call in calls if call.arrived.run == run.id and call.arrived.mutating]
    assert (made.count("CreateTopic"), made.count("DeleteTopic")) == (1, 1), "what existed is not made anew"
    assert world.plan_of_first(first).exit_code == exit_codes.OK


def test_what_only_the_deployment_sets_on_something_that_stays_is_named_until_it_is_set_back(world: World) -> None:
    first = world.publish(FIRST)
    assert world.apply(first).status is RunStatus.APPLIED
    before = world.topic_policy()

    run = world.apply(world.publish(POLICED, TAKEN.replace("aws_sns_topic.alerts", "aws_sns_topic.news")))

    assert run.status is RunStatus.ERRORED, f"{run.reason}\n{world.log(run.id)}"
    back = world.rollback(run.id)
    assert back.status is RollbackStatus.PARTIAL
    assert back.result is not None
    ((kind, address, why),) = [(one.kind, one.address, one.reason) for one in back.result.residue]
    assert (kind, address) == (ResidueKind.CHANGED, "aws_sns_topic.news")
    assert "the deployment set policy" in why
    assert world.topic_policy() != before, "the provider keeps what the first configuration says nothing of"

    world.set_topic_policy(before)
    world.stage.api.retry_rollback(back.id, actor="anna")
    again = eventually(
        lambda: found if not (found := world.rollback(run.id)).status.at_work else None,
        "it is tried again",
        patience_s=400,
    )
    assert again is not None
    assert again.status is RollbackStatus.NOT_NEEDED, world.log(again.current_run_id)
    assert again.result is not None
    assert again.result.comparison is not None
    assert again.result.comparison.equal, "what is there was read and stored"


def test_where_nothing_was_before_nothing_is_afterwards(world: World) -> None:
    before = world.inventory()
    run = world.apply(world.publish(SECOND, TAKEN))
    assert run.status is RunStatus.ROLLED_BACK, f"{run.reason}\n{world.log(run.id)}"
    assert world.inventory() == before
    assert world.stage.state(world.target).get("resources") == []


def test_what_holds_data_is_left_and_named_until_somebody_consents(world: World) -> None:
    first = world.publish(FIRST)
    world.apply(first)
    bucket = 'resource "aws_s3_bucket" "jobs" { bucket = "${var.name}-jobs" }\n'
    holds = TAKEN.replace("aws_sns_topic.alerts", "aws_sns_topic.alerts, aws_s3_bucket.jobs")
    run = world.apply(world.publish(SECOND, bucket, holds))
    assert run.status is RunStatus.ERRORED, world.log(run.id)
    back = world.rollback(run.id)
    assert back.status is RollbackStatus.PARTIAL
    assert back.result is not None
    assert [(one.kind, one.address) for one in back.result.residue] == [(ResidueKind.LEFT, "aws_s3_bucket.jobs")]
    assert f"bucket {world.name}-jobs" in world.cloud.read().values()
    assert not [what for what in world.cloud.read().values() if f"{world.name}-alerts" in what]

    world.interlock("rollback", "retry", back.id, "--consent", "aws_s3_bucket.jobs", "--yes")
    eventually(lambda: world.rollback(run.id).status is RollbackStatus.ROLLED_BACK, "it is whole", patience_s=400)
    assert f"bucket {world.name}-jobs" not in world.cloud.read().values()
    assert world.plan_of_first(first).exit_code == exit_codes.OK


class Health:
    """A service that is asked for its health."""

    def __init__(self) -> None:
        self.status = 200
        self.asked = threading.Event()
        health = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status = health.status
                self.send_response(status)
                self.end_headers()
                health.asked.set()

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/health"


@pytest.fixture
def health() -> Iterator[Health]:
    made = Health()
    thread = threading.Thread(target=made.server.serve_forever, daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join(60)


def check(url: str, **more: Any) -> dict[str, Any]:
    return {"type": "http", "name": "up", "url": url, "missing_data": "breaching", "every_s": 1, **more}


def until_watched(world: World, run_id: str, health: Health) -> None:
    eventually(
        lambda: world.stage.api.run(run_id).status is RunStatus.BAKING and health.asked.is_set(),
        "it bakes",
        patience_s=400,
    )


def test_a_service_that_gets_ill_while_it_is_watched_has_its_deployment_taken_back(
    world: World, health: Health
) -> None:
    first = world.publish(FIRST)
    world.apply(first)
    before = world.inventory()
    run_id = world.begin(world.publish(SECOND, bake_s=3600, checks=[check(health.url, failures=2)]))
    until_watched(world, run_id, health)
    assert world.inventory() != before
    health.status = 503
    run = world.over(run_id)
    assert (run.status, "answered 503" in run.reason) == (RunStatus.ROLLED_BACK, True), world.log(run_id)
    assert world.inventory() == before
    result = world.rollback(run_id).result
    assert result is not None
    assert result.trigger is Trigger.HEALTH
    assert result.start_ms < 5_000


def test_one_that_stays_well_is_applied(world: World, health: Health) -> None:
    run = world.apply(world.publish(FIRST, bake_s=3, checks=[check(health.url)]))
    assert run.status is RunStatus.APPLIED, world.log(run.id)
    assert "every check has passed" in world.log(run.id)


@contextmanager
def silent() -> Iterator[str]:
    """A server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"


def test_a_health_check_that_hangs_holds_nothing_up(world: World) -> None:
    with silent() as url:
        run = world.apply(world.publish(FIRST, checks=[check(url, timeout_s=2)]))
    assert run.status is RunStatus.ROLLED_BACK, world.log(run.id)
    assert "no answer within 2 s" in run.reason


def test_a_command_that_hangs_hides_no_service_that_gets_ill(world: World, health: Health) -> None:
    slow = {"type": "command", "name": "slow", "command": ["sleep", "300"], "timeout_s": 300, "missing_data": "ignore"}
    checks = [slow, check(health.url, failures=2)]
    run_id = world.begin(world.publish(FIRST, bake_s=3600, checks=checks))
    until_watched(world, run_id, health)
    health.status = 503
    run = world.over(run_id)
    assert (run.status, "answered 503" in run.reason) == (RunStatus.ROLLED_BACK, True), world.log(run_id)
    assert "check slow" not in world.log(run_id), "it was still at work"


def alarm(world: World, state: str) -> dict[str, Any]:
    """An alarm of the cloud's in this state, and the check that looks at it."""
    name = f"{world.name}-errors"
    cloudwatch = world.cloud.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        MetricName="errors",
        Namespace="jobs",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1.0,
        ComparisonOperator="GreaterThanThreshold",
    )
    cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="the test says so")
    return {"type": "cloudwatch", "name": "errors", "alarms": ["${output.name}-errors"], "missing_data": "ignore"}


@pytest.mark.parametrize(
    ("state", "status"),
    [("OK", RunStatus.APPLIED), ("ALARM", RunStatus.ROLLED_BACK), ("INSUFFICIENT_DATA", RunStatus.ROLLED_BACK)],
)
def test_an_alarm_of_the_cloud_is_asked_for_through_the_proxy(world: World, state: str, status: RunStatus) -> None:
    run = world.apply(world.publish(FIRST, checks=[alarm(world, state)]))
    assert run.status is status, f"{run.reason}\n{world.log(run.id)}"

    def asked() -> list[str]:
        calls = world.stage.api.journal(run=run.id)
        return [call.access for call in calls if call.operation == "DescribeAlarms"]

    # Nobody waits for a read to be in the journal.
    assert eventually(asked, "the question is in the journal") == ["read"]


def test_a_command_in_the_sandbox_says_whether_it_holds(world: World) -> None:
    smoke = {
        "type": "command",
        "name": "smoke",
        "command": ["grep", "-q", "news", "main.tf"],
        "missing_data": "breaching",
    }
    assert world.apply(world.publish(FIRST, checks=[smoke])).status is RunStatus.APPLIED
    run = world.apply(world.publish(FIRST, "# changed\n", checks=[{**smoke, "command": ["false"]}]))
    assert run.status is RunStatus.ROLLED_BACK, world.log(run.id)
    assert "nothing had to be rolled back" in run.reason
    result = world.rollback(run.id).result
    assert result is not None
    assert result.state is RollbackState.NOT_NEEDED


def test_an_operator_takes_back_what_bakes(world: World) -> None:
    first = world.publish(FIRST)
    world.apply(first)
    before = world.inventory()
    run_id = world.begin(world.publish(SECOND, bake_s=3600))
    eventually(lambda: world.stage.api.run(run_id).status is RunStatus.BAKING, "it bakes", patience_s=400)
    world.interlock("rollback", "start", world.target)
    run = world.over(run_id)
    assert run.status is RunStatus.ROLLED_BACK, world.log(run_id)
    assert world.inventory() == before
    result = world.rollback(run_id).result
    assert result is not None
    assert result.trigger is Trigger.OPERATOR


def test_a_test_is_taken_back_though_it_held(world: World) -> None:
    before = world.inventory()
    run = world.apply(world.publish(FIRST, preproduction_test=True))
    assert run.status is RunStatus.ROLLED_BACK, world.log(run.id)
    assert world.inventory() == before
