"""A check at work gives way to an apply, and comes to its end later: on real processes, with a real Terraform."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.drift.report import RollUp
from shared.models import Run, RunKind, RunStatus
from tests import external_provider
from tests.integration.system import System, eventually, running
from tests.integration.test_rollouts_system import interlock
from tests.servers import ValkeyServer

pytestmark = [pytest.mark.terraform, pytest.mark.timeout(900)]

TARGET = "slow.here"
#: Its plan takes as long as the file `slow` is there.
GENERIC = """
terraform {{
  required_providers {{
    external = {{
      source = "hashicorp/external"
    }}
  }}
}}
data "external" "slow" {{
  program = ["/bin/sh", "-c", "while [ -e {folder}/slow ]; do sleep 0.1; done; echo '{{}}'"]
}}
resource "terraform_data" "one" {{
  input = "x"
}}
"""
FLOCK = """
name: slow
configuration: terraform
drift: {every_s: 86400}
targets:
  - region: here
"""


@pytest.fixture(scope="module")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return external_provider.install_alone(tmp_path_factory.mktemp("plugins"))


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, plugins: Path) -> Iterator[System]:
    """One control host and one worker host, and a target that was applied."""
    valkey = ValkeyServer()
    try:
        # A lease that outlives a busy machine: nothing here is about losing one.
        patient = {"INTERLOCK_TTL_MS": 30_000, "INTERLOCK_PLUGIN_DIR": plugins}
        with running(tmp_path_factory.mktemp("drift"), valkey.url, **patient) as started:
            started.start_proxy("host-a")
            started.start_worker("host-a")
            folder = started.directory / "flock"
            (folder / "terraform").mkdir(parents=True)
            (folder / "terraform" / "main.tf").write_text(GENERIC.format(folder=plugins))
            (folder / "flock.yaml").write_text(FLOCK)
            interlock(started, "apply", "-f", str(folder / "flock.yaml"))
            yield started
    finally:
        valkey.close()


def checks(system: System) -> list[Run]:
    """The target's checks, the first first."""
    return list(reversed(system.api().runs(target=TARGET, kind=RunKind.DRIFT)))


def applied(system: System) -> list[Run]:
    """Its applies that were applied."""
    return system.api().runs(target=TARGET, kind=RunKind.APPLY, status=RunStatus.APPLIED)


def test_an_apply_cancels_the_check_at_once_and_the_check_is_made_up_for(system: System, plugins: Path) -> None:
    api = system.api()
    (plugins / "slow").touch()
    started = interlock(system, "drift", "check", TARGET, "--detach")["runs"][0]["id"]
    system.run_until(started, lambda run: run.status is RunStatus.PLANNING, "the check looks")
    before = len(applied(system))
    api.create_run(TARGET, RunKind.APPLY, actor="anna")
    assert api.run(started).cancel_requested
    gone = system.run_until(started, lambda run: run.status.terminal, "the check is over")
    assert gone.status is RunStatus.CANCELED
    # It was over although its data source would have run for ever.
    assert (plugins / "slow").exists()
    (plugins / "slow").unlink()
    eventually(lambda: len(applied(system)) > before, "the apply is done")
    standing = api.drift_of(TARGET).standing
    assert (standing.roll_up, standing.pending, standing.last_status) == (None, None, RunStatus.CANCELED)
    assert standing.due_at is not None
    later = eventually(lambda: checks(system)[1:], "the check is queued again by itself", patience_s=300)
    system.run_until(later[0].id, lambda run: run.status is RunStatus.CHECKED, "it comes to its end")
    detail = api.drift_of(TARGET)
    assert detail.standing.roll_up is RollUp.IN_SYNC
    assert detail.calls is not None
    assert detail.calls.writes == 0
    assert interlock(system, "drift", "show", TARGET)["standing"]["roll_up"] == "in_sync"
    assert [one for one in interlock(system, "notify", "list") if one["kind"] == "drift"] == []
