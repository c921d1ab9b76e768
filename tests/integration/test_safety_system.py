"""Safety plans on real processes: the demo's cloud, a real Terraform, its provider or the stand-in for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shared import exit_codes
from shared.models import RunStatus
from shared.rollouts import Rollout
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
variable "name" { type = string }
variable "timeout" { type = number }
variable "provider_region" { type = string }
provider "aws" {
  region = var.provider_region
}
resource "aws_sqs_queue" "jobs" {
  name                       = "${var.name}-jobs"
  visibility_timeout_seconds = var.timeout
}
resource "aws_sqs_queue" "failed" {
  name = "${var.name}-failed"
}
"""
FLOCK = """
name: jobs
configuration: terraform
phases:
  - {{name: canary, approval: true}}
  - {{name: wide, approval: true}}
targets:
  - {{region: eu, provider_region: eu-west-1, phase: canary, variables: {{name: eu, timeout: {timeout}}}}}
  - {{region: us, provider_region: us-west-2, phase: wide, variables: {{name: us, timeout: {timeout}}}}}
"""
EU, US = "jobs.eu", "jobs.us"


class World(StageWorld):
    """The flock, on everything that it needs."""

    def publish(self, timeout: int) -> str:
        """Publish the flock with this time-out; returns the release's digest."""
        (self.folder / "flock.yaml").write_text(FLOCK.format(timeout=timeout))
        return str(self.interlock("release", "publish", str(self.folder))["digest"])

    def start(self, release: str) -> Rollout:
        return Rollout.model_validate(self.interlock("rollout", "start", release))

    def until(self, rollout: Rollout, accept: Callable[[Rollout], bool], what: str) -> Rollout:
        def look() -> Rollout | None:
            found = self.stage.api.rollout(rollout.id)
            if accept(found):
                return found
            assert not found.status.over, f"{what}: {found}\n{self.logs(found)}"
            return None

        found = eventually(look, what, patience_s=400)
        assert found is not None
        return found

    def logs(self, rollout: Rollout) -> str:
        """The end of the log of each target's last run."""
        runs = [str(target.run_id) for target in rollout.targets if target.run_id]
        return "\n".join(self.stage.api.logs(run).text[-3000:] for run in runs)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A cloud, the scheduler, one host with its proxy and its worker."""
    folder = tmp_path_factory.mktemp("flock")
    write_flock(folder, terraform=GENERIC, flock=FLOCK.format(timeout=30))
    with staged(tmp_path_factory.mktemp("safety"), folder, regions=("eu", "us"), concurrency=2) as (_, stage):
        yield World(stage, folder)


def test_a_resource_that_was_altered_in_the_cloud_after_the_approval_halts_the_deployment(world: World) -> None:
    # The first release makes two queues in each region. Each phase asks for an approval of its own.
    first = world.start(world.publish(30))
    planned = world.until(first, lambda one: one.targets[0].stage.value == "planned", "the canary is planned")
    plan_run = str(planned.targets[0].plan_run_id)
    shown = world.interlock("plan", "show", plan_run)
    assert [f"{entry['operation']} {entry['address']}" for entry in shown["plan"]["entries"]] == [
        "create aws_sqs_queue.failed",
        "create aws_sqs_queue.jobs",
    ]
    world.interlock("plan", "approve", plan_run, "--yes")
    planned = world.until(first, lambda one: one.targets[1].stage.value == "planned", "the other region is planned")
    assert planned.targets[1].held
    world.interlock("rollout", "approve", first.id, "--phase", "wide", "--yes")
    over = world.until(first, lambda one: one.status.over, "it is rolled out")
    assert (over.status.value, over.reason) == ("succeeded", "")
    assert over.targets[1].confirmed_by == over.targets[0].confirmed_by != ""
    assert world.mutations().count("CreateQueue") == 4

    # The second changes one of them. Its plan is approved while the roll-out is paused, so nothing is applied yet.
    second = world.start(world.publish(60))
    planned = world.until(second, lambda one: one.targets[0].stage.value == "planned", "the canary is planned")
    assert planned.targets[0].reason == "1 person has to approve: update aws_sqs_queue.jobs"
    world.interlock("rollout", "pause", second.id)
    world.interlock("rollout", "approve", second.id, "--yes")

    # Now somebody deletes the other one.
    sqs = world.client("sqs")
    sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName="eu-failed")["QueueUrl"])
    before = world.mutations()
    world.interlock("rollout", "resume", second.id)
    over = world.until(second, lambda one: one.status.over, "it is over")

    # What nobody approved was not done, nor anything else, and the second region never began.
    assert world.mutations() == before
    assert (over.status.value, [phase.status.value for phase in over.phases]) == ("failed", ["failed", "frozen"])
    assert [(target.stage.value, target.halted) for target in over.targets] == [("errored", True), ("pending", False)]
    assert "create aws_sqs_queue.failed" in over.reason
    run = world.stage.api.run(str(over.targets[0].run_id))
    assert run.status is RunStatus.HALTED
    assert run.reason == "halted before the apply: create aws_sqs_queue.failed is not in the approved plan"
    assert {one.rollout_id for one in world.stage.api.runs(target=US)} == {first.id}
    (halt,) = [one for one in world.interlock("notify", "list") if one["kind"] == "halt"]
    assert (halt["target"], "create on aws_sqs_queue.failed" in halt["title"]) == (EU, True)


RULED = """
name: ruled
configuration: terraform
safety:
  never:
    - {operations: [forget]}
