"""Checks for drift on real processes: the demo's cloud, a real Terraform, its provider or the stand-in for it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from shared import exit_codes
from shared.drift.report import Cause, DriftReport, ResourceDrift, ResourceStatus, RollUp
from shared.models import Run, RunStatus
from tests.integration.demo_stage import StageWorld, staged, write_flock
from tests.integration.system import eventually

pytestmark = [pytest.mark.terraform, pytest.mark.timeout(900)]

GENERIC = """
terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}
variable "timeout" { type = number }
provider "aws" {
  region = "eu-west-1"
}
resource "aws_sqs_queue" "jobs" {
  for_each                   = toset(["a", "b"])
  name                       = "drift-jobs-${each.key}"
  visibility_timeout_seconds = var.timeout
  tags = {
    Team = "orders"
  }
}
resource "aws_iam_role" "worker" {
  name = "drift-worker"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "ec2.amazonaws.com" }
    }]
  })
}
resource "aws_iam_role_policy" "worker" {
  name = "queues"
  role = aws_iam_role.worker.id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sqs:SendMessage", Resource = "*" }]
  })
}
"""
FLOCK = """
name: drift
configuration: terraform
drift: {{confirm: false}}
targets:
  - {{region: eu, provider_region: eu-west-1, variables: {{timeout: {timeout}}}}}
"""
TARGET = "drift.eu"
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


class World(StageWorld):
    """Everything on one machine, and a target that was applied."""

    def publish(self, timeout: int) -> None:
        (self.folder / "flock.yaml").write_text(FLOCK.format(timeout=timeout))
        self.interlock("flock", "register", str(self.folder / "flock.yaml"))

    def check(self, code: int) -> DriftReport:
        """Check the target once; returns what was found."""
        # One that is at work already would be the answer, and may have begun before what is to be found.
        eventually(
            lambda: all(run.status.terminal for run in self.stage.api.runs(target=TARGET)),
            "it is quiet",
            patience_s=400,
        )
        (queued,) = self.stage.api.check_drift([TARGET]).runs

        def over() -> Run | None:
            run = self.stage.api.run(queued.id)
            return run if run.status.terminal else None

        run = eventually(over, "the check is over", patience_s=400)
        assert run is not None
        log = self.stage.api.logs(run.id).text
        assert (run.status, run.exit_code) == (RunStatus.CHECKED, code), f"{run}\n{log[-5000:]}"
        detail = self.stage.api.drift_of(TARGET)
        assert detail.check is not None
        assert detail.report is not None
        assert detail.check.run_id == run.id
        return detail.report

    def queue(self, name: str) -> str:
        return str(self.client("sqs").get_queue_url(QueueName=name)["QueueUrl"])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A cloud, the scheduler, one host with its proxy and its worker."""
    folder = tmp_path_factory.mktemp("flock")
    write_flock(folder, terraform=GENERIC, flock=FLOCK.format(timeout=30))
    with staged(tmp_path_factory.mktemp("drift"), folder) as (_, stage):
        world = World(stage, folder)
        world.publish(30)
        world.interlock("apply", TARGET)
        yield world


def found(report: DriftReport, address: str) -> ResourceDrift:
    return next(one for one in report.resources if one.address == address)


def changed(resource: ResourceDrift) -> dict[str, tuple[str, str]]:
    """What was changed outside, by path."""
    return {
        change.path: (change.before, change.after)
        for change in resource.attributes
        if change.cause is Cause.CHANGED_OUTSIDE
    }


def test_what_nobody_touched_is_in_sync_and_what_was_altered_is_found_and_named(world: World) -> None:
    before = world.mutations()
    serial = world.stage.state(TARGET)["serial"]
    unchanged = world.check(exit_codes.OK)
    assert unchanged.roll_up is RollUp.IN_SYNC, unchanged
    assert [one.address for one in unchanged.resources] == [
        "aws_iam_role.worker",
        "aws_iam_role_policy.worker",
        'aws_sqs_queue.jobs["a"]',
        'aws_sqs_queue.jobs["b"]',
    ]
    assert world.mutations() == before

    # Somebody alters one queue, deletes the other, and gives the role more than it should have.
    sqs, iam = world.client("sqs"), world.client("iam")
    sqs.set_queue_attributes(QueueUrl=world.queue("drift-jobs-a"), Attributes={"VisibilityTimeout": "77"})
    sqs.tag_queue(QueueUrl=world.queue("drift-jobs-a"), Tags={"Owner": "somebody"})
    sqs.delete_queue(QueueUrl=world.queue("drift-jobs-b"))
    iam.put_role_policy(RoleName="drift-worker", PolicyName="queues", PolicyDocument=json.dumps(EVERYTHING))
    before = world.mutations()
    altered = world.check(exit_codes.CHANGES)
    assert altered.roll_up is RollUp.DRIFTED
    queue = found(altered, 'aws_sqs_queue.jobs["a"]')
    assert (queue.status, queue.cause) == (ResourceStatus.MODIFIED, Cause.CHANGED_OUTSIDE)
    assert (
        changed(queue).items() >= {"visibility_timeout_seconds": ("30", "77"), "tags.Owner": ("", '"somebody"')}.items()
    )
    assert all(change.restored for change in queue.attributes if change.path == "visibility_timeout_seconds")
    gone = found(altered, 'aws_sqs_queue.jobs["b"]')
    assert (gone.status, gone.reason) == (ResourceStatus.DELETED, "an apply would create it again")
    policy = found(altered, "aws_iam_role_policy.worker")
    assert (policy.status, [*changed(policy)]) == (ResourceStatus.MODIFIED, ["policy"])

    # It looked, and changed nothing: neither there nor in the state.
    assert world.mutations() == before
    assert world.stage.state(TARGET)["serial"] == serial
    calls = world.stage.api.drift_of(TARGET).calls
    assert calls is not None
    assert (calls.writes, calls.refused, calls.reads > 0) == (0, 0, True)


def test_a_configuration_that_is_not_applied_yet_is_no_drift(world: World) -> None:
    world.interlock("apply", TARGET)
    world.publish(45)
    report = world.check(exit_codes.OK)
    assert report.roll_up is RollUp.IN_SYNC, report
    queue = found(report, 'aws_sqs_queue.jobs["a"]')
    assert (queue.status, queue.cause) == (ResourceStatus.IN_SYNC, Cause.NOT_APPLIED)
    (change,) = [one for one in queue.attributes if one.cause is Cause.NOT_APPLIED]
    assert (change.path, change.before, change.after) == ("visibility_timeout_seconds", "30", "45")
