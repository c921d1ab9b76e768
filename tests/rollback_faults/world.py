"""The system that is struck: the demo's cloud with a switch, the scheduler, and a pair of hosts for each job.

Each job has a region of its own in the cloud, so what exists there is its target's or nobody's. Its two hosts have a
signing proxy and a worker each: one of them is killed, the other one takes the rollback.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.demo.fleet import Fleet, Part, boot_ms, environment_of, interlock
from deploy.demo.stage import Stage, proxy_of
from shared.errors import Unavailable
from shared.models import Run, RunKind, RunStatus
from shared.rollback.standing import Rollback
from tests.rollback_faults.cloud import FaultSwitch
from tests.rollback_faults.inventory import OWN, Inventory, Thing, canonical
from tests.rollback_faults.judgement import Told

FOLDER = Path(__file__).parent
CONFIGURATION = FOLDER / "configuration"
FLOCK = "faults"
#: Where each job works; so many jobs there can be.
REGIONS = ("eu-west-1", "us-east-1", "eu-central-1", "us-west-2")
#: Targets of a job: a case whose end is not the first state needs a fresh one next.
SPARES = 40
READY_LIMIT_S = 90.0
RUN_LIMIT_S = 600.0
_LOOK_S = 0.1
#: Long enough for a busy machine to lose no lease, short enough that a call in flight is waited for only briefly.
SETTINGS = {
    "INTERLOCK_TTL_MS": "15000",
    "INTERLOCK_RENEW_MS": "1500",
    "INTERLOCK_POLL_MS": "300",
    "INTERLOCK_DELTA_MS": "1000",
    "INTERLOCK_GRACE_MS": "1000",
    "INTERLOCK_UNKNOWN_MS": "3000",
    # A deployment that was lost is taken back at once instead of being tried again.
    "INTERLOCK_MAX_ATTEMPTS": "1",
}


@dataclass(frozen=True, kw_only=True)
class Release:
    """What is deployed."""

    configuration: str
    """`first` or `second`."""
    rollback: Mapping[str, Any] | None
    """The flock's `rollback` section; None: it has none."""


class FaultStage(Stage):
    """The demo's stage with the switch in its cloud and other settings."""

    def __init__(self, fleet: Fleet, *, plugin_dir: Path, flock: Path, settings: Mapping[str, str]) -> None:
        """As the demo's, with more settings."""
        super().__init__(fleet, plugin_dir=plugin_dir, flock=flock)
        self._settings = {**SETTINGS, **settings}

    def switch(self) -> FaultSwitch:
        """The cloud's switch, once it serves."""
        return FaultSwitch(self.cloud_url, self._secret_key)

    def restart(self, part: str) -> None:
        """Start `server` or `beat` again, where the others look for it."""
        if part == "server":
            self._fleet.start("server", interlock("server"), self._environment("control"))
            self._fleet.wait_ready("server", f"{self.api_url}/readyz")
        else:
            name, url = self._start_beat()
            self._fleet.wait_ready(name, url)

    def _start_cloud(self) -> Part:
        argv = [sys.executable, "-m", "tests.rollback_faults.cloud", "--log", str(self.cloud_log)]
        argv += ["--access-key", self._access_key, f"--secret-key={self._secret_key}"]
        return self._fleet.start("cloud", argv, environment_of(os.environ))

    def _environment(self, host: str, **more: str) -> dict[str, str]:
        return super()._environment(host, **{**self._settings, **more})


