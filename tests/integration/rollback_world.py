"""Flocks with a `rollback` section on real processes: the demo's stage, and two releases to go back between."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from deploy.demo.stage import Stage
from shared.models import Run, RunKind
from shared.rollback.standing import Rollback
from tests.integration.demo_stage import Somebody, StageWorld, staged, write_flock
from tests.integration.system import eventually

HEAD = """
terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}
variable "name" { type = string }
variable "provider_region" { type = string }
provider "aws" {
  region = var.provider_region
}
locals {
  trust = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "ec2.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}
output "name" { value = var.name }
"""
FIRST = """
resource "aws_sns_topic" "news" { name = "${var.name}-news" }
resource "aws_cloudwatch_event_rule" "daily" {
  name                = "${var.name}-daily"
  schedule_expression = "rate(1 day)"
}
"""
#: One thing is changed, one is new, and one has another address.
SECOND = """
moved {
  from = aws_sns_topic.news
  to   = aws_sns_topic.letters
}
resource "aws_sns_topic" "letters" { name = "${var.name}-news" }
resource "aws_cloudwatch_event_rule" "daily" {
  name                = "${var.name}-daily"
  schedule_expression = "rate(2 days)"
}
resource "aws_sns_topic" "alerts" {
  name       = "${var.name}-alerts"
  depends_on = [aws_cloudwatch_event_rule.daily]
}
"""
#: Only here the topic has a policy. A configuration without one leaves it as it is.
POLICED = FIRST.replace(
    """{ name = "${var.name}-news" }""",
    """{
  name = "${var.name}-news"
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { AWS = "*" }, Action = "sns:Publish", Resource = "*" }]
  })
}""",
)
#: The topic gets a successor before it goes.
REPLACED = """
resource "aws_sns_topic" "news" {
  name = "${var.name}-newer"
  lifecycle {
    create_before_destroy = true
  }
}
resource "aws_cloudwatch_event_rule" "daily" {
  name                = "${var.name}-daily"
  schedule_expression = "rate(1 day)"
}
resource "aws_iam_role" "taken" {
  name               = "somebody-elses"
  assume_role_policy = local.trust
  depends_on         = [aws_sns_topic.news]
}
"""
#: The cloud refuses this one when everything else is done.
TAKEN = """
resource "aws_iam_role" "taken" {
  name               = "somebody-elses"
  assume_role_policy = local.trust
  depends_on         = [aws_sns_topic.alerts]
}
"""
FLOCK = """
name: {name}
configuration: terraform
rollback: {rollback}
targets:
  - {{region: eu, provider_region: eu-west-1, variables: {{name: {name}}}}}
"""


class RollbackStage(Stage):
    """The demo's stage with workers that may ask this host."""

    def _environment(self, host: str, **more: str) -> dict[str, str]:
        return super()._environment(host, **{"INTERLOCK_CHECK_HOSTS": "127.0.0.1", **more})


class Cloud(Somebody):
    """What is there, and how it is."""

    def everything(self) -> dict[str, Any]:
        """Identity -> what it is; for rules also what they say."""
        rules = self._pages("events", "eu-west-1", "list_rules", "Rules")
        said = {rule["Name"]: (rule.get("Description"), rule.get("ScheduleExpression")) for rule in rules}
        return {**self.read(), **said}


class World(StageWorld):
    """Everything on one machine, and the flock of one test."""

    def __init__(self, stage: Stage, folder: Path) -> None:
        super().__init__(stage, folder)
        self.name = folder.name
        self.target = f"{self.name}.eu"
        self.cloud = stage.inventory_of(Cloud, ["eu-west-1"])

    def publish(self, *parts: str, **rollback: Any) -> str:
        """Publish the flock with this configuration; returns the release's digest."""
        text = FLOCK.format(name=self.name, rollback=json.dumps(rollback))
        write_flock(self.folder, terraform=HEAD + "".join(parts), flock=text)
        return str(self.interlock("release", "publish", str(self.folder))["digest"])

    def apply(self, release: str) -> Run:
        """Deploy a release and wait for the end."""
        self.stage.api.put_flock(self.name, release)
        return self.over(self.begin(release))

    def begin(self, release: str) -> str:
        """Ask for a deployment; returns the run's id."""
        self.stage.api.put_flock(self.name, release)
        run = self.stage.api.create_run(target=self.target, kind=RunKind.APPLY, release_digest=release)
        return run.id

    def over(self, run_id: str) -> Run:
        found = eventually(
            lambda: run if (run := self.stage.api.run(run_id)).status.terminal else None,
            f"{run_id} ends",
            patience_s=400,
        )
        assert found is not None
        return found

    def log(self, run_id: str) -> str:
        return self.stage.api.logs(run_id).text[-6000:]

    def rollback(self, run_id: str) -> Rollback:
        return self.stage.api.rollback(run_id)

    def inventory(self) -> Mapping[str, Any]:
        """What is there, and how it is."""
        return self.cloud.everything()

    def topic_policy(self) -> str:
        """That of the flock's topic."""
        return str(self.cloud.client("sns").get_topic_attributes(TopicArn=self._topic())["Attributes"]["Policy"])

    def set_topic_policy(self, policy: str) -> None:
        """As a person would."""
        self.cloud.client("sns").set_topic_attributes(
            TopicArn=self._topic(), AttributeName="Policy", AttributeValue=policy
        )

    def _topic(self) -> str:
        listed = self.cloud.client("sns").list_topics()["Topics"]
        return str(next(one["TopicArn"] for one in listed if one["TopicArn"].endswith(f":{self.name}-news")))

    def plan_of_first(self, release: str) -> Run:
        """A plan of the first release, as anybody may make it."""
        run = self.stage.api.create_run(target=self.target, kind=RunKind.PLAN, release_digest=release)
        return self.over(run.id)


@contextmanager
def rollback_stage(tmp_path_factory: pytest.TempPathFactory, name: str) -> Iterator[Stage]:
    """A cloud, the scheduler, one host with its proxy and its worker; a role there is somebody else's."""
    folder = tmp_path_factory.mktemp("flock")
    write_flock(folder, terraform=HEAD, flock=FLOCK.format(name="empty", rollback="{}"))
    with staged(tmp_path_factory.mktemp(name), folder, concurrency=2, kind=RollbackStage) as (_, made):
        iam = made.inventory_of(Somebody, ["eu-west-1"]).client("iam")
        iam.create_role(RoleName="somebody-elses", AssumeRolePolicyDocument="{}")
        yield made


def world_of(stage: Stage, tmp_path: Path, request: pytest.FixtureRequest, word: str) -> World:
    """A flock of its own for each test; `word` begins its name, for the test files that share a cloud."""
    folder = tmp_path / f"{word}{list(request.session.items).index(request.node)}"
    folder.mkdir()
    return World(stage, folder)
