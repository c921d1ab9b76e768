"""The proxy as a process: it starts once, says why when it can't, and cuts every lease when it is told to stop."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from shared.safety.allowance import Allowance
from signing_proxy.core import CA_CERTIFICATE
from tests.integration.proxy_cloud import CLIENT_TIMEOUT_S, REAL_KEY, REAL_SECRET, Arrival, Cloud
from tests.integration.proxy_support import TIMING, Worker, sqs_call
from tests.integration.proxy_tunnel import Tunnel
from tests.servers import wait_for

PROGRAM = """
import sys
from shared.errors import InterlockError
from shared.settings import load_settings
from signing_proxy.main import run_proxy
try:
    sys.exit(run_proxy(load_settings()))
except InterlockError as error:
    print(f"{error} -- {error.hint}", file=sys.stderr)
    sys.exit(error.exit_code)
"""


def environment(home: Path, redis_url: str, cloud_url: str, api_url: str, http_port: int) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "INTERLOCK_HOME": str(home),
        "INTERLOCK_REDIS_URL": redis_url,
        "INTERLOCK_API_URL": api_url,
        "INTERLOCK_NODE": "host-a",
        "INTERLOCK_TOKEN": "a-token",
        "INTERLOCK_HTTP_PORT": str(http_port),
        "INTERLOCK_TTL_MS": str(TIMING.ttl_ms),
        "INTERLOCK_RENEW_MS": str(TIMING.renew_ms),
        "INTERLOCK_POLL_MS": str(TIMING.poll_ms),
        "INTERLOCK_DELTA_MS": str(TIMING.delta_ms),
        "INTERLOCK_UPSTREAM_OVERRIDES": json.dumps({"*.amazonaws.com": cloud_url}),
        "AWS_ACCESS_KEY_ID": REAL_KEY,
        "AWS_SECRET_ACCESS_KEY": REAL_SECRET,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def start(variables: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM], env=variables, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )


@contextmanager
def running(variables: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    process = start(variables)
    url = f"http://127.0.0.1:{variables['INTERLOCK_HTTP_PORT']}/readyz"

    def ready() -> bool:
        assert process.poll() is None, process.communicate()[1]
        try:
            return httpx.get(url, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    try:
        wait_for("the proxy", ready)
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=CLIENT_TIMEOUT_S)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def scheduler_answer(arrival: Arrival) -> tuple[int, str, bytes]:
    """As much of the scheduler's API as a proxy needs: every run may do everything, every journal entry is taken."""
    if arrival.path.endswith("/allowance"):
        return 200, "application/json", Allowance.unbounded().model_dump_json().encode()
    return 201, "application/json", arrival.body  # it names the call


@pytest.fixture
def api() -> Iterator[Cloud]:
    with Cloud(answer=scheduler_answer) as api:
        yield api


def test_the_process_serves_a_run_and_cuts_and_acknowledges_it_when_it_is_terminated(
    tmp_path: Path, valkey_url: str, cloud: Cloud, api: Cloud
) -> None:
    variables = environment(tmp_path, valkey_url, cloud.url, api.url, free_port())
    with running(variables) as process, Worker(tmp_path / "proxy.sock", valkey_url) as worker:
        host, headers, body = sqs_call(worker)
        with Tunnel(worker.port, host, tmp_path / "ca" / CA_CERTIFICATE) as tunnel:
            assert tunnel.call("POST", "/", headers, body)[0] == 200
            process.send_signal(signal.SIGTERM)
            assert tunnel.closed()
        assert process.wait(CLIENT_TIMEOUT_S) == 0
        assert worker.wait_cut().reason == "the proxy is stopping"
        assert worker.view().state == "severed"
        assert worker.view().all_clear
        assert not (tmp_path / "proxy.sock").exists()
    assert [arrival.signed_by for arrival in cloud.arrivals] == [REAL_KEY]
    # The journal went through the API: the intent before the call, the outcome after it.
    asked, intent, outcome = api.arrivals
    assert [arrival.path.rpartition("/")[2] for arrival in api.arrivals] == ["allowance", "journal", "outcome"]
    assert asked.path == f"/v1/runs/{worker.run_id}/allowance"
    assert json.loads(intent.body)["operation"] == "CreateQueue"
    assert json.loads(outcome.body)["outcome"] == "answered"
    assert {arrival.headers["authorization"] for arrival in api.arrivals} == {"Bearer a-token"}


def test_a_proxy_that_is_killed_leaves_its_lease_to_the_observer(
    tmp_path: Path, valkey_url: str, cloud: Cloud, api: Cloud
) -> None:
    variables = environment(tmp_path, valkey_url, cloud.url, api.url, free_port())
    with running(variables) as process, Worker(tmp_path / "proxy.sock", valkey_url) as worker:
        host, _, _ = sqs_call(worker)
        with Tunnel(worker.port, host, tmp_path / "ca" / CA_CERTIFICATE) as tunnel:
            process.kill()
            assert tunnel.closed()
        assert not worker.view().attachments[0].acknowledged
        process.wait(CLIENT_TIMEOUT_S)
        # Its socket is left behind, and a new proxy takes the place over; the burned boot's record stays.
        with running({**variables, "INTERLOCK_HTTP_PORT": str(free_port())}):
            assert not worker.view().attachments[0].acknowledged


def test_a_second_proxy_on_the_same_socket_says_so(tmp_path: Path, valkey_url: str, cloud: Cloud, api: Cloud) -> None:
    variables = environment(tmp_path, valkey_url, cloud.url, api.url, free_port())
    with running(variables), running_second(variables) as (code, message):
        assert code == 64
        assert f"another signing proxy serves {tmp_path / 'proxy.sock'}" in message
        assert "INTERLOCK_PROXY_SOCKET" in message
        assert "Traceback" not in message


def test_a_redis_that_is_not_there_is_said_so(tmp_path: Path, cloud: Cloud, api: Cloud) -> None:
    variables = environment(tmp_path, f"unix://{tmp_path}/none", cloud.url, api.url, free_port())
    with running_second(variables) as (code, message):
        assert code == 69
        assert "Redis" in message
        assert "Traceback" not in message


@contextmanager
def running_second(variables: dict[str, str]) -> Iterator[tuple[int, str]]:
    """Start a proxy that is expected to end by itself; its exit code and what it said."""
    process = start({**variables, "INTERLOCK_HTTP_PORT": str(free_port())})
    _, message = process.communicate(timeout=CLIENT_TIMEOUT_S)
    yield process.returncode, message