targets:
  - {region: eu}
"""


def test_an_operators_apply_is_held_approved_and_then_carried_out(world: World, tmp_path: Path) -> None:
    (tmp_path / "terraform").mkdir()
    (tmp_path / "terraform" / "main.tf").write_text('resource "terraform_data" "one" {\n  input = "x"\n}\n')
    (tmp_path / "flock.yaml").write_text(RULED)
    held = world.interlock("apply", "-f", str(tmp_path), code=exit_codes.REFUSED)["runs"][0]
    assert (held["status"], "create terraform_data.one" in held["reason"]) == ("planned", True)
    assert world.stage.state("ruled.eu") == {}
    world.interlock("plan", "approve", held["id"], "--yes")
    applied = world.interlock("apply", "ruled.eu")["runs"][0]
    assert applied["status"] == "applied"
    # What was approved is a create. Its opposite is another plan, and nobody has approved that.
    gone = world.interlock("destroy", "ruled.eu", "--yes", code=exit_codes.REFUSED)["runs"][0]
    assert "delete terraform_data.one" in gone["reason"]
    unused = world.interlock("plan", "show", applied["id"], "--unused")
    assert (unused["unused"], unused["without_a_call"]) == ([], [])


SHARED = """
name: shared
configuration: terraform
safety:
  never:
    - {operations: [forget]}
targets:
  - {region: eu, variables: {second: true}}
  - {region: us, variables: {second: false}}
"""
TWO = """
variable "second" { type = bool }
resource "terraform_data" "first" {
  input = "x"
}
resource "terraform_data" "second" {
  count = var.second ? 1 : 0
  input = "x"
}
"""


def test_an_apply_ends_with_what_was_approved_and_not_needed_and_the_smaller_plan(world: World, tmp_path: Path) -> None:
    (tmp_path / "terraform").mkdir()
    (tmp_path / "terraform" / "main.tf").write_text(TWO)
    (tmp_path / "flock.yaml").write_text(SHARED)
    # What is approved for one target covers the other one, which needs less of it.
    (held,) = world.interlock("apply", "shared.eu", "-f", str(tmp_path), code=exit_codes.REFUSED)["runs"]
    world.interlock("plan", "approve", held["id"], "--yes")
    code, said = world.stage.command("apply", "shared.us")
    assert code == exit_codes.OK, said
    assert "shared.us: 1 of 2 approved entries were not needed: create terraform_data.second[0]" in said
    assert "shared.us: the smaller plan that would have done: create terraform_data.first" in said
    ended = world.interlock("apply", "shared.eu")
    assert (ended["exit_code"], ended["unused"]) == (exit_codes.OK, []), "it needed all of it"
