"""One run poses as another that runs beside it, with everything it could have stolen. All parts are the real commands.

Without the sandbox both runs share the host's loopback: a stolen key with its login signs as its owner. In the sandbox
the listener says who calls, and nothing that a run may say changes that.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from shared.models import Run, RunKind, RunStatus
from tests.integration.proxy_cloud import Cloud
from tests.integration.system import System, eventually, register_empty_flock, running
from tests.servers import ValkeyServer
from worker import signed_call
from worker.sandbox_layout import SIGNED_CALL

# What both programs start with: one signed call, and one request to the state host.
CALLS = """
import base64, datetime, http.client, importlib.util, json, os, ssl, sys, time
from urllib.parse import unquote, urlsplit

def call(queue, **changed):
    spec = importlib.util.spec_from_file_location("signed_call", sys.argv[1])
    signed_call = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(signed_call)
    at = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
    order = {"service": "sqs", "region": "us-east-1", "host": "sqs.us-east-1.amazonaws.com", "method": "POST",
             "path": "/", "query": "", "body": json.dumps({"QueueName": queue}),
             "headers": {"x-amz-target": "AmazonSQS.CreateQueue", "content-type": "application/x-amz-json-1.0"}}
    return signed_call.ask(order, {**os.environ, **changed}, at)["status"]

def state(target, **changed):
    given = {**os.environ, **changed}
    proxy = urlsplit(given["HTTPS_PROXY"])
    def basic(user, password):
        return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    login = {}
    if proxy.username:
        login["Proxy-Authorization"] = basic(unquote(proxy.username), unquote(proxy.password))
    context = ssl.create_default_context(cafile=given["SSL_CERT_FILE"])
    connection = http.client.HTTPSConnection(proxy.hostname, proxy.port, timeout=60, context=context)
    connection.set_tunnel("interlock.internal", 443, headers=login)
    own = {"Authorization": basic(given["TF_HTTP_USERNAME"], given["TF_HTTP_PASSWORD"])}
    connection.request("GET", f"/v1/state/{target}", headers=own)
    return connection.getresponse().status
"""

OWNER = """
print("environment", json.dumps(dict(os.environ)), flush=True)
while not os.path.exists("end"):
    time.sleep(0.02)
print("owner", call("by-its-owner"), flush=True)
"""

IMPOSTOR = """
stolen, target = json.loads(sys.argv[2]), sys.argv[3]
key = {name: stolen[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
state_login = {name: stolen[name] for name in ("TF_HTTP_USERNAME", "TF_HTTP_PASSWORD")}
ours = urlsplit(os.environ["HTTPS_PROXY"])
forged = f"http://{stolen['TF_HTTP_USERNAME']}:{sys.argv[4]}@{ours.hostname}:{ours.port}"
doors = {name: stolen[name] for name in ("HTTPS_PROXY",)}
print("verdict", json.dumps({
    "own key, own listener": call("honest"),
    "stolen key, own listener": call("stolen-key", **key),
    "stolen key, the owner's name at the own listener": call("stolen-name", **key, HTTPS_PROXY=forged),
    "own key, the owner's name at the own listener": call("lent-name", HTTPS_PROXY=forged),
    "stolen key, the owner's listener": call("stolen-door", **key, **doors),
    "the owner's state, own listener": state(target, **state_login),
    "the owner's state, the owner's listener": state(target, **state_login, **doors),
}), flush=True)
"""


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with Cloud() as started:
        yield started


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, cloud: Cloud) -> Iterator[System]:
    """A control host and the proxy of one worker host."""
    valkey = ValkeyServer()
    try:
        with running(tmp_path_factory.mktemp("impostors"), valkey.url) as started:
            started.start_proxy("host-a", INTERLOCK_UPSTREAM_OVERRIDES=json.dumps({"*.amazonaws.com": cloud.url}))
            yield started
    finally:
        valkey.close()


@contextmanager
def worker(system: System, sandbox: str) -> Iterator[None]:
    """The host's worker, with or without the sandbox."""
    name = f"worker-{sandbox}"
    system.start_worker("host-a", name=name, INTERLOCK_SANDBOX=sandbox)
    yield
    system.processes[name].send_signal(signal.SIGTERM)
    system.processes[name].wait(120)


def begin(system: System, program: str, *arguments: str) -> Run:
    register_empty_flock(system)
    python = getattr(sys, "_base_executable", sys.executable)
    argv = (python, "-I", "-S", "-c", CALLS + program, *arguments)
    return system.api().create_run(system.target, RunKind.EXEC, argv=argv)


def said(system: System, run: Run, word: str) -> str:
    """The rest of the line of its log that starts with `word`."""

    def look() -> str | None:
        # Whole lines only: a log arrives in pieces.
        lines = system.api().logs(run.id).text.split("\n")[:-1]
        status = system.api().run(run.id).status
        found = next((line for line in lines if line.startswith(f"{word} ")), None)
        assert found or not status.terminal, f"{run.id} is over: {lines}"
        return found

    line = eventually(look, f"{run.id} says {word}: {system.api().logs(run.id).text}")
    assert line is not None
    return line.removeprefix(f"{word} ")


def pose(system: System, sandbox: str) -> tuple[Run, Run, dict[str, int]]:
    """Run an owner, and beside it an impostor who knows all that the owner does; both to their ends."""
    module = SIGNED_CALL if sandbox == "bubblewrap" else signed_call.__file__
    owner = begin(system, OWNER, module)
    stolen: dict[str, Any] = json.loads(said(system, owner, "environment"))
    login = stolen["HTTPS_PROXY"].rpartition("@")[0].rpartition(":")[2] or "none"
    impostor = begin(system, IMPOSTOR, module, json.dumps(stolen), owner.target, login)
    verdict: dict[str, int] = json.loads(said(system, impostor, "verdict"))
    (system.directory / "host-a" / "runs" / owner.id / "work" / "end").touch()
    assert said(system, owner, "owner") == "200", "its own key was good all the while"
    for run in (owner, impostor):
        ended = system.run_until(run.id, lambda seen: seen.status.terminal, "is over")
        assert ended.status is RunStatus.SUCCEEDED
    return owner, impostor, verdict


def queues(cloud: Cloud, run: Run) -> list[str]:
    """The queues that the cloud was asked to create in the name of a run."""
    return [
        json.loads(arrival.body)["QueueName"]
        for arrival in cloud.arrivals
        if f"run {run.id})" in arrival.headers["user-agent"]
    ]


def test_without_the_sandbox_a_stolen_key_signs_as_its_owner(system: System, cloud: Cloud) -> None:
    with worker(system, "none"):
        owner, impostor, verdict = pose(system, "none")
    assert verdict["stolen key, the owner's listener"] == 200
    assert verdict["the owner's state, the owner's listener"] in (200, 204, 404)
    assert "stolen-door" in queues(cloud, owner), "that is why there is a sandbox"
    assert queues(cloud, impostor)[0] == "honest"


def test_in_the_sandbox_nothing_that_a_run_has_stolen_signs_as_another(system: System, cloud: Cloud) -> None:
    with worker(system, "bubblewrap"):
        owner, impostor, verdict = pose(system, "bubblewrap")
    assert verdict.pop("own key, own listener") == 200
    # 0: the tunnel itself was refused, for a login where the listener already says who calls.
    assert {name: status for name, status in verdict.items() if status not in (0, 403)} == {}
    assert queues(cloud, owner) == ["by-its-owner"]
    assert queues(cloud, impostor) == ["honest"]
