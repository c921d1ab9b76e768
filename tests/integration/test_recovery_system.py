"""A worker is killed in the middle of an apply: what it made is reported, shown, and taken over. On real processes.

With the real provider where INTERLOCK_PLUGIN_DIR names it, and the stand-in for it elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from deploy.demo.fleet import Fleet
from deploy.demo.stage import Stage
from shared.models import Run, RunKind, RunStatus
from shared.recovery.orphans import OrphanReport
from tests.integration.demo_stage import StageWorld, staged, write_flock
from tests.integration.system import eventually

pytestmark = [pytest.mark.terraform, pytest.mark.timeout(900)]

TARGET = "stock.eu"
WITHIN = timedelta(seconds=60)
GENERIC = """
terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}
variable "provider_region" { type = string }
provider "aws" {
  region = var.provider_region
}
resource "aws_s3_bucket" "files" {
  bucket = "stock-files"
  tags   = { service = "stock" }
}
resource "aws_dynamodb_table" "items" {
  name         = "stock-items"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "id"
  tags         = { service = "stock" }
  attribute {
    name = "id"
    type = "S"
  }
}
resource "aws_sns_topic" "events" {
  name = "stock-events"
}
resource "aws_iam_role" "service" {
  name = "stock-service"
  assume_role_policy = jsonencode({ Version = "2012-10-17", Statement = [{
    Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "ec2.amazonaws.com" }
  }] })
}
resource "terraform_data" "endless" {
  depends_on = [aws_s3_bucket.files, aws_dynamodb_table.items, aws_sns_topic.events, aws_iam_role.service]
  provisioner "local-exec" { command = "echo everything is made; sleep 600" }
}
"""
FLOCK = """
name: stock
configuration: terraform
safety:
  auto:
    - {operations: [create, update]}
    - {operations: [provisioner], types: [local-exec]}
targets:
  - {region: eu, provider_region: eu-west-1}
"""
MADE = {
    "aws_s3_bucket.files": "stock-files",
    "aws_dynamodb_table.items": "stock-items",
    "aws_iam_role.service": "stock-service",
    "aws_sns_topic.events": "arn:aws:sns:eu-west-1:123456789012:stock-events",
}


class World(StageWorld):
    """Everything on one machine."""

    def __init__(self, stage: Stage, fleet: Fleet, folder: Path) -> None:
        super().__init__(stage, folder)
        self.fleet = fleet

    def worker(self, name: str) -> None:
        self.stage.start_worker(name, "host-a", ("eu",), concurrency=1)
        eventually(lambda: self.stage.worker_ready(name), f"{name} is ready")

    def ended(self, run_id: str) -> Run:
        found = eventually(
            lambda: (run := self.stage.api.run(run_id)).status.terminal and run, f"{run_id} is over", patience_s=200
        )
        assert isinstance(found, Run)
        return found

    def held(self) -> set[str]:
        """What the state holds."""
        resources: Any = self.stage.state(TARGET).get("resources", [])
        return {f"{one['type']}.{one['name']}" for one in resources if one["mode"] == "managed"}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    folder = tmp_path / "flock"
    write_flock(folder, terraform=GENERIC, flock=FLOCK)
    home = tmp_path / "home"
    home.mkdir()
    with staged(home, folder) as (fleet, stage):
        yield World(stage, fleet, folder)


def cut(world: World) -> Run:
    """An apply whose worker is killed once everything is made, and whose follow-up somebody cancels."""
    run_id = world.interlock("apply", "-f", str(world.folder), "--detach")["runs"][0]["id"]
    api = world.stage.api
    eventually(
        lambda: "everything is made" in api.logs(run_id).text or api.run(run_id).status.terminal,
        "everything is made",
        patience_s=400,
    )
    assert api.run(run_id).status is RunStatus.APPLYING, api.logs(run_id).text[-2000:]
    world.fleet.kill("worker-a")
    run = world.ended(run_id)
    assert run.status is RunStatus.LOST
    (follower,) = [one for one in api.runs(target=TARGET) if one.retry_of == run_id]
    api.cancel_run(follower.id)
    return run


def test_what_a_killed_worker_made_is_reported_in_time_shown_and_taken_over(world: World) -> None:
    run = cut(world)
    made = world.mutations()

    def reported() -> OrphanReport | None:
        return next((one for one in world.stage.api.orphans(target=TARGET) if one.run_id == run.id), None)

    report = eventually(reported, "the report", patience_s=WITHIN.total_seconds())
    assert report is not None
    assert report.reported_at - report.ended_at < WITHIN
    assert report.epoch == run.epoch
    found = {str(one.address): one.id for one in report.importable}
    assert found == {address: name for address, name in MADE.items() if address not in world.held()}
    assert len(found) >= 1
    assert all(one.at < report.ended_at and one.service and one.operation for one in report.orphans)
    (told,) = [one for one in world.interlock("notify", "list") if one["kind"] == "orphans"]
    assert told["target"] == TARGET

    shown = world.interlock("recover", run.id, code=2)
    assert shown["imports"].count("import {") == len(found)
    assert world.interlock("recover", code=2)[0]["run_id"] == run.id

    # The host's next worker clears what the killed one left, and takes over.
    left = world.stage.host_home("host-a") / "runs" / run.id
    assert left.exists()
    world.worker("worker-b")
    eventually(lambda: not left.exists(), "the killed worker's directory is gone")
    recovered = world.interlock("recover", run.id, "--yes")
    assert recovered["run"]["kind"] == RunKind.RECOVER
    assert recovered["run"]["status"] == "applied"
    assert world.mutations() == made, "nothing was changed in the cloud"
    assert set(MADE) <= world.held()
    eventually(lambda: not world.stage.api.orphans_of(run.id).open, "the report is settled")
    assert world.interlock("recover", run.id)["report"]["orphans"] == []
    assert world.interlock("recover") == []

    # What is left to do is what was never done, and nothing is made twice.
    plan = world.interlock("plan", TARGET, code=2)["runs"][0]
    entries = world.interlock("plan", "show", plan["id"])["plan"]["entries"]
    assert {f"{one['operation']} {one['address']}" for one in entries if one["operation"] != "update"} == {
        "create terraform_data.endless",
        "provisioner terraform_data.endless",
    }
