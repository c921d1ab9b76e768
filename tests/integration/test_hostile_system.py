"""A hostile data source and a hostile provisioner in the whole system: each calls the cloud with the AWS CLI.

Terraform, the CLI, the sandbox, the proxy and the scheduler are real; the data source is a stand-in for
hashicorp/external.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared import exit_codes
from shared.drift.report import RollUp
from shared.models import RunStatus
from tests import external_provider
from tests.integration.demo_stage import staged, write_flock
from tests.integration.system import eventually
from tests.integration.test_safety_system import World

pytestmark = [pytest.mark.terraform, pytest.mark.timeout(900)]

CLI = "aws --region eu-west-1 sqs create-queue --queue-name hostile"
DATA_SOURCE = """
terraform {{
  required_providers {{
    external = {{
      source = "hashicorp/external"
    }}
  }}
}}

# It waits until it is armed: what was deployed in good faith may turn.
data "external" "hostile" {{
  program = ["/bin/sh", "-c", "[ ! -e {folder}/armed ] || {folder}/{cli} >&2; echo '{{}}'"]
}}

resource "terraform_data" "one" {{
  input = "x"
}}
"""
# Branches that know nothing of each other.
PROVISIONER = """
resource "terraform_data" "branch" {{
  count = 4
  provisioner "local-exec" {{
    command = "{folder}/{cli} || {folder}/{cli}"
  }}
}}
"""
FLOCK = """
name: {name}
configuration: terraform
safety:
  auto:
    - {{operations: [create, update, read, output]}}
    - {{operations: [provisioner], types: [local-exec]}}
phases:
  - {{name: canary}}
  - {{name: wide}}
targets:
  - {{region: eu, provider_region: eu-west-1, phase: canary}}
  - {{region: us, provider_region: us-west-2, phase: wide}}
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A cloud, the scheduler, one host with its proxy and its worker, and a program that means ill."""
    plugins = external_provider.install_alone(tmp_path_factory.mktemp("plugins"))
    folder = write(tmp_path_factory.mktemp("source"), "source", DATA_SOURCE, plugins)
    home = tmp_path_factory.mktemp("hostile")
    with staged(home, folder, regions=("eu", "us"), concurrency=2, plugin_dir=plugins) as (_, stage):
        yield World(stage, folder)


def write(folder: Path, name: str, text: str, plugins: Path) -> Path:
    """A flock in `folder`."""
    write_flock(folder, terraform=text.format(folder=plugins, cli=CLI), flock=FLOCK.format(name=name))
    return folder


def journal_of(world: World, run_id: str) -> list[tuple[str, str]]:
    """Operation and outcome of each call that the run tried."""
    return [(one.operation, one.outcome) for one in world.stage.api.journal(run=run_id, limit=100)]


def halts(world: World, target: str) -> list[Any]:
    return [one for one in world.interlock("notify", "list") if one["kind"] == "halt" and one["target"] == target]


@pytest.fixture(scope="module")
def armed(world: World) -> None:
    """The first apply is harmless; from then on the data source is not."""
    assert world.interlock("apply", "source.eu", "-f", str(world.folder))["runs"][0]["status"] == "applied"
    world.stage._plugin_dir.joinpath("armed").touch()


@pytest.mark.usefixtures("armed")
@pytest.mark.parametrize("command", ["plan", "drift check", "apply"])
def test_a_data_source_that_calls_the_cloud_halts_whatever_reads_it(world: World, command: str) -> None:
    before, told = world.stage.state("source.eu"), halts(world, "source.eu")
    ended = world.interlock(*command.split(), "source.eu", code=exit_codes.REFUSED)["runs"][0]
    assert ended["status"] == RunStatus.HALTED
    assert "sqs:CreateQueue" in ended["reason"]
    assert set(journal_of(world, ended["id"])) == {("CreateQueue", "refused")}
    assert world.mutations() == []
    assert world.stage.state("source.eu")["resources"] == before["resources"], "nothing was applied"
    (halt,) = [one for one in halts(world, "source.eu") if one not in told]
    assert "sqs:CreateQueue" in halt["title"]
    assert "hostile" in halt["title"]


def test_a_drift_check_that_was_halted_has_not_checked_anything(world: World) -> None:
    stands = world.stage.api.drift_of("source.eu").standing
    assert (stands.last_status, stands.checked_at) == (RunStatus.HALTED, None)
    assert stands.roll_up in (None, RollUp.NOT_CHECKED)


def test_a_provisioner_that_calls_the_cloud_halts_the_deployment_and_no_later_phase_begins(
    world: World, tmp_path: Path
) -> None:
    plugins = Path(world.stage._plugin_dir)
    folder = write(tmp_path, "provisioned", PROVISIONER, plugins)
    release = world.interlock("release", "publish", str(folder))["digest"]
    rollout = world.start(release)
    over = eventually(
        lambda: found if (found := world.stage.api.rollout(rollout.id)).status.over else None, "it is over"
    )
    assert (over.status.value, [phase.status.value for phase in over.phases]) == ("failed", ["failed", "frozen"])
    assert [(target.stage.value, target.halted) for target in over.targets] == [("errored", True), ("pending", False)]
    run = world.stage.api.run(str(over.targets[0].run_id))
    assert run.status is RunStatus.HALTED
    assert "sqs:CreateQueue" in run.reason
    # However many of the branches tried before the interrupt ended them: none of it was signed.
    assert set(journal_of(world, run.id)) == {("CreateQueue", "refused")}
    assert world.mutations() == []
    assert world.stage.state("provisioned.eu")["resources"], (
        "Terraform was interrupted once, and has saved what it had done"
    )
    assert world.stage.api.runs(target="provisioned.us") == []
    (halt,) = halts(world, "provisioned.eu")
    assert "sqs:CreateQueue" in halt["title"]
    assert "hostile" in halt["title"]
