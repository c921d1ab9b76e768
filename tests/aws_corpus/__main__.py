"""Plan, apply, look for drift, change, alter and destroy the corpus with the real provider; say what the cloud saw.

    python -m tests.aws_corpus check     each run with its own allowance; exit code 1 unless all of it holds
    python -m tests.aws_corpus recover   its state is lost: everything is found again and imported, from the journal
    python -m tests.aws_corpus record    every run unbounded; writes traces.json for tests.compile.needs

Needs terraform on PATH, and hashicorp/aws in the directory INTERLOCK_PLUGIN_DIR, laid out as `terraform init
-plugin-dir` takes it. Nothing is downloaded.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import boto3

from deploy.demo.arrivals import Arrived
from shared.drift.report import Cause, DriftReport
from shared.safety.allowance import Allowance
from tests.aws_corpus.harness import CONFIGURATION, TIMING, Terraform, VerifyingCloud, verifying_cloud
from tests.aws_corpus.injecting import Check, Outcome, inject, judge, problems, summary
from tests.aws_corpus.injections import injections
from tests.aws_corpus.recovering import Recovering
from tests.compile.traces import trace_of
from tests.integration.proxy_cloud import REAL_KEY, REAL_SECRET
from tests.integration.proxy_support import ProxyThread
from tests.servers import ValkeyServer

TRACES = Path(__file__).with_name("traces.json")
FLAGS = ("-no-color", "-input=false", "-parallelism=20")
CHANGED = "-var=revision=2"
GOAL = 60
#: The check runs Terraform by itself; this is what the other runs give on the command line.
CHECK_VARIABLES = {"TF_VAR_revision": "2", "TF_CLI_ARGS_plan": "-parallelism=20"}
#: What the cloud's model changes by itself: it does not give back parameters that were set.
RESTLESS = frozenset({("aws_db_parameter_group.this", "parameter[0]")})
#: What reads by a POST that names no operation: the cloud's own judge, who knows no paths, takes it for a change.
READS_BY_PATH = frozenset({"/get-group", "/get-group-query", "/get-group-configuration", "/groups-list"})


class Corpus:
    """The corpus at work in a directory, and what was found wrong."""

    def __init__(self, folder: Path, cloud: VerifyingCloud, terraform: Terraform) -> None:
        self._folder = folder
        self._cloud = cloud
        self._terraform = terraform
        self.wrong: list[str] = []

    def read_only(self, name: str, *words: str) -> None:
        """A run that may only read: it has to succeed, and nothing that changes may arrive."""
        self._run(name, Allowance.reads(), *words, *FLAGS)

    def planned(self, name: str, *words: str) -> None:
        """A plan as one run, and exactly that plan's apply as another that may do what the plan's entries need."""
        self.read_only(f"{name}: plan", "plan", "-out=plan.out", *words)
        self._run(f"{name}: apply", self._terraform.plan_entries("plan.out"), "apply", *FLAGS, "plan.out")

    def checked(self, name: str) -> tuple[DriftReport, dict[str, Any]]:
        """A drift check by the worker's own code, as a run that may only read; also the state as it was refreshed."""
        self._cloud.arrived()
        with self._terraform.holding(Allowance.reads()) as variables:
            check = Check(self._terraform, {**self._terraform.base, **variables, **CHECK_VARIABLES})
            report = check.report()
        arrived = self._cloud.arrived()
        changes = [entry for entry in arrived if changed(entry)]
        counts = ", ".join(f"{count} {status.value}" for status, count in report.counts().items())
        print(f"{name}: {counts}; {len(arrived)} calls, {len(changes)} that change something", flush=True)
        if changes:
            self.wrong.append(f"{name}: {[(entry.service, entry.operation, entry.path) for entry in changes]}")
        return report, check.refreshed["prior_state"]

    def unchanged(self) -> None:
        """Nobody has touched anything since the last apply: a check has to say so."""
        report, _ = self.checked("drift check of what nobody touched")
        for resource in report.drifted:
            paths = [change.path for change in resource.attributes if change.cause is Cause.CHANGED_OUTSIDE]
            if not (paths and {(resource.address, path) for path in paths} <= RESTLESS):
                self.wrong.append(f"drift of what nobody touched: {resource.address} {paths}")
        self.wrong += [f"not checked: {resource.address}: {resource.reason}" for resource in report.not_checked]

    def injected(self) -> None:
        """Everything in the table is changed by boto3; what the provider sees of it has to be found and named."""
        outcome, before = Outcome(), self._terraform.state()
        made = inject(injections(), before, self._cloud.url, outcome)
        report, refreshed = self.checked(f"drift check after {len(made)} changes")
        judge(made, before, {"values": refreshed["values"]}, report, outcome)
        print(summary(outcome))
        self.wrong += problems(outcome)

    def alter(self) -> None:
        """Change a few things behind Terraform's back."""
        session = boto3.Session(aws_access_key_id=REAL_KEY, aws_secret_access_key=REAL_SECRET, region_name="eu-west-1")

        def client(service: str) -> object:
            return session.client(service, endpoint_url=self._cloud.url)  # type: ignore[call-overload,no-any-return]

        sqs, logs, ssm = client("sqs"), client("logs"), client("ssm")
        url = sqs.get_queue_url(QueueName="corpus")["QueueUrl"]  # type: ignore[attr-defined]
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "77"})  # type: ignore[attr-defined]
        logs.put_retention_policy(logGroupName="/corpus", retentionInDays=3)  # type: ignore[attr-defined]
        ssm.put_parameter(Name="/corpus/text", Value="altered", Type="SecureString", Overwrite=True)  # type: ignore[attr-defined]
        self._cloud.arrived()

    def _run(self, name: str, allowance: Allowance, *words: str) -> None:
        self._cloud.arrived()
        done = self._terraform.run(allowance, *words)
        arrived = self._cloud.arrived()
        changes = [entry for entry in arrived if changed(entry)]
        print(f"{name}: exit {done.returncode}, {len(arrived)} calls, {len(changes)} that change something", flush=True)
        if done.returncode != 0:
            self.wrong.append(f"{name}: {[line for line in done.stderr.splitlines() if 'Error' in line][:10]}")
        if allowance.mode == "reads" and changes:
            self.wrong.append(f"{name}: {[(entry.service, entry.operation, entry.path) for entry in changes]}")


