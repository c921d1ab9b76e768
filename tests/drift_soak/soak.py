"""Deploys the flock once and has its targets checked again and again. What is said but "in sync" is written down."""

from __future__ import annotations

import json
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from deploy.demo.arrivals import Arrived, LogTail
from deploy.demo.fleet import Fleet
from deploy.demo.stage import Stage
from shared import exit_codes
from shared.models import Run, RunStatus
from tests.integration.system import eventually

SOURCE = Path(__file__).with_name("flock") / "terraform"
REGIONS = ("eu-west-1", "eu-central-1", "us-east-1", "us-west-2", "ap-southeast-2")
CONCURRENCY = 2
BATCH_LIMIT_S = 1800
HEAD = """
name: soak
configuration: terraform
targets:
"""
TARGET = "  - {{region: here, name: {name}, provider_region: {region}, variables: {{name: {name}}}}}\n"


@dataclass
class Result:
    """What the checks came to."""

    provider: str
    targets: int
    wanted: int
    """Checks that were asked for."""
    checks: int = 0
    """Checks that are over."""
    in_sync: int = 0
    """Of them those that looked at everything and found nothing."""
    others: list[dict[str, Any]] = field(default_factory=list)
    """Every one that did not, with what it said."""
    transitions: int = 0
    """Times that a target was confirmed to stand otherwise than in sync."""
    pending: int = 0
    """Findings that waited for a second check at the end."""
    notifications: int = 0
    """People who were told anything."""
    resources: dict[str, int] = field(default_factory=dict)
    """Resources looked at, by status, in the newest check of each target."""
    reads: int = 0
    """Calls that arrived in the cloud during the checks."""
    writes: int = 0
    """Of them those that change something."""
    took_s: int = 0
    """Seconds for the checks."""

    @property
    def quiet(self) -> bool:
        """Whether nothing was raised."""
        said = self.others or self.transitions or self.pending or self.notifications or self.writes
        return not said and self.in_sync == self.checks > 0

    def as_json(self) -> str:
        """For a file."""
        return json.dumps({**asdict(self), "quiet": self.quiet, "complete": self.checks >= self.wanted}, indent=1)


class Soak:
    """A whole system at work on the flock."""

    def __init__(self, stage: Stage, folder: Path, result: Result) -> None:
        self._stage = stage
        self._folder = folder
        self._cloud = LogTail(stage.cloud_log)
        self.result = result

    def deploy(self) -> None:
        """Apply the flock to all its targets."""
        code, output = self._stage.command("apply", "-f", str(self._folder / "flock.yaml"))
        assert code == exit_codes.OK, output[-3000:]
        self._cloud.read()

    def check(self, count: int, *, until_s: float, keep: Path | None = None) -> Result:
        """Have targets checked in turns until `count` checks are over, or until that second of the monotonic clock."""
        began = time.monotonic()
        targets = self._stage.targets
        while self.result.checks < count and time.monotonic() < until_s:
            batch = targets[: count - self.result.checks]
            for run in self._checked(batch, until_s):
                self._count(run)
                self._note(began, keep)
            self._look()
            self._note(began, keep)
        return self.result

    def _note(self, began: float, keep: Path | None) -> None:
        self.result.took_s = round(time.monotonic() - began)
        if keep is not None:
            keep.write_text(self.result.as_json() + "\n")

    def _checked(self, targets: Sequence[str], until_s: float) -> Iterator[Run]:
        """Queue one check of each, and wait until they are over; in the end those that are not are called off."""
        api = self._stage.api
        waiting = [run.id for run in api.check_drift(targets).runs]
        limit_s = time.monotonic() + BATCH_LIMIT_S
        while waiting:
            for run_id in list(waiting):
                run = api.run(run_id)
                if run.status.terminal:
                    waiting.remove(run_id)
                    yield run
            if time.monotonic() > min(until_s, limit_s):
                for run_id in waiting:
                    api.cancel_run(run_id)
                return
            time.sleep(0.5)

    def _count(self, run: Run) -> None:
        self.result.checks += 1
        if run.status is RunStatus.CHECKED and run.exit_code == exit_codes.OK:
            self.result.in_sync += 1
            return
        detail = self._stage.api.drift_of(run.target)
        drifted = [one.model_dump(mode="json") for one in detail.report.drifted] if detail.report else []
        self.result.others.append(
            {
                "run": run.id,
                "target": run.target,
                "status": run.status.value,
                "exit_code": run.exit_code,
                "reason": run.reason,
                "drifted": drifted[:5],
            }
        )

    def _look(self) -> None:
        """What was raised so far."""
        api = self._stage.api
        standings = api.drift()
        self.result.transitions = sum(one.changes for one in standings)
        self.result.pending = sum(one.pending is not None for one in standings)
        self.result.notifications = len(api.notifications(limit=1000))
        counts: Counter[str] = Counter()
        for target in self._stage.targets:
            detail = api.drift_of(target)
            counts.update(
                {status.value: count for status, count in (detail.check.counts if detail.check else {}).items()}
            )
        self.result.resources = dict(counts)
        arrived = [entry for entry in self._cloud.read() if isinstance(entry, Arrived)]
        self.result.reads += sum(not entry.mutating for entry in arrived)
        self.result.writes += sum(entry.mutating for entry in arrived)


@contextmanager
def soaking(home: Path, *, plugins: Path, provider: str, targets: int, wanted: int) -> Iterator[Soak]:
    """Start all of it below `home`."""
    folder = home / "flock"
    shutil.copytree(SOURCE, folder / "terraform")
    names = [f"n{number:02}" for number in range(targets)]
    lines = [TARGET.format(name=name, region=REGIONS[at % len(REGIONS)]) for at, name in enumerate(names)]
    (folder / "flock.yaml").write_text(HEAD + "".join(lines))
    (home / "fleet").mkdir()
    with Fleet(home / "fleet") as fleet:
        stage = Stage(fleet, plugin_dir=plugins, flock=folder / "flock.yaml")
        try:
            stage.start(("host-a",))
            stage.start_worker("worker-a", "host-a", ("here",), concurrency=CONCURRENCY)
            eventually(lambda: stage.worker_ready("worker-a"), "the worker is ready")
            yield Soak(stage, folder, Result(provider=provider, targets=targets, wanted=wanted))
        finally:
            stage.close()
