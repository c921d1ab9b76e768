"""The demo's cloud as a process, with real clients; the stand-in provider in a real Terraform; and the demo itself."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from deploy.demo.arrivals import Call, read_calls
from deploy.demo.fleet import Fleet, environment_of, first_line
from deploy.demo.inventory import CloudInventory, identities_in_state, resources_in_state
from deploy.demo.provider import install_offline
from deploy.demo.stage import FLOCK

KEY, SECRET = "AKIADEMODEMODEMODEMO", "secret-of-the-demo-s-cloud"
REGION = "eu-west-1"
ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True, kw_only=True)
class Cloud:
    """A running cloud."""

    url: str
    """Where it serves."""
    log: Path
    """What arrived."""

    def calls(self) -> list[Call]:
        return read_calls(self.log.read_text().splitlines(keepends=True))

    def client(self, service: str, *, secret: str = SECRET, **config: Any) -> Any:
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=self.url,
            aws_access_key_id=KEY,
            aws_secret_access_key=secret,
            config=Config(retries={"total_max_attempts": 1}, proxies={}, **config),
        )


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    log = tmp_path / "cloud.jsonl"
    argv = [sys.executable, "-m", "deploy.demo.cloud", "--log", str(log), "--access-key", KEY, "--secret-key", SECRET]
    home = tmp_path / "cloud"
    home.mkdir()
    with Fleet(home) as fleet:
        part = fleet.start("cloud", argv, environment_of(os.environ))
        line = fleet.wait_until("the cloud serves", lambda: first_line(part), limit_s=120)
        yield Cloud(url=f"http://127.0.0.1:{line['port']}", log=log)


def test_signed_calls_of_every_shape_are_accepted_and_logged(cloud: Cloud) -> None:
    s3 = cloud.client("s3", s3={"addressing_style": "path"})
    s3.create_bucket(Bucket="documents", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="documents", Key="a b/ü~+.txt", Body=b"hello")
    assert s3.get_object(Bucket="documents", Key="a b/ü~+.txt")["Body"].read() == b"hello"
    assert s3.head_object(Bucket="documents", Key="a b/ü~+.txt")["ContentLength"] == 5
    cloud.client("sqs").create_queue(QueueName="orders")
    cloud.client("iam").list_users()
    cloud.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")
    calls = cloud.calls()
    assert {call.arrived.signature for call in calls} == {"ok"}
    assert [(call.arrived.service, call.arrived.operation, call.arrived.mutating) for call in calls] == [
        ("s3", "PUT", True),
        ("s3", "PUT", True),
        ("s3", "GET", False),
        ("s3", "HEAD", False),
        ("sqs", "CreateQueue", True),
        ("iam", "ListUsers", False),
        ("ec2", "CreateVpc", True),
    ]
    assert all(call.done is not None and call.done.status == 200 for call in calls)


def test_a_wrong_secret_is_refused_changes_nothing_and_is_logged(cloud: Cloud) -> None:
    def guessing(service: str) -> Any:
        return cloud.client(service, secret="guessed")

    attempts: list[Callable[[], Any]] = [
        lambda: guessing("sqs").create_queue(QueueName="q"),
        lambda: guessing("iam").create_user(UserName="u"),
        lambda: guessing("ec2").create_vpc(CidrBlock="10.0.0.0/16"),
        lambda: guessing("s3").delete_bucket(Bucket="documents"),
    ]
    for attempt in attempts:
        with pytest.raises(ClientError, match="signature was not accepted") as caught:
            attempt()
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert "QueueUrls" not in cloud.client("sqs").list_queues()
    assert [call.arrived.signature for call in cloud.calls()] == ["signature does not match"] * 4 + ["ok"]


def test_an_unsigned_call_is_refused_and_logged(cloud: Cloud) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with pytest.raises(urllib.error.HTTPError, match="403"):
        opener.open(urllib.request.Request(f"{cloud.url}/?Action=DeleteUser", method="POST"), timeout=60)
    (call,) = cloud.calls()
    assert call.arrived.signature == "unsigned"
    assert call.arrived.operation == "DeleteUser"
    assert call.arrived.mutating


def test_arrivals_lie_between_what_the_client_did_before_and_after(cloud: Cloud) -> None:
    sqs = cloud.client("sqs")
    instants = [time.clock_gettime_ns(time.CLOCK_REALTIME)]
    for _ in range(20):
        sqs.list_queues()
        instants.append(time.clock_gettime_ns(time.CLOCK_REALTIME))
    arrivals = [call.arrived.arrived_ns for call in cloud.calls()]
    for before, arrived, after in zip(instants[:-1], arrivals, instants[1:], strict=True):
        assert before <= arrived <= after


def test_a_key_cannot_be_issued_where_that_was_not_asked_for(cloud: Cloud) -> None:
    request = urllib.request.Request(
        f"{cloud.url}/demo/keys", method="POST", data=b"{}", headers={"X-Demo-Secret": SECRET}
    )
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60)


class Terraform:
    """A real Terraform in a directory with the demo's flock, straight to the cloud."""

    def __init__(self, cloud: Cloud, folder: Path, plugins: Path) -> None:
        program = shutil.which("terraform") or shutil.which("tofu")
        assert program is not None, "neither terraform nor tofu is on PATH; this test needs one"
        folder.mkdir()
        for path in FLOCK.parent.glob("*.tf"):
            shutil.copy(path, folder)
        self._program = program
        self._folder = folder
        self._environment = environment_of(
            os.environ,
            AWS_ACCESS_KEY_ID=KEY,
            AWS_SECRET_ACCESS_KEY=SECRET,
            AWS_ENDPOINT_URL=cloud.url,
            AWS_EC2_METADATA_DISABLED="true",
            TF_VAR_name="orders-eu",
            TF_VAR_provider_region=REGION,
            TF_CLI_CONFIG_FILE=os.devnull,
            CHECKPOINT_DISABLE="1",
        )
        self.run("init", f"-plugin-dir={plugins}")

    def run(self, *words: str, codes: tuple[int, ...] = (0,)) -> str:
        done = subprocess.run(
            [self._program, words[0], "-input=false", "-no-color", *words[1:]],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode in codes, f"{words}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout

    @property
    def state(self) -> Path:
        return self._folder / "terraform.tfstate"

    def write_imports(self) -> int:
        """An import block for everything in the state, as the documentation of each type names it."""
        blocks = []
        for resource in json.loads(self.state.read_text())["resources"]:
            for instance in resource["instances"]:
                of = instance["attributes"]
                name = {
                    "aws_iam_role_policy_attachment": f"{of.get('role')}/{of.get('policy_arn')}",
                    "aws_route_table_association": f"{of.get('subnet_id')}/{of.get('route_table_id')}",
                }.get(resource["type"], of["id"])
                key = f'["{instance["index_key"]}"]' if "index_key" in instance else ""
                address = f"{resource['type']}.{resource['name']}{key}"
                blocks.append(f"import {{\n  to = {address}\n  id = {json.dumps(name)}\n}}\n")
        (self._folder / "imports.tf").write_text("".join(blocks))
        return len(blocks)


@pytest.mark.terraform
@pytest.mark.timeout(600)
def test_the_stand_in_applies_plans_empty_and_imports_every_type(cloud: Cloud, tmp_path: Path) -> None:
    terraform = Terraform(cloud, tmp_path / "work", install_offline(tmp_path / "plugins"))
    assert "37 added" in terraform.run("apply", "-auto-approve")
    assert "No changes" in terraform.run("plan", "-detailed-exitcode")
    held = identities_in_state(json.loads(terraform.state.read_text()))
    inventory = CloudInventory(endpoint=cloud.url, access_key=KEY, secret_key=SECRET, regions=(REGION, "us-west-2"))
    orphans = {what for identity, what in inventory.read().items() if identity not in held}
    assert orphans == set()

    assert terraform.write_imports() == resources_in_state(json.loads(terraform.state.read_text())) == 37
    terraform.state.unlink()
    assert "37 imported, 0 added" in terraform.run("apply", "-auto-approve")
    assert "No changes" in terraform.run("plan", "-detailed-exitcode")
    assert {call.arrived.signature for call in cloud.calls()} == {"ok"}


def play(tmp_path: Path, *options: str) -> tuple[int, dict[str, Any]]:
    """`interlock demo --json` where the real provider cannot be had; its exit code and its last line."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("INTERLOCK_")}
    environment |= {
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "TMPDIR": str(tmp_path),
    }
    home = tmp_path / "home"
    home.mkdir()
    # No mirror, no cache, and nobody at the other end of the way to the registry.
    environment = {name: value for name, value in environment.items() if not name.startswith(("TF_", "XDG_"))}
    environment |= {"HOME": str(home), "HTTPS_PROXY": "http://127.0.0.1:9", "TF_CLI_CONFIG_FILE": os.devnull}
    done = subprocess.run(
        [sys.executable, "-m", "cli", "demo", "--json", *options],
        env=environment,
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=580,
        check=False,
    )
    assert done.stdout.rpartition("\n{")[2].count("\n") <= 1, done.stdout[-5000:] + done.stderr[-5000:]
    verdict: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return done.returncode, verdict


@pytest.mark.terraform
@pytest.mark.timeout(600)
def test_the_demo_keeps_every_promise_offline(tmp_path: Path) -> None:
    code, verdict = play(tmp_path)
    assert code == 0, verdict
    assert verdict["passed"], verdict["reasons"]
    assert "stand-in" in verdict["provider"]
    assert list(tmp_path.glob("interlock-demo-*")) == []


@pytest.mark.terraform
@pytest.mark.timeout(600)
def test_without_the_gate_the_demo_shows_an_overlap_and_fails(tmp_path: Path) -> None:
    code, verdict = play(tmp_path, "--unfenced")
    assert code == 1, verdict
    assert verdict["overlaps"] > 0
    assert verdict["after_cut"] > 0
    assert not verdict["passed"]