def changed(entry: Arrived) -> bool:
    """Whether the cloud was changed by it, in the eyes of its own judge."""
    return entry.accepted and entry.mutating and entry.path.partition("?")[0] not in READS_BY_PATH


def check(corpus: Corpus, terraform: Terraform, proxy: ProxyThread) -> int:
    """The whole life of the corpus, each run with what it may do."""
    corpus.planned("create")
    types = terraform.types()
    corpus.alter()
    corpus.read_only("drift", "plan", "-refresh-only")
    corpus.planned("change", CHANGED)
    corpus.unchanged()
    corpus.injected()
    corpus.planned("destroy", CHANGED, "-destroy")
    refusals = [
        f"{intent.service}:{intent.operation}"
        for intent in proxy.journal.intents
        if (outcome := proxy.journal.outcomes.get(intent.call_id)) is not None and outcome.outcome == "refused"
    ]
    if refusals:
        corpus.wrong.append(f"refused: {refusals}")
    print(f"{len(types)} resource types, {len(refusals)} calls refused")
    if len(types) < GOAL:
        corpus.wrong.append(f"{len(types)} resource types, the goal is {GOAL}")
    for problem in corpus.wrong:
        print(f"WRONG {problem}")
    return 1 if corpus.wrong else 0


def record(folder: Path, terraform: Terraform) -> int:
    """What each type's create, update and delete called."""
    actions = {"create": ("apply",), "update": ("apply", CHANGED), "delete": ("destroy", CHANGED)}
    types: dict[str, dict[str, list[str]]] = {}
    for action, words in actions.items():
        log = folder / f"{action}.log"
        logging = {"TF_LOG_PROVIDER": "DEBUG", "TF_LOG_PATH": str(log)}
        done = terraform.run(Allowance.unbounded(), *words, "-auto-approve", *FLAGS, environment=logging)
        print(f"{action}: exit {done.returncode}", flush=True)
        if done.returncode != 0:
            print(done.stderr)
            return 1
        with log.open(encoding="utf-8", errors="replace") as lines:
            for kind, names in trace_of(lines).items():
                types.setdefault(kind, {})[action] = sorted(names)
    write_traces(types)
    return 0


def write_traces(types: dict[str, dict[str, list[str]]]) -> None:
    """Keep them, in an order that diffs well."""
    TRACES.write_text(json.dumps({"provider": "hashicorp/aws", "types": types}, indent=1, sort_keys=True) + "\n")


def main(word: str) -> int:
    plugins = Path(os.environ["INTERLOCK_PLUGIN_DIR"]).absolute()
    server = ValkeyServer()
    try:
        with tempfile.TemporaryDirectory(prefix="il-corpus-") as name:
            folder = Path(name)
            shutil.copytree(CONFIGURATION, folder / "work")
            with (
                verifying_cloud(folder) as cloud,
                ProxyThread(folder / "home", server.url, cloud.url, timing=TIMING) as proxy,
            ):
                terraform = Terraform(folder / "work", proxy, server.url, plugins)
                terraform.init()
                if word == "recover":
                    return Recovering(cloud, terraform, proxy).run()
                if word == "record":
                    return record(folder, terraform)
                return check(Corpus(folder, cloud, terraform), terraform, proxy)
    finally:
        server.close()


if __name__ == "__main__":
    sys.exit(max(main(word) for word in sys.argv[1:]))
