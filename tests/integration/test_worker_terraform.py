"""A real Terraform in the real sandbox, with its state behind the sandbox's listener."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from shared.clock import SystemClock
from shared.models import RunKind, RunStatus
from shared.recovery.views import read_plan
from tests.integration.sandbox_support import PATH, eventually, start
from tests.integration.state_server import StateServer
from worker.commands import SandboxCommands
from worker.environment import make_placeholders, provisioner_environment
from worker.provisioners.outcome import Outcome
from worker.provisioners.terraform import Terraform, TerraformJob, run_terraform
from worker.run_directory import RunDirectory
from worker.sandbox import Sandbox
from worker.sandbox_layout import CA_FILE, PROXY_PORT
from worker.stop import Cause, Stop, StopRequested
from worker.terraform_binary import find_terraform

pytestmark = pytest.mark.terraform

BACKEND_FILE = "interlock_backend_override.tf.json"

CONFIGURATION = """
variable "provider_region" { type = string }
variable "word" { type = string }
resource "terraform_data" "one" { input = "${var.word} in ${var.provider_region}" }
output "said" { value = terraform_data.one.output }
"""
SLOW = (
    CONFIGURATION
    + """
resource "terraform_data" "slow" {
  provisioner "local-exec" { command = "echo slow has begun; while [ ! -e end ]; do sleep 0.1; done" }
}
resource "terraform_data" "later" { depends_on = [terraform_data.slow] }
"""
)


@dataclass
class World:
    """One run with its parts."""

    directory: RunDirectory
    sandbox: Sandbox
    state: StateServer
    stop: Stop
    terraform: Terraform

    @property
    def log(self) -> str:
        return self.directory.log.read_text()

    def run(self, kind: RunKind) -> Outcome:
        self.progress: list[RunStatus] = []
        return run_terraform(
            self.terraform, kind, take_over=lambda _: None, progress=self.progress.append, gate=lambda _: None
        )


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    directory = RunDirectory(tmp_path, "run-0123456789abcdef")
    directory.create()
    binary = find_terraform(None)
    stop = Stop()
    with start(directory.root, *binary.binds) as sandbox:
        assert sandbox.listener is not None
        state = StateServer(sandbox.listener)
        env = provisioner_environment(
            placeholders=make_placeholders("run-0123456789abcdef"),
            port=PROXY_PORT,
            authenticate=False,
            region="eu-west-1",
            ca_file=CA_FILE,
            state_username="run-0123456789abcdef",
            state_password="state-password",
            path=PATH,
            home="/tmp",
            terraformrc="/nonexistent",
        )
        commands = SandboxCommands(sandbox, stop, log=directory.log, env=env, clock=SystemClock())
        job = TerraformJob(
            terraform=binary.inside,
        )
        address = f"http://127.0.0.1:{PROXY_PORT}/v1/state/flock.region"
        backend = {"address": address, "lock_address": address, "unlock_address": address}
        rendered = {
            BACKEND_FILE: {"terraform": {"backend": {"http": backend}}},
            "interlock.auto.tfvars.json": {"word": "hello", "provider_region": "eu-west-1"},
        }
        directory.lay_out({name: (json.dumps(content).encode(), False) for name, content in rendered.items()})
        try:
            yield World(directory, sandbox, state, stop, Terraform(commands, directory, job))
        finally:
            state.close()
            stop.close()


def configure(world: World, text: str) -> None:
    (world.directory.work / "main.tf").write_text(text)


def test_apply_plans_applies_and_leaves_its_state_behind_the_listener(world: World) -> None:
    configure(world, CONFIGURATION)
    assert world.run(RunKind.APPLY) == Outcome(status=RunStatus.APPLIED, exit_code=0), world.log
    assert world.progress == [RunStatus.PLANNING, RunStatus.APPLYING]
    assert world.state.state is not None
    assert json.loads(world.state.state)["outputs"]["said"]["value"] == "hello in eu-west-1"
    assert world.state.lock is None
    assert world.run(RunKind.PLAN) == Outcome(status=RunStatus.PLANNED, exit_code=0)
    held = read_plan(world.terraform.show_plan()).held
    assert [resource.address for resource in held] == ["terraform_data.one"]


def test_plan_tells_changes_by_its_exit_code_and_writes_no_state(world: World) -> None:
    configure(world, CONFIGURATION)
    assert world.run(RunKind.PLAN) == Outcome(status=RunStatus.PLANNED, exit_code=2), world.log
    assert world.state.state is None
    assert [item.address for item in read_plan(world.terraform.show_plan()).creates] == ["terraform_data.one"]


def test_destroy_empties_the_state(world: World) -> None:
    configure(world, CONFIGURATION)
    world.run(RunKind.APPLY)
    assert world.run(RunKind.DESTROY).status is RunStatus.APPLIED
    assert world.state.state is not None
    assert json.loads(world.state.state)["resources"] == []


def test_a_backend_of_the_configuration_is_overridden(world: World) -> None:
    configure(world, 'terraform {\n  backend "local" { path = "elsewhere.tfstate" }\n}\n' + CONFIGURATION)
    assert world.run(RunKind.APPLY).status is RunStatus.APPLIED, world.log
    assert world.state.state is not None
    assert not (world.directory.work / "elsewhere.tfstate").exists()


def test_the_state_password_reaches_the_backend_and_no_file(world: World) -> None:
    configure(world, CONFIGURATION)
    world.run(RunKind.APPLY)
    assert all(value.startswith("Basic ") for value in world.state.authorizations)
    assert "state-password" not in (world.directory.work / BACKEND_FILE).read_text()
    for path in world.directory.work.rglob("*"):
        if path.is_file():
            assert b"state-password" not in path.read_bytes(), path


def test_an_invalid_configuration_is_an_error_of_the_run(world: World) -> None:
    configure(world, "this is no configuration")
    outcome = world.run(RunKind.APPLY)
    assert (outcome.status, outcome.exit_code) == (RunStatus.ERRORED, 1)
    assert "terraform init failed" in outcome.reason
    assert "Error" in world.log


def test_a_refused_state_write_leaves_errored_tfstate_which_is_kept(world: World) -> None:
    configure(world, CONFIGURATION)
    world.state.refuse_writes = True
    assert world.run(RunKind.APPLY).status is RunStatus.ERRORED
    world.sandbox.kill()
    state = world.directory.errored_state()
    assert state is not None
    assert json.loads(state)["resources"][0]["name"] == "one"
    world.directory.keep_errored_state(state)
    assert (world.directory.kept / "errored.tfstate").read_bytes() == state
    world.directory.remove()
    assert (world.directory.kept / "errored.tfstate").exists()


def stopped_in_the_middle(world: World, cause: Cause, *, let_end: bool) -> StopRequested:
    """Apply the slow configuration and ask for a stop while its second resource is being made."""

    def ask() -> None:
        eventually(lambda: "slow has begun" in world.log, "the apply is in its middle")
        world.stop.request(cause, "asked by the test")
        if let_end:
            eventually(lambda: "Interrupt received" in world.log, "Terraform takes the signal")
            (world.directory.work / "end").touch()

    configure(world, SLOW)
    asker = threading.Thread(target=ask)
    asker.start()
    try:
        with pytest.raises(StopRequested) as stopped:
            world.run(RunKind.APPLY)
    finally:
        asker.join(60)
    return stopped.value


def test_a_cancel_lets_terraform_finish_what_it_began_and_save_its_state(world: World) -> None:
    stopped = stopped_in_the_middle(world, Cause.CANCELED, let_end=True)
    assert stopped.reason.cause is Cause.CANCELED
    assert world.sandbox.interrupted
    assert world.log.count("Interrupt received") == 1
    assert "Two interrupts received" not in world.log
    assert world.state.state is not None
    names = [resource["name"] for resource in json.loads(world.state.state)["resources"]]
    assert names == ["one", "slow"], "what was begun is saved; what was not, is not"
    assert world.state.lock is None


def test_one_that_does_not_end_is_killed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.commands.LOST_GRACE_MS", 500)
    stopped = stopped_in_the_middle(world, Cause.LEASE_LOST, let_end=False)
    assert stopped.reason.cause is Cause.LEASE_LOST
    assert world.log.count("Interrupt received") == 1


def test_after_a_stop_no_further_command_is_started(world: World) -> None:
    configure(world, CONFIGURATION)
    world.stop.request(Cause.LEASE_LOST, "asked by the test")
    with pytest.raises(StopRequested):
        world.run(RunKind.APPLY)
    assert world.log == ""
