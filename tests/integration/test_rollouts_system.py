"""Roll-outs on real processes, with a real Terraform, through the real command."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from shared import exit_codes
from shared.models import RunKind, RunStatus
from shared.rollouts import Rollout
from tests.integration.system import PATIENCE_S, System, eventually, running
from tests.servers import ValkeyServer

pytestmark = pytest.mark.terraform

#: Every plan of it has changes, and another digest than the one before.
GENERIC = """
variable "fails" {
  type    = bool
  default = false
}
resource "terraform_data" "one" {
  triggers_replace = timestamp()
  lifecycle {
    postcondition {
      condition     = !var.fails
      error_message = "told to fail"
    }
  }
}
"""
FLOCK = """
name: {name}
configuration: terraform
phases:
  - name: canary
    approval: {approval}
  - name: wide
targets:
  - region: here
    name: a
    phase: canary
    variables: {{fails: {fails}}}
  - region: here
    name: b
    phase: wide
"""


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """One control host and one worker host."""
    valkey = ValkeyServer()
    try:
        with running(tmp_path_factory.mktemp("rollouts"), valkey.url) as started:
            started.start_proxy("host-a")
            started.start_worker("host-a")
            yield started
    finally:
        valkey.close()


def interlock(system: System, *words: str, code: int = 0) -> Any:
    """Run a command with --json and return what it printed; of several objects, one a line, the last."""
    done = subprocess.run(
        [sys.executable, "-m", "cli", *words, "--json"],
        env=system.environment(),
        cwd=system.directory,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    if words[:2] == ("rollout", "watch"):
        return json.loads(done.stdout.splitlines()[-1])
    return json.loads(done.stdout) if done.stdout.strip() else None


def begin(system: System, folder: Path, name: str, *, approval: bool, fails: bool = False) -> Rollout:
    """Publish a flock of two phases and roll it out."""
    (folder / "terraform").mkdir(parents=True)
    (folder / "terraform" / "main.tf").write_text(GENERIC)
    flock = FLOCK.format(name=name, approval=str(approval).lower(), fails=str(fails).lower())
    (folder / "flock.yaml").write_text(flock)
    published = interlock(system, "release", "publish", str(folder))
    return Rollout.model_validate(interlock(system, "rollout", "start", published["digest"]))


def until(system: System, rollout: Rollout, accept: Callable[[Rollout], bool], what: str) -> Rollout:
    """Wait until the roll-out is as wanted."""

    def look() -> Rollout | None:
        found = system.api().rollout(rollout.id)
        return found if accept(found) else None

    found = eventually(look, f"{what}; it is {system.api().rollout(rollout.id)}")
    assert found is not None
    return found


def stages(rollout: Rollout) -> list[str]:
    return [target.stage.value for target in rollout.targets]


def restart_the_scheduler(system: System) -> None:
    """Kill API and beat without a warning and start them again."""
    for name in ("beat", "server"):
        system.processes[name].kill()
        system.processes[name].wait(PATIENCE_S)
    system.start_server()
    system.start_beat("beat")


def test_a_plan_is_approved_voided_made_anew_and_applied_as_approved_while_the_scheduler_dies(
    system: System, tmp_path: Path
) -> None:
    begun = begin(system, tmp_path / "one", "gate", approval=True)
    planned = until(system, begun, lambda one: stages(one)[0] == "planned", "the canary is planned")
    assert stages(planned) == ["planned", "pending"]
    first = planned.targets[0]
    assert system.api().run(str(first.plan_run_id)).status is RunStatus.PLANNED

    # Somebody applies by hand before the plan is approved: its state moves.
    by_hand = system.api().create_run("gate.here.a", RunKind.APPLY, release_digest=begun.release_digest)
    system.run_until(by_hand.id, lambda run: run.status is RunStatus.APPLIED, "is applied by hand")
    interlock(system, "rollout", "approve", begun.id, "--target", "gate.here.a", "--yes")
    anew = until(
        system,
        begun,
        lambda one: stages(one)[0] == "planned" and one.targets[0].plan_digest != first.plan_digest,
        "another plan is made",
    )
    second = anew.targets[0]
    assert (second.plans, second.confirmed_by, stages(anew)[1]) == (2, "", "pending")
    assert system.api().run(str(first.plan_run_id)).status is RunStatus.DISCARDED

    # The scheduler is killed and comes back: the plan still waits, and nothing was started twice.
    restart_the_scheduler(system)
    assert system.api().rollout(begun.id) == anew

    # While it is paused, an approved plan is not applied.
    interlock(system, "rollout", "pause", begun.id)
    approved = Rollout.model_validate(interlock(system, "rollout", "approve", begun.id, "--yes"))
    assert (stages(approved), approved.status.value) == (["confirmed", "pending"], "paused")
    interlock(system, "rollout", "resume", begun.id)
    over = Rollout.model_validate(interlock(system, "rollout", "watch", begun.id))
    assert over == system.api().rollout(begun.id)
    assert (over.status.value, stages(over)) == ("succeeded", ["applied", "applied"])

    # The apply made no plan of its own.
    applied = system.api().run(str(over.targets[0].run_id))
    assert applied.plan_run_id == second.plan_run_id
    log = system.api().logs(applied.id).text
    assert "Apply complete" in log
    assert "Plan:" not in log
    assert system.api().target("gate.here.a").release_digest == begun.release_digest


def test_a_target_that_fails_freezes_the_later_phase(system: System, tmp_path: Path) -> None:
    begun = begin(system, tmp_path / "two", "broken", approval=False, fails=True)
    over = until(system, begun, lambda one: one.status.over, "it is over")
    assert (over.status.value, stages(over)) == ("failed", ["errored", "pending"])
    assert [phase.status.value for phase in over.phases] == ["failed", "frozen"]
    assert system.api().runs(target="broken.here.b") == []
    interlock(system, "rollout", "resume", begun.id, code=exit_codes.ERROR)
