"""Rollbacks of what has `prevent_destroy`: as Terraform itself plans it, and on real processes."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from deploy.demo.stage import Stage
from shared import exit_codes
from shared.models import RunStatus
from shared.rollback.making import rollback_plan
from shared.rollback.records import NextStep, ResidueKind
from shared.rollback.standing import Rollback, RollbackStatus
from shared.safety.plan_document import read
from tests.integration.rollback_world import FIRST, REPLACED, SECOND, TAKEN, World, rollback_stage, world_of
from tests.integration.system import eventually
from worker.guards import Unguarded
from worker.provisioners.terraform import PLAN_FILE, Terraform, TerraformJob
from worker.run_directory import RunDirectory
from worker.terraform_binary import find_terraform

pytestmark = [pytest.mark.terraform, pytest.mark.timeout(900)]

GUARDED = "\n  lifecycle { prevent_destroy = true }\n"
BUCKET = 'resource "aws_s3_bucket" "jobs" {\n  bucket = "${var.name}-jobs"' + GUARDED + "}\n"
FIRST_GUARDED = FIRST.replace('{ name = "${var.name}-news" }', '{\n  name = "${var.name}-news"' + GUARDED + "}")
#: The first topic is gone before the second one is there, and the rule is changed.
DROPPED = REPLACED.replace("create_before_destroy = true", "create_before_destroy = false").replace(
    "rate(1 day)", "rate(3 days)"
)
WHY = "its configuration has prevent_destroy"


class Shell:
    """`Commands` without a sandbox."""

    def __init__(self, work: Path) -> None:
        self._work = work

    def run(self, argv: Sequence[str], *, capture: Path | None = None) -> int:
        done = subprocess.run(argv, cwd=self._work, capture_output=True, timeout=120, check=False)
        if capture is not None:
            capture.write_bytes(done.stdout)
        return done.returncode


NET = {
    "main.tf": 'resource "terraform_data" "z" {\n  for_each = toset(["x.y", "b"])\n' + GUARDED + "}\n",
    "inner/main.tf.json": '{"resource": {"terraform_data": {"j": {"lifecycle": {"prevent_destroy": true}}}}}',
}
NESTED = {
    "main.tf": 'resource "terraform_data" "a" {\n  count = 2\n  lifecycle {\n    prevent_destroy = true\n'
    "    create_before_destroy = true\n  }\n}\n"
    'resource "terraform_data" "b" {\n  triggers_replace = terraform_data.a[*].id' + GUARDED + "}\n"
    'resource "terraform_data" "c" { input = terraform_data.b.id }\n'
    'module "net" {\n  source   = "./net"\n  for_each = toset(["q"])\n}\n'
    'module "same" { source = "./net" }\nmodule "inner" { source = "./net/inner" }\n',
    "zz_override.tf": 'resource "terraform_data" "b" {' + GUARDED + "}\n",
} | {f"net/{name}": text for name, text in NET.items()}


def test_terraform_plans_and_destroys_what_is_guarded_in_every_module(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path, "run-0000000000000001")
    directory.create()
    directory.lay_out({name: (text.encode(), False) for name, text in NESTED.items()})
    argv = find_terraform(None).argv(confined=False)
    terraform = Terraform(Shell(directory.work), directory, TerraformJob(terraform=tuple(argv)))
    terraform.prepare()
    assert terraform.plan()
    assert terraform.apply() == 0
    assert terraform.try_plan("-destroy") == 1

    notes: list[str] = []
    free = Unguarded(terraform, notes.append)
    assert free.plan("-destroy")
    items = rollback_plan(read(free.show_plan()), free.guarded).items
    assert {item.address for item in items if not item.guarded} == {"terraform_data.c"}
    assert len(items) == 9
    assert len(notes) > 2, "in more than one layer"
    assert free.plan("-replace=terraform_data.a[0]")
    replaced = [str(item) for item in rollback_plan(read(free.show_plan()), free.guarded).items if item.guarded]
    assert "replace_create_first terraform_data.a[0]" in replaced, "the rest of its lifecycle is as it was"
    assert free.plan("-destroy")
    assert free.apply() == 0
    assert directory.read(PLAN_FILE, 1024**2)
    assert free.pull_state().count(b'"type"') == 0


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with rollback_stage(tmp_path_factory, "guards") as made:
        yield made


@pytest.fixture
def world(stage: Stage, tmp_path: Path, request: pytest.FixtureRequest) -> World:
    return world_of(stage, tmp_path, request, "guard")


def consented(world: World, back: Rollback, address: str) -> Rollback:
    """What came of it once somebody named the address."""
    world.interlock("rollback", "retry", back.id, "--consent", address, "--yes")
    again = eventually(
        lambda: found if not (found := world.rollback(back.run_id)).status.at_work else None,
        "it is tried again",
        patience_s=400,
    )
    assert again is not None
    return again


def test_of_a_first_deployment_what_is_guarded_stays_until_somebody_names_it_and_the_rest_goes(world: World) -> None:
    before = world.inventory()
    holds = TAKEN.replace("aws_sns_topic.alerts", "aws_sns_topic.alerts, aws_s3_bucket.jobs")
    run = world.apply(world.publish(SECOND, BUCKET, holds))
    back = world.rollback(run.id)
    assert (run.status, back.status) == (RunStatus.ERRORED, RollbackStatus.PARTIAL), world.log(run.id)
    assert back.result is not None
    bucket, output = back.result.residue
    assert (bucket.kind, bucket.address) == (ResidueKind.LEFT, "aws_s3_bucket.jobs")
    assert bucket.reason.startswith(WHY)
    assert output.address == "output.name", "outputs go with the whole only"
    assert back.options == (NextStep.CONTINUE, NextStep.RETRY, NextStep.SKIP)
    there = world.inventory()
    assert {key for key in there if key not in before} == {key for key in there if f"{world.name}-jobs" in str(key)}

    again = consented(world, back, "aws_s3_bucket.jobs")
    assert again.status is RollbackStatus.ROLLED_BACK, world.log(again.current_run_id)
    assert world.inventory() == before


def test_a_guard_that_the_deployment_dropped_and_the_first_release_has_is_named(world: World) -> None:
    first = world.publish(FIRST_GUARDED)
    assert world.apply(first).status is RunStatus.APPLIED
    before = world.inventory()
    run = world.apply(world.publish(DROPPED))
    back = world.rollback(run.id)
    assert (run.status, back.status) == (RunStatus.ERRORED, RollbackStatus.PARTIAL), world.log(run.id)
    assert back.result is not None
    assert [str(item) for item in back.result.done] == ["update aws_cloudwatch_event_rule.daily"]
    ((kind, address, why),) = [(one.kind, one.address, one.reason) for one in back.result.residue]
    assert (kind, address) == (ResidueKind.CHANGED, "aws_sns_topic.news")
    assert why.startswith(WHY)

    again = consented(world, back, "aws_sns_topic.news")
    assert again.status is RollbackStatus.ROLLED_BACK, world.log(again.current_run_id)
    assert world.inventory() == before
    assert world.plan_of_first(first).exit_code == exit_codes.OK
