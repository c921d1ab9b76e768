"""Changes the corpus by boto3 and has the worker's own drift check look at it.

Who judges: the state before and the state as Terraform refreshed it, value by value, without any of the rules of
`shared.drift`. What differs there the provider has seen; the report has to name it, on its resource, by its attribute.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from shared.drift.report import Cause, DriftReport, ResourceStatus
from tests.aws_corpus.harness import Terraform
from tests.aws_corpus.injections import GONE, Injection
from tests.integration.proxy_cloud import REAL_KEY, REAL_SECRET
from worker.provisioners import terraform as worker_terraform
from worker.provisioners.drift import run_drift

#: Bodies as they are: the cloud verifies no trailing checksums.
PLAIN = Config(request_checksum_calculation="when_required", retries={"total_max_attempts": 1})

#: Values of a resource by the path of each leaf: `tags.injected`, `ingress[0].to_port`.
Leaves = dict[str, Any]


@dataclass
class Outcome:
    """What became of the injections."""

    made: int = 0
    """Accepted by the cloud."""
    refused: list[str] = field(default_factory=list)
    """What the cloud's model cannot do."""
    seen: int = 0
    """Attributes that the provider saw differ, and resources that it saw gone."""
    unseen: list[str] = field(default_factory=list)
    """Attributes that the provider did not see differ: nothing could find those."""
    missed: list[str] = field(default_factory=list)
    """Seen, and not in the report."""
    unexpected: list[str] = field(default_factory=list)
    """In the report, and nobody changed it."""
    types: int = 0
    """Resource types of which something was seen."""
    values: int = 0
    """Single values that differ, on any resource: each has to be named, whatever the report takes for its cause."""


class Check:
    """The worker's check in the corpus' directory, as one run that may only read."""

    def __init__(self, terraform: Terraform, environment: Mapping[str, str]) -> None:
        self.folder = terraform.folder
        self.captures = terraform.folder.parent / "captures"
        self.captures.mkdir(exist_ok=True)
        self._environment = environment
        self._reports: list[DriftReport] = []
        self.refreshed: dict[str, Any] = {}

    def report(self) -> DriftReport:
        """Carry it out."""
        job = worker_terraform.TerraformJob(terraform=("terraform",))
        worker = _Loose(self, self, job)  # type: ignore[arg-type]
        run_drift(worker, self, known={}, progress=lambda status: None, note=lambda line: None)
        self.refreshed = worker.plans[0]
        return self._reports[-1]

    # What the worker's Terraform wants of its directory and of its commands.

    def discard(self, name: str) -> None:
        (self.folder / name).unlink(missing_ok=True)

    def has_terraform_files(self) -> bool:
        return True

    def run(self, argv: Sequence[str], *, capture: Path | None = None) -> int:
        target: Any = capture.open("wb") if capture else subprocess.DEVNULL
        try:
            return subprocess.run(
                argv,
                cwd=self.folder,
                env=dict(self._environment),
                stdin=subprocess.DEVNULL,
                stdout=target,
                stderr=subprocess.DEVNULL,
                check=False,
            ).returncode
        finally:
            if capture:
                target.close()

    # What a check wants of the scheduler.

    def in_the_way(self) -> str | None:
        return None

    def left(self, plan: Mapping[str, Any] | None) -> list[str]:
        return []

    def deliver(self, report: DriftReport) -> None:
        self._reports.append(report)


class _Loose(worker_terraform.Terraform):
    """Already initialised, and keeps the plans that it shows."""

    plans: list[dict[str, Any]]

    def prepare(self) -> None:
        self.plans = []

    def show_plan(self) -> dict[str, Any]:
        shown = super().show_plan()
        self.plans.append(shown)
        return shown


def problems(outcome: Outcome) -> Iterator[str]:
    """What is wrong with it: a change that was not found; and a table whose changes are none any more."""
    for name in ("refused", "unseen", "missed", "unexpected"):
        for what in getattr(outcome, name):
            yield f"injection: {name}: {what}"


