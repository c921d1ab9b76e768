"""Terraform goes on with other branches after an error, and a plan can run programs: neither gets anything signed.

Provisioners and data sources stand for whatever a configuration may run: the AWS CLI, and a script with botocore.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from shared.control import Latched
from shared.safety.allowance import Allowance, AllowedEntry
from tests import external_provider
from tests.integration.proxy_cloud import Arrival, Cloud, operations
from tests.integration.proxy_support import ProxyThread, Worker
from tests.servers import wait_for
from worker.terraform_binary import find_terraform

pytestmark = pytest.mark.terraform

LIMIT_S = 240
QUEUES = Allowance(mode="entries", entries=(AllowedEntry(type="aws_sqs_queue", operation="create"),))

SCRIPT = """
import json, os, sys
from pathlib import Path
import botocore.session

own, manner, operation, parameters = sys.argv[1:]
client = botocore.session.get_session().create_client("sqs")
folder = Path(__file__).parent
try:
    client._make_api_call(operation, json.loads(parameters))
    word = "done"
except Exception as error:
    word = str(error)
folder.joinpath(own).write_text(word)
print(json.dumps({"said": word}))
sys.exit(manner == "strict" and word != "done")
"""


def script(folder: Path) -> Path:
    path = folder / "call.py"
    path.write_text(SCRIPT)
    return path


def answer(arrival: Arrival) -> tuple[int, str, bytes]:
    return 200, "application/x-amz-json-1.0", b'{"QueueUrl":"https://sqs.us-east-1.amazonaws.com/1/q"}'


class Configuration:
    """A directory with Terraform in it, and a proxy to call through."""

    def __init__(
        self, folder: Path, text: str, proxy: ProxyThread, *, json: bool = False, providers: Path | None = None
    ) -> None:
        self.folder = folder
        self._proxy = proxy
        self._terraform = find_terraform(None).outside
        self._providers = providers
        (folder / ("main.tf.json" if json else "main.tf")).write_text(text)

    def run(self, worker: Worker, *words: str) -> subprocess.CompletedProcess[str]:
        environment = {
            **worker.environment(self._proxy.ca),
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.folder),
            "CHECKPOINT_DISABLE": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        return subprocess.run(
            [*self._terraform, *words],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )

    def init(self, worker: Worker) -> None:
        plugins = [f"-plugin-dir={self._providers}"] if self._providers else []
        done = self.run(worker, "init", "-input=false", "-no-color", *plugins)
        assert done.returncode == 0, done.stderr


def calling(folder: Path, own: str, operation: str, **parameters: str) -> dict[str, Any]:
    """A resource whose making is one call to the cloud."""
    words = [sys.executable, str(folder / "call.py"), own, "strict", operation, json.dumps(parameters)]
    return {"provisioner": {"local-exec": {"command": shlex.join(words)}}}


def test_after_the_latch_terraform_goes_on_with_other_branches_and_none_of_their_calls_is_signed(
    tmp_path: Path, cloud: Cloud, proxy: ProxyThread, valkey_url: str
) -> None:
    cloud.answer = answer
    proxy.allowances.allowance_now = QUEUES
    script(tmp_path)
    # Two branches that know nothing of each other. In one a call goes beyond the plan; the other one waits for that on
    # purpose, and then makes four more calls, each of which the plan allows.
    waits = f"until [ -s {shlex.quote(str(tmp_path / 'beyond'))} ]; do sleep 0.1; done"
    resources: dict[str, Any] = {
        "first": calling(tmp_path, "first", "CreateQueue", QueueName="first"),
        "beyond": calling(tmp_path, "beyond", "DeleteQueue", QueueUrl="https://sqs.us-east-1.amazonaws.com/1/q")
        | {"depends_on": ["terraform_data.first"]},
        "waiting": {"provisioner": {"local-exec": {"command": waits}}, "depends_on": ["terraform_data.first"]},
    }
    for number in range(4):
        own = f"other-{number}"
        resources[own] = calling(tmp_path, own, "CreateQueue", QueueName=own) | {
            "depends_on": ["terraform_data.waiting"]
        }
    with Worker(proxy, valkey_url) as worker:
        text = json.dumps({"resource": {"terraform_data": resources}})
        configuration = Configuration(tmp_path, text, proxy, json=True)
        configuration.init(worker)
        done = configuration.run(worker, "apply", "-auto-approve", "-no-color", "-input=false")
        wait_for("the worker to be told", lambda: any(isinstance(event, Latched) for event in worker.events))
    assert done.returncode != 0
    assert "AccessDenied" in (tmp_path / "beyond").read_text()
    said = [(tmp_path / f"other-{number}").read_text() for number in range(4)]
    assert all("halted by an earlier call" in word for word in said), said
    assert operations(cloud.arrivals) == ["CreateQueue"], "the one before the latch, and none after it"
    state = json.loads((tmp_path / "terraform.tfstate").read_text())
    kept = {resource["name"]: resource["instances"][0].get("status") for resource in state["resources"]}
    assert kept["first"] is None
    assert kept["beyond"] == "tainted"


HOSTILE = """
terraform {{
  required_providers {{
    external = {{
      source = "hashicorp/external"
    }}
  }}
}}

data "external" "script" {{
  program = ["{python}", "{script}", "by-script", "lenient", "CreateQueue", "{{\\"QueueName\\":\\"hostile\\"}}"]
}}

data "external" "cli" {{
  program = ["/bin/sh", "-c", "{python} -m awscli sqs create-queue --queue-name q 2>{folder}/by-cli; echo '{{}}'"]
}}

resource "terraform_data" "provisioned" {{
  provisioner "local-exec" {{
    command = "{python} -m awscli iam create-user --user-name hostile 2>{folder}/by-provisioner; true"
  }}
}}
"""


@pytest.mark.parametrize("words", [("plan",), ("plan", "-refresh-only"), ("apply", "-auto-approve")])
def test_a_hostile_data_source_and_a_provisioner_are_refused_every_time(
    tmp_path: Path, cloud: Cloud, proxy: ProxyThread, valkey_url: str, words: tuple[str, ...]
) -> None:
    cloud.answer = answer
    # The apply is one of a plan that creates nothing in the cloud: its entries are the provisioner's own.
    applying = Allowance(mode="entries", entries=(AllowedEntry(type="local-exec", operation="provisioner"),))
    proxy.allowances.allowance_now = applying if words[0] == "apply" else Allowance.reads("a plan changes nothing")
    text = HOSTILE.format(python=sys.executable, script=script(tmp_path), folder=tmp_path)
    with Worker(proxy, valkey_url) as worker:
        configuration = Configuration(
            tmp_path, text, proxy, providers=external_provider.install(tmp_path / "providers")
        )
        configuration.init(worker)
        done = configuration.run(worker, *words, "-no-color", "-input=false")
        wait_for("the worker to be told", lambda: any(isinstance(event, Latched) for event in worker.events))
    assert done.returncode == 0, done.stderr
    tried = ["by-script", "by-cli", *(["by-provisioner"] if words[0] == "apply" else [])]
    for name in tried:
        assert "AccessDenied" in (tmp_path / name).read_text(), name
    assert cloud.arrivals == []
    assert proxy.refused("not_allowed") == 1
    assert proxy.refused("latched") == len(tried) - 1, "and nobody tried again"
