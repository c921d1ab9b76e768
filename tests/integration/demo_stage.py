"""The demo's stage for a flock of a test: a cloud, the scheduler, and one host with its proxy and its worker."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deploy.demo.arrivals import read_calls
from deploy.demo.fleet import Fleet
from deploy.demo.inventory import CloudInventory
from deploy.demo.provider import choose_provider, terraform_of
from deploy.demo.stage import Stage
from tests.integration.system import eventually


def write_flock(folder: Path, *, terraform: str, flock: str) -> None:
    """Write a flock of one file of Terraform into `folder`."""
    (folder / "terraform").mkdir(parents=True, exist_ok=True)
    (folder / "terraform" / "main.tf").write_text(terraform)
    (folder / "flock.yaml").write_text(flock)


@contextmanager
def staged(
    home: Path,
    folder: Path,
    *,
    regions: tuple[str, ...] = ("eu",),
    concurrency: int = 1,
    plugin_dir: Path | None = None,
    kind: type[Stage] = Stage,
) -> Iterator[tuple[Fleet, Stage]]:
    """Start all of it below `home` for the flock in `folder`, and end it.

    Args:
        home: an empty folder.
        folder: has the flock.yaml.
        regions: which the worker serves.
        concurrency: of the worker.
        plugin_dir: holds the provider; None: the real one where INTERLOCK_PLUGIN_DIR names it, else the stand-in.
        kind: of the stage.
    """
    if plugin_dir is None:
        environ = {name: value for name, value in os.environ.items() if name != "TF_CLI_CONFIG_FILE"}
        plugin_dir = choose_provider(
            plugin_dir=None, environ=environ, terraform=terraform_of(os.environ), install_dir=home / "provider"
        ).plugin_dir
    with Fleet(home) as fleet:
        stage = kind(fleet, plugin_dir=plugin_dir, flock=folder / "flock.yaml")
        try:
            stage.start(("host-a",))
            stage.start_worker("worker-a", "host-a", regions, concurrency=concurrency)
            eventually(lambda: stage.worker_ready("worker-a"), "the worker is ready")
            yield fleet, stage
        finally:
            stage.close()


class Somebody(CloudInventory):
    """A person with the cloud's own keys."""

    def client(self, service: str) -> Any:
        """A client of boto3."""
        return self._client(service, "eu-west-1")


class StageWorld:
    """What tests do with a stage."""

    def __init__(self, stage: Stage, folder: Path) -> None:
        self.stage = stage
        self.folder = folder
        """Of the flock."""

    def interlock(self, *words: str, code: int = 0) -> Any:
        """Run a command and return what it printed as JSON."""
        done, output = self.stage.command(*words, "--json")
        assert done == code, f"{words}: {done}\n{output}"
        # What Terraform says comes in between, indented.
        start = re.search(r"^[\[{]", output, re.MULTILINE)
        return json.JSONDecoder().raw_decode(output[start.start() :])[0] if start else None

    def client(self, service: str) -> Any:
        """boto3's, for somebody who has the cloud's own keys."""
        return self.stage.inventory_of(Somebody, ["eu-west-1"]).client(service)

    def mutations(self) -> list[str]:
        """Every mutating call that reached the cloud so far, by operation."""
        calls = read_calls(self.stage.cloud_log.read_text().splitlines(keepends=True))
        return [call.arrived.operation for call in calls if call.arrived.mutating]