def inject(all_of_them: Sequence[Injection], state: Mapping[str, Any], url: str, outcome: Outcome) -> list[Injection]:
    """Make them; returns those that the cloud took."""
    session = boto3.Session(aws_access_key_id=REAL_KEY, aws_secret_access_key=REAL_SECRET, region_name="eu-west-1")
    values = values_of(state)
    clients: dict[str, Any] = {}
    made = []
    for one in all_of_them:
        client = clients.get(one.service)
        if client is None:
            client = clients[one.service] = session.client(one.service, endpoint_url=url, config=PLAIN)
        name = f"{one.address}: {one.service}.{one.method}"
        try:
            getattr(client, one.method)(**one.parameters(values[one.address], values.__getitem__))
        except Exception as error:  # whatever it is: the cloud's model cannot do it, and the table has to say so
            outcome.refused.append(f"{name}: {type(error).__name__}: {str(error)[:300]}")
            continue
        made.append(one)
    outcome.made = len(made)
    return made


def judge(
    made: Sequence[Injection],
    before: Mapping[str, Any],
    refreshed: Mapping[str, Any],
    report: DriftReport,
    outcome: Outcome,
) -> None:
    """Hold the report against what the provider saw."""
    then, now = leaves_of(before), leaves_of(refreshed)
    types: set[str] = set()
    found = {resource.address: resource for resource in report.drifted}
    for one in made:
        kind = one.address.partition(".")[0]
        if one.paths == (GONE,) or one.address not in now:
            if one.address in now:
                outcome.unseen.append(f"{one.address}: gone")
                continue
            outcome.seen += 1
            types.add(kind)
            if one.address not in found or found[one.address].status is not ResourceStatus.DELETED:
                outcome.missed.append(f"{one.address}: gone")
            continue
        differing = differing_paths(then.get(one.address, {}), now.get(one.address, {}))
        named = named_paths(report, one.address)
        for path in one.paths:
            if not any(meet(path, other) for other in differing):
                outcome.unseen.append(f"{one.address}: {path}")
                continue
            outcome.seen += 1
            types.add(kind)
            if not any(meet(path, other) for other in named):
                outcome.missed.append(f"{one.address}: {path} (the report has {sorted(named)})")
    for address in then.keys() & now.keys():
        named = named_paths(report, address, *Cause)
        for path in differing_paths(then[address], now[address]):
            outcome.values += 1
            if not any(meet(path, other) for other in named):
                outcome.missed.append(f"{address}: {path} is not named at all")
    injected = {one.address for one in made}
    outcome.unexpected = [
        f"{address}: {resource.status.value} {sorted(named_paths(report, address))}"
        for address, resource in sorted(found.items())
        if address not in injected
    ]
    outcome.types = len(types)


def named_paths(report: DriftReport, address: str, *causes: Cause) -> set[str]:
    """The attributes that the report names for one of these causes; without any: as changed outside."""
    return {
        change.path
        for resource in report.resources
        if resource.address == address
        for change in resource.attributes
        if change.cause in (causes or (Cause.CHANGED_OUTSIDE,))
    }


def differing_paths(then: Leaves, now: Leaves) -> set[str]:
    """Paths of leaves that differ; nothing, an empty text and an empty list are the same."""
    return {path for path in then.keys() | now.keys() if (then.get(path) or None) != (now.get(path) or None)}


def meet(one: str, other: str) -> bool:
    """Whether one of the paths is the other one, or lies within it; which element of a list it is does not matter."""
    first, second = _plain(one), _plain(other)
    shorter, longer = sorted((first, second), key=len)
    return longer[: len(shorter)] == shorter


def _plain(path: str) -> list[str]:
    return [step for step in re.split(r"\.|\[\d+\]", path) if step]


def values_of(state: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Values by address, from `show -json` of a state, or the prior state of a plan."""
    found: dict[str, dict[str, Any]] = {}

    def walk(module: Mapping[str, Any]) -> None:
        for resource in module.get("resources", []):
            if resource["mode"] == "managed":
                found[resource["address"]] = resource["values"]
        for child in module.get("child_modules", []):
            walk(child)

    walk((state.get("values") or {}).get("root_module", {}))
    return found


def leaves_of(state: Mapping[str, Any]) -> dict[str, Leaves]:
    """Leaves by address."""
    return {address: dict(_leaves(values, "")) for address, values in values_of(state).items()}


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{index}]")
    else:
        yield path, value


def summary(outcome: Outcome) -> str:
    """What became of them, in a line."""
    return (
        f"{outcome.made} changes by boto3; {outcome.seen} attributes of {outcome.types} types seen by the provider: "
        f"{outcome.seen - len(outcome.missed)} found and named (of {outcome.values} values that differ in all), "
        f"{len(outcome.missed)} missed; "
        f"{len(outcome.unexpected)} resources named that nobody changed"
    )