class World:
    """Everything that runs, and the two releases."""

    def __init__(
        self,
        fleet: Fleet,
        *,
        plugin_dir: Path,
        jobs: int,
        releases: Mapping[str, Release],
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """Write the flock's files; nothing is started.

        Args:
            fleet: owns the processes.
            plugin_dir: holds the provider.
            jobs: how many cases run side by side.
            releases: what is deployed, by name; `first` is among them.
            settings: INTERLOCK_ settings of every process.
        """
        self.fleet = fleet
        self.jobs = jobs
        self._releases = fleet.home / "releases"
        for name, release in releases.items():
            self._write_release(name, release)
        self.stage = FaultStage(
            fleet, plugin_dir=plugin_dir, flock=self._releases / "first" / "flock.yaml", settings=settings or {}
        )
        self.digests = dict.fromkeys(releases, "")
        self.switch: FaultSwitch
        self._workers: dict[str, str] = {}
        self._lock = threading.Lock()

    def start(self) -> None:
        """Start everything, and publish the releases."""
        self.stage.start([host for job in range(self.jobs) for host in self.hosts(job)])
        self.switch = self.stage.switch()
        self.digests = {name: self._publish(name) for name in self.digests}
        self.stage.api.put_flock(FLOCK, self.digests["first"])
        for job in range(self.jobs):
            for host in self.hosts(job):
                self.start_worker(job, host)

    def close(self) -> None:
        """Close what is not a process."""
        self.stage.close()

    @staticmethod
    def hosts(job: int) -> tuple[str, str]:
        """The names of a job's hosts."""
        return f"host-{job}a", f"host-{job}b"

    @staticmethod
    def target(job: int, number: int) -> str:
        """One of a job's targets."""
        return f"{FLOCK}.{label(job)}.a{number}"

    def start_worker(self, job: int, host: str) -> None:
        """Start the worker of a host and wait until it takes runs."""
        name = f"worker-{host}-{secrets.token_hex(2)}"
        with self._lock:
            self._workers[host] = name
        self.stage.start_worker(name, host, (label(job),), concurrency=1)
        self.wait(f"{name} is ready", lambda: self.stage.worker_ready(name), limit_s=READY_LIMIT_S)

    def kill_worker(self, host: str) -> float:
        """SIGKILL the processes of the host's worker by their ids; returns the instant before, boot-clock ms."""
        with self._lock:
            name = self._workers.pop(host)
        return self.fleet.kill(name)

    def set_alarm(self, job: int, target: str, state: str) -> None:
        """Let the alarm that a bake watches be `OK`, `ALARM` or `INSUFFICIENT_DATA`."""
        inventory = self.stage.inventory_of(Inventory, [REGIONS[job]])
        inventory.set_alarm(f"{name_of(target)}cpu", state)

    def kill(self, part: str, job: int, host: str, between: Callable[[], None] = lambda: None) -> None:
        """SIGKILL `worker` or `proxy` of that host, `server` or `beat`; start it again, as a service manager would."""
        if part == "worker":
            self.kill_worker(host)
            between()
            self.start_worker(job, host)
        elif part == "proxy":
            self.fleet.kill(proxy_of(host))
            between()
            self.stage.start_proxy(host)
        else:
            self.fleet.kill(part)
            between()
            self.stage.restart(part)

    def inventory(self, job: int, target: str) -> dict[str, Thing]:
        """What is in the job's region, and of what is global what is named after the target."""
        reader = self.stage.inventory_of(Inventory, [REGIONS[job]])
        own = {name_of(target).rstrip("-"): OWN, REGIONS[job]: "REGION"}
        return canonical(reader.items(prefix=name_of(target)), own)

    def apply(self, target: str, release: str) -> Run:
        """Queue a run of a release, by its name. What it cannot undo, a person consents to, each time."""
        # The first one only creates.
        if release != "first":
            self._consent(target, release)  # a rollback uses consent up
        return self._queue(target, release, RunKind.APPLY)

    def ended(self, run: Run, limit_s: float = RUN_LIMIT_S) -> Run:
        """Wait until a run is over."""
        return self.wait(
            f"{run.id} is over",
            lambda: found if (found := self.stage.api.run(run.id)).status.terminal else None,
            limit_s=limit_s,
        )

    def roll_back(self, target: str) -> Rollback:
        """Ask, as an operator would, that the target's last deployment be taken back."""
        return self.stage.api.start_rollback(target=target, actor="rollback-faults")

    def rollback_of(self, run: Run) -> Rollback | None:
        """The rollback of a deployment with all that is known of it; None if there is none."""
        found = [one.id for one in self.stage.api.rollbacks(target=run.target) if one.run_id == run.id]
        return self.stage.api.rollback(found[0]) if found else None

    def orphans_of(self, run: Run) -> tuple[Told, ...]:
        """What the reports about the runs of the deployment's target name: those that are left to settle."""
        return tuple(
            Told(
                kind="orphan",
                type=one.type or "",
                ids=tuple(filter(None, (one.id, *one.names.values()))),
                address=one.address or f"{one.service}:{one.operation}",
            )
            for report in self.stage.api.orphans(target=run.target)
            for one in report.orphans
        )

    def wait[T](self, what: str, question: Callable[[], T | None], *, limit_s: float) -> T:
        """Ask until the answer is truthy; raises Unavailable after `limit_s`. A scheduler that is away gives none."""
        until = boot_ms() + limit_s * 1000
        pause = threading.Event()
        while True:
            try:
                answer = question()
            except Unavailable:
                answer = None
            if answer:
                return answer
            if boot_ms() > until:
                raise Unavailable(f"waited {limit_s:.0f} s in vain: {what}", hint="the processes' logs may say why")
            pause.wait(_LOOK_S)

    def log_tail(self, run_id: str, lines: int = 25) -> str:
        """The end of a run's log."""
        return "\n".join(self.stage.api.logs(run_id).text.splitlines()[-lines:])

    def _queue(self, target: str, release: str, kind: RunKind) -> Run:
        return self.stage.api.create_run(target, kind, actor="rollback-faults", release_digest=self.digests[release])

    def _consent(self, target: str, release: str) -> None:
        run = self.ended(self._queue(target, release, RunKind.PLAN))
        if run.status is not RunStatus.PLANNED:
            raise Unavailable(f"{release} cannot be planned: {run.reason}", hint=self.log_tail(run.id))
        record = self.stage.api.safety_plan(run.id)
        addresses = [entry.address.removesuffix(" (deposed)") for entry in record.verdict.unconsented]
        if addresses:
            self.stage.api.approve_safety_plan(run.id, record.digest, actor="rollback-faults", consents=addresses)

    def _publish(self, name: str) -> str:
        code, output = self.stage.command("release", "publish", str(self._releases / name), "--json")
        if code != 0:
            raise Unavailable(f"the {name} release could not be published", hint=output)
        return str(json.loads(output[output.index("{") :])["digest"])

    def _write_release(self, name: str, release: Release) -> None:
        folder = self._releases / name
        shutil.copytree(CONFIGURATION / "common", folder / "configuration")
        shutil.copytree(CONFIGURATION / release.configuration, folder / "configuration", dirs_exist_ok=True)
        targets = [self.target(job, number) for job in range(self.jobs) for number in range(SPARES)]
        (folder / "flock.yaml").write_text(json.dumps(flock_of(targets, release.rollback), indent=2))


def label(job: int) -> str:
    """The name of a job's region."""
    return f"r{job}"


def name_of(target: str) -> str:
    """First part of the names of everything of a target; none is the beginning of another one's."""
    _, region, number = target.split(".")
    return f"{region}-{number}-"


def flock_of(targets: Iterable[str], rollback: Mapping[str, Any] | None) -> dict[str, Any]:
    """The flock's file."""
    flock: dict[str, Any] = {"name": FLOCK, "configuration": "configuration", "targets": []}
    for target in targets:
        _, region, number = target.split(".")
        flock["targets"].append(
            {
                "region": region,
                "name": number,
                "provider_region": REGIONS[int(region.removeprefix("r"))],
                "variables": {"name": name_of(target).rstrip("-")},
            }
        )
    if rollback is not None:
        flock["rollback"] = dict(rollback)
    return flock
